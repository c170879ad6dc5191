package frame

import (
	"io/fs"

	"p11bridge/bridge/verdict"
	"p11bridge/token/host"
)

// CommandFor is the command that removes the cause, or looks closer at it; empty where there is none that is sure to be right.
func CommandFor(cause verdict.Reason) string {
	switch cause.Code {
	case verdict.SoftHSMConfiguration:
		return softHSMCommand(host.SoftHSMFault(factOf(cause, "problem")), quoted(factOf(cause, "path")), factOf(cause, "SOFTHSM2_CONF") != "")
	case verdict.SoftHSMEmpty:
		return "softhsm2-util --init-token --free --label NAME"
	case verdict.PCSCDNotRunning:
		return "sc start SCardSvr"
	case verdict.NoReader:
		return "devmgmt.msc"
	case verdict.ModuleNotReadable:
		return "icacls " + quoted(factOf(cause, "module"))
	}
	return ""
}

// softHSMCommand mends SoftHSM's set-up.
func softHSMCommand(fault host.SoftHSMFault, path string, ofVariable bool) string {
	switch fault {
	case host.SoftHSMFileMissing, host.SoftHSMFileNoFile:
		if ofVariable {
			return "set SOFTHSM2_CONF="
		}
	case host.SoftHSMDirectoryMissing:
		return "mkdir " + path + " && softhsm2-util --init-token --free --label NAME"
	case host.SoftHSMFileUnreadable, host.SoftHSMDirectoryUnreadable, host.SoftHSMTokenUnreadable, host.SoftHSMFolderClosed:
		return "icacls " + path
	}
	return ""
}

// readableByAll is never so: a file has an access list in place of a mode, and it is not looked at.
func readableByAll(fs.FileInfo) bool { return false }
