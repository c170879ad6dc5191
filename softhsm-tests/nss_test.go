package softhsmtests

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"p11bridge/token"
	"p11bridge/token/host"
	"p11bridge/token/secret"
)

// nss is an NSS database, as Firefox, Thunderbird and Chromium have it. Softokn is a real token that wraps private keys
// with CKM_AES_CBC_PAD.
type nss struct {
	directory string // for everything that belongs to the test
	database  string // for --nss-db
	pin       string // a file
	password  string // a file, for PFX files
	noise     string // a file; certutil would read a device for ever
}

// nssPIN stands nowhere else.
const nssPIN = "Nachtigall-1802"

func newNSS(t *testing.T) *nss {
	t.Helper()
	return newNSSOf(t)
}

// newNSSOf is a database made with a flag of certutil in the place of a primary password.
func newNSSOf(t *testing.T, flags ...string) *nss {
	t.Helper()
	directory := t.TempDir()
	noise := make([]byte, 4096)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	db := &nss{
		directory: directory, database: filepath.Join(directory, "nssdb"),
		pin: write(t, directory, "pin.txt", []byte(nssPIN+"\n")), password: write(t, directory, "password.txt", []byte(testPassword+"\n")),
		noise: write(t, directory, "noise", noise),
	}
	if err := os.Mkdir(db.database, 0o700); err != nil {
		t.Fatal(err)
	}
	if len(flags) == 0 {
		flags = []string{"-f", db.pin}
	}
	mustForeign(t, directory, "certutil", append([]string{"-N", "-d", "sql:" + db.database}, flags...)...)
	return db
}

// certutil makes a key pair with a certificate of its own in the database.
func (db *nss) certutil(t *testing.T, name string, kind ...string) {
	t.Helper()
	mustForeign(t, db.directory, "certutil", append([]string{"-S", "-d", "sql:" + db.database, "-f", db.pin, "-z", db.noise,
		"-n", name, "-s", "CN=" + name, "-x", "-t", ",,", "-k"}, kind...)...)
}

func (db *nss) importPKCS12(t *testing.T, file string) {
	t.Helper()
	mustForeign(t, db.directory, "pk12util", "-i", file, "-d", "sql:"+db.database, "-k", db.pin, "-w", db.password)
}

// library is softokn with the database.
func (db *nss) library(t *testing.T, access token.Access) token.Library {
	t.Helper()
	library, _, err := host.NSSDatabase(db.database, access)
	if err != nil {
		t.Fatalf("%v: apt install libnss3-tools", err)
	}
	return library
}

// apart is the database as a token in another process.
func (db *nss) apart(t *testing.T, environment ...string) *apart {
	t.Helper()
	library := db.library(t, token.ReadOnly)
	return newApart(t, environment, library.Path, library.InitString)
}

func (db *nss) file(name string) string { return filepath.Join(db.directory, name) }

func (db *nss) export(t *testing.T, label, file string, args ...string) *result {
	t.Helper()
	return p11bridge(t, nil, append([]string{"export", label, "-o", db.file(file), "--nss-db", db.database, "--json",
		"--pin-source", "file:" + db.pin, "--password-source", "file:" + db.password}, args...)...)
}

func (db *nss) list(t *testing.T) *result {
	t.Helper()
	r := p11bridge(t, nil, "list", "--nss-db", db.database, "--json", "--pin-source", "file:"+db.pin)
	if r.code != 0 {
		t.Fatalf("list: exit code %d\n%s", r.code, r.stderr)
	}
	return r
}

// digest is of everything in the database's directory.
func (db *nss) digest(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(db.database)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.New()
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(db.database, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(digest, "%s %d %x\n", entry.Name(), len(content), sha256.Sum256(content))
	}
	return fmt.Sprintf("%x", digest.Sum(nil))
}

// TestNSSShrouds carries keys out of an NSS database in every way that there is, and opens the files by openssl.
func TestNSSShrouds(t *testing.T) {
	t.Parallel()
	db := newNSS(t)
	db.certutil(t, "rsa", "rsa", "-g", "2048")
	db.certutil(t, "p256", "ec", "-q", "nistp256")
	imported := issue(t, db.directory, "p384", newEC(t, elliptic.P384()))
	db.importPKCS12(t, imported.pkcs12(t, "-caname", "the authority"))
	listed, original := db.list(t), db.digest(t)
	for _, label := range []string{"rsa", "p256", "p384"} {
		identity := listed.identity(t, label)
		if v := identity.Verdict; !v.Exportable || v.Method != "shroud" || v.Mechanism != "CKM_AES_CBC_PAD" || v.Reasons[0].Code != "exportable-by-shroud" {
			t.Errorf("the verdict on %s is %+v", label, v)
		}
		chain := 0
		if label == "p384" {
			chain = 1
		}
		for _, c := range sampled(t, 3, []struct {
			name          string
			args          []string
			method, proof string
			profile       string
		}{
			{"default", nil, "shroud", "token-signature", "modern"},
			{"required", []string{"--require-shroud", "--iterations", "1000"}, "shroud", "token-signature", "modern"},
			{"method", []string{"--method", "shroud", "--iterations", "1000"}, "shroud", "token-signature", "modern"},
			{"proof-token", []string{"--proof", "token", "--iterations", "1000"}, "shroud", "token-signature", "modern"},
			{"proof-host", []string{"--proof", "host", "--iterations", "1000"}, "shroud", "independent-reader", "modern"},
			{"pbmac1", []string{"--require-shroud", "--profile", "pbmac1", "--iterations", "1000"}, "shroud", "token-signature", "pbmac1"},
			{"legacy", []string{"--profile", "legacy", "--iterations", "1000"}, "wrap", "independent-reader", "legacy"},
		}) {
			t.Run(label+" "+c.name, func(t *testing.T) {
				file := label + "-" + c.name + ".pfx"
				r := db.export(t, label, file, c.args...)
				r.exported(t, c.method, c.proof)
				if d := r.document; d.Name != label || d.ChainSize != chain || d.Profile != c.profile {
					t.Errorf("friendlyName %q, a chain of %d, profile %s", d.Name, d.ChainSize, d.Profile)
				}
				db.checkVerify(t, file, c.profile)
				if c.profile != "pbmac1" { // OpenSSL reads RFC 9579 from 3.4 on
					db.checkBags(t, file, identity, chain, c.profile == "legacy")
				}
			})
		}
	}
	if after := db.list(t); after.stdout != listed.stdout || db.digest(t) != original {
		t.Errorf("the database has changed:\n%s\n%s", listed.stdout, after.stdout)
	}
}

// TestNSSShroudsLong exports in the other ways.
func TestNSSShroudsLong(t *testing.T) { TestNSSShrouds(t) }

// checkVerify wants our own verify to call the file a valid copy.
func (db *nss) checkVerify(t *testing.T, file, profile string) {
	t.Helper()
	r := p11bridge(t, nil, "verify", db.file(file), "--json", "--password-source", "file:"+db.password)
	if d := r.document; r.code != 0 || !d.Valid || !d.HasKey || d.KeyMatches == nil || !*d.KeyMatches || d.Profile != profile {
		t.Errorf("verify: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

var bagAttribute = regexp.MustCompile(`(?m)^\s+(friendlyName|localKeyID): (.*)$`)

// checkBags lets openssl open the file: key and certificate belong together, both have the name and CKA_ID that they have
// on the token, and the certificate above them has its own name.
func (db *nss) checkBags(t *testing.T, file string, identity statedIdentity, chain int, legacy bool) {
	t.Helper()
	if err := opensslOpens(db.file(file), db.password, legacy); err != nil {
		t.Error(err)
	}
	args := []string{"pkcs12", "-in", db.file(file), "-passin", "file:" + db.password, "-nodes"}
	if legacy {
		args = append(args, "-legacy")
	}
	text, err := openssl("", args...)
	if err != nil {
		t.Fatal(err)
	}
	attributes := map[string][]string{}
	for _, match := range bagAttribute.FindAllStringSubmatch(text, -1) {
		attributes[match[1]] = append(attributes[match[1]], strings.ReplaceAll(strings.TrimSpace(match[2]), " ", ""))
	}
	names := []string{identity.Label, identity.Label}
	if chain > 0 {
		names = append(names, "theauthority")
	}
	slices.Sort(names)
	slices.Sort(attributes["friendlyName"])
	id := strings.ToUpper(identity.ID)
	if !slices.Equal(attributes["friendlyName"], names) || id == "" || !slices.Equal(attributes["localKeyID"], []string{id, id}) {
		t.Errorf("openssl sees %q and not the names %q and twice the id %s", attributes, names, id)
	}
	if n := strings.Count(text, "BEGIN CERTIFICATE"); n != chain+1 {
		t.Errorf("openssl sees %d certificates", n)
	}
}

// TestShroudIsDiscreet looks at an export from the token's side.
func TestShroudIsDiscreet(t *testing.T) {
	t.Parallel()
	db := newNSS(t)
	for label, key := range map[string]crypto.Signer{"rsa": newRSA(t), "p256": newEC(t, elliptic.P256()), "p384": newEC(t, elliptic.P384())} {
		db.importPKCS12(t, issue(t, db.directory, label, key).pkcs12(t))
	}
	token := db.apart(t)
	for _, label := range []string{"rsa", "p256", "p384"} {
		t.Run(label, func(t *testing.T) {
			token.watch(nil)
			r := p11bridge(t, token.environment(), "export", label, "-o", db.file(label+".pfx"), "--module", token.module, "--json",
				"--iterations", "1000", "--pin-source", "file:"+db.pin, "--password-source", "file:"+db.password)
			r.exported(t, "shroud", "token-signature")
			checkDiscretion(t, token.seen(t))
		})
	}
}

// TestShroudedCopyIsProven has a token that wraps another key, or a damaged one: no file may come of it.
func TestShroudedCopyIsProven(t *testing.T) {
	t.Parallel()
	db := newNSS(t)
	for label, key := range map[string]crypto.Signer{"one": newRSA(t), "two": newRSA(t)} {
		db.importPKCS12(t, issue(t, db.directory, label, key).pkcs12(t))
	}
	mixed := newNSS(t)
	for label, key := range map[string]crypto.Signer{"rsa": newRSA(t), "ec": newEC(t, elliptic.P256())} {
		mixed.importPKCS12(t, issue(t, mixed.directory, label, key).pkcs12(t))
	}
	for _, c := range []struct {
		db            *nss
		fault, labels string
	}{
		{db, "wrong", "one two"}, {mixed, "wrong", "rsa ec"}, {mixed, "corrupt", "rsa ec"},
	} {
		token := c.db.apart(t, "P11APART_WRAP="+c.fault)
		for label := range strings.FieldsSeq(c.labels) {
			t.Run(c.fault+" "+label, func(t *testing.T) {
				file := c.db.file(c.fault + label + ".pfx")
				r := p11bridge(t, token.environment(), "export", label, "-o", file, "--module", token.module, "--json", "--require-shroud",
					"--iterations", "1000", "--pin-source", "file:"+c.db.pin, "--password-source", "file:"+c.db.password)
				if r.code != 1 {
					t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
				}
				absent(t, file)
			})
		}
	}
}

// TestNSSKeepsWhatIsNotExtractable is about a key that softokn would wrap all the same: CKA_EXTRACTABLE decides, before
// the token is asked.
func TestNSSKeepsWhatIsNotExtractable(t *testing.T) {
	t.Parallel()
	db := newNSS(t)
	db.plantLocked(t, "locked")
	verdict := db.list(t).identity(t, "locked").Verdict
	if codes := codesOf(verdict.Reasons); verdict.Exportable || len(codes) == 0 || codes[0] != "key-not-extractable" {
		t.Errorf("the verdict is %+v", verdict)
	}
	token := db.apart(t)
	for _, args := range [][]string{nil, {"--require-shroud"}, {"--method", "shroud"}, {"--method", "wrap"}, {"--method", "attributes"}} {
		token.watch(nil)
		r := p11bridge(t, token.environment(), append([]string{"export", "locked", "-o", db.file("locked.pfx"), "--module", token.module, "--json",
			"--pin-source", "file:" + db.pin, "--password-source", "file:" + db.password}, args...)...)
		r.refused(t, "key-not-extractable", db.file("locked.pfx"))
		calls := token.seen(t)
		if len(calls) == 0 || slices.ContainsFunc(calls, func(c tokenCall) bool { return c.function == "C_WrapKey" || c.function == "C_CreateObject" }) {
			t.Errorf("the token was asked: %v", calls)
		}
	}
	// That the refusal is ours: softokn does wrap it.
	if err := db.wrapsAllTheSame(t, "locked"); err != nil {
		t.Errorf("softokn refuses, so that this test proves nothing: %v", err)
	}
}

// session opens the database for writing, in this process. Only one test at a time may do so.
func (db *nss) session(t *testing.T, work func(*token.Session) error) error {
	t.Helper()
	module, err := token.Open(db.library(t, token.ReadWrite), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := module.Close(); err != nil {
			t.Error(err)
		}
	}()
	slots, err := module.Slots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range slots {
		if slot.Token == nil || slot.Internal() {
			continue
		}
		session, err := slot.OpenSession(token.ReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := session.Close(); err != nil {
				t.Error(err)
			}
		}()
		if err := session.Login(secret.New([]byte(nssPIN))); err != nil {
			t.Fatal(err)
		}
		return work(session)
	}
	t.Fatal("softokn has no token")
	return nil
}

// plantLocked makes a key with CKA_EXTRACTABLE=false, which neither certutil nor pk12util can.
func (db *nss) plantLocked(t *testing.T, label string) {
	t.Helper()
	var key crypto.PublicKey
	err := db.session(t, func(s *token.Session) error {
		return s.Adding(t.Context(), func(added *token.Additions) error {
			pair, err := added.NewKeyPair(t.Context(), token.KeyKind{Algorithm: "RSA", Bits: 2048}, label, token.Policy{Sensitive: true})
			if err != nil {
				return err
			}
			key, err = x509.ParsePKIXPublicKey(pair.Key.SPKI)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := certify(t, label, key)
	mustForeign(t, db.directory, "certutil", "-A", "-d", "sql:"+db.database, "-f", db.pin, "-n", label, "-t", ",,", "-i", write(t, db.directory, label+".der", leaf.Raw))
}

func (db *nss) wrapsAllTheSame(t *testing.T, label string) error {
	t.Helper()
	return db.session(t, func(s *token.Session) error {
		inventory, err := s.Inventory(t.Context())
		if err != nil {
			return err
		}
		for _, object := range inventory.Objects {
			if object.Class == token.CKOPrivateKey && string(object.Label()) == label {
				_, err := s.Shroud(object, make([]byte, 32), make([]byte, 16))
				return err
			}
		}
		return fmt.Errorf("no private key %s", label)
	})
}
