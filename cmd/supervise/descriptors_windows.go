package supervise

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Descriptors are what this process was started with: standard input, as fd:0, and the handles of pipes and files that it
// inherited, which keep their numbers. A handle that it inherited can be handed down, and one that it opened cannot.
type Descriptors struct{ gone map[int]bool }

// FindDescriptors has nothing to look for: a handle tells by itself whether it was inherited.
func FindDescriptors() Descriptors { return Descriptors{map[int]bool{}} }

// handleInformation is GetHandleInformation, which golang.org/x/sys does not have.
func handleInformation(handle windows.Handle, flags *uint32) bool {
	told, _, _ := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetHandleInformation").Call(uintptr(handle), uintptr(unsafe.Pointer(flags)))
	return told != 0
}

// inherited reports whether the handle came from the process that started this one.
func inherited(handle int) bool {
	var flags uint32
	return handleInformation(windows.Handle(handle), &flags) && flags&windows.HANDLE_FLAG_INHERIT != 0
}

// forget takes a handle off the list: it is this program's own, or was read.
func (d Descriptors) forget(number int) { d.gone[number] = true }

// Has reports whether the process was started with the handle, and it is one that can be read.
func (d Descriptors) Has(number int) bool {
	if d.gone[number] {
		return false
	}
	if number == 0 {
		return true
	}
	for _, standard := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if int(standard.Fd()) == number {
			return false
		}
	}
	kind, err := windows.GetFileType(windows.Handle(number))
	return err == nil && (kind == windows.FILE_TYPE_PIPE || kind == windows.FILE_TYPE_DISK) && inherited(number)
}

// Take gives the handle as a file, once. The error is ErrNotGiven or ErrDescriptorChanged.
func (d Descriptors) Take(number int) (*os.File, error) {
	switch {
	case d.gone[number]:
		return nil, ErrDescriptorChanged
	case !d.Has(number):
		return nil, ErrNotGiven
	}
	d.forget(number)
	if number == 0 {
		return os.Stdin, nil
	}
	return os.NewFile(uintptr(number), fmt.Sprintf("fd:%d", number)), nil
}
