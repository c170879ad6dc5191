package view

import (
	"os"
	"path/filepath"
	"strings"
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

// FileName makes a file's name, without ending, of an object's label: letters, digits, "-" and "_" only. Where nothing is left
// of the label it has the CKA_ID.
func FileName(label, id string) string {
	const most = 40
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, label)
	name = strings.Trim(name, "-")
	if len(name) > most {
		name = name[:most]
	}
	if name == "" {
		name = "key-" + id
	}
	return name
}
