package supervise

import (
	"encoding/binary"
	"os"
	"strings"
)

// The page holds the paths of the files to which the child gives their final names, each before it gets it, so that the parent can
// tell what stands there if the child dies:
//
//	offset placedAt    the length of the paths, 0 for none, written last; then the paths, each ended by a zero byte
const (
	savedAt   = lookAgainAt + lookSize
	savedSize = 256 << 10
)

// AddSaved notes a file that is about to get its final name. Of very many the last are not noted.
func (p *Page) AddSaved(path string) {
	p.placing.Lock()
	defer p.placing.Unlock()
	area := p.memory[savedAt : savedAt+savedSize]
	n := binary.NativeEndian.Uint64(area)
	if path += "\x00"; n+uint64(len(path)) > savedSize-8 {
		return
	}
	copy(area[8+n:], path)
	binary.NativeEndian.PutUint64(area, n+uint64(len(path)))
}

// saved are those of the files that are there.
func (p *Page) saved() (there []string) {
	area := p.memory[savedAt : savedAt+savedSize]
	n := binary.NativeEndian.Uint64(area)
	if n == 0 || n > savedSize-8 {
		return nil
	}
	for path := range strings.SplitSeq(strings.TrimSuffix(string(area[8:8+n]), "\x00"), "\x00") {
		if _, err := os.Lstat(path); err == nil {
			there = append(there, path)
		}
	}
	return there
}
