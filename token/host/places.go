package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// place is where a module is that comes without p11-kit configuration: relative to a library root, or absolute as the
// vendor's installer puts it.
type place struct {
	path   string
	source string // who puts it there
	pcsc   bool   // it reaches its readers through PC/SC
}

// installed are the files of the place that are there. What programs of 32 bits have is looked at where there is no other.
func (p place) installed() []string {
	if found := files(inRoots(p.path)); len(found) > 0 || filepath.IsAbs(p.path) {
		return found
	}
	return files(below(narrowRoots, p.path))
}

func inRoots(place string) []string {
	if filepath.IsAbs(place) {
		return []string{place}
	}
	return below(libraryRoots, place)
}

func below(roots []string, place string) (paths []string) {
	for _, root := range roots {
		paths = append(paths, filepath.Join(root, place))
	}
	return paths
}

// files are those of the paths that name a regular file.
func files(paths []string) []string {
	return slices.DeleteFunc(paths, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || !info.Mode().IsRegular()
	})
}

// IsSoftHSM goes by the name of a library.
func IsSoftHSM(path string) bool {
	return strings.HasPrefix(strings.ToLower(filepath.Base(path)), softHSMLibrary)
}
