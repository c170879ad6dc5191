package token

import (
	"slices"
	"strings"
)

// NameIndex finds the identities that a name means without a look at all of them.
type NameIndex struct {
	among         []Identity
	byLabel, byID map[string][]int
	fingerprints  []fingerprinted // in the order of the fingerprints
}

// fingerprinted is the place of an identity whose certificate could be read.
type fingerprinted struct {
	sha256 string
	at     int
}

// NewNameIndex indexes identities, which are not to change any more.
func NewNameIndex(among []Identity) *NameIndex {
	x := &NameIndex{among: among, byLabel: map[string][]int{}, byID: map[string][]int{}}
	for i, identity := range among {
		for _, o := range identity.named() {
			addPlace(x.byLabel, string(o.Label()), i)
			addPlace(x.byID, string(o.ID()), i)
		}
		if c := identity.Certificate; c != nil && c.Parsed != nil {
			x.fingerprints = append(x.fingerprints, fingerprinted{c.Parsed.SHA256(), i})
		}
	}
	slices.SortStableFunc(x.fingerprints, func(a, b fingerprinted) int { return strings.Compare(a.sha256, b.sha256) })
	return x
}

// addPlace adds a place to those that are there, which are rising.
func addPlace[K comparable](index map[K][]int, name K, i int) {
	if at := index[name]; len(at) == 0 || at[len(at)-1] != i {
		index[name] = append(at, i)
	}
}

// Select gives what Selector.Select gives of the identities.
func (x *NameIndex) Select(s *Selector) []Identity {
	if s.only != nil || s.URI != nil {
		return s.Select(x.among)
	}
	at := slices.Concat(x.places(s)...)
	slices.Sort(at)
	var selected []Identity
	for _, i := range slices.Compact(at) {
		selected = append(selected, x.among[i])
	}
	return selected
}

// onlyOne reports whether the name, which is no URI, means this one of the identities and no other. It looks at no more than two, however
// many have the name.
func (x *NameIndex) onlyOne(s *Selector, identity Identity) bool {
	found := false
	for _, at := range x.places(s) {
		for _, i := range at {
			if !slices.Equal(x.among[i].Objects(), identity.Objects()) {
				return false
			}
			found = true
		}
	}
	return found
}

// places are those of the identities that have the fingerprint, or the label, or the CKA_ID. One may stand in two lists.
func (x *NameIndex) places(s *Selector) [][]int {
	if s.fingerprint == "" {
		lists := [][]int{x.byLabel[s.label]}
		if len(s.id) > 0 {
			lists = append(lists, x.byID[string(s.id)])
		}
		return lists
	}
	var at []int
	from, _ := slices.BinarySearchFunc(x.fingerprints, s.fingerprint, func(f fingerprinted, wanted string) int { return strings.Compare(f.sha256, wanted) })
	for _, f := range x.fingerprints[from:] {
		if !strings.HasPrefix(f.sha256, s.fingerprint) {
			break
		}
		at = append(at, f.at)
	}
	return [][]int{at}
}
