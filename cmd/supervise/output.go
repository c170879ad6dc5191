package supervise

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"p11bridge/cmd/terminal"
)

// The child has no file descriptor of our standard output and error: a module that writes to descriptors, or closes them,
// whatever their numbers, reaches nothing of ours. What the child has to say goes through the page, a piece at a time, and
// the parent writes it. A piece is acknowledged with the parent's error number, so that a full disk is told to whoever
// writes, and nothing is on its way when the child dies.
//
//	offset 0   nothing, a piece is there, or it is written
//	offset 4   the stream that the piece is for
//	offset 8   its length
//	offset 12  the error number that the parent's write ended with
//	offset 16  for each stream, the columns of its terminal, 0 for none
//	offset 24  1 where another piece of the same text follows
//	offset 28  1 where the text is a document of --json
//	offset 32  where the text ends the result, its exit code and 1, else 0
//	offset 64  the piece
//
// The parent writes a text once it has all pieces of it, and notes in the same step that the result is told: a child that dies
// at any moment has either told its result, or the parent tells of the failure, and never both.
const (
	outputAt   = slotsAt + slotCount*slotSize
	outputSize = 64 << 10
	pieceAt    = 64
	pieceMax   = outputSize - pieceAt

	outputFree    = 0
	outputFull    = 1
	outputWritten = 2
	outputEnded   = 3 // the child is gone
)

// waiting bounds how long one side waits before it looks whether the other is still there.
const waiting = time.Second

// mostKept bounds a text, in bytes.
const mostKept = 1 << 30

// Mark says what a text is. The zero value is any text.
type Mark struct {
	Document bool // a document of --json: there is to be no second one
	Told     bool // the text ends the result
	Code     int  // the exit code that goes with it, for Told
}

// Stream is the child's standard output or error.
type Stream struct {
	page   *Page
	mutex  *sync.Mutex // of all streams: the page holds one piece
	number int
	parent int
}

// Columns implements terminal.Output.
func (s *Stream) Columns() int {
	return int(atomic.LoadUint32(s.page.half(outputAt + 16 + 4*s.number)))
}

// Write implements io.Writer. It returns once the parent has written.
func (s *Stream) Write(text []byte) (written int, err error) {
	if err := s.Tell(text, Mark{}); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Tell writes a text, or none of it. The parent notes what the mark says in the same step.
func (s *Stream) Tell(text []byte, mark Mark) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for len(text) > 0 {
		piece := text[:min(len(text), pieceMax)]
		text = text[len(piece):]
		if err := s.tellPiece(piece, len(text) > 0, mark); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stream) tellPiece(piece []byte, more bool, mark Mark) error {
	p, state := s.page, s.page.half(outputAt)
	copy(p.memory[outputAt+pieceAt:], piece)
	told := uint32(0)
	if mark.Told {
		told = uint32(mark.Code) + 1
	}
	for offset, value := range map[int]uint32{4: uint32(s.number), 8: uint32(len(piece)), 24: flag(more), 28: flag(mark.Document), 32: told} {
		atomic.StoreUint32(p.half(outputAt+offset), value)
	}
	atomic.StoreUint32(state, outputFull)
	wake(state)
	for atomic.LoadUint32(state) != outputWritten {
		if parentGone(s.parent) {
			return fmt.Errorf("write to the parent process: %w", syscall.EPIPE)
		}
		wait(state, outputFull)
	}
	number := atomic.LoadUint32(p.half(outputAt + 12))
	atomic.StoreUint32(state, outputFree)
	if number != 0 {
		return syscall.Errno(number)
	}
	return nil
}

func flag(set bool) uint32 {
	if set {
		return 1
	}
	return 0
}

// streams are the parent's ends, standard output and error.
type streams [2]terminal.File

// setColumns tells the child how wide the terminals are.
func (s streams) setColumns(p *Page) {
	for number, file := range s {
		atomic.StoreUint32(p.half(outputAt+16+4*number), uint32(file.Columns()))
	}
}

// write writes what the child says until its end is told by endOutput. A result that hold keeps is shown by whoever keeps it.
func (s streams) write(p *Page, hold func([]byte) bool) {
	state := p.half(outputAt)
	var kept [len(s)][]byte // of each stream, the pieces of a text that is not whole
	for {
		switch now := atomic.LoadUint32(state); now {
		case outputFull:
		case outputEnded:
			return
		default:
			wait(state, now)
			continue
		}
		failure := syscall.EINVAL // who writes so is not our child's code
		number, length := atomic.LoadUint32(p.half(outputAt+4)), atomic.LoadUint32(p.half(outputAt+8))
		if number < uint32(len(s)) && length <= pieceMax && len(kept[number]) < mostKept {
			failure = 0
			kept[number] = append(kept[number], p.memory[outputAt+pieceAt:outputAt+pieceAt+int(length)]...)
			if atomic.LoadUint32(p.half(outputAt+24)) == 0 {
				failure = s.writeMarked(p, int(number), kept[number], hold)
				kept[number] = nil
			}
		}
		s.setColumns(p)
		atomic.StoreUint32(p.half(outputAt+12), uint32(failure))
		if !atomic.CompareAndSwapUint32(state, outputFull, outputWritten) {
			return
		}
		wake(state)
	}
}

// writeMarked writes a text. That it is told is noted before, and taken back where it could not be written: whoever looks
// meanwhile knows that it is on its way.
func (s streams) writeMarked(p *Page, number int, text []byte, hold func([]byte) bool) syscall.Errno {
	told, document := atomic.LoadUint32(p.half(outputAt+32)), atomic.LoadUint32(p.half(outputAt+28)) == 1
	if told != 0 {
		p.SetTold(int(told) - 1)
	}
	if number == 0 && told != 0 && !document && hold != nil && hold(text) {
		return 0
	}
	failure := writeAll(s[number].File, text)
	switch {
	case failure == 0 && document:
		p.setDocumented()
	case failure != 0 && told != 0:
		p.setUntold()
	}
	return failure
}

// endOutput ends streams.write once it has written what a child left that is gone: what was handed over is told. Where nobody
// reads, that has an end.
func endOutput(p *Page) {
	state := p.half(outputAt)
	for deadline := time.Now().Add(graceAfterSignal); time.Now().Before(deadline); {
		now := atomic.LoadUint32(state)
		if now == outputFull {
			wait(state, now)
		} else if atomic.CompareAndSwapUint32(state, now, outputEnded) {
			break
		}
	}
	atomic.StoreUint32(state, outputEnded)
	wake(state)
}
