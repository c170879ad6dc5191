package pfx

import (
	"bytes"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Encoding names the bytes that a program made of a password before it derived a key from them. Programs disagree as soon
// as a password has a character outside ASCII.
type Encoding string

// The encodings. The first of each kind of derivation is the specification's.
const (
	// EncodingUTF8 is what PBES2 and PBMAC1 want (RFC 8018, section 3; RFC 9579).
	EncodingUTF8 Encoding = "UTF-8"
	// EncodingBMP is what RFC 7292, appendix B.1, wants: BMPString with two zero bytes behind it.
	EncodingBMP Encoding = "BMPString"
	// EncodingUTF16 is EncodingBMP with surrogate pairs for what BMPString cannot hold: OpenSSL 3, NSS, Java.
	EncodingUTF16 Encoding = "UTF-16"
	// EncodingNothing is the empty password without its two zero bytes.
	EncodingNothing Encoding = "nothing"
	// EncodingWidened is every byte of UTF-8 with a zero byte before it: OpenSSL 1.0.
	EncodingWidened Encoding = "UTF-8, widened"
	// EncodingWindowsWidened is every byte of Windows-1252 with a zero byte before it.
	EncodingWindowsWidened Encoding = "Windows-1252, widened"
	// EncodingBMPOpen is EncodingUTF16 without the two zero bytes behind it.
	EncodingBMPOpen Encoding = "UTF-16 without its end"
	// EncodingLatin1 and EncodingWindows are one byte a character, where PBES2 wants UTF-8.
	EncodingLatin1  Encoding = "Latin-1"
	EncodingWindows Encoding = "Windows-1252"
	// EncodingLowBytes is the lower byte of each unit of UTF-16: node-forge, under PBES2. Its hash reads four units as one number, so that a
	// higher byte falls on the byte before it.
	EncodingLowBytes Encoding = "lower bytes of UTF-16"
	// EncodingUTF16LE is UTF-16 with the lower byte first.
	EncodingUTF16LE Encoding = "UTF-16, little-endian"
	// EncodingComposed and EncodingDecomposed are the specification's, of the same characters in another form of Unicode: one code point for a
	// letter with its accent, or two. macOS decomposes what goes through a file name.
	EncodingComposed   Encoding = "composed (NFC)"
	EncodingDecomposed Encoding = "decomposed (NFD)"
	// EncodingSpaces is EncodingComposed with every space an ASCII one (RFC 8265, section 4.2.2): GnuTLS, for the bags.
	EncodingSpaces Encoding = "composed (NFC), with ASCII spaces"
	// EncodingCut is EncodingUTF16 of what was typed, cut off where it would end if it were composed: GnuTLS up to 3.8, for the MAC.
	EncodingCut Encoding = "UTF-16, cut off to the length of NFC"
	// EncodingFilled is the same where the composed password is the longer one, since some characters are always written as two. GnuTLS reads on behind what
	// was typed, in memory of the process that made the file: mostly zero bytes. Where they were others, nobody can tell what they were, and
	// GnuTLS itself opens its file only where its memory happens to be the same: behind 12 and 28 units it is the length of the next block of
	// the heap (C1 00 and 31 00 in certtool 3.7.9 with glibc 2.36), whatever that is.
	EncodingFilled Encoding = "UTF-16, filled up to the length of NFC"
)

// reading is a password in one encoding. It is wiped with its password.
type reading struct {
	encoding Encoding
	secret   []byte
}

// family is a kind of derivation, by what it wants of a password.
type family int

const (
	familyBMP    family = iota // RFC 7292, appendix B
	familyOctets               // RFC 8018: PBKDF1 and PBKDF2; RFC 7914: scrypt
)

// password is one password in the encodings that the derivations may want. It is wiped by its owner.
type password struct {
	// families are the readings in the order in which they are tried. The first is what the specification says.
	families [2][]reading
	// ascii says that a password outside RFC 7292's derivation has one reading only, unless a program was odd.
	ascii bool
	// notBMP says that the password has a character that a BMPString cannot hold. Nothing is written with it.
	notBMP bool
}

// newPassword keeps no reference to text. The error is ErrPasswordNotUTF8.
func newPassword(text []byte) (*password, error) {
	if !utf8.Valid(text) {
		return nil, ErrPasswordNotUTF8
	}
	p := &password{ascii: true}
	for _, r := range string(text) {
		p.ascii = p.ascii && r < utf8.RuneSelf
		p.notBMP = p.notBMP || r > 0xffff
	}
	open := encodeBMP(string(text))
	closed := append(bytes.Clone(open), 0, 0)
	standard := EncodingBMP
	if p.notBMP {
		standard = EncodingUTF16
	}
	p.add(familyBMP, standard, closed)
	if len(text) == 0 {
		p.add(familyBMP, EncodingNothing, []byte{})
	}
	latin1, isLatin1 := encodeBytes(text, func(r rune) (byte, bool) { return byte(r), r <= 0xff })
	windows, isWindows := encodeBytes(text, windows1252)
	p.add(familyBMP, EncodingWidened, widened(text))
	if isWindows {
		p.add(familyBMP, EncodingWindowsWidened, widened(windows))
	}
	p.add(familyOctets, EncodingUTF8, bytes.Clone(text))
	if isLatin1 {
		p.add(familyOctets, EncodingLatin1, latin1)
	}
	if isWindows {
		p.add(familyOctets, EncodingWindows, windows)
	}
	p.add(familyOctets, EncodingLowBytes, lowBytes(open))
	if len(text) > 0 {
		p.add(familyBMP, EncodingBMPOpen, open)
		p.add(familyOctets, EncodingUTF16, bytes.Clone(closed)) // HMAC pads with zero bytes: the end makes no difference
		p.add(familyOctets, EncodingUTF16LE, swapped(open))
	}
	if !p.ascii {
		p.addForms(text)
	}
	return p, nil
}

// addForms adds the readings of the same characters in other forms of Unicode.
func (p *password) addForms(text []byte) {
	spaces := bytes.Map(func(r rune) rune {
		if unicode.Is(unicode.Zs, r) {
			return ' '
		}
		return r
	}, text)
	defer clear(spaces)
	for _, form := range []struct {
		encoding Encoding
		of       norm.Form
		text     []byte
	}{{EncodingComposed, norm.NFC, text}, {EncodingSpaces, norm.NFC, spaces}, {EncodingDecomposed, norm.NFD, text}} {
		same := form.of.Append(nil, form.text...)
		closed := append(encodeBMP(string(same)), 0, 0)
		if form.encoding == EncodingComposed {
			measured, typed := make([]byte, len(closed)), encodeBMP(string(text))
			encoding := EncodingCut
			if copy(measured[:len(closed)-2], typed) == len(typed) {
				encoding = EncodingFilled
			}
			clear(typed)
			p.add(familyBMP, encoding, measured)
		}
		p.add(familyBMP, form.encoding, closed)
		p.add(familyOctets, form.encoding, same)
	}
}

// add leaves out a reading that is the same as an earlier one.
func (p *password) add(f family, encoding Encoding, secret []byte) {
	for _, earlier := range p.families[f] {
		if bytes.Equal(earlier.secret, secret) {
			clear(secret)
			return
		}
	}
	p.families[f] = append(p.families[f], reading{encoding, secret})
}

// standard is the reading that the specification prescribes.
func (p *password) standard(f family) reading { return p.families[f][0] }

// readings are those worth trying. Where the MAC has not yet shown that the password is right, they are those of programs
// that are known, and of the octets of an ASCII password there is one; where it has, all are worth their derivation.
func (p *password) readings(f family, proven bool) []reading {
	if f == familyOctets && p.ascii && !proven {
		return p.families[f][:1]
	}
	return p.families[f]
}

func (p *password) wipe() {
	for _, readings := range p.families {
		for _, one := range readings {
			clear(one.secret)
		}
	}
}

func widened(text []byte) []byte {
	encoded := make([]byte, 0, 2*len(text)+2)
	for _, b := range text {
		encoded = append(encoded, 0, b)
	}
	return append(encoded, 0, 0)
}

// lowBytes leaves the second byte of each pair, and has the first one fall on the byte before it, but at the beginning of four.
func lowBytes(encoded []byte) []byte {
	out := make([]byte, 0, len(encoded)/2)
	for i := 0; i+1 < len(encoded); i += 2 {
		if at := len(out); at%4 != 0 {
			out[at-1] ^= encoded[i]
		}
		out = append(out, encoded[i+1])
	}
	return out
}

func swapped(encoded []byte) []byte {
	out := bytes.Clone(encoded)
	for i := 0; i+1 < len(out); i += 2 {
		out[i], out[i+1] = out[i+1], out[i]
	}
	return out
}

// encodeBytes makes one byte of each character, if every one has such a byte.
func encodeBytes(text []byte, encode func(rune) (byte, bool)) ([]byte, bool) {
	encoded := make([]byte, 0, len(text))
	for rest := text; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		rest = rest[size:]
		b, ok := encode(r)
		if !ok {
			clear(encoded)
			return nil, false
		}
		encoded = append(encoded, b)
	}
	return encoded, true
}

// windowsUpper are the characters of Windows-1252 from 80 to 9F; zero where there is none.
var windowsUpper = [32]rune{
	'€', 0, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0, 'Ž', 0,
	0, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0, 'ž', 'Ÿ',
}

func windows1252(r rune) (byte, bool) {
	if r < 0x80 || r >= 0xa0 && r <= 0xff {
		return byte(r), true
	}
	for i, upper := range windowsUpper {
		if upper == r && r != 0 {
			return byte(0x80 + i), true
		}
	}
	return 0, false
}

// encodeBMP writes a friendlyName. Characters beyond the BMP become surrogate pairs, which BMPString does not provide
// for but every known reader understands.
func encodeBMP(text string) []byte {
	encoded := make([]byte, 0, 2*len(text))
	for _, r := range text {
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			encoded = append(encoded, byte(high>>8), byte(high), byte(low>>8), byte(low))
			continue
		}
		encoded = append(encoded, byte(r>>8), byte(r))
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
