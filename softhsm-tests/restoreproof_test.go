package softhsmtests

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"p11bridge/bridge/pfx"
)

// singleRSA is a file with one RSA key and its certificate.
func (r *restorable) singleRSA(t *testing.T, name string) string {
	t.Helper()
	return r.singleRSAFor(t, name, 0)
}

// singleRSAFor is singleRSA where the certificate says what the key is for.
func (r *restorable) singleRSAFor(t *testing.T, name string, usage x509.KeyUsage) string {
	t.Helper()
	key := newRSA(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: usage}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	id := []byte(name)
	return r.file(t, name+".pfx", pfx.Contents{
		Keys:         []pfx.Key{{PKCS8: pkcs8, FriendlyName: name, LocalKeyID: id}},
		Certificates: []pfx.Certificate{{DER: certificate, FriendlyName: name, LocalKeyID: id}},
	})
}

// TestRestoredRSAIsCompared has the token unwrap an RSA key. That it signs does not show that it took every number: a token that
// spoils d, which the Chinese remainder theorem does without, is seen by the comparison, and the key is brought in another way. The
// receipt says which proof was made.
func TestRestoredRSAIsCompared(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, faults, method, proof, says string
		args                              []string
	}{
		{"compared", "cbc-pad", "unwrap", "comparison", "every number of the key as the file has it", nil},
		{"compared, exportable", "cbc-pad", "unwrap", "comparison", "every number of the key as the file has it", []string{"--exportable"}},
		{"d is spoilt", "cbc-pad,corrupt-unwrap", "rewrap", "signature", "A signature does not use every number", nil},
		{"a token that does not wrap", "cbc-pad,error:C_WrapKey:0x68", "unwrap", "signature", "A signature does not use every number", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, "")
			file := r.singleRSA(t, "alice")
			run := func(more ...string) *result {
				return r.run(t, row.faults, slices.Concat([]string{"restore", file, "--token", "test", "--trace", r.path("trace")}, row.args, more)...)
			}
			got := run("--json")
			if got.code != 0 || got.document.Method != row.method || got.document.Proof != row.proof || !got.document.Verified {
				t.Fatalf("exit code %d, method %q, proof %q, verified %v\n%s%s", got.code, got.document.Method, got.document.Proof, got.document.Verified, got.stdout, got.stderr)
			}
			if err := validate("restore", got.stdout); err != nil {
				t.Error(err)
			}
			trace := string(mustRead(t, r.path("trace")))
			if err := closed(trace); err != nil {
				t.Error(err)
			}
			if inClear := regexp.MustCompile(`C_UnwrapKey .* CKM_AES_KEY_WRAP`); inClear.MatchString(trace) == (row.method == "unwrap") {
				t.Errorf("by %s:\n%s", row.method, trace)
			}
			keys := r.run(t, "", "list", "--json").document.Tokens[0].Identities
			if len(keys) != 1 || keys[0].PrivateKey == nil {
				t.Errorf("%d identities are on the token", len(keys))
			}
			if r.run(t, "", "delete", "alice", "--yes", "--json").code != 0 {
				t.Fatal("the key cannot be removed")
			}
			if text := run(); text.code != 0 || !strings.Contains(text.stdout, row.says) {
				t.Errorf("exit code %d, and %q is not said\n%s%s", text.code, row.says, text.stdout, text.stderr)
			}
		})
	}
}

// TestCertificateStandsOnce has a token that signs only beside the certificate, spoils the key that it unwraps, and will not sign with the
// next one either: the certificate that was placed for the first proof is not placed again for the second.
func TestCertificateStandsOnce(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, "")
	file := r.singleRSAFor(t, "alice", x509.KeyUsageDigitalSignature) // else decrypting would be the proof
	faults := []string{"cbc-pad", "corrupt-unwrap", "certificate-first"}
	const ways = 11 // in which SoftHSM2 makes an RSA signature; each fails before the certificate is there, and one does not with it
	for n := range ways {
		faults = append(faults, fmt.Sprintf("error:C_Sign@%d:0x2", ways+2+n))
	}
	got := r.run(t, strings.Join(faults, ","), "restore", file, "--token", "test", "--json", "--trace", r.path("trace"))
	trace := string(mustRead(t, r.path("trace")))
	if got.code != 0 || got.document.Method == "unwrap" || !got.document.Verified || strings.Count(trace, "C_Sign CKR_HOST_MEMORY") != 2*ways {
		t.Fatalf("exit code %d, method %q, verified %v\n%s%s", got.code, got.document.Method, got.document.Verified, got.stderr, trace)
	}
	if made := regexp.MustCompile(`C_CreateObject CKR_OK .* certificate`).FindAllString(trace, -1); len(made) != 1 {
		t.Errorf("%d certificates were made:\n%s", len(made), trace)
	}
}
