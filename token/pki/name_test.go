package pki

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"testing"
	"unicode"
	"unicode/utf8"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"pgregory.net/rapid"
)

// printable is what every text of a certificate must be, whatever stood in it.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029' {
			return false
		}
	}
	return true
}

func TestNameStrings(t *testing.T) {
	tests := []struct {
		name  string
		tag   cbasn1.Tag
		value string
		want  string
	}{
		{"UTF8String", cbasn1.UTF8String, "Núria", "CN=Núria"},
		{"UTF8String that is none", cbasn1.UTF8String, "N\xfaria", `CN=N\FAria`},
		{"UTF8String with U+FFFD", cbasn1.UTF8String, "N\uFFFDria", "CN=N\uFFFDria"},
		{"PrintableString", cbasn1.PrintableString, "Nuria", "CN=Nuria"},
		{"PrintableString with UTF-8", cbasn1.PrintableString, "Núria", "CN=Núria"},
		{"TeletexString with Latin-1", cbasn1.T61String, "N\xfaria", "CN=Núria"},
		{"IA5String", cbasn1.IA5String, "a@b", "CN=a@b"},
		{"NumericString", tagNumericString, "12 3", "CN=12 3"},
		{"VisibleString", tagVisibleString, "v", "CN=v"},
		{"BMPString", tagBMPString, "\x00N\x00\xfa\xd8\x3d\xde\x00", "CN=Nú😀"},
		{"BMPString, half a pair", tagBMPString, "\xd8\x3d", "CN=\uFFFD"},
		{"BMPString, odd", tagBMPString, "\x00", "CN=#1e0100"},
		{"UniversalString", tagUniversalString, "\x00\x01\xf6\x00", "CN=😀"},
		{"UniversalString beyond Unicode", tagUniversalString, "\xff\xff\xff\xff", "CN=\uFFFD"},
		{"INTEGER", cbasn1.INTEGER, "\x05", "CN=#020105"},
		{"ESC", cbasn1.UTF8String, "\x1b]0;x\x07", `CN=\1B]0\;x\07`},
		{"C1 control in Latin-1", cbasn1.T61String, "a\x9bb", `CN=a\C2\9Bb`},
		{"zero width", cbasn1.UTF8String, "a\u200bb\ufeff", `CN=a\E2\80\8Bb\EF\BB\BF`},
		{"isolates", cbasn1.UTF8String, "\u2066x\u2069", `CN=\E2\81\A6x\E2\81\A9`},
		{"line separator", cbasn1.UTF8String, "a\u2028b", `CN=a\E2\80\A8b`},
		{"NUL", cbasn1.UTF8String, "a\x00b", `CN=a\00b`},
		{"ideographic space", cbasn1.UTF8String, "山田\u3000太郎", "CN=山田\u3000太郎"},
		{"one space", cbasn1.UTF8String, " ", `CN=\ `},
		{"number signs", cbasn1.UTF8String, "##", `CN=\##`},
		{"empty", cbasn1.UTF8String, "", "CN="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := odd{subject: oneAttribute(t, "2.5.4.3", tagged(t, tt.tag, []byte(tt.value)))}.parse(t)
			if string(c.Subject) != tt.want || !printable(string(c.Subject)) {
				t.Errorf("got %q, want %q", c.Subject, tt.want)
			}
		})
	}
}

// TestBrokenName: a name with a byte too many in it is shown as it stands, and does not lose the certificate.
func TestBrokenName(t *testing.T) {
	broken := oneAttribute(t, "2.5.4.3", append(tagged(t, cbasn1.UTF8String, []byte("x")), 0))
	if got, want := (odd{subject: broken}).parse(t).Subject, fmt.Sprintf("#%x", broken); string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNameLayout(t *testing.T) {
	text := func(s string) []byte { return tagged(t, cbasn1.UTF8String, []byte(s)) }
	pair := func(oid, value string) []byte {
		return tagged(t, cbasn1.SEQUENCE, append(oidDER(t, oid), text(value)...))
	}
	set := func(pairs ...[]byte) (out []byte) {
		for _, p := range pairs {
			out = append(out, p...)
		}
		return tagged(t, cbasn1.SET, out)
	}
	name := tagged(t, cbasn1.SEQUENCE, append(set(pair("2.5.4.6", "FR")), set(pair("2.5.4.3", "x"), pair("1.2.3.4", "y"), pair("2.5.4.97", "VATES-1"))...))
	if got, want := (odd{subject: name}).parse(t).Subject, "CN=x+1.2.3.4=y+organizationIdentifier=VATES-1,C=FR"; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSameName(t *testing.T) {
	name := func(tag cbasn1.Tag, s string) []byte { return oneAttribute(t, "2.5.4.10", tagged(t, tag, []byte(s))) }
	base := name(cbasn1.PrintableString, "Example  CA")
	tests := []struct {
		what  string
		other []byte
		want  bool
	}{
		{"another string type", name(cbasn1.UTF8String, "Example  CA"), true},
		{"another case", name(cbasn1.PrintableString, "example  ca"), true},
		{"other spaces", name(cbasn1.PrintableString, " Example CA "), true},
		{"another text", name(cbasn1.PrintableString, "Example CB"), false},
		{"another type", oneAttribute(t, "2.5.4.11", tagged(t, cbasn1.PrintableString, []byte("Example  CA"))), false},
		{"no attribute", []byte{0x30, 0}, false},
		{"no text", name(cbasn1.INTEGER, "\x05"), false},
		{"nothing", nil, false},
	}
	for _, tt := range tests {
		if got := sameName(base, tt.other); got != tt.want {
			t.Errorf("%s: %t", tt.what, got)
		}
		if got := sameName(tt.other, base); got != tt.want {
			t.Errorf("%s, the other way round: %t", tt.what, got)
		}
	}
}

// TestNameAgainstPkix compares with crypto/x509/pkix where both write the same keywords and escapes.
func TestNameAgainstPkix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[a-zA-Z0-9 ,+"\\<>;#=._-]{0,20}`)
		raw, err := asn1.Marshal(pkix.Name{
			CommonName: value.Draw(t, "CN"), Country: []string{value.Draw(t, "C")}, Organization: []string{value.Draw(t, "O"), value.Draw(t, "O2")},
			Locality: []string{value.Draw(t, "L")},
		}.ToRDNSequence())
		if err != nil {
			t.Fatal(err)
		}
		var rdns pkix.RDNSequence
		if _, err := asn1.Unmarshal(raw, &rdns); err != nil {
			t.Fatal(err)
		}
		if got, want := nameText(raw), rdns.String(); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}
