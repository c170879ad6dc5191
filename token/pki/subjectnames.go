package pki

import (
	"crypto/sha1" //nolint:gosec // a name that other programs show for a certificate, and no proof of anything
	"encoding/hex"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The attributes of a name that tell one person or one machine from another.
const (
	oidCommonName   = "2.5.4.3"
	oidSerialNumber = "2.5.4.5"
	oidEmailAddress = "1.2.840.113549.1.9.1"
	tagRFC822Name   = 1 // RFC 5280 section 4.2.1.6
)

// SubjectNames say whom a certificate is issued to, as far as a person may name it by that.
type SubjectNames struct {
	CommonNames []string // the last of the subject first, as they are shown
	Emails      []string // of the subject, and the rfc822Names of subjectAltName
	attributes  []nameAttribute
}

// SubjectNames reads the subject and subjectAltName. What cannot be read is left out. Where the DER was not kept, as in a snapshot, the
// subject's text is read.
func (c *Certificate) SubjectNames() SubjectNames {
	rdns, ok := parseName(c.RawSubject)
	if ok {
		slices.Reverse(rdns)
	} else if rdns, _ = splitName(string(c.Subject)); rdns == nil {
		return SubjectNames{Emails: rfc822Names(c.RawSAN)}
	}
	var h SubjectNames
	for _, rdn := range rdns {
		for _, attribute := range rdn {
			switch attribute.oid {
			case oidCommonName:
				h.CommonNames = append(h.CommonNames, attribute.text)
			case oidEmailAddress:
				h.Emails = append(h.Emails, attribute.text)
			}
			h.attributes = append(h.attributes, attribute)
		}
	}
	h.Emails = append(h.Emails, rfc822Names(c.RawSAN)...)
	return h
}

func rfc822Names(der []byte) []string {
	s := cryptobyte.String(der)
	var names, content cryptobyte.String
	if !s.ReadASN1(&names, cbasn1.SEQUENCE) {
		return nil
	}
	var found []string
	for tag := cbasn1.Tag(0); names.ReadAnyASN1(&content, &tag); {
		if tag == cbasn1.Tag(tagRFC822Name).ContextSpecific() {
			found = append(found, string(content))
		}
	}
	return found
}

// TypedName is a part of a subject as a person types it.
type TypedName struct {
	attributes []nameAttribute
}

// ParseTypedName reads "CN=Alice", "CN=Alice,O=Example" as RFC 4514 writes it, and "/C=ES/CN=Alice" as OpenSSL does; blanks
// around the signs do not matter. OpenSSL's form has no escapes but "\/": a comma in it is a part of the value. It is false where
// the text is nothing of the kind.
func ParseTypedName(text string) (TypedName, bool) {
	const slash = "/"
	if rest, is := strings.CutPrefix(text, slash); is {
		text = strings.NewReplacer(`\/`, slash, slash, ",", ",", `\,`).Replace(rest)
	}
	rdns, err := splitName(text)
	if err != nil {
		return TypedName{}, false
	}
	return TypedName{slices.Concat(rdns...)}, true
}

// Telling reports whether the typed name has what is one person's or one machine's: a common name or a number. A country and
// an organisation are many people's.
func (n TypedName) Telling() bool {
	return slices.ContainsFunc(n.attributes, func(a nameAttribute) bool { return a.oid == oidCommonName || a.oid == oidSerialNumber })
}

// IsOf reports whether all that was typed stands in the subject, whatever its order and the case of its letters.
func (n TypedName) IsOf(h SubjectNames) bool { return n.fits(h, strings.EqualFold) }

// MayBeOf reports whether what was typed is a part of the subject's names.
func (n TypedName) MayBeOf(h SubjectNames) bool {
	return n.fits(h, func(name, typed string) bool { return strings.Contains(strings.ToLower(name), strings.ToLower(typed)) })
}

func (n TypedName) fits(h SubjectNames, same func(name, typed string) bool) bool {
	for _, typed := range n.attributes {
		if !slices.ContainsFunc(h.attributes, func(a nameAttribute) bool { return a.oid == typed.oid && same(a.text, typed.text) }) {
			return false
		}
	}
	return len(n.attributes) > 0
}

// SHA1 is the SHA-1 of the certificate in lower-case hexadecimal, as browsers and Windows show it; empty where the DER was not kept.
func (c *Certificate) SHA1() string {
	if len(c.Raw) == 0 {
		return ""
	}
	sum := sha1.Sum(c.Raw) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}
