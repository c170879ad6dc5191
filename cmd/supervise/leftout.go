package supervise

import (
	"bytes"
	"slices"
	"strings"
	"sync/atomic"
)

// A module that takes the child along while several are being discovered is left out: the parent starts the child once
// more and names in the page the modules that it is not to load.
//
//	offset 0   1 while the child opens modules that nobody named, and has done nothing else yet
//	offset 16  the paths of the modules that are left out, each ended by a zero byte
const (
	leftOutAt   = changesEnd
	leftOutSize = 8 << 10
	pathsAt     = leftOutAt + 16
	pathsEnd    = leftOutAt + leftOutSize
)

// SetDiscovering notes that modules are being opened that nobody named, or that this is over.
func (p *Page) SetDiscovering(now bool) {
	value := uint32(0)
	if now {
		value = 1
	}
	atomic.StoreUint32(p.half(leftOutAt), value)
}

func (p *Page) discovering() bool { return atomic.LoadUint32(p.half(leftOutAt)) == 1 }

// LeftOut lists the modules that are not to be loaded.
func (p *Page) LeftOut() []string {
	var paths []string
	for list := p.memory[pathsAt:pathsEnd]; ; {
		path, rest, _ := bytes.Cut(list, []byte{0})
		if len(path) == 0 {
			return paths
		}
		paths, list = append(paths, string(path)), rest
	}
}

// leaveOut readies the page for another child that does without the module. It is false where that was tried before.
func (p *Page) leaveOut(module string) bool {
	known := p.LeftOut()
	list := strings.Join(append(known, module), "\x00") + "\x00"
	if module == "" || slices.Contains(known, module) || len(list) > pathsEnd-pathsAt {
		return false
	}
	clear(p.memory[:variablesAt])
	p.SetDiscovering(false)
	copy(p.memory[pathsAt:], list)
	return true
}
