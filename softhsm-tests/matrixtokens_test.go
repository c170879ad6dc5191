package softhsmtests

import (
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"p11bridge/token"
)

// matrixToken is a token with keys of every kind and policy, for the matrix: what is said of a key is what happens when it is
// tried, on every token that the tests have.
type matrixToken struct {
	name        string
	environment []string
	access      []string // the flags that name the token, and the PIN
	directory   string
	password    string // --password-source
	labels      []string
	backups     string // on a real medium
	checks      int
}

// matrixPolicies are the policies of the keys, as attributes beside CKA_TOKEN and CKA_PRIVATE.
var matrixPolicies = []struct {
	name string
	set  func(*object)
}{
	{"wrappable", func(o *object) { o.is(token.CKASensitive, true).is(token.CKAExtractable, true) }},
	{"readable", func(o *object) { o.is(token.CKASensitive, false).is(token.CKAExtractable, true) }},
	{"locked", func(o *object) { o.is(token.CKASensitive, true).is(token.CKAExtractable, false) }},
	{"held", func(o *object) { o.is(token.CKASensitive, false).is(token.CKAExtractable, false) }},
	{"trusted", func(o *object) {
		o.is(token.CKASensitive, true).is(token.CKAExtractable, true).is(token.CKAWrapWithTrusted, true)
	}},
	{"pin", func(o *object) {
		o.is(token.CKASensitive, true).is(token.CKAExtractable, true).is(token.CKAAlwaysAuthenticate, true)
	}},
	{"restricted", func(o *object) { // to CKM_RSA_PKCS_OAEP and CKM_ECDH1_DERIVE: it signs nothing
		o.is(token.CKASensitive, true).is(token.CKAExtractable, true).bytes(0x40000600, append(binary.NativeEndian.AppendUint64(nil, 9), binary.NativeEndian.AppendUint64(nil, 0x1050)...))
	}},
	{"mute", func(o *object) {
		o.is(token.CKASensitive, true).is(token.CKAExtractable, true).is(token.CKASign, false)
	}},
}

// matrixObjects are the keys and their certificates. The names say what they are: "rsa pin".
func matrixObjects(t *testing.T, directory string, nss bool, sizes ...int) (labels []string, objects []*object) {
	t.Helper()
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]func() crypto.Signer{
		"rsa":     func() crypto.Signer { return newRSA(t) },
		"ec":      func() crypto.Signer { return newEC(t, elliptic.P256()) },
		"p384":    func() crypto.Signer { return newEC(t, elliptic.P384()) },
		"p521":    func() crypto.Signer { return newEC(t, elliptic.P521()) },
		"edwards": func() crypto.Signer { return edwards },
	}
	kinds := []string{"rsa", "ec", "edwards", "p384", "p521"}
	for _, size := range sizes {
		kind := fmt.Sprintf("rsa%d", size)
		kinds = append(kinds, kind)
		keys[kind] = func() crypto.Signer { return newRSAOf(t, size) }
	}
	id := byte(0x10)
	for _, kind := range kinds {
		for _, policy := range matrixPolicies {
			if kind != "rsa" && kind != "ec" && policy.name != "wrappable" && policy.name != "readable" { // one key, two policies
				continue
			}
			label, key := kind+" "+policy.name, keys[kind]()
			if kind == "edwards" {
				_, key, err = ed25519.GenerateKey(rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
			}
			id++
			private := plantedKey(t, label, id, key, nss)
			if policy.name != "mute" {
				private.is(token.CKASign, true)
			}
			switch {
			case strings.HasPrefix(kind, "rsa"):
				private.is(token.CKADecrypt, true)
			case kind != "edwards":
				private.is(token.CKADerive, true)
			}
			policy.set(private)
			labels = append(labels, label)
			objects = append(objects, private, plantedCertificate(t, label, id, issue(t, directory, label, key).certificatePEM))
		}
	}
	return labels, objects
}

// planted puts the keys on a token, and RSA keys of more sizes, and gives the names of those that it took.
func planted(t *testing.T, directory string, environment []string, module, label, pin, reserved string, sizes ...int) []string {
	t.Helper()
	labels, objects := matrixObjects(t, directory, reserved != "", sizes...)
	answers := plant(t, environment, module, label, pin, reserved, objects)
	var taken []string
	for i, label := range labels {
		switch {
		case answers[2*i] == "0" && answers[2*i+1] == "0":
			taken = append(taken, label)
		default:
			t.Logf("the token does not take %q: 0x%s, and its certificate: 0x%s", label, answers[2*i], answers[2*i+1])
		}
	}
	return taken
}

func (m *matrixToken) run(t *testing.T, command string, args ...string) *result {
	t.Helper()
	m.checks++
	return p11bridge(t, m.environment, slices.Concat([]string{command, "--json"}, m.access, args)...)
}

// verdictOf is what a list or a diagnosis says of a key.
func (m *matrixToken) verdictOf(t *testing.T, command string, args ...string) statedIdentity {
	t.Helper()
	r := m.run(t, command, args...)
	if r.code != 0 {
		t.Fatalf("%s: exit code %d\n%s", command, r.code, r.stderr)
	}
	return r.identity(t, args[0])
}

// check tries everything on one key, and holds it against what was said.
func (m *matrixToken) check(t *testing.T, label string) {
	said := m.verdictOf(t, "list", label)
	probed := m.verdictOf(t, "diagnose", label, "--probe")
	file := filepath.Join(m.backups, label+".pfx")
	written := []string{"--password-source", m.password, "--iterations", "1000"}
	export := m.run(t, "export", append(written, label, "-o", file)...)
	leaves, inVain := export.code == 0, listedInVain(said, export)
	if want := map[bool]int{true: 5, false: 3}[inVain || codesOf(said.Verdict.Reasons)[0] == "key-type-unsupported"]; !leaves && export.code != want {
		t.Errorf("export: exit code %d, not %d\n%s%s", export.code, want, export.stdout, export.stderr)
	}
	for name, verdict := range map[string]statedIdentity{"list": said, "diagnose --probe": probed} {
		v := verdict.Verdict
		if inVain && name == "list" { // it says that a listed mechanism is no proof
			continue
		}
		if v.Exportable != leaves || v.Method != export.document.Method {
			t.Errorf("%s says %v by %q, export %v by %q", name, v.Exportable, v.Method, leaves, export.document.Method)
		}
		if codes := codesOf(export.document.Reasons); !leaves && (len(codes) == 0 || codes[0] != v.Reasons[0].Code) {
			t.Errorf("%s says %s, export %q", name, v.Reasons[0].Code, codes)
		}
	}
	if dry := m.run(t, "export", label, "--dry-run", "-o", filepath.Join(m.backups, "dry.pfx")); (dry.code == 0) != leaves && !inVain && codesOf(said.Verdict.Reasons)[0] != "no-wrapping-mechanism" {
		t.Errorf("export --dry-run: exit code %d, export %d", dry.code, export.code)
	}
	m.checkRequest(t, label, said)
	if !leaves {
		if r := m.run(t, "export", append(written, label, "-o", filepath.Join(m.backups, label+" gone.pfx"), "--delete-key", "--yes")...); r.code != export.code || m.verdictOf(t, "list", label).PrivateKey == nil {
			t.Errorf("export --delete-key of a key that cannot leave: exit code %d, and the key may be gone\n%s%s", r.code, r.stdout, r.stderr)
		}
		return
	}
	if err := opensslOpens(file, filepath.Join(m.directory, "password.txt"), false); err != nil {
		t.Error(err)
	}
	against := m.run(t, "verify", file, "--against", label, "--password-source", m.password)
	if against.code == 5 { // the key cannot show whose it is, so that it may not be destroyed
		if r := m.run(t, "export", append(written, label, "-o", filepath.Join(m.backups, label+" gone.pfx"), "--delete-key", "--yes")...); r.code == 0 || m.verdictOf(t, "list", label).PrivateKey == nil {
			t.Errorf("export --delete-key of a key that cannot show whose it is: exit code %d", r.code)
		}
		return
	}
	if against.code != 0 || !against.document.Valid {
		t.Errorf("verify --against: exit code %d\n%s%s", against.code, against.stdout, against.stderr)
	}
	m.checkCircle(t, label, said.Verdict.Method)
}

// listedInVain tells a key that the list says can leave, by a mechanism that the token lists and then carries out for no key: nobody
// knows that the key cannot leave, and the export ends in part.
func listedInVain(said statedIdentity, export *result) bool {
	codes := codesOf(export.document.Reasons)
	return export.code != 0 && said.Verdict.Exportable && len(codes) > 0 && codes[0] == "no-wrapping-mechanism"
}

// checkRequest has the key sign a request, or be refused at once where it may not.
func (m *matrixToken) checkRequest(t *testing.T, label string, said statedIdentity) {
	t.Helper()
	dry := m.run(t, "request", label, "--same-key", "--dry-run")
	real := m.run(t, "request", label, "--same-key", "-o", filepath.Join(m.directory, label+".csr"))
	may := said.PrivateKey.Attributes["CKA_SIGN"]
	forbidden, unable := may != nil && !*may, strings.Contains(real.stderr, "cannot sign a request with this key") // the token's answer, or its key's attribute
	if dry.code != real.code || (real.code == 0) == (forbidden || unable) {
		t.Errorf("request --same-key: exit code %d, as a dry run %d, and CKA_SIGN is %v\n%s", real.code, dry.code, !forbidden, real.stderr)
	}
}

// checkCircle destroys the key after its last export, and puts it back.
func (m *matrixToken) checkCircle(t *testing.T, label, method string) {
	t.Helper()
	last := filepath.Join(m.backups, label+" last.pfx")
	if r := m.run(t, "export", label, "-o", last, "--password-source", m.password, "--iterations", "1000", "--delete-key", "--yes"); r.code != 0 {
		t.Errorf("export --delete-key: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		return
	}
	if m.verdictOf(t, "list", label).PrivateKey != nil {
		t.Error("the key is still there")
	}
	if r := m.run(t, "restore", last, "--exportable", "--password-source", m.password); r.code != 0 {
		t.Errorf("restore: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		return
	}
	// What was put back is sensitive, so that it can no longer be read.
	if again := m.verdictOf(t, "list", label); again.PrivateKey == nil || method != "attributes" && again.Verdict.Method != method {
		t.Errorf("the key that was put back: %+v", again.Verdict)
	}
}

// checkStatus backs everything up, and wants every key that left and is shown to be the certificate's up to date.
func (m *matrixToken) checkStatus(t *testing.T) {
	t.Helper()
	directory := filepath.Join(m.backups, "all")
	m.run(t, "export", "--all", "--dir", directory, "--password-source", m.password, "--iterations", "1000")
	var status struct {
		Keys []struct {
			Label, State string
			LinkedBy     string `json:"linked_by"`
		}
	}
	if err := json.Unmarshal([]byte(m.run(t, "status", "--dir", directory).stdout), &status); err != nil {
		t.Fatal(err)
	}
	listed := m.run(t, "list")
	for _, key := range status.Keys {
		if !slices.Contains(m.labels, key.Label) {
			continue
		}
		verdict := listed.identity(t, key.Label).Verdict
		shown := !slices.Contains(codesOf(verdict.Reasons), "key-linked-by-id")
		if want := map[bool]string{true: "up-to-date", false: "cannot-leave"}[verdict.Exportable]; shown && key.State != want {
			t.Errorf("status of %q: %s, not %s", key.Label, key.State, want)
		}
	}
}

// try runs the matrix on the token.
func (m *matrixToken) try(t *testing.T) {
	t.Helper()
	var err error
	if m.backups, err = os.MkdirTemp(disk, "p11bridge-matrix-"); err != nil { // a file counts only where it is brought to a medium
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(m.backups); err != nil {
			t.Error(err)
		}
	})
	m.password = "file:" + write(t, m.directory, "password.txt", []byte(testPassword+"\n"))
	if len(m.labels) == 0 {
		t.Fatal("the token has no keys")
	}
	m.checkStatus(t)
	for _, label := range m.labels {
		t.Run(label, func(t *testing.T) { m.check(t, label) })
	}
	t.Logf("%s: %d keys, %d checks", m.name, len(m.labels), m.checks)
}

// throughProxy is a home directory with a configuration of p11-kit that knows SoftHSM alone.
func throughProxy(t *testing.T, directory string) string {
	t.Helper()
	modules := filepath.Join(directory, "home", ".config", "pkcs11", "modules")
	if err := os.MkdirAll(modules, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Dir(modules), "pkcs11.conf", []byte("user-config: only\n"))
	write(t, modules, "softhsm.module", []byte("module: "+softHSM(t)+"\n"))
	return filepath.Join(directory, "home")
}

// TestMatrixLong has SoftHSM, NSS, a TPM, and SoftHSM behind remoting and behind p11-kit-proxy.
func TestMatrixLong(t *testing.T) {
	t.Parallel()
	t.Run("SoftHSM", func(t *testing.T) {
		p := newPlace(t, `token "matrix"`)
		m := &matrixToken{name: "SoftHSM", environment: p.environment, access: []string{"--token", "matrix", "--pin-source", p.pin}, directory: p.directory}
		m.labels = planted(t, p.directory, p.environment, softHSM(t), "matrix", testPIN, "")
		m.try(t)
	})
	t.Run("NSS", func(t *testing.T) {
		db := newNSS(t)
		m := &matrixToken{name: "NSS", access: []string{"--nss-db", db.database, "--pin-source", "file:" + db.pin}, directory: db.directory}
		library := db.library(t, token.ReadWrite)
		m.labels = planted(t, db.directory, nil, library.Path, "NSS Certificate DB", nssPIN, library.InitString)
		m.try(t)
	})
	t.Run("remoting", func(t *testing.T) {
		r := newRemote(t)
		m := &matrixToken{name: "remoting", environment: r.environment(), access: []string{"--module", r.module, "--token", "remote", "--pin-source", "file:" + r.file("token/pin.txt")}, directory: r.directory}
		m.labels = planted(t, r.directory, []string{"SOFTHSM2_CONF=" + r.file("token/softhsm2.conf")}, softHSM(t), "remote", testPIN, "")
		m.try(t)
	})
	t.Run("p11-kit-proxy", func(t *testing.T) {
		p := newPlace(t, `token "matrix"`)
		home := throughProxy(t, p.directory)
		m := &matrixToken{name: "p11-kit-proxy", environment: append(p.environment, "HOME="+home), directory: p.directory,
			access: []string{"--module", library(t, "p11-kit-proxy.so"), "--token", "matrix", "--pin-source", p.pin}}
		m.labels = planted(t, p.directory, p.environment, softHSM(t), "matrix", testPIN, "")
		m.try(t)
	})
	t.Run("TPM", func(t *testing.T) {
		p := newTPM(t)
		pin := write(t, p.directory, "pin.txt", []byte(tpmPIN+"\n"))
		m := &matrixToken{name: "TPM", environment: p.environment, access: []string{"--module", p.module, "--token", "tpm", "--pin-source", "file:" + pin}, directory: p.directory}
		for label, key := range map[string]crypto.Signer{"imported rsa": newRSA(t), "imported ec": newEC(t, elliptic.P256())} {
			algorithm := map[string]string{"imported rsa": "rsa", "imported ec": "ecc"}[label]
			i := issue(t, p.directory, label, key)
			p.ptool(t, "import", "--label", "tpm", "--userpin", tpmPIN, "--algorithm", algorithm, "--privkey", i.keyPEM, "--key-label", label)
			p.ptool(t, "addcert", "--label", "tpm", "--key-label", label, i.certificatePEM)
			m.labels = append(m.labels, label)
		}
		m.try(t)
	})
}

// TestMatrixOpenCryptokiLong is the matrix on openCryptoki, which takes namespaces of its own.
func TestMatrixOpenCryptokiLong(t *testing.T) {
	t.Parallel()
	withOpenCryptoki(t, func(o *openCryptoki) {
		m := &matrixToken{name: "openCryptoki", access: []string{"--module", o.module, "--token", "test", "--pin-source", "file:" + o.pin}, directory: o.directory}
		m.labels = planted(t, o.directory, nil, o.module, "test", openCryptokiPIN, "", 1024, 3072, 4096)
		m.try(t)
	})
}
