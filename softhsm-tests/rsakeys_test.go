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
// p11bridge three times. Each is made once, when it is first asked for, and forgotten with this process.
var sharedKeys struct {
	sync.Mutex
	made  []func() ([]byte, error)
	given map[string]int // by test, how many newRSA gave it
}

func makeRSA() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), nil
}

func findSharedKey(which int) ([]byte, error) {
	sharedKeys.Lock()
	for len(sharedKeys.made) <= which {
		sharedKeys.made = append(sharedKeys.made, sync.OnceValues(makeRSA))
	}
	key := sharedKeys.made[which]
	sharedKeys.Unlock()
	return key()
}

// sharedKey is one of the sharedKeys, from 0 on.
func sharedKey(t *testing.T, which int) []byte {
	t.Helper()
	key, err := findSharedKey(which)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newRSA is a key that this test has not had. Another test may have it, on a token of its own.
func newRSA(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	sharedKeys.Lock()
	if sharedKeys.given == nil {
		sharedKeys.given = map[string]int{}
	}
	which := sharedKeys.given[t.Name()]
	sharedKeys.given[t.Name()]++
	sharedKeys.Unlock()
	block, _ := pem.Decode(sharedKey(t, which))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

// writeRSAKeys puts a key into one file or two, each another one.
func writeRSAKeys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: rsakeys FILE [FILE]")
	}
	for i, name := range args {
		key, err := findSharedKey(i)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name), key, 0o600))
	}
}

// newRSAOf is an RSA key of another size, made for the test.
func newRSAOf(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
