package pki

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// attributeNames are the keywords of RFC 4514 section 3 and those that LDAP registered for what certificates also carry.
var attributeNames = map[string]string{
	"2.5.4.3":                    "CN",
	"2.5.4.4":                    "SN",
	"2.5.4.5":                    "serialNumber",
	"2.5.4.6":                    "C",
	"2.5.4.7":                    "L",
	"2.5.4.8":                    "ST",
	"2.5.4.9":                    "STREET",
	"2.5.4.10":                   "O",
	"2.5.4.11":                   "OU",
	"2.5.4.12":                   "title",
	"2.5.4.13":                   "description",
	"2.5.4.17":                   "postalCode",
	"2.5.4.42":                   "givenName",
	"2.5.4.43":                   "initials",
	"2.5.4.44":                   "generationQualifier",
	"2.5.4.46":                   "dnQualifier",
	"2.5.4.65":                   "pseudonym",
	"2.5.4.97":                   "organizationIdentifier",
	"0.9.2342.19200300.100.1.1":  "UID",
	"0.9.2342.19200300.100.1.25": "DC",
	"1.2.840.113549.1.9.1":       "emailAddress",
}

// nameAttribute is one AttributeTypeAndValue (RFC 5280 section 4.1.2.4).
type nameAttribute struct {
	oid    string
	value  []byte // the whole value element
	text   string // the value's characters, where isText; octets that are none stay as they are
	isText bool
}

// parseName reads an RDNSequence, in the order of the file.
func parseName(raw []byte) ([][]nameAttribute, bool) {
	s := cryptobyte.String(raw)
	var sequence cryptobyte.String
	if !s.ReadASN1(&sequence, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, false
	}
	var name [][]nameAttribute
	for !sequence.Empty() {
		var set cryptobyte.String
		if !sequence.ReadASN1(&set, cbasn1.SET) {
			return nil, false
		}
		var rdn []nameAttribute
		for !set.Empty() {
			attribute, ok := readNameAttribute(&set)
			if !ok {
				return nil, false
			}
			rdn = append(rdn, attribute)
		}
		name = append(name, rdn)
	}
	return name, true
}

func readNameAttribute(set *cryptobyte.String) (nameAttribute, bool) {
	var pair, element, content cryptobyte.String
	var tag cbasn1.Tag
	if !set.ReadASN1(&pair, cbasn1.SEQUENCE) {
		return nameAttribute{}, false
	}
	oid, ok := readOID(&pair)
	if !ok || !pair.ReadAnyASN1Element(&element, &tag) || !pair.Empty() {
		return nameAttribute{}, false
	}
	attribute := nameAttribute{oid: oid, value: element}
	if !element.ReadAnyASN1(&content, &tag) {
		return nameAttribute{}, false
	}
	attribute.text, attribute.isText = decodeString(tag, content)
	return attribute, true
}

// The string types that cryptobyte has no name for (X.680 table 1).
const (
	tagNumericString   = cbasn1.Tag(18)
	tagVisibleString   = cbasn1.Tag(26)
	tagUniversalString = cbasn1.Tag(28)
	tagBMPString       = cbasn1.Tag(30)
)

// decodeString gives the characters of any of the string types that occur in names, deprecated ones included. In the 8-bit types
// writers put UTF-8 or Latin-1, whatever X.680 says: what is valid UTF-8 is taken as that.
func decodeString(tag cbasn1.Tag, content []byte) (string, bool) {
	switch tag {
	case cbasn1.UTF8String:
		return string(content), true
	case cbasn1.PrintableString, cbasn1.IA5String, cbasn1.T61String, cbasn1.GeneralString, tagNumericString, tagVisibleString:
		if utf8.Valid(content) {
			return string(content), true
		}
		runes := make([]rune, len(content))
		for i, b := range content {
			runes[i] = rune(b)
		}
		return string(runes), true
	case tagBMPString:
		if len(content)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(content)/2)
		for i := range units {
			units[i] = uint16(content[2*i])<<8 | uint16(content[2*i+1])
		}
		return string(utf16.Decode(units)), true
	case tagUniversalString:
		if len(content)%4 != 0 {
			return "", false
		}
		runes := make([]rune, len(content)/4)
		for i := range runes {
			runes[i] = rune(uint32(content[4*i])<<24 | uint32(content[4*i+1])<<16 | uint32(content[4*i+2])<<8 | uint32(content[4*i+3]))
		}
		return string(runes), true
	}
	return "", false
}

// nameText is the name as RFC 4514 section 2 writes it, the last RDN first. It goes further than the RFC where the RFC is not
// fit to be shown: strings of unknown types are text and not hexadecimal, and every character that is not printed, or that
// changes how others are printed, is escaped as its UTF-8 octets.
func nameText(raw []byte) string {
	name, ok := parseName(raw)
	if !ok {
		return "#" + hex.EncodeToString(raw)
	}
	var b strings.Builder
	for i, rdn := range slices.Backward(name) {
		if i < len(name)-1 {
			b.WriteByte(',')
		}
		for j, attribute := range rdn {
			if j > 0 {
				b.WriteByte('+')
			}
			keyword, ok := attributeNames[attribute.oid]
			if !ok {
				keyword = attribute.oid
			}
			b.WriteString(keyword)
			b.WriteByte('=')
			if attribute.isText {
				escapeValue(&b, attribute.text)
			} else {
				b.WriteByte('#')
				b.WriteString(hex.EncodeToString(attribute.value))
			}
		}
	}
	return b.String()
}

// escapeValue writes one attribute value (RFC 4514 section 2.4).
func escapeValue(b *strings.Builder, value string) {
	for i, r := range value {
		size := utf8.RuneLen(r)
		broken := r == utf8.RuneError && !strings.HasPrefix(value[i:], string(utf8.RuneError))
		if broken {
			size = 1
		}
		switch {
		case broken, r != ' ' && !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r):
			for _, octet := range []byte(value[i : i+size]) {
				b.WriteByte('\\')
				b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{octet})))
			}
		case strings.ContainsRune(`"+,;<>\`, r), r == '#' && i == 0, r == ' ' && (i == 0 || i == len(value)-1):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
}

// sameName compares names as RFC 5280 section 7.1 does: string types, case and runs of spaces make no difference, since
// a CA's own certificate and those it issued do not always write its name alike.
func sameName(a, b []byte) bool { return bytes.Equal(a, b) || nameKey(a) == nameKey(b) }

// nameKey is the same text for names that are the same. A name that cannot be read is the same as its own bytes alone.
func nameKey(raw []byte) string {
	name, ok := parseName(raw)
	if !ok {
		return "raw " + string(raw)
	}
	var key strings.Builder
	for _, rdn := range name {
		fmt.Fprintf(&key, "%d(", len(rdn))
		for _, attribute := range rdn {
			kind, value := "value", string(attribute.value)
			if attribute.isText {
				kind, value = "text", strings.Map(foldRune, strings.Join(strings.Fields(attribute.text), " "))
			}
			fmt.Fprintf(&key, "%s %s %d:%s", attribute.oid, kind, len(value), value)
		}
	}
	return key.String()
}

// foldRune is the same for the letters that strings.EqualFold does not tell apart: the least of them.
func foldRune(r rune) rune {
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	return least
}
