package archive

import (
	"errors"
	"path/filepath"
)

// Medium is the kind of storage below a directory, as far as it matters to the only copy of a key. It is empty for storage of
// which nothing is known that speaks against it.
type Medium string

// The media that are known: on Linux by their file systems (statfs(2)), on Windows by the kind of drive (GetDriveTypeW).
const (
	MediumTmpfs   Medium = "tmpfs"   // memory: gone after the next start of the machine
	MediumRamfs   Medium = "ramfs"   // the same
	MediumOverlay Medium = "overlay" // often a container's upper layer: gone with the container

	MediumRAMDisk   Medium = "RAM disk" // memory, too
	MediumRemovable Medium = "removable"
	MediumNetwork   Medium = "network"
)

// Volatile reports whether a file is gone after the next start of the machine.
func (m Medium) Volatile() bool { return m == MediumTmpfs || m == MediumRamfs || m == MediumRAMDisk }

// CheckLasting reports whether a file at the path outlives a start of the machine, with the medium that it would stand on. The
// error is a *FileError with FileVolatile where it does not. Where the system does not tell, nothing is held against it.
func CheckLasting(path string) (Medium, error) {
	medium := mediumOf(filepath.Dir(path))
	if medium.Volatile() {
		return medium, &FileError{Path: path, Fault: FileVolatile, Err: errors.New(string(medium))}
	}
	return medium, nil
}
