package view

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"p11bridge/bridge/archive"
)

// IsDirectory reports whether a path that is to be written names a directory, in which the file gets its proposed name.
func IsDirectory(path string) bool {
	info, err := os.Lstat(path) // a link is none
	return path != "" && (strings.HasSuffix(path, "/") || err == nil && info.IsDir())
}

// InDirectory is the path of the file that is to be written: the path itself, or the proposed name in it where it names a directory.
func InDirectory(path, proposed string) string {
	if IsDirectory(path) {
		return filepath.Join(path, proposed)
	}
	return path
}

// FileName is the name, without ending, that is proposed for the file of one object: what export --all makes of its label, or its
// CKA_ID where nothing is left of that. What Windows reads as a device is no name.
func FileName(label, id string) string {
	name := archive.LabelName(label)
	switch {
	case name == "" && id == "":
		return "key"
	case name == "":
		return "key-" + id
	case windowsDevice(name):
		return "key-" + name
	}
	return name
}

// windowsDevice reports whether Windows reads a name as a device, whatever its ending.
func windowsDevice(name string) bool {
	name = strings.ToLower(name)
	port, digit := strings.TrimRight(name, "123456789"), len(name) == 4
	return slices.Contains([]string{"con", "prn", "aux", "nul"}, name) || digit && (port == "com" || port == "lpt")
}
