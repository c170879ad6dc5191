package terminal

// The rules of progress:
//   - It goes to standard error, so that standard output holds nothing but the result.
//   - On a terminal it is one line that is written over and cleared at the end; the result then says what was done.
//   - Elsewhere it is a line for each file as it is finished, for a log.
//   - A line never wraps: it is cut to the terminal's width.

import (
	"fmt"
	"sync"
	"time"

	"p11bridge/cmd/messages"
)

// progress tells how far a run over many files is. Several goroutines may use it.
type progress struct {
	out      Output
	text     func(id string, args messages.Args) string
	total    int
	terminal bool
	start    time.Time
	stop     chan struct{}
	stopped  sync.WaitGroup

	mutex   sync.Mutex
	done    int
	current string
}

// NewProgress begins a run over total files, told on out with texts of the catalog.
func NewProgress(out Output, text func(id string, args messages.Args) string, total int) *progress {
	p := &progress{out: out, text: text, total: total, terminal: out.Columns() > 0, start: time.Now(), stop: make(chan struct{})}
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

// Began names what is being worked on.
func (p *progress) Began(name string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.current = Printable(name)
	p.draw()
}

// Ended counts one as finished; line says what became of it.
func (p *progress) Ended(line string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.done++
	if !p.terminal {
		fmt.Fprintln(p.out, p.text("progress.line", messages.Args{"Done": messages.Number(p.done), "Total": messages.Number(p.total), "Line": messages.Own(line)}))
		return
	}
	p.draw()
}

// Aside clears the line, does something else on the terminal, and keeps the others waiting meanwhile.
func (p *progress) Aside(other func()) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	other()
}

// draw writes the line over the one before. The lock is held.
func (p *progress) draw() {
	if !p.terminal {
		return
	}
	args := messages.Args{"Done": messages.Number(p.done), "Total": messages.Number(p.total), "Name": messages.Own(p.current)}
	id := "progress.all"
	if p.done > 0 {
		elapsed := time.Since(p.start)
		args["Left"] = messages.Own((elapsed * time.Duration(p.total-p.done) / time.Duration(p.done)).Round(time.Second).String())
		id = "progress.all-left"
	}
	fmt.Fprint(p.out, "\r"+fit(p.text(id, args), p.out.Columns()-1)+"\x1b[K")
}

// End clears the line.
func (p *progress) End() {
	if !p.terminal {
		return
	}
	close(p.stop)
	p.stopped.Wait()
	fmt.Fprint(p.out, "\r\x1b[K")
}
