package softhsmtests

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"p11bridge/bridge/pfx"
)

// restorable is a directory with a token "test" and PFX files made here.
type restorable struct {
	directory   string
	environment []string
	module      string
}

func newRestorable(t *testing.T, specimens string) *restorable {
	t.Helper()
	r := &restorable{directory: t.TempDir(), module: softHSM(t)}
	if specimens == "" {
		specimens = `token "test"`
	}
	if err := runMktoken(write(t, r.directory, "specimens", []byte(specimens+"\n")), r.path("token")); err != nil {
		t.Fatal(err)
	}
	write(t, r.directory, "password.txt", []byte(testPassword+"\n"))
	r.environment = []string{"SOFTHSM2_CONF=" + r.path("token/softhsm2.conf")}
	return r
}

func (r *restorable) path(name string) string { return filepath.Join(r.directory, name) }

// args are the arguments that every run takes. The module is SoftHSM2, or the faulty one where faults are given.
func (r *restorable) args(t *testing.T, faults string, args ...string) (environment, all []string) {
	t.Helper()
	module, environment := r.module, r.environment
	if faults != "" {
		module, environment = faultyModule(t), append(slices.Clone(environment), "P11FAULT="+faults)
	}
	if args[0] != "list" && args[0] != "status" {
		args = append(args, "--password-source", "file:"+r.path("password.txt"))
	}
	return environment, append(args, "--module", module, "--pin-source", "file:"+r.path("token/pin.txt"))
}

func (r *restorable) run(t *testing.T, faults string, args ...string) *result {
	t.Helper()
	environment, all := r.args(t, faults, args...)
	return p11bridge(t, environment, all...)
}

// objects lists what is on the token, to be compared, in an order of its own: SoftHSM's may change from run to run.
func (r *restorable) objects(t *testing.T) string {
	t.Helper()
	listed := r.run(t, "", "list", "--json")
	if listed.code != 0 {
		t.Fatalf("list: exit code %d\n%s", listed.code, listed.stderr)
	}
	var document struct {
		Tokens []struct {
			Identities []struct {
				Label, ID   string
				PrivateKey  *struct{ Type string } `json:"private_key"`
				PublicKey   *struct{ Type string } `json:"public_key"`
				Certificate *struct{ Subject string }
			}
			Other []struct{ Class, Label string } `json:"other_objects"`
		}
	}
	if err := json.Unmarshal([]byte(listed.stdout), &document); err != nil {
		t.Fatal(err)
	}
	text := func(of any) string {
		encoded, err := json.Marshal(of)
		if err != nil {
			t.Fatal(err)
		}
		return string(encoded)
	}
	for _, token := range document.Tokens {
		identities, other := token.Identities, token.Other
		sort.Slice(identities, func(i, j int) bool { return text(identities[i]) < text(identities[j]) })
		sort.Slice(other, func(i, j int) bool { return text(other[i]) < text(other[j]) })
	}
	return text(document)
}

// pair is a key with a certificate of its own, in DER.
func pair(t *testing.T, name string) (pkcs8, certificate []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if certificate, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key); err != nil {
		t.Fatal(err)
	}
	if pkcs8, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		t.Fatal(err)
	}
	return pkcs8, certificate
}

// file writes a PFX.
func (r *restorable) file(t *testing.T, name string, contents pfx.Contents) string {
	t.Helper()
	encoded, err := pfx.Encode(t.Context(), rand.Reader, contents, []byte(testPassword), pfx.Options{Profile: pfx.Modern, Iterations: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return write(t, r.directory, name, encoded)
}

// single is a file with one key and its certificate.
func (r *restorable) single(t *testing.T, name string) string {
	t.Helper()
	key, certificate := pair(t, name)
	id := []byte(name)
	return r.file(t, name+".pfx", pfx.Contents{
		Keys:         []pfx.Key{{PKCS8: key, FriendlyName: name, LocalKeyID: id}},
		Certificates: []pfx.Certificate{{DER: certificate, FriendlyName: name, LocalKeyID: id}},
	})
}

// TestRestoreUnwraps shows that a token which can open the file's key itself is left to do so: the trace has the unwrapping, and
// no private key that was handed over in clear.
func TestRestoreUnwraps(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, "")
	file := r.single(t, "alice")
	got := r.run(t, "cbc-pad", "restore", file, "--token", "test", "--json", "--trace", r.path("trace"))
	text, err := os.ReadFile(r.path("trace"))
	if err != nil {
		t.Fatal(err)
	}
	if got.code != 0 || got.document.Method != "unwrap" || got.document.Mechanism != "CKM_AES_CBC_PAD" || !got.document.Verified {
		t.Fatalf("exit code %d, method %q, verified %v\n%s%s", got.code, got.document.Method, got.document.Verified, got.stdout, got.stderr)
	}
	trace := string(text)
	unwrapped := regexp.MustCompile(`C_UnwrapKey CKR_OK .* CKM_AES_CBC_PAD`)
	inClear := regexp.MustCompile(`C_CreateObject .* private key|C_UnwrapKey .* CKM_AES_KEY_WRAP`)
	if !unwrapped.MatchString(trace) || inClear.MatchString(trace) {
		t.Errorf("not only unwrapped:\n%s", trace)
	}
	if err := closed(trace); err != nil {
		t.Error(err)
	}
}

// TestRestoreFaults has the token fail at every step. Nothing is left on it, or what is left is named. SoftHSM2 is given two
// one-time keys, for it does not unwrap under the first one's mechanism, then the public key, then the certificate.
func TestRestoreFaults(t *testing.T) {
	t.Parallel()
	const memory, general = "0x31", "0x5"
	for _, row := range sampled(t, 3, []struct {
		name, faults, reason string
		code                 int
		left                 bool // objects stay, and are named
		says                 string
	}{
		{"write-protected", "flags:+0x2", "", 1, false, "write"},
		{"full at the key", "error:C_UnwrapKey:" + memory, "token-full", 1, false, ""},
		{"full at the certificate", "error:C_CreateObject@4:" + memory, "token-full", 1, false, ""},
		{"failure at the certificate", "error:C_CreateObject@4:" + general, "", 1, false, "CKR_GENERAL_ERROR"},
		{"no public key", "error:C_CreateObject@3:" + general, "public-key-not-stored", 0, false, ""},
		{"an attribute that is not told", "unsupported:0x10C", "restored-differently", 0, false, ""},
		{"no way in", "error:C_UnwrapKey:" + general + ",error:C_CreateObject:" + general, "restore-refused", 1, false, "CKR_GENERAL_ERROR"},
		{"no proof", "error:C_SignInit:" + general, "restore-refused", 1, false, "CKR_GENERAL_ERROR"},
		{"no memory to sign", "error:C_Sign:" + memory, "module-failed", 1, false, "C_Sign answered CKR_DEVICE_MEMORY"},
		{"destroys nothing", "error:C_CreateObject@4:" + general + ",destroy-lies", "", 1, true, "object=alice;type=private"},
		{"unwraps and says no", "cbc-pad,after:C_UnwrapKey@1:0x2", "", 1, false, "C_UnwrapKey answered CKR_HOST_MEMORY, and it was carried out all the same"},
		{"creates and says no", "after:C_CreateObject@4:" + general, "", 1, false, "C_CreateObject answered CKR_GENERAL_ERROR, and it was carried out"},
		{"creates and is gone", "pulled:C_CreateObject@4:" + general, "", 1, true, "CKA_ID"},
		{"crashes at the certificate", "crash:C_CreateObject@4", "", 1, true, "type=private;id=%61%6C%69%63%65"},
		{"removed half-way", "error:C_CreateObject@4:0x32", "", 1, false, "CKR_DEVICE_REMOVED"},
	}) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, "")
			file := r.single(t, "alice")
			original := r.objects(t)
			got := r.run(t, row.faults, "restore", file, "--token", "test", "--json")
			if got.code != row.code || row.reason != "" && !slices.Contains(codesOf(got.document.Reasons), row.reason) {
				t.Errorf("exit code %d instead of %d, reasons %q", got.code, row.code, codesOf(got.document.Reasons))
			}
			if !strings.Contains(got.stderr, row.says) {
				t.Errorf("standard error does not name %q", row.says)
			}
			if changed := r.objects(t) != original; changed != (row.left || row.code == 0) {
				t.Errorf("the token was changed: %v", changed)
			}
			if row.left != strings.Contains(got.stderr, "To remove the private key: p11bridge delete") {
				t.Errorf("whether something is left is told wrongly")
			}
			if t.Failed() {
				t.Logf("[stdout]\n%s[stderr]\n%s", got.stdout, got.stderr)
			}
		})
	}
}

// TestRestoreFaultsLong has the other faults.
func TestRestoreFaultsLong(t *testing.T) { TestRestoreFaults(t) }

// TestRestoreMismatch gives the token a key under the certificate of another, opened here and by the token itself.
func TestRestoreMismatch(t *testing.T) {
	t.Parallel()
	for _, faults := range []string{"", "cbc-pad"} {
		t.Run("faults "+faults, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, "")
			key, own := pair(t, "alice")
			_, other := pair(t, "mallory")
			id := []byte{1}
			wrong := r.file(t, "wrong.pfx", pfx.Contents{Keys: []pfx.Key{{PKCS8: key, LocalKeyID: id}}, Certificates: []pfx.Certificate{{DER: other, LocalKeyID: id}}})
			original := r.objects(t)
			got := r.run(t, faults, "restore", wrong, "--token", "test", "--json")
			if got.code != 6 || !slices.Contains(codesOf(got.document.Reasons), "key-of-another-certificate") {
				t.Errorf("exit code %d, reasons %q\n%s", got.code, codesOf(got.document.Reasons), got.stderr)
			}
			if r.objects(t) != original {
				t.Error("something was left on the token")
			}
			// The file ties the key to the wrong one of its certificates. The right one is found by the signature.
			mixed := r.file(t, "mixed.pfx", pfx.Contents{
				Keys: []pfx.Key{{PKCS8: key, LocalKeyID: id}}, Certificates: []pfx.Certificate{{DER: other, LocalKeyID: id}, {DER: own}},
			})
			got = r.run(t, faults, "restore", mixed, "--token", "test", "--json")
			if got.code != 0 || !got.document.Verified {
				t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			if listed := r.objects(t); !strings.Contains(listed, "CN=alice") || strings.Contains(listed, "mallory") {
				t.Errorf("on the token is %s", listed)
			}
		})
	}
}

// TestRestoreNames restores names that nobody should trust, and names from a record.
func TestRestoreNames(t *testing.T) {
	t.Parallel()
	key, certificate := pair(t, "alice")
	digest := sha256.Sum256(certificate)
	sum := hex.EncodeToString(digest[:])
	for _, row := range []struct {
		name, friendlyName, record string
		label, id, said            string
		usage                      bool // CKA_DERIVE
	}{
		{name: "hostile", friendlyName: "evil\x1b[2J\x07\u202e../\x00x", label: "evil\uFFFD[2J\uFFFD\uFFFD../\uFFFDx", id: "01"},
		{name: "long", friendlyName: strings.Repeat("é", 5000), label: strings.Repeat("é", 127), id: "01"},
		{name: "none", label: "alice", id: "01"},
		{name: "record", friendlyName: "alice", record: record(sum, "0badcafe", "from the record"), label: "from the record", id: "0badcafe", usage: true},
		{name: "hostile record", record: record(sum, strings.Repeat("00", 5000), "evil\\u001b[2J"), label: "evil\uFFFD[2J", id: "01", usage: true},
		{name: "record of another", friendlyName: "alice", record: record(strings.Repeat("0", 64), "0badcafe", "mallory"), label: "alice", id: "01"},
		{name: "no record", friendlyName: "alice", record: "{\"schema\":\"\x1b[2J\"}", label: "alice", id: "01", said: "cannot be used"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, "")
			file := r.file(t, "alice.pfx", pfx.Contents{
				Keys:         []pfx.Key{{PKCS8: key, FriendlyName: row.friendlyName, LocalKeyID: []byte{1}}},
				Certificates: []pfx.Certificate{{DER: certificate, LocalKeyID: []byte{1}}},
			})
			if row.record != "" {
				write(t, r.directory, "alice.json", []byte(row.record))
			}
			got := r.run(t, "", "restore", file, "--token", "test", "--json")
			var document struct {
				Label, ID  string
				Attributes map[string]*bool
			}
			if err := json.Unmarshal([]byte(got.stdout), &document); err != nil || got.code != 0 {
				t.Fatalf("exit code %d, %v\n%s", got.code, err, got.stderr)
			}
			if document.Label != row.label || document.ID != row.id {
				t.Errorf("label %q, id %s, not %q and %s", document.Label, document.ID, row.label, row.id)
			}
			if derive := document.Attributes["CKA_DERIVE"]; derive == nil || *derive != row.usage {
				t.Errorf("CKA_DERIVE is %v", derive)
			}
			if !strings.Contains(got.stderr, row.said) {
				t.Errorf("standard error does not say %q", row.said)
			}
			for _, text := range []string{got.stdout, got.stderr} {
				if text != "" {
					if err := checkPrintable(text); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

// record is what an export noted, as far as restoring reads it.
func record(certificate, id, label string) string {
	digest := strings.Repeat("0", 64)
	return fmt.Sprintf(`{"schema":"p11bridge.record/1","file":"alice.pfx","sha256":%q,"created":"2026-01-01T00:00:00Z","cka_id":%q,"label":"%s",
		"usage":{"sign":true,"decrypt":null,"derive":true},"public_key_sha256":%q,
		"certificate":{"sha256":%q,"not_before":"2026-01-01T00:00:00Z","not_after":"2026-01-01T00:00:00Z"}}`, digest, id, label, digest, certificate)
}

// TestRestoreUsage restores keys that are for decryption and for key agreement alone. They sign once, to be proven, and never
// again; they can be deleted all the same, and be held against a file in another way.
func TestRestoreUsage(t *testing.T) {
	t.Parallel()
	for algorithm, usage := range map[string]string{"rsa": "keyEncipherment", "ec": "keyAgreement"} {
		t.Run(usage, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, "")
			if write(t, r.directory, "key.pem", sharedKey(t, 0)); algorithm == "ec" {
				mustForeign(t, r.directory, "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem")
			}
			mustForeign(t, r.directory, "openssl", "req", "-x509", "-key", "key.pem", "-out", "crt.pem", "-subj", "/CN=alice", "-addext", "keyUsage=critical,"+usage)
			mustForeign(t, r.directory, "openssl", "pkcs12", "-export", "-inkey", "key.pem", "-in", "crt.pem", "-name", "alice",
				"-passout", "file:password.txt", "-out", "alice.pfx")
			got := r.run(t, "", "restore", r.path("alice.pfx"), "--exportable", "--json")
			if got.code != 0 || !got.document.Verified {
				t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			attributes := r.run(t, "", "list", "--json").identity(t, "alice").PrivateKey.Attributes
			if sign := attributes["CKA_SIGN"]; sign == nil || *sign {
				t.Errorf("CKA_SIGN is %v", sign)
			}
			got = r.run(t, "", "verify", r.path("alice.pfx"), "--against", "alice", "--json")
			if got.code != 0 { // RSA decrypts in place of signing, EC agrees on a secret
				t.Errorf("exit code %d\n%s", got.code, got.stderr)
			}
			got = r.run(t, "", "export", "alice", "-o", r.path("again.pfx"), "--iterations", "1000", "--delete-key", "--allow-volatile", "--yes", "--json")
			if got.code != 0 || r.run(t, "", "list", "--json").identity(t, "alice").PrivateKey != nil {
				t.Errorf("exit code %d\n%s", got.code, got.stderr)
			}
		})
	}
}

// TestRestoreSharedID meets an identifier that another key on the token has. The two are not tied together.
func TestRestoreSharedID(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, `label="bob" id=616c696365 key=p256 policy=wrappable certificate=valid`) // "alice"
	got := r.run(t, "", "restore", r.single(t, "alice"), "--json")
	var document struct{ ID string }
	if err := json.Unmarshal([]byte(got.stdout), &document); err != nil || got.code != 0 {
		t.Fatalf("exit code %d, %v\n%s", got.code, err, got.stderr)
	}
	if document.ID == "616c696365" || len(document.ID) != 40 {
		t.Errorf("CKA_ID %s", document.ID)
	}
	listed := r.run(t, "", "list", "--json")
	for label, subject := range map[string]string{"alice": "CN=alice", "bob": "CN=bob"} {
		if identity := listed.identity(t, label); identity.PrivateKey == nil || !strings.Contains(listed.stdout, subject) {
			t.Errorf("%s has no key any more", label)
		}
	}
}
