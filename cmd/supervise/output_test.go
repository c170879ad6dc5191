package supervise

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
			path := filepath.Join(t.TempDir(), "out")
			page, written := writtenByParent(t, path)
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

// TestHandedOverIsWritten has a child die that handed a text over, before the parent looks.
func TestHandedOverIsWritten(t *testing.T) {
	page, ours, path := newParent(t, filepath.Join(t.TempDir(), "out"))
	handOver(page, []byte("result\n"), false, 0)
	time.AfterFunc(100*time.Millisecond, func() { ours.write(page, nil) })
	endOutput(page)
	if text, err := os.ReadFile(path); err != nil || string(text) != "result\n" {
		t.Errorf("%q is out: %v", text, err)
	}
	if _, told := page.told(); !told {
		t.Error("it is not noted")
	}
}

// TestTextThatCannotBeWrittenIsNotTold has the disk full.
func TestTextThatCannotBeWrittenIsNotTold(t *testing.T) {
	page, written := writtenByParent(t, "/dev/full")
	child := &Stream{page: page, mutex: &sync.Mutex{}, parent: os.Getppid()}
	if err := child.Tell([]byte("result\n"), Mark{Document: true, Told: true, Code: 0}); !errors.Is(err, unix.ENOSPC) {
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
func writtenByParent(t *testing.T, path string) (page *Page, written chan struct{}) {
	t.Helper()
	page, ours, _ := newParent(t, path)
	written = make(chan struct{})
	go func() {
		defer close(written)
		ours.write(page, nil)
	}()
	return page, written
}

// newParent is a parent that does not write yet.
func newParent(t *testing.T, path string) (*Page, streams, string) {
	t.Helper()
	page, file, err := newCallPage()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(file.Close(), out.Close()); err != nil {
			t.Error(err)
		}
	})
	return page, streams{{File: out}, {File: os.Stderr}}, path
}

var _ terminal.Output = (*Stream)(nil)
