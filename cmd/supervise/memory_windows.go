package supervise

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"p11bridge/token/secret"
)

// shareMemory makes memory that another process can share; the file, which is no file, hands it over.
func shareMemory(size int) ([]byte, *os.File, error) {
	section, err := windows.CreateFileMapping(windows.InvalidHandle, nil, windows.PAGE_READWRITE, 0, uint32(size), nil)
	if err != nil {
		return nil, nil, err
	}
	file := os.NewFile(uintptr(section), "p11bridge-calls")
	memory, err := mapMemory(file, size)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return memory, file, nil
}

func mapMemory(file *os.File, size int) ([]byte, error) {
	at, err := windows.MapViewOfFile(windows.Handle(file.Fd()), windows.FILE_MAP_READ|windows.FILE_MAP_WRITE, 0, 0, uintptr(size))
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&at))), size), nil // memory that is not Go's
}

// MemoryFile makes a file that Windows keeps in memory as far as it can, that nobody else can open, and that is gone once it is
// closed.
func MemoryFile(name string) (*os.File, error) {
	path, err := windows.UTF16PtrFromString(filepath.Join(os.TempDir(), name+"-"+rand.Text()))
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	handle, err := windows.CreateFile(path, windows.GENERIC_READ|windows.GENERIC_WRITE|windows.DELETE, 0, nil, windows.CREATE_NEW,
		windows.FILE_ATTRIBUTE_TEMPORARY|windows.FILE_FLAG_DELETE_ON_CLOSE, 0)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", &os.PathError{Op: "create a file in", Path: os.TempDir(), Err: err})
	}
	return os.NewFile(uintptr(handle), name), nil
}

// monotonic is a clock that all processes share, in nanoseconds. It is never 0.
func monotonic() uint64 { return uint64(windows.DurationSinceBoot()) + 1 }

// errLink means that a path is a symbolic link or another reparse point.
var errLink = errors.New("a symbolic link or another reparse point")

// openToAppend opens a file to add to it, and no link. One that is begun is the owner's alone, and is not opened to add to it, since it
// could not be cut off then.
func openToAppend(path string, create int) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&(os.ModeSymlink|os.ModeIrregular) != 0 {
		return nil, errLink
	}
	if create == 0 {
		return os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, syscall.EISDIR
	}
	security, err := secret.OwnerOnly("")
	if err != nil {
		return nil, err
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	handle, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, security, windows.OPEN_ALWAYS, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(handle), path), nil
}

func isLink(err error) bool { return errors.Is(err, errLink) }

// isSpecial reports whether the error is that of a directory.
func isSpecial(err error) bool { return errors.Is(err, syscall.EISDIR) }

// StampOf gives the numbers that change with a file, and whether it is a regular one.
func StampOf(path string) (stamp [loginNumbers]uint64, regular bool) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return stamp, false
	}
	file, err := os.Open(path)
	if err != nil {
		return stamp, false
	}
	defer file.Close()
	var info windows.ByHandleFileInformation
	if windows.GetFileInformationByHandle(windows.Handle(file.Fd()), &info) != nil {
		return stamp, false
	}
	return [loginNumbers]uint64{
		uint64(info.VolumeSerialNumber), uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow), uint64(info.FileSizeHigh)<<32 | uint64(info.FileSizeLow),
		uint64(info.LastWriteTime.Nanoseconds()), uint64(info.CreationTime.Nanoseconds()),
	}, true
}
