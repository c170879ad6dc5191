package pfx

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"unicode/utf16"
	"unicode/utf8"
)

// Armour names how a PFX file stands as text.
type Armour string

// The armours. A PFX file is binary by RFC 7292; NoArmour is for that.
const (
	NoArmour     Armour = ""
	ArmourPEM    Armour = "PEM"
	ArmourBase64 Armour = "Base64"
	ArmourText   Armour = "Base64 in other text"
)

// maxArmours bounds how many armours lie around one another: a secret of Kubernetes has two.
const maxArmours = 3

// RemoveArmour gives the PFX file that a text holds: in PEM of whatever label (certtool writes PKCS12, certutil of Windows
// CERTIFICATE), in Base64 without a frame, or in Base64 within other text, in UTF-8 or UTF-16. A file that holds none is returned as it is, with
// NoArmour.
// What is returned may be a part of file's memory.
func RemoveArmour(file []byte) ([]byte, Armour) {
	armour := NoArmour
	inner := file
	for range maxArmours {
		if LooksLikePFX(inner) || len(inner) > maxFileSize {
			return inner, armour
		}
		text := plainText(inner)
		decoded, found := removePEM(text)
		if found == NoArmour {
			if decoded, found = removeBase64(text); found == NoArmour || !armoured(decoded) {
				inText, is := findBase64(text)
				if is {
					decoded, found = inText, ArmourText
				}
			}
			if found == NoArmour {
				return file, NoArmour
			}
		}
		inner = decoded
		if armour == NoArmour {
			armour = found
		}
	}
	if LooksLikePFX(inner) {
		return inner, armour
	}
	return file, NoArmour
}

// armoured reports whether there may be a PFX in what was decoded: it is one, or text once more.
func armoured(decoded []byte) bool {
	return LooksLikePFX(decoded) || utf8.Valid(decoded) || bytes.HasPrefix(decoded, []byte{0xff, 0xfe}) || bytes.HasPrefix(decoded, []byte{0xfe, 0xff})
}

// LooksLikePFX reports whether a file begins as a PFX does (RFC 7292, section 4): a SEQUENCE whose first members are the version
// 3 and another SEQUENCE. It may be cut off behind that.
func LooksLikePFX(file []byte) bool {
	t := &transcoder{source: file}
	h, ok := t.peek()
	if !ok || h.tag[0] != 0x30 {
		return false
	}
	return bytes.HasPrefix(file[t.at:], []byte{0x02, 0x01, 0x03, 0x30})
}

// peek reads the header of an element that may be cut off.
func (t *transcoder) peek() (header, bool) {
	if len(t.source) < 2 {
		return header{}, false
	}
	h := header{tag: t.source[:1]}
	t.at = 2
	if octets := int(t.source[1]); octets > 0x80 {
		t.at += octets & 0x7f
	}
	return h, t.at <= len(t.source) && t.at <= 10
}

// plainText turns UTF-16 with a byte order mark, as PowerShell writes, into UTF-8, and drops the mark of UTF-8.
func plainText(file []byte) []byte {
	little := bytes.HasPrefix(file, []byte{0xff, 0xfe})
	if !little && !bytes.HasPrefix(file, []byte{0xfe, 0xff}) {
		return bytes.TrimPrefix(file, []byte("\xef\xbb\xbf"))
	}
	units := make([]uint16, 0, len(file)/2)
	for i := 2; i+1 < len(file); i += 2 {
		if little {
			units = append(units, uint16(file[i])|uint16(file[i+1])<<8)
		} else {
			units = append(units, uint16(file[i])<<8|uint16(file[i+1]))
		}
	}
	return []byte(string(utf16.Decode(units)))
}

var pemBegin = []byte("-----BEGIN ")

// removePEM takes the first block that holds a PFX file. A block whose end is missing is read as far as it goes.
func removePEM(text []byte) ([]byte, Armour) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if LooksLikePFX(block.Bytes) {
			return block.Bytes, ArmourPEM
		}
	}
	begin := bytes.Index(text, pemBegin)
	if begin < 0 || bytes.Contains(text, []byte("-----END ")) {
		return nil, NoArmour
	}
	_, body, _ := bytes.Cut(text[begin+len(pemBegin):], []byte("-----"))
	if decoded, found := removeBase64(body); found != NoArmour && LooksLikePFX(decoded) {
		return decoded, ArmourPEM
	}
	return nil, NoArmour
}

// removeBase64 decodes text that is nothing but Base64, of the alphabet for files or for URLs, with padding or without.
func removeBase64(text []byte) ([]byte, Armour) {
	const shortest = 16
	digits := make([]byte, 0, len(text))
	for _, b := range text {
		switch b {
		case ' ', '\t', '\r', '\n', 0:
			continue
		case '-':
			b = '+'
		case '_':
			b = '/'
		}
		digits = append(digits, b)
	}
	digits = bytes.TrimRight(digits, "=")
	if len(digits) < shortest {
		return nil, NoArmour
	}
	if len(digits)%4 == 1 {
		digits = digits[:len(digits)-1] // cut off
	}
	decoded := make([]byte, base64.RawStdEncoding.DecodedLen(len(digits)))
	if _, err := base64.RawStdEncoding.Decode(decoded, digits); err != nil {
		return nil, NoArmour
	}
	return decoded, ArmourBase64
}
