package terminal

import (
	"bytes"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"p11bridge/token/secret"
)

// The rules of an answer that is not shown:
//   - A terminal edits a line by itself and hands it out whole, or at Esc what there is of it. From then on it gives key after key, which are edited here.
//   - Esc alone is what Ctrl-C is. A key that gives a sequence (an arrow, Home, F1, a letter with Alt) gives nothing.
//   - Nothing of the answer is left in memory but the answer itself, and nothing at all where the question ends otherwise.

const (
	forever     = time.Duration(-1)
	escapePause = 100 * time.Millisecond // what follows an Esc sooner is of the same key
)

var (
	errNothing   = errors.New("nothing was typed in time")
	errCancelled = errors.New("the question is withdrawn")
	errEscape    = errors.New("the key Esc")
)

// The characters with a meaning of their own.
const (
	bell      = 0x07
	backspace = 0x08
	escape    = 0x1b
	deletion  = 0x7f
)

// editing are the characters that edit a line, or end it; 0 is none.
type editing struct{ erase, word, line, redraw, end, literal byte }

// keystrokes give byte after byte: next waits so long for one. Its error is errNothing, errCancelled, errEscape where the system tells the key Esc
// by itself, or io.EOF.
type keystrokes struct {
	next   func(patience time.Duration) (byte, error)
	single func() error // has the terminal give key after key
	back   byte         // one that was read too many
	isBack bool
}

func (k *keystrokes) read(patience time.Duration) (byte, error) {
	if k.isBack {
		k.isBack = false
		return k.back, nil
	}
	return k.next(patience)
}

func (k *keystrokes) unread(b byte) { k.back, k.isBack = b, true }

// readHidden reads a line of at most maxTyped bytes.
func readHidden(k *keystrokes, keys editing) ([]byte, error) {
	line := make([]byte, 0, maxTyped)
	for {
		b, err := k.read(forever)
		switch {
		case err != nil:
		case b == '\n' || b == '\r':
			return line, nil
		case b == escape:
			err = k.skipSequence()
		case b == keys.end || b == 0: // an end that was typed while lines were handed out is a zero byte
			if len(line) == 0 {
				err = io.EOF
			}
		case b == keys.literal:
			if b, err = k.read(forever); err == nil {
				line = added(line, b)
			}
		default:
			line = keys.edit(line, b)
		}
		if err != nil {
			secret.Wipe(line)
			return nil, err
		}
	}
}

// edit is the line after one more character.
func (e editing) edit(line []byte, b byte) []byte {
	switch b {
	case e.erase, backspace, deletion:
		_, size := utf8.DecodeLastRune(line)
		return cut(line, len(line)-size)
	case e.word:
		return cut(line, bytes.LastIndexByte(bytes.TrimRight(line, " "), ' ')+1)
	case e.line:
		return cut(line, 0)
	case e.redraw:
		return line
	}
	return added(line, b)
}

// added is the line with one more byte, where there is room for it.
func added(line []byte, b byte) []byte {
	if len(line) == cap(line) { // a longer one would be copied, and the copy not wiped
		return line
	}
	return append(line, b)
}

// cut shortens the line, and wipes what is cut off.
func cut(line []byte, length int) []byte {
	secret.Wipe(line[length:])
	return line[:length]
}

// skipSequence reads what a key gives after an Esc (ECMA-48 §5). The error is errEscape where that was the key itself.
func (k *keystrokes) skipSequence() error {
	if err := k.single(); err != nil {
		return err
	}
	b, err := k.read(escapePause)
	for err == nil && b == escape { // with Alt
		b, err = k.read(escapePause)
	}
	switch {
	case errors.Is(err, errNothing), err == nil && (b == '\n' || b == '\r'):
		return errEscape
	case err != nil:
		return err
	case b == '[':
		return k.skipControl()
	case b == 'O':
		return k.skipUntil(func(b byte) bool { return b < '0' || b > ';' })
	case b == ']' || b == 'P' || b == 'X' || b == '^' || b == '_': // what a terminal answers
		return k.skipString()
	case b >= utf8.RuneSelf:
		return k.skipRune()
	}
	return nil // a letter with Alt
}

// skipRune reads the other bytes of a character.
func (k *keystrokes) skipRune() error {
	return k.skipUntil(func(b byte) bool {
		starts := utf8.RuneStart(b)
		if starts {
			k.unread(b)
		}
		return starts
	})
}

// skipControl reads a control sequence up to its final byte (§5.4). The console of Linux gives its F1 to F5 with one "[" more.
func (k *keystrokes) skipControl() error {
	switch b, err := k.read(escapePause); {
	case errors.Is(err, errNothing):
		return nil
	case err != nil:
		return err
	case b != '[':
		k.unread(b)
	}
	return k.skipUntil(func(b byte) bool { return b >= '@' })
}

// skipString reads up to the end of a control string (§5.6), which is a BEL or an Esc with a backslash.
func (k *keystrokes) skipString() error {
	escaped := false
	return k.skipUntil(func(b byte) bool {
		ends := b == bell || escaped && b == '\\'
		escaped = b == escape
		return ends
	})
}

// skipUntil reads to the byte that ends a sequence. One that breaks off is over; the end of a line never belongs to it.
func (k *keystrokes) skipUntil(ends func(byte) bool) error {
	for {
		b, err := k.read(escapePause)
		switch {
		case errors.Is(err, errNothing):
			return nil
		case err != nil:
			return err
		case b == '\n' || b == '\r':
			k.unread(b)
			return nil
		case ends(b):
			return nil
		}
	}
}
