package supervise

import (
	"slices"
	"sync/atomic"
)

// The page holds the names of what the child changes on a token, so that the parent can tell them if the child dies before it has told its
// result: what it has added, what it is adding, and the keys that it destroys. What it is adding has two areas, so that at every moment one of
// them is whole; the number at addingAt is that of the one that counts.
const (
	addingAt    = variablesAt + variableCount*variableSize
	changesSize = 28 << 10
	changesEnd  = addingAt + 8 + 4*changesSize
)

var (
	adding    = [2]notes{{addingAt + 8, changesSize}, {addingAt + 8 + changesSize, changesSize}}
	added     = notes{addingAt + 8 + 2*changesSize, changesSize}
	destroyed = notes{addingAt + 8 + 3*changesSize, changesSize}
)

// Changes are the names of what a child has changed on a token, or was changing when it died: URIs, of a certificate with its SHA-256 behind a
// blank.
type Changes struct {
	Added     []string
	Destroyed []string // private keys that had been there before
	InPart    bool     // there are more than could be noted
}

// None reports whether there are no changes.
func (c Changes) None() bool { return len(c.Added)+len(c.Destroyed) == 0 }

// Adding implements token.ChangeObserver.
func (o *Observer) Adding(names []string) { o.Page.setAdding(names) }

// Added implements token.ChangeObserver.
func (o *Observer) Added(names []string) {
	for _, name := range names {
		o.Page.addNote(added, name)
	}
}

// Destroying implements token.ChangeObserver.
func (o *Observer) Destroying(name string) { o.Page.addNote(destroyed, name) }

func (p *Page) setAdding(names []string) {
	next := 1 - atomic.LoadUint32(p.half(addingAt))&1
	p.forget(adding[next])
	for _, name := range names {
		p.addNote(adding[next], name)
	}
	atomic.StoreUint32(p.half(addingAt), next)
}

// setChanges notes changes for a child that looks for them.
func (p *Page) setChanges(c Changes) {
	p.setAdding(nil)
	for area, names := range map[notes][]string{added: c.Added, destroyed: c.Destroyed} {
		p.forget(area)
		for _, name := range names {
			p.addNote(area, name)
		}
	}
}

// ForgetChanges notes that what was changed until now has been told. What is being added still has not.
func (p *Page) ForgetChanges() {
	p.forget(added)
	p.forget(destroyed)
}

func (p *Page) changes() Changes {
	under := adding[atomic.LoadUint32(p.half(addingAt))&1]
	c := Changes{Added: p.notesIn(added), Destroyed: p.notesIn(destroyed), InPart: p.inPart(added) || p.inPart(destroyed) || p.inPart(under)}
	for _, name := range p.notesIn(under) {
		if !slices.Contains(c.Added, name) {
			c.Added = append(c.Added, name)
		}
	}
	return c
}
