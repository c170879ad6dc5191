package token

import (
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
)

// ShortNames gives each of the identities the shortest name by which a Selector takes it alone: its label, else its CKA_ID in
// hexadecimal, else its URI. A label that a person cannot type, or that means something else in a name, is none.
func (inventory *Inventory) ShortNames(among []Identity) []string {
	counts := map[string]int{}
	for _, identity := range among {
		for _, name := range identity.shortNames() {
			counts[name]++
		}
	}
	var uris []string
	names := make([]string, len(among))
	for i, identity := range among {
		for _, name := range identity.shortNames() {
			if counts[name] == 1 && typeable(name) {
				names[i] = name
				break
			}
		}
		if names[i] == "" {
			if uris == nil {
				uris = inventory.URIs(among)
			}
			names[i] = uris[i]
		}
	}
	return names
}

// shortNames are the labels, then the CKA_IDs, by which a Selector finds the identity.
func (i Identity) shortNames() []string {
	var labels, ids []string
	for _, o := range i.named() {
		if label := string(o.Label()); label != "" && !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
		if id := hex.EncodeToString(o.ID()); id != "" && !slices.Contains(ids, id) && !slices.Contains(labels, id) {
			ids = append(ids, id)
		}
	}
	return append(labels, ids...)
}

// typeable reports whether the name can be typed, and is read as a label or a CKA_ID.
func typeable(name string) bool {
	for _, r := range name {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return false
		}
	}
	return !IsURI(name) && !strings.HasPrefix(name, "-") && !strings.HasPrefix(strings.ToLower(name), fingerprintPrefix) && strings.TrimSpace(name) == name
}

// Near gives the identities whose names differ from the selector's in case alone, or else those that it names as other programs
// do, or else those of which it is a part. It is for a name that Select finds nothing for. A URI and a fingerprint are near to nothing.
func (s *Selector) Near(among []Identity) []Identity {
	const shortestPart = 3 // letters: less is a part of nearly everything
	if s.label == "" {
		return nil
	}
	var same, others, parts []Identity
	for _, identity := range among {
		if s.other.means(identity) {
			others = append(others, identity)
		}
		for _, name := range identity.shortNames() {
			if strings.EqualFold(name, s.label) {
				same = append(same, identity)
				break
			}
			if len(s.label) >= shortestPart && strings.Contains(strings.ToLower(name), strings.ToLower(s.label)) {
				parts = append(parts, identity)
				break
			}
		}
	}
	switch {
	case len(same) > 0:
		return same
	case len(others) > 0:
		return others
	}
	return parts
}
