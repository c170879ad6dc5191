package cmd

// The rules of progress:
//   - It goes to standard error, so that standard output holds nothing but the result.
//   - On a terminal it is one line that is written over and cleared at the end; the result then says what was done.
//   - Elsewhere it is a line for each file as it is finished, for a log.
//   - A line never wraps: it is cut to the terminal's width.

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/term"

	"p11bridge/cmd/messages"
)

// progress tells how far a run over many files is. Several goroutines may use it.
type progress struct {
	app      *app
	total    int
	terminal bool
	start    time.Time
	stop     chan struct{}
	stopped  sync.WaitGroup

	mutex   sync.Mutex
	done    int
	current string
}

func (a *app) newProgress(total int) *progress {
	p := &progress{app: a, total: total, terminal: term.IsTerminal(int(a.err.Fd())), start: a.now(), stop: make(chan struct{})}
	if p.terminal {
		p.stopped.Go(p.tick)
	}
	return p
}

// tick keeps the time left current while a file takes long.
func (p *progress) tick() {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			p.mutex.Lock()
			p.draw()
			p.mutex.Unlock()
		}
	}
}

// began names what is being worked on.
func (p *progress) began(name string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.current = printable(name)
	p.draw()
}

// ended counts one as finished; line says what became of it.
func (p *progress) ended(line string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.done++
	if !p.terminal {
		fmt.Fprintln(p.app.err, p.app.text("progress.line", messages.Args{"Done": p.done, "Total": p.total, "Line": line}))
		return
	}
	p.draw()
}

// draw writes the line over the one before. The lock is held.
func (p *progress) draw() {
	if !p.terminal {
		return
	}
	args := messages.Args{"Done": p.done, "Total": p.total, "Name": p.current}
	id := "progress.all"
	if p.done > 0 {
		elapsed := p.app.now().Sub(p.start)
		args["Left"] = (elapsed * time.Duration(p.total-p.done) / time.Duration(p.done)).Round(time.Second).String()
		id = "progress.all-left"
	}
	width, _, err := term.GetSize(int(p.app.err.Fd()))
	if err != nil || width < 1 {
		width = 80
	}
	fmt.Fprint(p.app.err, "\r"+fit(p.app.text(id, args), width-1)+"\x1b[K")
}

// fit cuts a printable text to a number of columns.
func fit(text string, most int) string {
	runes := []rune(text)
	for len(runes) > 0 && columns(string(runes)) > most {
		runes = runes[:len(runes)-1]
	}
	return string(runes)
}

// end clears the line.
func (p *progress) end() {
	if !p.terminal {
		return
	}
	close(p.stop)
	p.stopped.Wait()
	fmt.Fprint(p.app.err, "\r\x1b[K")
}
