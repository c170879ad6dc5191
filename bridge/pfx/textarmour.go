package pfx

import (
	"bytes"
	"encoding/base64"
)

// mostTextsTried bounds how often a whole file is decoded out of one text.
const mostTextsTried = 8

// findBase64 finds the first whole PFX file in Base64 within other text: a PEM block that is indented, cited, in one line or in a string of a program;
// a value in YAML, JSON or an environment file; the body of a letter. Every PFX file begins with MI in Base64, and says how long it is.
func findBase64(text []byte) ([]byte, bool) {
	const first = 16                              // digits, which tell whether a PFX file begins
	text = bytes.ReplaceAll(text, []byte{0}, nil) // UTF-16 without a byte order mark
	tried := 0
	for rest := text; tried < mostTextsTried; rest = rest[2:] {
		at := bytes.Index(rest, []byte("MI"))
		if at < 0 {
			return nil, false
		}
		rest = rest[at:]
		digits := base64Digits(rest, first)
		if decoded, ok := decodeDigits(digits); !ok || len(digits) < first || !LooksLikePFX(decoded) {
			continue
		}
		tried++
		decoded, ok := decodeDigits(base64Digits(rest, len(rest)))
		if !ok {
			continue
		}
		der, end, _, err := toDER(decoded, "PFX")
		clear(der)
		if err == nil {
			return decoded[:end], true
		}
	}
	return nil, false
}

// base64Digits are at most so many digits of Base64 that text begins with. What is neither a letter nor a number may stand between them.
func base64Digits(text []byte, most int) []byte {
	const longestGap = 64
	digits := make([]byte, 0, min(most, len(text)))
	gap := 0
	for i := 0; i < len(text) && len(digits) < most && gap <= longestGap; i++ {
		b := text[i]
		switch {
		case b >= 'A' && b <= 'Z', b >= 'a' && b <= 'z', b >= '0' && b <= '9', b == '+', b == '/':
			digits, gap = append(digits, b), 0
		case bytes.HasPrefix(text[i:], []byte("--")):
			return digits
		case b == '-':
			digits, gap = append(digits, '+'), 0
		case b == '_':
			digits, gap = append(digits, '/'), 0
		case b == '\\' && i+1 < len(text): // a line end as programs write it in a string
			i++
			gap++
		case b == '=':
			return digits
		default:
			gap++
		}
	}
	return digits
}

func decodeDigits(digits []byte) ([]byte, bool) {
	if len(digits)%4 == 1 {
		digits = digits[:len(digits)-1]
	}
	decoded := make([]byte, base64.RawStdEncoding.DecodedLen(len(digits)))
	n, err := base64.RawStdEncoding.Decode(decoded, digits)
	return decoded[:n], err == nil
}
