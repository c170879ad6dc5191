package pki

import (
	"encoding/hex"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// NameFault is what is wrong with a name.
type NameFault string

// The faults that a name can have.
const (
	NameEmpty         NameFault = "empty"
	NameUnknownType   NameFault = "unknown-type"
	NameEmptyValue    NameFault = "empty-value"
	NameBadEscape     NameFault = "bad-escape"
	NameNotUTF8       NameFault = "not-utf8"
	NameUnencodable   NameFault = "unencodable"
	NameWithoutValue  NameFault = "no-value"
	NameNoIPAddress   NameFault = "no-ip-address"
	NameNotASCII      NameFault = "not-ascii"
	NameNotPrintable  NameFault = "not-printable"
	NameNotACountry   NameFault = "not-a-country"
	NameNoURI         NameFault = "no-uri"
	NameOfUnknownKind NameFault = "unknown-kind"
)

// NameError says what is wrong with a name that was typed.
type NameError struct {
	Fault NameFault
	Part  string // of the name, as it was typed; empty where the whole is meant
}

// Error gives the fault and the part.
func (e *NameError) Error() string {
	text := "name: " + string(e.Fault)
	if e.Part != "" {
		text += ": " + strconv.Quote(e.Part)
	}
	return text
}

// ParseNameText makes a DER Name of its text as RFC 4514 writes it: "CN=Alice,O=Example,C=ES", the last RDN first. Types
// are the keywords that names are shown with, whatever their case, or dotted OIDs. The error is a *NameError.
func ParseNameText(text string) ([]byte, error) {
	rdns, err := splitName(text)
	if err != nil {
		return nil, err
	}
	for _, attribute := range slices.Concat(rdns...) {
		if err := attribute.checkText(); err != nil {
			return nil, err
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i := len(rdns) - 1; i >= 0; i-- {
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				for _, attribute := range rdns[i] {
					addNameAttribute(b, attribute)
				}
			})
		}
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, &NameError{Fault: NameUnencodable}
	}
	return der, nil
}

// splitName reads RDNs and their attributes, in the order of the text.
func splitName(text string) ([][]nameAttribute, error) {
	if strings.TrimSpace(text) == "" {
		return nil, &NameError{Fault: NameEmpty}
	}
	rdns := [][]nameAttribute{nil}
	for rest, end := text, byte(0); ; {
		keyword, after, ok := strings.Cut(rest, "=")
		oid := oidOfAttribute(strings.TrimSpace(keyword))
		if !ok || oid == "" {
			return nil, &NameError{Fault: NameUnknownType, Part: strings.TrimSpace(keyword)}
		}
		var value string
		var err error
		if value, end, rest, err = cutValue(after); err != nil {
			return nil, err
		}
		if value == "" {
			return nil, &NameError{Fault: NameEmptyValue, Part: keyword}
		}
		last := len(rdns) - 1
		rdns[last] = append(rdns[last], nameAttribute{oid: oid, text: value})
		switch end {
		case 0:
			return rdns, nil
		case ',':
			rdns = append(rdns, nil)
		}
	}
}

// cutValue reads one value up to an unescaped "," or "+" and undoes its escapes (RFC 4514 section 2.4), or its quotes (RFC 1779
// section 2.3), which OpenSSL still writes.
func cutValue(text string) (value string, end byte, rest string, err error) {
	var out []byte
	text, quoted := strings.CutPrefix(strings.TrimLeft(text, " "), `"`)
	keep := 0 // the length up to which blanks at the end were escaped
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' && quoted:
			quoted, keep = false, len(out)
			if rest := strings.TrimLeft(text[i+1:], " "); rest != "" && rest[0] != ',' && rest[0] != '+' {
				return "", 0, "", &NameError{Fault: NameBadEscape}
			}
		case (c == ',' || c == '+') && !quoted:
			return finishValue(out, keep, c, text[i+1:])
		case c != '\\':
			out = append(out, c)
		case i+1 < len(text) && strings.IndexByte(` "#+,;<=>\`, text[i+1]) >= 0:
			i++
			out = append(out, text[i])
			keep = len(out)
		default:
			octet, err := hex.DecodeString(text[min(i+1, len(text)):min(i+3, len(text))])
			if err != nil || len(octet) != 1 {
				return "", 0, "", &NameError{Fault: NameBadEscape}
			}
			i += 2
			out = append(out, octet[0])
			keep = len(out)
		}
	}
	if quoted {
		return "", 0, "", &NameError{Fault: NameBadEscape}
	}
	return finishValue(out, keep, 0, "")
}

func finishValue(out []byte, keep int, end byte, rest string) (string, byte, string, error) {
	for len(out) > keep && out[len(out)-1] == ' ' {
		out = out[:len(out)-1]
	}
	if !utf8.Valid(out) {
		return "", 0, "", &NameError{Fault: NameNotUTF8}
	}
	return string(out), end, rest, nil
}

func oidOfAttribute(keyword string) string {
	for oid, name := range attributeNames {
		if strings.EqualFold(name, keyword) {
			return oid
		}
	}
	if keyword != "" && strings.Trim(keyword, "0123456789.") == "" && strings.Contains(keyword, ".") {
		return keyword
	}
	return ""
}

const oidCountry = "2.5.4.6"

// stringType is the one that RFC 5280 appendix A asks for: UTF8String where there is a choice.
func (a nameAttribute) stringType() cbasn1.Tag {
	switch a.oid {
	case oidSerialNumber, oidCountry, "2.5.4.46": // dnQualifier
		return cbasn1.PrintableString
	case "0.9.2342.19200300.100.1.25", oidEmailAddress: // DC
		return cbasn1.IA5String
	}
	return cbasn1.UTF8String
}

// checkText reports whether the text can stand in the string type, and whether a country is of two letters (RFC 5280 appendix A.1).
func (a nameAttribute) checkText() error {
	tag := a.stringType()
	beyond := strings.IndexFunc(a.text, func(r rune) bool {
		switch tag {
		case cbasn1.PrintableString:
			return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" '()+,-./:=?", r)
		case cbasn1.IA5String:
			return r > unicode.MaxASCII
		}
		return false
	}) >= 0
	switch {
	case beyond && tag == cbasn1.IA5String:
		return &NameError{Fault: NameNotASCII, Part: a.text}
	case a.oid == oidCountry && (beyond || len(a.text) != len("ES")):
		return &NameError{Fault: NameNotACountry, Part: a.text}
	case beyond:
		return &NameError{Fault: NameNotPrintable, Part: a.text}
	}
	return nil
}

func addNameAttribute(b *cryptobyte.Builder, attribute nameAttribute) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, attribute.oid)
		b.AddASN1(attribute.stringType(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(attribute.text)) })
	})
}

// GeneralNames makes DER GeneralNames (RFC 5280 section 4.2.1.6) of texts such as "dns:host.example",
// "email:alice@example.org", "ip:192.0.2.1", "uri:https://example.org/" and "upn:alice@example.org" (Microsoft's user
// principal name). The error is a *NameError.
func GeneralNames(texts []string) ([]byte, error) {
	var b cryptobyte.Builder
	var problem error
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, text := range texts {
			if err := addGeneralName(b, text); err != nil && problem == nil {
				problem = err
			}
		}
	})
	if problem != nil {
		return nil, problem
	}
	return b.Bytes()
}

func addGeneralName(b *cryptobyte.Builder, text string) error {
	kind, value, _ := strings.Cut(text, ":")
	if value == "" {
		return &NameError{Fault: NameWithoutValue, Part: text}
	}
	add := func(number uint8, content []byte) {
		b.AddASN1(cbasn1.Tag(number).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(content) })
	}
	ascii := strings.IndexFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
	switch kind = strings.ToLower(kind); {
	case kind == "upn":
		addUPN(b, value)
	case kind == "ip":
		ip := net.ParseIP(value)
		if ip == nil {
			return &NameError{Fault: NameNoIPAddress, Part: value}
		}
		if four := ip.To4(); four != nil {
			ip = four
		}
		add(7, ip)
	case !ascii:
		return &NameError{Fault: NameNotASCII, Part: value}
	case kind == "dns":
		add(2, []byte(value))
	case kind == "email" && strings.Contains(value, "@"):
		add(1, []byte(value))
	case kind == "uri":
		if parsed, err := url.Parse(value); err != nil || parsed.Scheme == "" {
			return &NameError{Fault: NameNoURI, Part: value}
		}
		add(6, []byte(value))
	default:
		return &NameError{Fault: NameOfUnknownKind, Part: text}
	}
	return nil
}

// addUPN writes an otherName with Microsoft's id-ms-san-upn.
func addUPN(b *cryptobyte.Builder, value string) {
	b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
		addOID(b, "1.3.6.1.4.1.311.20.2.3")
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(value)) })
		})
	})
}

// NameText is a DER Name as RFC 4514 writes it, safe to show, as Certificate.Subject is.
func NameText(raw []byte) string { return nameText(raw) }
