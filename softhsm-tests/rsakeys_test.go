package softhsmtests

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// sharedKeys are private RSA keys of 2,048 bits in PEM, for what needs one and not a new one: to generate one takes longer than to run
// p11bridge three times. They are made once, and forgotten with this process.
var sharedKeys = sync.OnceValues(func() ([2][]byte, error) {
	var keys [2][]byte
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return keys, err
		}
		encoded, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return keys, err
		}
		keys[i] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
	}
	return keys, nil
})

// sharedKey is the first or the second of the sharedKeys.
func sharedKey(t *testing.T, which int) []byte {
	t.Helper()
	keys, err := sharedKeys()
	if err != nil {
		t.Fatal(err)
	}
	return keys[which]
}

// writeRSAKeys puts a key into one file or two, each another one.
func writeRSAKeys(ts *testscript.TestScript, neg bool, args []string) {
	keys, err := sharedKeys()
	ts.Check(err)
	if neg || len(args) == 0 || len(args) > len(keys) {
		ts.Fatalf("usage: rsakeys FILE [FILE]")
	}
	for i, name := range args {
		ts.Check(os.WriteFile(ts.MkAbs(name), keys[i], 0o600))
	}
}
