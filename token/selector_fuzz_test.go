package token

import (
	"strings"
	"testing"
)

// FuzzParseSelector reads whatever may be typed as an object's name. What is taken names nothing, or one thing in one way; the
// empty identity is never among it.
func FuzzParseSelector(f *testing.F) {
	for _, text := range []string{"alice", "0a1b", "0a:1b", "sha256:0123456789abcdef", "SHA256:AA:BB:CC:DD", "sha256:xyz", "pkcs11:token=x;id=%01", "pkcs11:?pin-value=1", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		selector, err := ParseSelector(text)
		if (err == nil) != (selector != nil) {
			t.Fatalf("%v and the error %v", selector, err)
		}
		if err != nil {
			return
		}
		if IsURI(text) != (selector.URI != nil) {
			t.Fatalf("%q is taken for a URI: %v", text, selector.URI != nil)
		}
		if strings.Contains(selector.fingerprint, ":") || selector.fingerprint != "" && len(selector.fingerprint) < minFingerprint {
			t.Fatalf("the fingerprint %q", selector.fingerprint)
		}
		if len(selector.Select(nil)) != 0 {
			t.Fatal("something is selected of nothing")
		}
	})
}
