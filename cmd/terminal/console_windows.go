package terminal

import (
	"errors"
	"io"
	"os"
	"time"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Path is where the console's input is read, by Windows' own name for it.
const Path = "CONIN$"

// outputPath is where the console is written to.
const outputPath = "CONOUT$"

// OpenOutput opens the console to write on it. It is UTF-8: Go's runtime writes UTF-16 to a console.
func OpenOutput() (*os.File, error) { return os.OpenFile(outputPath, os.O_RDWR, 0) }

// console is the process's console, to ask on: its input is read, its output is written.
type console struct {
	in, out *os.File
	hidden  bool
	saved   uint32         // the mode that the input had, to be put back
	asking  uint32         // that while a question stands
	ending  windows.Handle // an event: once it is set, nobody waits any longer for what is typed
	typed   keys
}

// openConsole opens the console for a question whose answer is hidden, or shown.
func openConsole(hidden bool) (*console, error) {
	in, err := os.OpenFile(Path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	out, err := OpenOutput()
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	ending, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	c := &console{in: in, out: out, hidden: hidden, ending: ending}
	if err := windows.GetConsoleMode(windows.Handle(in.Fd()), &c.saved); err != nil {
		return nil, errors.Join(ErrNone, c.Close())
	}
	c.asking = c.saved | windows.ENABLE_LINE_INPUT | windows.ENABLE_PROCESSED_INPUT | windows.ENABLE_ECHO_INPUT
	c.asking &^= windows.ENABLE_VIRTUAL_TERMINAL_INPUT
	if hidden {
		c.asking &^= windows.ENABLE_ECHO_INPUT | windows.ENABLE_LINE_INPUT
	}
	return c, nil
}

// Write shows a text in UTF-8.
func (c *console) Write(text []byte) (int, error) { return c.out.Write(text) }

// Close closes all that was opened.
func (c *console) Close() error {
	return errors.Join(c.in.Close(), c.out.Close(), windows.CloseHandle(c.ending))
}

// files are the ends that a form reads and draws on. Of standard input the form asks for key after key, and stops when it ends. Of any other
// handle it would have a read that nobody ends, which takes the first key that is meant for the next question.
func (c *console) files() (in, out *os.File) {
	var mode uint32
	if windows.GetConsoleMode(windows.Handle(os.Stdin.Fd()), &mode) == nil {
		return os.Stdin, c.out
	}
	return c.in, c.out
}

func (c *console) width() int {
	width, _ := size(c.out)
	return width
}

// begin is called before an answer is read. cancel ends the wait for it, unless a whole line is waited for.
func (c *console) begin() error { return windows.ResetEvent(c.ending) }

func (c *console) cancel() error { return windows.SetEvent(c.ending) }

// next waits for a byte that was typed: of a line that Windows hands out, or, where nothing is to show, of the keys one after the other.
func (c *console) next(patience time.Duration) (byte, error) {
	if c.hidden {
		return c.nextOfKeys(patience)
	}
	var one [1]byte
	n, err := c.in.Read(one[:])
	if err == nil && n == 0 {
		err = io.EOF
	}
	return one[0], err
}

func (c *console) nextOfKeys(patience time.Duration) (byte, error) {
	wait := uint32(windows.INFINITE)
	if patience >= 0 {
		wait = uint32(patience.Milliseconds())
	}
	in := windows.Handle(c.in.Fd())
	for {
		if b, some := c.typed.take(); some {
			return b, nil
		}
		switch first, err := windows.WaitForMultipleObjects([]windows.Handle{c.ending, in}, false, wait); {
		case err != nil:
			return 0, err
		case first == windows.WAIT_OBJECT_0:
			return 0, errCancelled
		case first == uint32(windows.WAIT_TIMEOUT):
			return 0, errNothing
		}
		event, err := readEvent(in)
		if err != nil {
			return 0, err
		}
		if c.typed.press(event) {
			return 0, errEscape
		}
	}
}

// inputRecord is INPUT_RECORD of Windows with its KEY_EVENT_RECORD.
type inputRecord struct {
	kind    uint16
	_       uint16
	down    int32
	repeats uint16
	key     uint16
	_       uint16
	unit    uint16 // UTF-16
	control uint32
}

const (
	keyEvent     = 1
	keyAlt       = 0x12
	keyEscape    = 0x1b
	keyNumber0   = 0x60 // of the number pad
	keyNumber9   = 0x69
	altIsPressed = 0x03
)

var readConsoleInput = windows.NewLazySystemDLL("kernel32.dll").NewProc("ReadConsoleInputW")

func readEvent(in windows.Handle) (inputRecord, error) {
	var event inputRecord
	var count uint32
	done, _, err := readConsoleInput.Call(uintptr(in), uintptr(unsafe.Pointer(&event)), 1, uintptr(unsafe.Pointer(&count)))
	if done == 0 {
		return event, err
	}
	if count == 0 {
		return event, io.EOF
	}
	return event, nil
}

// keys are characters that were typed and not taken yet.
type keys struct {
	bytes [64 * utf8.UTFMax]byte
	at, n int
	high  rune // the first half of a character beyond 16 bits
}

func (k *keys) take() (b byte, some bool) {
	if k.at == k.n {
		return 0, false
	}
	b, k.bytes[k.at] = k.bytes[k.at], 0
	k.at++
	return b, true
}

// press takes one event. It reports whether that was the key Esc.
func (k *keys) press(event inputRecord) (isEscape bool) {
	// A character that is typed by its number comes when Alt is let go.
	if event.kind != keyEvent || event.down == 0 && event.key != keyAlt || event.unit == 0 {
		return false
	}
	if event.key >= keyNumber0 && event.key <= keyNumber9 && event.control&altIsPressed != 0 {
		return false // a part of that number
	}
	if event.key == keyEscape && event.control&altIsPressed == 0 {
		return true
	}
	r := rune(event.unit)
	if utf16.IsSurrogate(r) {
		if k.high == 0 {
			k.high = r
			return false
		}
		r, k.high = utf16.DecodeRune(k.high, r), 0
	}
	k.at, k.n = 0, 0
	for range min(max(1, event.repeats), uint16(len(k.bytes)/utf8.UTFMax)) {
		k.n += utf8.EncodeRune(k.bytes[k.n:], r)
	}
	return false
}

// keys are those that edit a line: as on other systems, and Ctrl-Z ends.
func (*console) keys() editing {
	return editing{erase: backspace, word: 0x17, line: 0x15, end: 0x1a}
}

// interrupt sends what the console sends at Ctrl-C, to all that share it.
func interrupt() error {
	return windows.GenerateConsoleCtrlEvent(windows.CTRL_C_EVENT, 0)
}

// ask sets the console for the question.
func (c *console) ask() error { return windows.SetConsoleMode(windows.Handle(c.in.Fd()), c.asking) }

// single has nothing to do.
func (*console) single() error { return nil }

// restore puts the mode back.
func (c *console) restore() error {
	askedHidden.Store(false)
	return windows.SetConsoleMode(windows.Handle(c.in.Fd()), c.saved)
}

// quieten puts the mode back. A console shows what is typed only when it is read.
func (c *console) quieten() error {
	err := c.restore()
	askedHidden.Store(true)
	return err
}

// notifyStops tells of nothing: a console has no Ctrl-Z that stops a program.
func notifyStops() (stops <-chan os.Signal, unnotify func()) { return nil, func() {} }

// NotifyStops does nothing, for the same reason.
func NotifyStops(chan<- os.Signal) (unnotify func()) { return func() {} }

// Stop does nothing, for the same reason.
func Stop() error { return nil }

// orphaned reports that nothing here may stop the program.
func orphaned() bool { return true }

// pagerSignals are the pager's while it runs.
var pagerSignals = []os.Signal{os.Interrupt}

// usualPager is empty: Windows has no pager that shows colours, and its console scrolls back.
const usualPager = ""

// pagerCommand runs what PAGER holds.
func pagerCommand(command string) []string { return []string{"cmd", "/c", command} }

// Prepare has the consoles that the files lead to understand colours (virtual terminal sequences), as every Windows does that Go
// supports. A file that leads to no console is left alone.
func Prepare(files ...*os.File) {
	for _, file := range files {
		var mode uint32
		console := windows.Handle(file.Fd())
		if windows.GetConsoleMode(console, &mode) == nil {
			_ = windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) // without it, colours show as text
		}
	}
}
