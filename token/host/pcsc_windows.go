package host

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// smartCardService is the service of Windows through which modules reach readers.
const smartCardService = "SCardSvr"

// FindPCSCDaemon asks winscard for a context, which it gives where the service runs. It looks for no reader.
func FindPCSCDaemon() PCSCDaemon {
	daemon := PCSCDaemon{Socket: smartCardService}
	winscard := windows.NewLazySystemDLL("winscard.dll")
	establish, release := winscard.NewProc("SCardEstablishContext"), winscard.NewProc("SCardReleaseContext")
	for _, function := range []*windows.LazyProc{establish, release} {
		if err := function.Find(); err != nil {
			daemon.Problem = err.Error()
			return daemon
		}
	}
	const scopeSystem = 2 // SCARD_SCOPE_SYSTEM
	var context uintptr
	if answer, _, _ := establish.Call(scopeSystem, 0, 0, uintptr(unsafe.Pointer(&context))); answer != 0 {
		daemon.Problem = windows.Errno(uint32(answer)).Error() // SCARD_E_NO_SERVICE and its kin are in the system's own list of errors
		return daemon
	}
	daemon.Answers, daemon.Process = true, true
	_, _, _ = release.Call(context)
	return daemon
}
