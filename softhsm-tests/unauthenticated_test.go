package softhsmtests

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"p11bridge/token"
)

// withoutPassword is a database that nobody has set a primary password for.
func withoutPassword(t *testing.T) *nss {
	t.Helper()
	return newNSSOf(t, "--empty-password")
}

// TestNoPINToGive is about keys that want the PIN for each use (CKA_ALWAYS_AUTHENTICATE) on a token where there is none: an NSS database without a
// primary password. They sign all the same, and whatever rests on a signature has it: what a list says of a certificate, the comparison with a
// file, a request, and the deletion.
func TestNoPINToGive(t *testing.T) {
	t.Parallel()
	db := withoutPassword(t)
	var objects []*object
	keys := map[string]crypto.Signer{"rsa": newRSA(t), "ec": newEC(t, elliptic.P256())}
	for i, label := range []string{"rsa", "ec"} {
		private := plantedKey(t, label, byte(i+1), keys[label], true).is(token.CKASensitive, true).is(token.CKAExtractable, true).is(token.CKASign, true).is(token.CKAAlwaysAuthenticate, true)
		objects = append(objects, private, plantedCertificate(t, label, byte(i+1), issue(t, db.directory, label, keys[label]).certificatePEM))
	}
	library := db.library(t, token.ReadWrite)
	if answers := plant(t, nil, library.Path, "NSS Certificate DB", "", library.InitString, objects); strings.Join(answers, "") != "0000" {
		t.Fatalf("the token takes them not: %q", answers)
	}
	listed := db.run(t, "list", "--json")
	for label, link := range map[string]string{"rsa": "public-key", "ec": "signature"} {
		if said := listed.identity(t, label); said.LinkedBy != link || !said.Verdict.Exportable {
			t.Errorf("list says of %s: %+v", label, said)
		}
		file := db.file(label + ".pfx")
		for _, args := range [][]string{
			{"export", label, "-o", file, "--iterations", "1000"}, {"verify", file, "--against", label, "--json"},
			{"request", label, "--same-key", "-o", db.file(label + ".csr")}, {"delete", label, "--copy", file, "--allow-volatile", "--json"},
		} {
			r := db.run(t, args...)
			if r.code != 0 {
				t.Errorf("%q: exit code %d\n%s%s", args, r.code, r.stdout, r.stderr)
			}
			if slices.Contains(args, "--json") && !strings.Contains(r.stdout, `"signature"`) {
				t.Errorf("%q does not rest on a signature:\n%s", args, r.stdout)
			}
		}
	}
}

// run is one command on a database that needs no password, with the flags that it knows.
func (db *nss) run(t *testing.T, args ...string) *result {
	t.Helper()
	args = append(slices.Clone(args), "--nss-db", db.database)
	if args[0] != "list" && args[0] != "request" {
		args = append(args, "--password-source", "file:"+db.password)
	}
	return p11bridge(t, nil, args...)
}

// TestPINThatIsNotAskedFor has a token that says it asks for no login, and a key on it that wants the PIN all the same: nothing is known of the key but that,
// and the PIN is named as the cause.
func TestPINThatIsNotAskedFor(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "matrix"`)
	key := newEC(t, elliptic.P256())
	private := plantedKey(t, "pin", 1, key, false).is(token.CKASensitive, true).is(token.CKAExtractable, true).is(token.CKASign, true).is(token.CKAAlwaysAuthenticate, true)
	p.plant(t, private, plantedCertificate(t, "pin", 1, issue(t, p.directory, "pin", key).certificatePEM))
	if r := p11bridge(t, p.environment, p.export("pin", "--iterations", "1000")...); r.code != 0 {
		t.Fatalf("export: exit code %d\n%s", r.code, r.stderr)
	}
	environment := append(slices.Clone(p.environment), "P11FAULT=logged-in,flags:-0x4", "P11FAULT_PIN="+testPIN)
	r := p11bridge(t, environment, "verify", p.file("pin.pfx"), "--against", "pin", "--module", faultyModule(t), "--password-source", p.password)
	if r.code != 5 || !strings.Contains(r.stderr, "the key asks for the PIN at each use") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// TestRequestShowsThePublicHalf has EC keys that nothing on the token tells the public half of: what they sign shows it, and openssl takes the request. The
// certificate that comes of it is the key's own. Of other keys it is said why they cannot.
func TestRequestShowsThePublicHalf(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "matrix"`)
	var objects []*object
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]crypto.Signer{"p256": newEC(t, elliptic.P256()), "p384": newEC(t, elliptic.P384()), "p521": newEC(t, elliptic.P521()), "pin": newEC(t, elliptic.P256()), "mute": newEC(t, elliptic.P256()), "edwards": edwards}
	for i, label := range []string{"p256", "p384", "p521", "pin", "mute", "edwards"} {
		objects = append(objects, plantedKey(t, label, byte(i+1), keys[label], false).is(token.CKASensitive, false).is(token.CKAExtractable, true).
			is(token.CKASign, label != "mute").is(token.CKAAlwaysAuthenticate, label == "pin"))
	}
	p.plant(t, objects...)
	for label, want := range map[string]string{
		"p256": "", "p384": "", "p521": "", "pin": "",
		"mute": "This key may not sign (CKA_SIGN is false)", "edwards": "Nothing on the token tells the public half of this key",
	} {
		file := p.path(label + ".csr")
		dry := p11bridge(t, p.environment, "request", label, "--same-key", "--subject", "CN="+label, "--dry-run", "--pin-source", p.pin)
		r := p11bridge(t, p.environment, "request", label, "--same-key", "--subject", "CN="+label, "-o", file, "--pin-source", p.pin)
		export := p11bridge(t, p.environment, p.export(label)...)
		if want != "" {
			reason := map[string]string{"mute": "This key cannot sign a request"}[label]
			if reason == "" {
				reason = want
			}
			if r.code != 1 || dry.code != 1 || !strings.Contains(r.stderr, want) || export.code != 1 || !strings.Contains(export.stderr, reason) {
				t.Errorf("%s: exit codes %d, %d and %d\n%s%s", label, r.code, dry.code, export.code, r.stderr, export.stderr)
			}
			continue
		}
		kind := "EC " + keys[label].(*ecdsa.PrivateKey).Params().Name
		if r.code != 0 || dry.code != 0 || !strings.Contains(dry.stdout, kind) || !strings.Contains(r.stdout, kind) || export.code != 1 || !strings.Contains(export.stderr, "--same-key") {
			t.Errorf("%s: exit codes %d, %d and %d\n%s%s%s%s", label, r.code, dry.code, export.code, dry.stdout, r.stdout, r.stderr, export.stderr)
			continue
		}
		checkRequestOf(t, file, keys[label])
		issued := issue(t, p.directory, label, keys[label])
		install := []string{"install", issued.certificatePEM, "--pin-source", p.pin}
		if label == "pin" { // no key is asked for its PIN unless it is named: the one that could answer is offered, and not the one that does not sign
			if r := p11bridge(t, p.environment, install...); r.code != 1 || !strings.Contains(r.stderr, "--key pin") {
				t.Errorf("install: exit code %d\n%s", r.code, r.stderr)
			}
			install = append(install, "--key", "pin")
		}
		if r := p11bridge(t, p.environment, install...); r.code != 0 {
			t.Errorf("%s: install: exit code %d\n%s", label, r.code, r.stderr)
		}
	}
}

// requestIn reads a signing request.
func requestIn(t *testing.T, file string) *x509.CertificateRequest {
	t.Helper()
	block, _ := pem.Decode(mustRead(t, file))
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// checkRequestOf wants the request to be signed, and to be for the key.
func checkRequestOf(t *testing.T, file string, key crypto.Signer) {
	t.Helper()
	request := requestIn(t, file)
	if public, is := request.PublicKey.(*ecdsa.PublicKey); !is || !public.Equal(key.Public()) {
		t.Errorf("%s is for another key", file)
	}
	if out, err := openssl("", "req", "-in", file, "-noout", "-verify"); err != nil {
		t.Errorf("openssl: %v\n%s", err, out)
	}
}

// TestNoBackupIsNotSaidOfACopy installs certificates for keys that cannot leave. Only of a key that was made on the token is it known that there is no backup: what
// was put there from a file has that file.
func TestNoBackupIsNotSaidOfACopy(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "matrix"`)
	key := newEC(t, elliptic.P256())
	copied := issue(t, p.directory, "copied", key)
	restore := p11bridge(t, p.environment, "restore", copied.pkcs12(t), "--token", "matrix", "--pin-source", p.pin, "--password-source", p.password)
	if restore.code != 0 {
		t.Fatalf("restore: exit code %d\n%s", restore.code, restore.stderr)
	}
	renewed := issue(t, p.directory, "renewed", key)
	own := p11bridge(t, p.environment, "request", "--subject", "CN=own", "--key-type", "p256", "--label", "own", "--token", "matrix", "-o", p.path("own.csr"), "--pin-source", p.pin)
	if own.code != 0 {
		t.Fatalf("request: exit code %d\n%s", own.code, own.stderr)
	}
	leaf, _ := certify(t, "own", requestIn(t, p.path("own.csr")).PublicKey)
	ofRequest := write(t, p.directory, "own.der", leaf.Raw)
	for _, row := range []struct {
		file, label string
		original    bool
	}{{renewed.certificatePEM, "copied", true}, {ofRequest, "own", false}} {
		request := p11bridge(t, p.environment, "request", row.label, "--same-key", "--subject", "CN=x", "-o", p.path(row.label+"-new.csr"), "--pin-source", p.pin)
		install := p11bridge(t, p.environment, "install", row.file, "--pin-source", p.pin)
		for name, r := range map[string]*result{"install": install, "request": request} {
			if r.code != 0 || strings.Contains(r.stdout, "if the key came from a PFX file, that file is one") != row.original || strings.Contains(r.stdout, "there will be no backup of it") == row.original {
				t.Errorf("%s of %q: exit code %d\n%s%s", name, row.label, r.code, r.stdout, r.stderr)
			}
		}
	}
}

// TestKeyRemovedMeanwhile has the key removed while a command is at work. A list does not have it, and a command that was to use it says that it is
// gone, and not that the token failed. A key that is still there stays in the list, whatever the token answers for its handle.
func TestKeyRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "matrix"`)
	key := newEC(t, elliptic.P256())
	private := plantedKey(t, "alice", 1, key, false).is(token.CKASensitive, true).is(token.CKAExtractable, true).is(token.CKASign, true)
	p.plant(t, plantedCertificate(t, "alice", 1, issue(t, p.directory, "alice", key).certificatePEM))
	files := tokenFiles(t, p)
	p.plant(t, private)
	file := slices.DeleteFunc(tokenFiles(t, p), func(name string) bool { return slices.Contains(files, name) })
	if len(file) != 1 {
		t.Fatalf("the key is in %q", file)
	}
	with := func(fault string, args ...string) *result {
		environment := append(slices.Clone(p.environment), "P11FAULT="+fault, "P11FAULT_DEED=mv '"+file[0]+"' '"+file[0]+".away'")
		r := p11bridge(t, environment, append(args, "--module", faultyModule(t), "--pin-source", p.pin, "--json")...)
		if _, err := os.Stat(file[0] + ".away"); err == nil {
			if err := os.Rename(file[0]+".away", file[0]); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	if r := with("deed:C_SignInit@1", "list"); r.code != 0 || r.identity(t, "alice").PrivateKey != nil {
		t.Errorf("list: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := with("error:C_SignInit:0x82", "list"); r.code != 0 || r.identity(t, "alice").PrivateKey == nil {
		t.Errorf("list of a key that is there: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	r := with("deed:C_WrapKey@1", "export", "alice", "-o", p.path("alice.pfx"), "--password-source", p.password)
	if r.code != 1 || r.document.Reasons == nil || !strings.Contains(r.stderr, "The token no longer knows the object that was used") || !strings.Contains(r.stdout, `"object-gone"`) {
		t.Errorf("export: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// tokenFiles are the files of SoftHSM's objects.
func tokenFiles(t *testing.T, p *place) []string {
	t.Helper()
	files, err := filepath.Glob(p.path("token/tokens/*/*.object"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}
