package token

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// URI is a PKCS#11 URI (RFC 7512): its path and query attributes, decoded. "id" holds raw bytes.
type URI struct {
	Path  map[string]string
	Query map[string]string
}

// ErrPINValue refuses a URI with a pin-value: the PIN would be in the process list, the shell's history and every log
// that shows the URI (RFC 7512 §2.4 and §6).
var ErrPINValue = errors.New("a URI with pin-value is refused")

// URIFault is what is wrong with a text that is not a PKCS#11 URI.
type URIFault string

// The faults that a URI can have.
const (
	URIWithoutScheme       URIFault = "no-scheme"
	URITooLong             URIFault = "too-long"
	URIUnknownType         URIFault = "unknown-type"
	URIBadNumber           URIFault = "bad-number"
	URIWithoutValue        URIFault = "no-value"
	URIUnknownAttribute    URIFault = "unknown-attribute"
	URIAttributeTwice      URIFault = "attribute-twice"
	URIBlankNotEncoded     URIFault = "blank-not-encoded"
	URIPercentWithoutDigit URIFault = "percent-without-digits"
)

// URIError is a text that is not a PKCS#11 URI. The text itself is left out, because it may hold a secret.
type URIError struct {
	Fault     URIFault
	Attribute string // the attribute's name, where one is at fault
}

// Error says what is wrong.
func (e *URIError) Error() string {
	text := "not a PKCS#11 URI: " + string(e.Fault)
	if e.Attribute != "" {
		text += ": " + strconv.Quote(e.Attribute)
	}
	return text
}

const uriScheme = "pkcs11:"

// maxURI bounds the length of a URI. What a token can have is longer: URIs that are written leave out what is not sayable.
const maxURI = 8 << 10

// numberAttribute is an attribute of our own: which of the identities is meant that the rest of the URI names, from 1. It is only
// written where nothing else tells them apart.
const numberAttribute = "p11bridge-number"

var (
	pathAttributes = []string{"token", "manufacturer", "serial", "model", "library-manufacturer", "library-description", "library-version",
		"slot-manufacturer", "slot-description", "slot-id", "object", "type", "id", numberAttribute}
	queryAttributes = []string{"pin-source", "module-path"}
	objectTypes     = map[string]Class{"cert": CKOCertificate, "private": CKOPrivateKey, "public": CKOPublicKey, "secret-key": CKOSecretKey, "data": CKOData}
)

// IsURI reports whether the text claims to be a PKCS#11 URI.
func IsURI(text string) bool {
	return len(text) >= len(uriScheme) && strings.EqualFold(text[:len(uriScheme)], uriScheme)
}

// ParseURI reads a PKCS#11 URI (RFC 7512 §2.3). Attributes that it does not know are refused, not ignored, since ignoring
// one would name more objects than were meant. The error is a *URIError or ErrPINValue.
func ParseURI(text string) (*URI, error) {
	if !IsURI(text) {
		return nil, &URIError{Fault: URIWithoutScheme}
	}
	if len(text) > maxURI {
		return nil, &URIError{Fault: URITooLong}
	}
	path, query, _ := strings.Cut(text[len(uriScheme):], "?")
	uri := &URI{}
	var err error
	if uri.Query, err = parseAttributes(query, "&", queryAttributes); err != nil {
		return nil, err
	}
	if uri.Path, err = parseAttributes(path, ";", pathAttributes); err != nil {
		return nil, err
	}
	if name, given := uri.Path["type"]; given {
		if _, known := objectTypes[name]; !known {
			return nil, &URIError{Fault: URIUnknownType}
		}
	}
	if text, given := uri.Path[numberAttribute]; given {
		if n, err := strconv.ParseUint(text, 10, 31); err != nil || n == 0 {
			return nil, &URIError{Fault: URIBadNumber, Attribute: numberAttribute}
		}
	}
	return uri, nil
}

func parseAttributes(text, separator string, known []string) (map[string]string, error) {
	attributes := map[string]string{}
	if text == "" {
		return attributes, nil
	}
	for part := range strings.SplitSeq(text, separator) {
		name, encoded, ok := strings.Cut(part, "=")
		switch {
		case name == "pin-value":
			return nil, ErrPINValue
		case !ok:
			return nil, &URIError{Fault: URIWithoutValue}
		case !slices.Contains(known, name):
			return nil, &URIError{Fault: URIUnknownAttribute, Attribute: name}
		}
		if _, twice := attributes[name]; twice {
			return nil, &URIError{Fault: URIAttributeTwice, Attribute: name}
		}
		value, fault := percentDecode(encoded)
		if fault != "" {
			return nil, &URIError{Fault: fault, Attribute: name}
		}
		attributes[name] = value
	}
	return attributes, nil
}

func percentDecode(text string) (string, URIFault) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			if text[i] <= ' ' || text[i] == 0x7F {
				return "", URIBlankNotEncoded
			}
			out.WriteByte(text[i])
			continue
		}
		if i+3 > len(text) {
			return "", URIPercentWithoutDigit
		}
		b, err := hex.DecodeString(text[i+1 : i+3])
		if err != nil {
			return "", URIPercentWithoutDigit
		}
		out.WriteByte(b[0])
		i += 2
	}
	return out.String(), ""
}

// String writes the URI with its attributes in the order of RFC 7512 §2.3. Everything but letters, digits and "-._~" is
// percent-encoded, so that the result needs no quoting in a shell and shows no control character; an id is encoded whole.
func (u *URI) String() string {
	var parts []string
	for _, name := range pathAttributes {
		if value, given := u.Path[name]; given {
			parts = append(parts, name+"="+percentEncode(value, name == "id"))
		}
	}
	text := uriScheme + strings.Join(parts, ";")
	separator := "?"
	for _, name := range queryAttributes {
		if value, given := u.Query[name]; given {
			text += separator + name + "=" + percentEncode(value, false)
			separator = "&"
		}
	}
	return text
}

func percentEncode(text string, all bool) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for _, b := range []byte(text) {
		plain := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("-._~", b) >= 0
		if plain && !all {
			out.WriteByte(b)
		} else {
			out.Write([]byte{'%', digits[b>>4], digits[b&0xF]})
		}
	}
	return out.String()
}

// URI names the token by label and serial number, the two that survive a change of slots.
func (info *Info) URI() *URI {
	path := map[string]string{"token": string(info.Label)}
	if info.Serial != "" {
		path["serial"] = string(info.Serial)
	}
	return &URI{Path: path}
}

// With gives the URI of an object on the token that u names.
func (u *URI) With(o *Object) *URI {
	path := map[string]string{}
	for _, name := range []string{"token", "serial"} {
		if value, given := u.Path[name]; given {
			path[name] = value
		}
	}
	if id := string(o.ID()); id != "" && sayable(id) {
		path["id"] = id
	}
	if label := string(o.Attributes.Bytes(CKALabel)); label != "" && sayable(label) {
		path["object"] = label
	}
	if kind := o.Class.uriType(); kind != "" {
		path["type"] = kind
	}
	return &URI{Path: path}
}

// sayable reports whether a URI that says the value is short enough to be read again.
func sayable(value string) bool { return len(value) <= maxURI/8 }

// uriType is a URI's "type" for the class, empty where it has none.
func (c Class) uriType() string {
	for name, class := range objectTypes {
		if class == c {
			return name
		}
	}
	return ""
}

// Class is the class that the URI's type stands for; it is false where the URI has none.
func (u *URI) Class() (Class, bool) {
	class, given := objectTypes[u.Path["type"]]
	return class, given
}

// MatchesToken reports whether the URI's attributes of library, slot and token, as far as given, are those of the slot and
// its token.
func (u *URI) MatchesToken(module ModuleInfo, slot Slot) bool {
	if slot.Token == nil {
		return false
	}
	for name, has := range map[string]string{
		"token": string(slot.Token.Label), "manufacturer": string(slot.Token.Manufacturer), "serial": string(slot.Token.Serial), "model": string(slot.Token.Model),
		"library-manufacturer": string(module.Manufacturer), "library-description": string(module.Description), "library-version": module.LibraryVersion,
		"slot-manufacturer": string(slot.Manufacturer), "slot-description": string(slot.Description), "slot-id": fmt.Sprint(slot.ID),
	} {
		if wanted, given := u.Path[name]; given && wanted != has {
			return false
		}
	}
	return true
}

// MatchesObject reports whether the URI's attributes of the object, as far as given, are those of o.
func (u *URI) MatchesObject(o *Object) bool {
	if wanted, given := u.Path["id"]; given && wanted != string(o.ID()) {
		return false
	}
	if wanted, given := u.Path["object"]; given && wanted != string(o.Label()) && wanted != string(o.Attributes.Bytes(CKALabel)) {
		return false
	}
	if wanted, given := u.Path["type"]; given && objectTypes[wanted] != o.Class {
		return false
	}
	return true
}

// NamesObject reports whether the URI says anything about an object, or only about a token.
func (u *URI) NamesObject() bool {
	for _, name := range []string{"id", "object", "type", numberAttribute} {
		if _, given := u.Path[name]; given {
			return true
		}
	}
	return false
}
