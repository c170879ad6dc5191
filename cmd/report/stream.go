package report

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
)

const (
	chunkSize   = 1 << 20
	deepest     = 100     // nesting of arrays and objects: documents of ours have less than ten
	mostSkipped = 1 << 34 // bytes without a document, after which the rest of a stream is given up: it may have no end
)

// stream takes apart documents that stand one behind the other: lines of JSON, or whole documents. It knows where a document ends before
// it is parsed. What is no JSON is passed over up to the next line that begins with "{", so that a broken line costs no other document.
// One document is in memory at a time, and none that is larger than the limit.
type stream struct {
	in        *bufio.Reader
	limit     int // of a document, in bytes
	first     []byte
	chunks    [][]byte // what is behind the first
	size      int      // of the document so far
	lineStart bool     // the next byte begins a line
}

func newStream(in io.Reader, limit int) *stream {
	return &stream{in: bufio.NewReaderSize(in, 1<<16), limit: limit, first: make([]byte, 0, min(chunkSize, limit)), lineStart: true}
}

// next gives the next document, which is good until next is called again, or what is wrong with it. The error is io.EOF behind the last
// document, or what the system says.
func (s *stream) next(ctx context.Context) (json.RawMessage, fault, error) {
	s.first, s.chunks, s.size = s.first[:0], nil, 0
	begun, err := s.begin(ctx)
	if err != nil {
		return nil, "", err
	}
	if !begun {
		s.skip(ctx)
		return nil, faultNotJSON, nil
	}
	var open nesting
	for {
		read, err := s.read(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil, faultCutOff, nil // the next call gives the end
		case err != nil:
			return nil, "", err
		}
		for i, b := range read {
			switch {
			case !open.take(b):
				_, _ = s.in.Discard(i)
				if !s.lineStart { // what begins a line may begin a document
					_, _ = s.in.Discard(1)
					s.lineStart = b == '\n'
				}
				s.skip(ctx)
				return nil, faultNotJSON, nil
			case len(open.brackets) == 0:
				s.keep(read[:i+1])
				_, _ = s.in.Discard(i + 1)
				s.lineStart = false
				if s.tooLarge() {
					return nil, faultTooLarge, nil
				}
				return s.document(), "", nil
			}
			s.lineStart = b == '\n'
		}
		s.keep(read)
		_, _ = s.in.Discard(len(read))
		if s.size > mostSkipped {
			s.giveUp()
			return nil, faultTooLarge, nil
		}
	}
}

// read gives what is buffered, without taking it.
func (s *stream) read(ctx context.Context) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if _, err := s.in.Peek(1); err != nil {
		return nil, err
	}
	return s.in.Peek(s.in.Buffered())
}

// begin passes over the space before a document. It is false where none begins there.
func (s *stream) begin(ctx context.Context) (bool, error) {
	for {
		read, err := s.read(ctx)
		if err != nil {
			return false, err
		}
		for i, b := range read {
			if bytes.IndexByte([]byte(" \t\r\n"), b) < 0 {
				_, err = s.in.Discard(i)
				return b == '{' || b == '[', err
			}
			s.lineStart = b == '\n'
		}
		_, _ = s.in.Discard(len(read))
	}
}

// skip passes over everything up to the next line that begins with "{". What ends it early, next meets again.
func (s *stream) skip(ctx context.Context) {
	for skipped := 0; skipped < mostSkipped; {
		read, err := s.read(ctx)
		if err != nil || s.lineStart && read[0] == '{' {
			return
		}
		n := bytes.IndexByte(read, '\n') + 1
		s.lineStart = n > 0
		if n == 0 {
			n = len(read)
		}
		_, _ = s.in.Discard(n)
		skipped += n
	}
	s.giveUp()
}

// giveUp ends the stream.
func (s *stream) giveUp() { s.in.Reset(bytes.NewReader(nil)) }

// keep adds to the document, and forgets it where it becomes too large.
func (s *stream) keep(read []byte) {
	s.size += len(read)
	if s.tooLarge() {
		s.chunks = nil
		return
	}
	n := min(len(read), cap(s.first)-len(s.first))
	s.first, read = append(s.first, read[:n]...), read[n:]
	for len(read) > 0 {
		last := len(s.chunks) - 1
		if last < 0 || len(s.chunks[last]) == cap(s.chunks[last]) {
			s.chunks, last = append(s.chunks, make([]byte, 0, chunkSize)), last+1
		}
		n := min(len(read), cap(s.chunks[last])-len(s.chunks[last]))
		s.chunks[last], read = append(s.chunks[last], read[:n]...), read[n:]
	}
}

func (s *stream) tooLarge() bool { return s.size > s.limit }

// document puts together what was kept.
func (s *stream) document() json.RawMessage {
	if len(s.chunks) == 0 {
		return s.first
	}
	whole := bytes.Join(append([][]byte{s.first}, s.chunks...), nil)
	s.chunks = nil
	return whole
}

// nesting follows the brackets and texts of a document (RFC 8259), as far as it takes to know where it ends. It does not judge the rest.
type nesting struct {
	brackets []byte // that are open
	last     byte   // the last byte outside of texts that is no space
	text     bool   // within a text
	escaped  bool   // behind a backslash in it
}

// take goes on by one byte. It is false where no JSON goes on like this: a document that was cut off in the middle of its line shows by
// what the next line begins with.
func (n *nesting) take(b byte) bool {
	if n.text {
		switch {
		case b < ' ': // also a line's end
			return false
		case n.escaped:
			n.escaped = false
		case b == '\\':
			n.escaped = true
		case b == '"':
			n.text = false
		}
		return true
	}
	switch b {
	case ' ', '\t', '\r', '\n':
		return true
	case '"':
		n.text = true
	case '{', '[':
		if !n.valueMayBegin() || len(n.brackets) == deepest {
			return false
		}
		n.brackets = append(n.brackets, b)
	case '}', ']':
		if n.inner() != b-2 { // in ASCII, two before
			return false
		}
		n.brackets = n.brackets[:len(n.brackets)-1]
	}
	n.last = b
	return true
}

// inner is the innermost bracket that is open, 0 for none.
func (n *nesting) inner() byte {
	if len(n.brackets) == 0 {
		return 0
	}
	return n.brackets[len(n.brackets)-1]
}

// valueMayBegin reports whether an array or an object may begin here.
func (n *nesting) valueMayBegin() bool {
	switch n.inner() {
	case '{':
		return n.last == ':'
	case '[':
		return n.last == '[' || n.last == ','
	}
	return true
}
