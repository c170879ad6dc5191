package supervise

import (
	"encoding/binary"
	"strings"
)

// The page holds the names of what the child is putting on a token, so that the parent can tell them if the child dies:
//
//	offset unfinishedAt    their length, 0 for none, written last; then the names, each ended by a line feed
const (
	unfinishedAt   = variablesAt + variableCount*variableSize
	unfinishedSize = 8 << 10
)

// Unfinished implements token.AdditionObserver.
func (o *Observer) Unfinished(names []string) { o.Page.setUnfinished(names) }

func (p *Page) setUnfinished(names []string) {
	area := p.memory[unfinishedAt : unfinishedAt+unfinishedSize]
	binary.NativeEndian.PutUint64(area, 0)
	n := 0
	for _, name := range names {
		line := name + "\n"
		if 8+n+len(line) > len(area) {
			break
		}
		n += copy(area[8+n:], line)
	}
	binary.NativeEndian.PutUint64(area, uint64(n))
}

func (p *Page) unfinished() []string {
	area := p.memory[unfinishedAt : unfinishedAt+unfinishedSize]
	n := binary.NativeEndian.Uint64(area)
	if n == 0 || n > unfinishedSize-8 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(area[8:8+n]), "\n"), "\n")
}
