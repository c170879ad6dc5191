package host

import (
	"path/filepath"
	"strings"
)

// place is where a module is that comes without p11-kit configuration: relative to a library root, or absolute as the
// vendor's installer puts it.
type place struct {
	path   string
	source string // who puts it there
	pcsc   bool   // it reaches its readers through PC/SC
}

func inRoots(place string) []string {
	if filepath.IsAbs(place) {
		return []string{place}
	}
	var paths []string
	for _, root := range libraryRoots {
		paths = append(paths, filepath.Join(root, place))
	}
	return paths
}

// IsSoftHSM goes by the name of a library.
func IsSoftHSM(path string) bool {
	return strings.HasPrefix(strings.ToLower(filepath.Base(path)), softHSMLibrary)
}
