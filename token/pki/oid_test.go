package pki

import (
	"bytes"
	"crypto/x509"
	"testing"

	"pgregory.net/rapid"
)

// TestOIDContentIsX509s holds the content of an OBJECT IDENTIFIER against crypto/x509's, whatever the text is.
func TestOIDContentIsX509s(t *testing.T) {
	for _, dotted := range []string{"", "1", "2.5.4.3", "2.5.04.3", "2.5..3", "2.5.+4", "3.1", "1.40.1", "2.999.1", "2.25.329800735698586629295641978511506172918", "2.18446744073709551615.1", "1.2.18446744073709551615"} {
		checkOID(t, dotted)
	}
	rapid.Check(t, func(t *rapid.T) { checkOID(t, rapid.StringMatching(`[0-3](\.[0-9]{1,21}){0,6}`).Draw(t, "dotted")) })
}

func checkOID(t interface{ Fatalf(string, ...any) }, dotted string) {
	var want []byte
	oid, wantErr := x509.ParseOID(dotted)
	if wantErr == nil {
		want, wantErr = oid.MarshalBinary()
	}
	if got, err := oidContent(dotted); !bytes.Equal(got, want) || (err == nil) != (wantErr == nil) {
		t.Fatalf("%q: % x and %v instead of % x and %v", dotted, got, err, want, wantErr)
	}
}
