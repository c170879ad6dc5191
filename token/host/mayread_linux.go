package host

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mayRead reports whether this process may read a file of a directory; one that is not there it may.
func mayRead(directory *os.File, name string) bool {
	return !errors.Is(unix.Faccessat(int(directory.Fd()), name, unix.R_OK, unix.AT_EACCESS), unix.EACCES)
}
