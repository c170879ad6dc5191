package pki

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzParseNameText reads whatever a person may type as a subject. What is taken is one DER Name, is shown without control characters,
// and is read back to the same from how it is shown.
func FuzzParseNameText(f *testing.F) {
	for _, text := range []string{"CN=Alice,O=Example,C=ES", `CN=a\\,b\\+c, OU=\\C3\\A9`, "2.5.4.5=IDCES-1", "CN=", "=x", `CN="quoted, name"`, "CN=a+SN=b", "CN=\x1b\u202e", "emailAddress=a@b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		der, err := ParseNameText(text)
		if err != nil {
			return
		}
		shown := NameText(der)
		if strings.ContainsFunc(shown, func(r rune) bool { return r < ' ' || r == 0x7F }) {
			t.Fatalf("%q is shown as %q", text, shown)
		}
		again, err := ParseNameText(shown)
		if err != nil {
			t.Fatalf("%q is shown as %q, which is not read: %v", text, shown, err)
		}
		if !bytes.Equal(der, again) {
			t.Fatalf("%q is shown as %q: %x has become %x", text, shown, der, again)
		}
	})
}
