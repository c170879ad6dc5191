package supervise

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Page is a page of memory that the supervising parent and the working child share. The child leaves there which C_*
// call it is in, so that the parent can name it when the child dies in it or stays in it.
//
//	offset 0     1 once the child has ended in its own words, 2 more once a document of --json is out, and 4 more before it ends because
//	             the module closed its descriptors; from offset 4 (32 bits) its exit code and 1, once the result has been told
//	offset 8     the length of the scratch path, 0 for none; from offset 16 the path, of one unfinished file or the
//	             beginning of those of all that the run has
//	offset 1024  slots of 512 bytes, one for each call under way:
//	             8 bytes start in nanoseconds of the monotonic clock, 0 for a free slot; then the function's name and the
//	             module's path, each ended by a zero byte
//
// Behind them lie what the child says (output.go), the variables that the parent hands over (variables.go), the modules that
// are left out (leftout.go), the names of what is changed on a token (changes.go), what a child is to look for after another one
// died (lookagain.go), and the files that get their names (saved.go).
type Page struct {
	memory []byte
	noting sync.Mutex // several files may be saved at once
}

const (
	scratchAt  = 16
	scratchMax = 1000
	slotsAt    = 1024
	slotSize   = 512
	slotCount  = 30

	pageSize = lookAgainAt + lookSize + savedSize
)

// newCallPage makes the page; the file hands it to the child.
func newCallPage() (*Page, *os.File, error) {
	memory, file, err := shareMemory(pageSize)
	if err != nil {
		return nil, nil, fmt.Errorf("share a page with the child: %w", err)
	}
	return &Page{memory: memory}, file, nil
}

// takeCallPage takes over the page in the child.
func takeCallPage(file *os.File) (*Page, error) {
	memory, err := mapMemory(file, pageSize)
	if err != nil {
		return nil, fmt.Errorf("share a page with the parent: %w", err)
	}
	return &Page{memory: memory}, nil
}

func (p *Page) word(offset int) *uint64 { return (*uint64)(unsafe.Pointer(&p.memory[offset])) }

func (p *Page) half(offset int) *uint32 { return (*uint32)(unsafe.Pointer(&p.memory[offset])) }

func (p *Page) slot(i int) int { return slotsAt + i*slotSize }

// begin notes a call, end that it returned.
func (p *Page) begin(i int, module, function string) {
	at := p.slot(i)
	names := p.memory[at+8 : at+slotSize]
	n := copy(names[:len(names)-2], function+"\x00"+module)
	clear(names[n:])
	atomic.StoreUint64(p.word(at), monotonic())
}

func (p *Page) end(i int) { atomic.StoreUint64(p.word(p.slot(i)), 0) }

// longest is the call that has been under way for the longest time, empty if there is none.
func (p *Page) longest() (module, function string, since time.Duration) {
	now := monotonic()
	for i := range slotCount {
		at := p.slot(i)
		start := atomic.LoadUint64(p.word(at))
		if start == 0 || start > now || time.Duration(now-start) < since {
			continue
		}
		since = time.Duration(now - start)
		module, function = p.names(i)
	}
	return module, function, since
}

// last is a call that was made lately, whether it has returned or not.
func (p *Page) last() (module, function string) { return p.names(0) }

func (p *Page) names(i int) (module, function string) {
	at := p.slot(i)
	names := strings.SplitN(string(p.memory[at+8:at+slotSize]), "\x00", 3)
	return names[1], names[0]
}

// finish notes that the child ends in its own words. Without it an exit is the module's doing.
func (p *Page) finish() { atomic.OrUint32(p.half(0), 1) }

func (p *Page) finished() bool { return atomic.LoadUint32(p.half(0))&1 != 0 }

// setDocumented notes that a document of --json is out.
func (p *Page) setDocumented() { atomic.OrUint32(p.half(0), 2) }

func (p *Page) documented() bool { return atomic.LoadUint32(p.half(0))&2 != 0 }

// setWithoutDescriptors notes that the child ends because the module has closed its descriptors.
func (p *Page) setWithoutDescriptors() { atomic.OrUint32(p.half(0), 4) }

func (p *Page) withoutDescriptors() bool { return atomic.LoadUint32(p.half(0))&4 != 0 }

// SetTold notes that the result is out, with the exit code that goes with it: what the module does while it is being
// closed can no longer change it.
func (p *Page) SetTold(code int) { atomic.StoreUint32(p.half(4), uint32(code)+1) }

// setUntold takes SetTold back.
func (p *Page) setUntold() { atomic.StoreUint32(p.half(4), 0) }

func (p *Page) told() (code int, told bool) {
	value := atomic.LoadUint32(p.half(4))
	return int(value) - 1, value != 0
}

// exitCode is that of a child that has ended in its own words: ended, as the system tells it, or the one that was told with the result where
// a signal came after the last word.
func (p *Page) exitCode(ended int) int {
	if code, told := p.told(); told && ended < 0 {
		return code
	}
	return ended
}

// SetScratch notes the files that are to be removed if the child dies: all whose paths begin so. An empty path notes that
// there are none.
func (p *Page) SetScratch(path string) {
	if len(path) > scratchMax {
		path = ""
	}
	copy(p.memory[scratchAt:], path)
	binary.NativeEndian.PutUint64(p.memory[8:16], uint64(len(path)))
}

func (p *Page) scratch() string {
	n := binary.NativeEndian.Uint64(p.memory[8:16])
	if n == 0 || n > scratchMax {
		return ""
	}
	return string(p.memory[scratchAt : scratchAt+n])
}

// Observer is what the token package tells of every call: it keeps the page, and the trace where one is wanted.
type Observer struct {
	Page  *Page
	Trace *Trace

	mutex    sync.Mutex
	busy     [slotCount]bool
	sentinel *sentinel // nil before the first call
}

// Begin implements token.Observer.
func (o *Observer) Begin(module, function string) int {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.sentinel == nil {
		o.sentinel = newSentinel()
	}
	for i := range o.busy {
		if !o.busy[i] {
			o.busy[i] = true
			o.Page.begin(i, module, function)
			return i
		}
	}
	return -1 // more calls at once than the page holds: this one goes unwatched
}

// End implements token.Observer. A call that has closed descriptors which are not the module's own ends the process: those of ours may be
// of other files now, and nothing may be read or written through them.
func (o *Observer) End(slot int, function, detail string, err error, took time.Duration) {
	if o.sentinel.gone() {
		o.Page.setWithoutDescriptors()
		endAtOnce()
	}
	if o.Trace != nil {
		o.Trace.write(function, detail, err, took)
	}
	if slot < 0 {
		return
	}
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.Page.end(slot)
	o.busy[slot] = false
}
