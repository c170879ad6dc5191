package frame

import (
	"io/fs"
	"os"
	"strings"
	"syscall"

	"p11bridge/bridge/verdict"
	"p11bridge/token/host"
)

// CommandFor is the command that removes the cause, or looks closer at it; empty where there is none that is sure to be right.
func CommandFor(cause verdict.Reason) string {
	switch cause.Code {
	case verdict.SoftHSMConfiguration:
		return softHSMCommand(host.SoftHSMFault(factOf(cause, "problem")), factOf(cause, "path"), factOf(cause, "SOFTHSM2_CONF") != "")
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
		return "mkdir -p -m 700 " + quoted(path) + " && softhsm2-util --init-token --free --label NAME"
	case host.SoftHSMFileNoFile:
		if ofVariable {
			return "unset SOFTHSM2_CONF"
		}
	case host.SoftHSMNoFolder:
		return "ls -ld " + quoted(path)
	case host.SoftHSMFileUnreadable, host.SoftHSMDirectoryUnreadable, host.SoftHSMTokenUnreadable, host.SoftHSMFolderClosed:
		switch {
		case system:
			return `sudo adduser "$USER" softhsm`
		case !owned(path): // its owner alone can let others in
			return "namei -l " + quoted(path)
		case fault == host.SoftHSMFileUnreadable:
			return "chmod u+r " + quoted(path)
		case fault == host.SoftHSMFolderClosed:
			return "chmod u+x " + quoted(path)
		}
		return "chmod -R u+rX " + quoted(path)
	}
	return ""
}

// owned reports whether a file is this user's own.
func owned(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	system, is := info.Sys().(*syscall.Stat_t)
	return is && int(system.Uid) == os.Geteuid()
}

// readableByAll reports whether the mode of a file lets every user read it.
func readableByAll(info fs.FileInfo) bool { return info.Mode().Perm()&0o004 != 0 }
