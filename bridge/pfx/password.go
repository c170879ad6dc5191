package pfx

import (
	"unicode/utf16"
	"unicode/utf8"
)

// password is one password in the encodings that the derivations want. It is wiped by its owner.
type password struct {
	// utf8 is for PBES2 and PBMAC1 (RFC 8018, section 3; RFC 9579).
	utf8 []byte
	// bmp is for RFC 7292, appendix B. The empty password has two readings there: two zero bytes, which is what
	// the specification says, and nothing at all, which is what a NULL password gives. Reading tries both.
	bmp [][]byte
	// notBMP says that bmp is missing.
	notBMP bool
}

func newPassword(text []byte) (*password, error) {
	if !utf8.Valid(text) {
		return nil, ErrPasswordNotUTF8
	}
	p := &password{utf8: append([]byte(nil), text...)}
	encoded := make([]byte, 0, 2*len(text)+2)
	for rest := text; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		rest = rest[size:]
		if r > 0xffff {
			clear(encoded)
			p.notBMP = true
			return p, nil
		}
		encoded = append(encoded, byte(r>>8), byte(r))
	}
	p.bmp = [][]byte{append(encoded, 0, 0)}
	if len(text) == 0 {
		p.bmp = append(p.bmp, nil)
	}
	return p, nil
}

func (p *password) wipe() {
	clear(p.utf8)
	for _, encoded := range p.bmp {
		clear(encoded)
	}
}

// encodeBMP writes a friendlyName. Characters beyond the BMP become surrogate pairs, which BMPString does not provide
// for but every known reader understands.
func encodeBMP(text string) []byte {
	units := utf16.Encode([]rune(text))
	encoded := make([]byte, 0, 2*len(units))
	for _, unit := range units {
		encoded = append(encoded, byte(unit>>8), byte(unit))
	}
	return encoded
}

// decodeBMP reads a friendlyName. It fails where the text would not be written the same again.
func decodeBMP(encoded []byte) (string, bool) {
	if len(encoded)%2 != 0 {
		return "", false
	}
	units := make([]uint16, 0, len(encoded)/2)
	for i := 0; i < len(encoded); i += 2 {
		units = append(units, uint16(encoded[i])<<8|uint16(encoded[i+1]))
	}
	text := string(utf16.Decode(units))
	return text, string(encodeBMP(text)) == string(encoded)
}
