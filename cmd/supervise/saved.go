package supervise

import (
	"os"
	"slices"
)

// The page holds the paths of the files to which the child gives their final names, each before it gets it, so that the parent can
// tell what stands there if the child dies.
var savedFiles = notes{lookAgainAt + lookSize, savedSize}

const savedSize = 256 << 10

// AddSaved notes a file that is about to get its final name.
func (p *Page) AddSaved(path string) { p.addNote(savedFiles, path) }

// saved are those of the files that are there.
func (p *Page) saved() []string {
	return slices.DeleteFunc(p.notesIn(savedFiles), func(path string) bool {
		_, err := os.Lstat(path)
		return err != nil
	})
}
