package archive

import (
	"errors"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Medium is the kind of storage below a directory, as far as it matters to the only copy of a key. It is empty for storage of
// which nothing is known that speaks against it.
type Medium string

// The media that are known by their file systems (statfs(2)).
const (
	MediumTmpfs   Medium = "tmpfs"   // memory: gone after the next start of the machine
	MediumRamfs   Medium = "ramfs"   // the same
	MediumOverlay Medium = "overlay" // often a container's upper layer: gone with the container
)

// Volatile tells that a file is gone after the next start of the machine.
func (m Medium) Volatile() bool { return m == MediumTmpfs || m == MediumRamfs }

// CheckLasting reports whether a file at the path outlives a start of the machine, with the medium that it would stand on. The
// error is a *FileError with FileVolatile where it does not. Where the system does not tell, nothing is held against it.
func CheckLasting(path string) (Medium, error) {
	medium := mediumOf(filepath.Dir(path))
	if medium.Volatile() {
		return medium, &FileError{Path: path, Fault: FileVolatile, Err: errors.New(string(medium))}
	}
	return medium, nil
}

func mediumOf(directory string) Medium {
	var system unix.Statfs_t
	if err := unix.Statfs(directory, &system); err != nil {
		return ""
	}
	switch uint32(system.Type) {
	case unix.TMPFS_MAGIC:
		return MediumTmpfs
	case unix.RAMFS_MAGIC:
		return MediumRamfs
	case unix.OVERLAYFS_SUPER_MAGIC:
		return MediumOverlay
	}
	return ""
}
