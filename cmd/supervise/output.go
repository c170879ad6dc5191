package supervise

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

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
//	offset 64  the piece
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

// stream is the child's standard output or error.
type stream struct {
	page   *Page
	mutex  *sync.Mutex // of all streams: the page holds one piece
	number int
	parent int
}

// Columns implements terminal.Output.
func (s *stream) Columns() int {
	return int(atomic.LoadUint32(s.page.half(outputAt + 16 + 4*s.number)))
}

// Write implements io.Writer. It returns once the parent has written.
func (s *stream) Write(text []byte) (written int, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for len(text) > 0 {
		piece := text[:min(len(text), pieceMax)]
		if err := s.writePiece(piece); err != nil {
			return written, err
		}
		written, text = written+len(piece), text[len(piece):]
	}
	return written, nil
}

func (s *stream) writePiece(piece []byte) error {
	p, state := s.page, s.page.half(outputAt)
	copy(p.memory[outputAt+pieceAt:], piece)
	atomic.StoreUint32(p.half(outputAt+4), uint32(s.number))
	atomic.StoreUint32(p.half(outputAt+8), uint32(len(piece)))
	atomic.StoreUint32(state, outputFull)
	wake(state)
	for atomic.LoadUint32(state) != outputWritten {
		if os.Getppid() != s.parent {
			return fmt.Errorf("write to the parent process: %w", unix.EPIPE)
		}
		wait(state, outputFull)
	}
	number := atomic.LoadUint32(p.half(outputAt + 12))
	atomic.StoreUint32(state, outputFree)
	if number != 0 {
		return unix.Errno(number)
	}
	return nil
}

// streams are the parent's ends, standard output and error.
type streams [2]terminal.File

// setColumns tells the child how wide the terminals are.
func (s streams) setColumns(p *Page) {
	for number, file := range s {
		atomic.StoreUint32(p.half(outputAt+16+4*number), uint32(file.Columns()))
	}
}

// write writes what the child says until its end is told by endOutput.
func (s streams) write(p *Page) {
	state := p.half(outputAt)
	piece := make([]byte, pieceMax)
	for {
		switch now := atomic.LoadUint32(state); now {
		case outputFull:
		case outputEnded:
			return
		default:
			wait(state, now)
			continue
		}
		number, length := atomic.LoadUint32(p.half(outputAt+4)), atomic.LoadUint32(p.half(outputAt+8))
		failure := unix.Errno(unix.EINVAL) // who writes so is not our child's code
		if number < uint32(len(s)) && length <= pieceMax {
			copy(piece, p.memory[outputAt+pieceAt:outputAt+outputSize])
			failure = writeAll(int(s[number].Fd()), piece[:length])
		}
		s.setColumns(p)
		atomic.StoreUint32(p.half(outputAt+12), uint32(failure))
		if !atomic.CompareAndSwapUint32(state, outputFull, outputWritten) {
			return
		}
		wake(state)
	}
}

// endOutput ends streams.write.
func endOutput(p *Page) {
	atomic.StoreUint32(p.half(outputAt), outputEnded)
	wake(p.half(outputAt))
}

// writeAll writes by the system call alone: os.File would end the process where a pipe's reader has gone.
func writeAll(fd int, text []byte) unix.Errno {
	for len(text) > 0 {
		n, err := unix.Write(fd, text)
		var number unix.Errno
		switch {
		case err == nil && n > 0:
			text = text[n:]
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1); err != nil && !errors.Is(err, unix.EINTR) {
				return unix.EIO
			}
		case errors.As(err, &number):
			return number
		default:
			return unix.EIO
		}
	}
	return 0
}

// wait sleeps until word is no longer value and somebody wakes it, or for a moment. It may return early.
func wait(word *uint32, value uint32) {
	limit := unix.NsecToTimespec(waiting.Nanoseconds())
	// Whatever it ends with, the caller looks at the word again.
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, uintptr(value), uintptr(unsafe.Pointer(&limit)), 0, 0)
}

func wake(word *uint32) {
	// Nobody may be waiting, which is no error.
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, 1, 0, 0, 0)
}

// The operations of futex(2), between processes.
const (
	futexWait = 0
	futexWake = 1
)
