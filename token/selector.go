package token

import (
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Selector names an identity the way a person or a script does: by PKCS#11 URI, by label, by CKA_ID in hexadecimal, or
// by the SHA-256 fingerprint of its certificate ("sha256:" and at least eight hexadecimal digits).
type Selector struct {
	URI         *URI
	label       string
	id          []byte
	fingerprint string
	only        *Identity // found already
}

// ErrFingerprint means that what stands behind "sha256:" is not the beginning of a fingerprint.
var ErrFingerprint = errors.New("not a fingerprint")

const fingerprintPrefix = "sha256:"

// minFingerprint is the shortest start of a fingerprint that counts as a name, in hexadecimal digits.
const minFingerprint = 8

// ParseSelector reads the name of an object. The error is a *URIError, ErrPINValue, or ErrFingerprint.
func ParseSelector(text string) (*Selector, error) {
	if IsURI(text) {
		uri, err := ParseURI(text)
		if err != nil {
			return nil, err
		}
		return &Selector{URI: uri}, nil
	}
	if digits, ok := strings.CutPrefix(strings.ToLower(text), fingerprintPrefix); ok {
		digits = strings.ReplaceAll(digits, ":", "")
		if len(digits) < minFingerprint || strings.Trim(digits, "0123456789abcdef") != "" {
			return nil, ErrFingerprint
		}
		return &Selector{fingerprint: digits}, nil
	}
	selector := &Selector{label: text}
	if id, err := hex.DecodeString(strings.ReplaceAll(text, ":", "")); err == nil {
		selector.id = id
	}
	return selector, nil
}

// Of is a selector for one identity that was found already.
func (*Selector) Of(identity Identity) *Selector { return &Selector{only: &identity} }

// Select gives the identities that the name fits. A label and a CKA_ID count alike, so that a text which is the one of
// one object and the other of another names both.
func (s *Selector) Select(identities []Identity) []Identity {
	var selected []Identity
	for _, identity := range identities {
		if s.names(identity) {
			selected = append(selected, identity)
		}
	}
	if s.URI == nil {
		return selected
	}
	text, given := s.URI.Path[numberAttribute]
	if !given {
		return selected
	}
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n <= len(selected) {
		return selected[n-1 : n]
	}
	return nil
}

// names reports whether the name fits the identity, whatever its number.
func (s *Selector) names(identity Identity) bool {
	if s.only != nil {
		return slices.Equal(s.only.Objects(), identity.Objects())
	}
	if s.fingerprint != "" {
		c := identity.Certificate
		return c != nil && c.Parsed != nil && strings.HasPrefix(c.Parsed.SHA256(), s.fingerprint)
	}
	if s.URI != nil {
		return s.URI.names(identity)
	}
	return slices.ContainsFunc(identity.named(), s.calls)
}

// calls reports whether a label or a CKA_ID is an object's.
func (s *Selector) calls(o *Object) bool {
	return string(o.Label()) == s.label || len(s.id) > 0 && string(o.ID()) == string(s.id)
}

// PrivateKey gives the private key of an identity that the name fits: of a key that is on the token several times, the one that it names. It is nil where
// the identity has none.
func (s *Selector) PrivateKey(identity Identity) *Object {
	for _, o := range identity.Copies {
		if s.fingerprint == "" && s.only == nil && o.Class == CKOPrivateKey && s.meansAlone(o, identity.PrivateKey) {
			return o
		}
	}
	return identity.PrivateKey
}

// meansAlone reports whether the name fits the object, and not the other one.
func (s *Selector) meansAlone(o, other *Object) bool {
	fits := s.calls
	if s.URI != nil {
		fits = s.URI.MatchesObject
	}
	return fits(o) && !fits(other)
}
