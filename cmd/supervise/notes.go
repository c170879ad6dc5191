package supervise

import (
	"encoding/binary"
	"slices"
	"strings"
)

// notes are an area of the page with texts that are only added to: their length in bytes, written last, with notedInPart where there were more
// than there is room for; then the texts, each ended by a zero byte. So whoever reads them after the child has died at any moment reads whole ones.
type notes struct{ at, size int }

const notedInPart = 1 << 63

// addNote adds a text.
func (p *Page) addNote(to notes, text string) {
	p.noting.Lock()
	defer p.noting.Unlock()
	area := p.memory[to.at : to.at+to.size]
	n := binary.NativeEndian.Uint64(area)
	if text += "\x00"; n > uint64(to.size-8) || n+uint64(len(text)) > uint64(to.size-8) {
		binary.NativeEndian.PutUint64(area, n|notedInPart)
		return
	}
	copy(area[8+n:], text)
	binary.NativeEndian.PutUint64(area, n+uint64(len(text)))
}

// inPart reports whether an area lacks texts.
func (p *Page) inPart(area notes) bool {
	return binary.NativeEndian.Uint64(p.memory[area.at:])&notedInPart != 0
}

// notesIn are the texts of an area.
func (p *Page) notesIn(from notes) []string {
	area := p.memory[from.at : from.at+from.size]
	n := binary.NativeEndian.Uint64(area) &^ notedInPart
	if n == 0 || n > uint64(from.size-8) {
		return nil
	}
	return slices.Collect(strings.SplitSeq(strings.TrimSuffix(string(area[8:8+n]), "\x00"), "\x00"))
}

// forget takes all texts of an area away.
func (p *Page) forget(in notes) { binary.NativeEndian.PutUint64(p.memory[in.at:], 0) }
