package bridge

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"p11bridge/bridge/pfx"
	"p11bridge/token/secret"
)

// TestNoAlteredFileIsValid: a file that is cut off anywhere is damaged, or no PFX at all, and one in which any bit has turned is no valid copy.
// Where the MAC cannot tell, the password may as well be wrong.
func TestNoAlteredFileIsValid(t *testing.T) {
	one := newSigner(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	file, err := pfx.Encode(t.Context(), rand.Reader, pfx.Contents{
		Keys: []pfx.Key{{PKCS8: one.pkcs8, FriendlyName: "one"}}, Certificates: []pfx.Certificate{{DER: one.certificate}},
	}, []byte("test"), pfx.Options{Iterations: 1})
	if err != nil {
		t.Fatal(err)
	}
	verified := func(file []byte) *VerifyResult {
		v, err := Verify(t.Context(), VerifyRequest{File: file, Password: func() (*secret.Text, error) { return secret.New([]byte("test")), nil }, later: true})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	defer secret.Erase()
	if v := verified(file); !v.Valid {
		t.Fatalf("the whole file: %v", v.Reasons)
	}
	for n := range file {
		if v := verified(file[:n]); v.Valid || v.Unjudged {
			t.Errorf("cut off at %d: valid %v, unjudged %v: %v", n, v.Valid, v.Unjudged, v.Reasons)
		}
		for bit := range 8 {
			altered := bytes.Clone(file)
			altered[n] ^= 1 << bit
			if v := verified(altered); v.Valid {
				t.Errorf("byte %d: %02x for %02x is valid: %v", n, altered[n], file[n], v.Reasons)
			}
		}
	}
}
