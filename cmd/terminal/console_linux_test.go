package terminal

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWithdrawnInALine withdraws a question of whose answer a part was read: the rest is read as well, and is no answer to the next question.
func TestWithdrawnInALine(t *testing.T) {
	t.Parallel()
	var typed [2]int
	if err := unix.Pipe2(typed[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(typed[0])
	defer unix.Close(typed[1])
	c := &console{typed: typed[0], withdrawn: [2]int{none, none}}
	if err := c.begin(); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(typed[1], []byte("7\n")); err != nil {
		t.Fatal(err)
	}
	if err := c.cancel(); err != nil {
		t.Fatal(err)
	}
	for _, want := range "7\n" {
		if b, err := c.next(forever); err != nil || rune(b) != want {
			t.Errorf("%q was read, not %q (%v)", b, want, err)
		}
	}
	if _, err := c.next(forever); !errors.Is(err, errCancelled) {
		t.Errorf("behind the line: %v", err)
	}
	if err := c.closeEnd(0); err != nil {
		t.Fatal(err)
	}
}
