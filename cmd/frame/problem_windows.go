package frame

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// ownAnswers are this system's answers that have no number of the standard library's, and the ends of the ids of their words. The library's ENOTDIR
// is what Windows says of a folder that is not there.
var ownAnswers = map[syscall.Errno]string{
	windows.ERROR_DISK_FULL: "no-space", windows.ERROR_HANDLE_DISK_FULL: "no-space", windows.ERROR_DISK_QUOTA_EXCEEDED: "quota",
	windows.ERROR_WRITE_PROTECT: "read-only", windows.ERROR_CRC: "input-output", windows.ERROR_IO_DEVICE: "input-output", windows.ERROR_GEN_FAILURE: "input-output",
	windows.ERROR_SHARING_VIOLATION: "busy", windows.ERROR_LOCK_VIOLATION: "busy", windows.ERROR_FILENAME_EXCED_RANGE: "name-too-long",
	windows.ERROR_BROKEN_PIPE: "pipe", windows.ERROR_NO_DATA: "pipe", windows.ERROR_NOT_ENOUGH_MEMORY: "memory", windows.ERROR_FILE_EXISTS: "exists",
	windows.ERROR_ACCESS_DENIED: "permission", windows.ERROR_NETWORK_ACCESS_DENIED: "permission", windows.ERROR_ALREADY_EXISTS: "exists",
	windows.ERROR_PATH_NOT_FOUND: "missing", windows.ERROR_BAD_NETPATH: "missing", windows.ERROR_BAD_NET_NAME: "missing", windows.ERROR_INVALID_DRIVE: "missing", windows.ERROR_DIRECTORY: "not-a-directory",
	windows.ERROR_ACCESS_DISABLED_BY_POLICY: "policy", windows.ERROR_ACCESS_DISABLED_NO_SAFER_UI_BY_POLICY: "policy", windows.ERROR_VIRUS_INFECTED: "virus", windows.ERROR_VIRUS_DELETED: "virus",
	windows.ERROR_COMMITMENT_LIMIT: "memory", windows.ERROR_OUTOFMEMORY: "memory", windows.ERROR_NO_SYSTEM_RESOURCES: "processes", windows.ERROR_TOO_MANY_OPEN_FILES: "open-files",
	windows.ERROR_CANT_RESOLVE_FILENAME: "links", windows.ERROR_PRIVILEGE_NOT_HELD: "not-permitted",
}
