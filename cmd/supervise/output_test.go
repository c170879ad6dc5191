package supervise

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"p11bridge/cmd/terminal"
)

// TestChildThatDiesHasToldOrNot has a child die at each step of telling its result. The result is out whole and noted as told,
// or nothing of it is out and nothing is noted.
func TestChildThatDiesHasToldOrNot(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789abcdef"), pieceMax/8) // two pieces
	for _, test := range []struct {
		name   string
		handed int // the pieces of two that the child had handed over when it died
		want   []byte
	}{
		{"before the first piece", 0, nil},
		{"after the first piece", 1, nil},
		{"after the last piece", 2, long},
	} {
		t.Run(test.name, func(t *testing.T) {
			page, out, path, written := writtenByParent(t, filepath.Join(t.TempDir(), "out"))
			for i := range test.handed {
				if i > 0 {
					for atomic.LoadUint32(page.half(outputAt)) != outputWritten {
						wait(page.half(outputAt), outputFull)
					}
				}
				handOver(page, long[i*len(long)/2:(i+1)*len(long)/2], i == 0, 3)
			}
			endOutput(page)
			<-written
			if err := out.Close(); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(text, test.want) {
				t.Errorf("%d bytes are out instead of %d", len(text), len(test.want))
			}
			code, told := page.told()
			if told != (test.want != nil) || told && code != 3 || page.documented() != told {
				t.Errorf("told %v with exit code %d, document %v", told, code, page.documented())
			}
		})
	}
}

// TestTextThatCannotBeWrittenIsNotTold has the disk full.
func TestTextThatCannotBeWrittenIsNotTold(t *testing.T) {
	page, out, _, written := writtenByParent(t, "/dev/full")
	defer out.Close()
	child := &Stream{page: page, mutex: &sync.Mutex{}, parent: os.Getppid()}
	if err := child.Tell([]byte("result\n"), Mark{Document: true, Told: true, Code: 0}); err != unix.ENOSPC {
		t.Errorf("the child is told %v", err)
	}
	if _, told := page.told(); told || page.documented() {
		t.Error("it is noted as told")
	}
	endOutput(page)
	<-written
}

// handOver is what Stream.tellPiece does before it waits for the parent.
func handOver(p *Page, piece []byte, more bool, code int) {
	copy(p.memory[outputAt+pieceAt:], piece)
	for offset, value := range map[int]uint32{4: 0, 8: uint32(len(piece)), 24: flag(more), 28: 1, 32: uint32(code) + 1} {
		atomic.StoreUint32(p.half(outputAt+offset), value)
	}
	atomic.StoreUint32(p.half(outputAt), outputFull)
	wake(p.half(outputAt))
}

// writtenByParent has a parent write what comes through a page to a file.
func writtenByParent(t *testing.T, path string) (page *Page, out *os.File, name string, written chan struct{}) {
	t.Helper()
	page, file, err := newCallPage()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if out, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		t.Fatal(err)
	}
	ours := streams{{File: out}, {File: os.Stderr}}
	written = make(chan struct{})
	go func() {
		defer close(written)
		ours.write(page)
	}()
	return page, out, path, written
}

var _ terminal.Output = (*Stream)(nil)
