package token

import (
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"p11bridge/token/foreign"
)

// mostTyped is the longest name that is offered to be typed where there is a shorter one, in characters.
const mostTyped = 40

// ShortNames gives each of the identities the shortest name by which a Selector takes it alone among them: as ShortName does, else its URI.
func (inventory *Inventory) ShortNames(among []Identity) []string {
	index := NewNameIndex(among)
	var uris []string
	names := make([]string, len(among))
	for i, identity := range among {
		if names[i] = index.ShortName(identity); names[i] != "" {
			continue
		}
		if uris == nil {
			uris = inventory.URIs(among)
		}
		names[i] = uris[i]
	}
	return names
}

// ShortName gives the shortest name but a URI by which a Selector takes one of the identities alone: its label, its CKA_ID in hexadecimal,
// or the beginning of its certificate's fingerprint. A label or a CKA_ID that is long stands behind a fingerprint; one that a person cannot
// type, or that means something else in a name, is none. It is empty where there is no such name.
func (x *NameIndex) ShortName(identity Identity) string {
	var short, long []string
	for _, name := range identity.shortNames() {
		switch {
		case !typeable(name):
		case utf8.RuneCountInString(name) > mostTyped:
			long = append(long, name)
		default:
			short = append(short, name)
		}
	}
	if c := identity.Certificate; c != nil && c.Parsed != nil {
		const digits = 16
		short = append(short, fingerprintPrefix+c.Parsed.SHA256()[:digits])
	}
	for _, name := range append(short, long...) {
		if selector, err := ParseSelector(name); err == nil && x.onlyOne(selector, identity) {
			return name
		}
	}
	return ""
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

// typeable reports whether the name can be typed as it is shown, and is read as a label or a CKA_ID.
func typeable(name string) bool {
	return foreign.Text(name).String() == name && !strings.ContainsRune(name, unicode.ReplacementChar) && strings.TrimSpace(name) == name &&
		!IsURI(name) && !strings.HasPrefix(name, "-") && !strings.HasPrefix(strings.ToLower(name), fingerprintPrefix)
}

// Near gives the identities whose names differ from the selector's in case alone, or else those that it names as other programs
// do, or else those of which it is a part. It is for a name that Select finds nothing for. A URI and a fingerprint are near to nothing.
func (s *Selector) Near(among []Identity) []Identity {
	const shortestPart = 3 // letters: less is a part of nearly everything
	if s.label == "" {
		return nil
	}
	var same, others, parts []Identity
	other := readOtherName(s.label)
	for _, identity := range among {
		if other.means(identity) {
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
