package frame

import (
	"io/fs"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/token/host"
)

// CommandFor is the command that removes the cause, or looks closer at it; empty where there is none that is sure to be right.
func CommandFor(cause verdict.Reason) string {
	path := quoted(factOf(cause, "path"))
	switch cause.Code {
	case verdict.SoftHSMConfiguration:
		return softHSMCommand(host.SoftHSMFault(factOf(cause, "problem")), path, factOf(cause, "SOFTHSM2_CONF") != "")
	case verdict.SoftHSMEmpty:
		return "softhsm2-util --init-token --free --label NAME"
	case verdict.PCSCDNotRunning:
		return "sudo systemctl enable --now pcscd.socket"
	case verdict.NoModuleFound:
		return "sudo apt install opensc"
	case verdict.NoReader:
		return "lsusb"
	case verdict.ModuleNotReadable:
		return "namei -l " + quoted(factOf(cause, "module"))
	case verdict.ModuleDependencyMissing:
		return "ldd " + quoted(factOf(cause, "module"))
	}
	return ""
}

// softHSMCommand mends SoftHSM's set-up. Debian keeps the system's for the members of a group.
func softHSMCommand(fault host.SoftHSMFault, path string, ofVariable bool) string {
	system := strings.HasPrefix(path, "/etc/softhsm") || strings.HasPrefix(path, "/var/lib/softhsm")
	switch fault {
	case host.SoftHSMFileMissing:
		if ofVariable {
			return "unset SOFTHSM2_CONF"
		}
		return "sudo apt install softhsm2"
	case host.SoftHSMDirectoryMissing:
		return "mkdir -p -m 700 " + path + " && softhsm2-util --init-token --free --label NAME"
	case host.SoftHSMFileNoFile:
		if ofVariable {
			return "unset SOFTHSM2_CONF"
		}
	case host.SoftHSMFileUnreadable, host.SoftHSMDirectoryUnreadable, host.SoftHSMTokenUnreadable:
		if system {
			return `sudo adduser "$USER" softhsm`
		}
		if fault == host.SoftHSMFileUnreadable {
			return "chmod u+r " + path
		}
		return "chmod -R u+rX " + path
	}
	return ""
}

// readableByAll reports whether the mode of a file lets every user read it.
func readableByAll(info fs.FileInfo) bool { return info.Mode().Perm()&0o004 != 0 }
