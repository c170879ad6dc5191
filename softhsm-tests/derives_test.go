package softhsmtests

import (
	"crypto/elliptic"
	"encoding/binary"
	"os/exec"
	"strings"
	"testing"

	"p11bridge/token"
)

// TestKeyThatDoesNotSign has a key that may neither sign nor decrypt: it shows by a secret that it agrees on whose it is.
func TestKeyThatDoesNotSign(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "matrix"`)
	var objects []*object
	for i, label := range []string{"derives", "other"} {
		key := newEC(t, elliptic.P256())
		id := byte(i + 1)
		private := plantedKey(t, label, id, key, false).is(token.CKASensitive, true).is(token.CKAExtractable, true).is(token.CKADerive, true)
		objects = append(objects, private.is(token.CKASign, false), plantedCertificate(t, label, id, issue(t, p.directory, label, key).certificatePEM))
	}
	p.plant(t, objects...)
	if r := p11bridge(t, p.environment, p.export("derives", "--iterations", "1000")...); r.code != 0 {
		t.Fatalf("export: exit code %d\n%s", r.code, r.stderr)
	}
	against := func(object string, faults ...string) *result {
		return p11bridge(t, append(p.environment, faults...), "verify", p.file("derives.pfx"), "--against", object, "--trace", p.path("trace"), "--pin-source", p.pin, "--password-source", p.password, "--json")
	}
	if r := against("derives"); r.code != 0 || !r.document.Valid {
		t.Errorf("a copy of the key: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	trace := string(mustRead(t, p.path("trace")))
	if derived, destroyed := strings.Count(trace, "C_DeriveKey CKR_OK"), strings.Count(trace, "C_DestroyObject CKR_OK"); derived != 3 || destroyed != 3 { // each key once for the listing, and the one that was named once more
		t.Errorf("%d secrets were derived, %d destroyed\n%s", derived, destroyed, trace)
	}
	if r := against("other"); r.code != 6 || codesOf(r.document.Reasons)[0] != "backup-of-another-key" {
		t.Errorf("a copy of another key: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if listed := p11bridge(t, p.environment, "list", "derives", "--pin-source", p.pin, "--json"); listed.identity(t, "derives").LinkedBy != "signature" {
		t.Errorf("a listing does not challenge the key:\n%s", listed.stdout)
	}
	module := "P11BRIDGE_MODULE=" + faultyModule(t)
	if r := against("derives", module, "P11FAULT=error:C_DeriveKey:0x70"); r.code != 5 { // CKR_MECHANISM_INVALID
		t.Errorf("a token that does not derive: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// TestKeyThatMayDoNothing has a key that may neither sign, nor decrypt, nor derive. The token tells its public half, and that decides
// everywhere: whether a file is a copy of it, and whether its backup is up to date.
func TestKeyThatMayDoNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "matrix"`)
	var objects []*object
	for i, label := range []string{"idle", "other"} {
		key := newRSA(t)
		id := byte(i + 1)
		private := plantedKey(t, label, id, key, true).is(token.CKASensitive, true).is(token.CKAExtractable, true)
		for _, use := range []token.Attribute{token.CKASign, token.CKADecrypt, token.CKADerive} {
			private = private.is(use, false)
		}
		objects = append(objects, private, plantedCertificate(t, label, id, issue(t, p.directory, label, key).certificatePEM))
	}
	p.plant(t, objects...)
	if r := p11bridge(t, p.environment, p.export("idle", "--iterations", "1000")...); r.code != 0 {
		t.Fatalf("export: exit code %d\n%s", r.code, r.stderr)
	}
	with := func(words ...string) *result {
		return p11bridge(t, p.environment, append(words, "--pin-source", p.pin, "--password-source", p.password)...)
	}
	if r := with("verify", p.file("idle.pfx"), "--against", "idle", "--json"); r.code != 0 || !strings.Contains(r.stdout, `"shown_by": "public-key"`) {
		t.Errorf("a copy of the key: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := with("verify", p.file("idle.pfx"), "--against", "idle"); !strings.Contains(r.stdout, "could not be asked") {
		t.Errorf("the words of a proof that was not made:\n%s", r.stdout)
	}
	if r := with("verify", p.file("idle.pfx"), "--against", "other", "--json"); r.code != 6 || codesOf(r.document.Reasons)[0] != "backup-of-another-key" {
		t.Errorf("a copy of another key: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := with("export", "--all", "--dir", p.path("backups"), "--iterations", "1000"); r.code != 0 {
		t.Fatalf("export --all: exit code %d\n%s", r.code, r.stderr)
	}
	if r := p11bridge(t, p.environment, "status", "--dir", p.path("backups"), "--pin-source", p.pin); r.code != 0 {
		t.Errorf("status: exit code %d\n%s", r.code, r.stdout)
	}
	if r := with("delete", "idle", "--copy", p.file("idle.pfx"), "--allow-volatile", "--json"); r.code != 0 || !strings.Contains(r.stdout, `"shown_by": "public-key"`) {
		t.Errorf("delete: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// TestNoLoginForASingleUse is about a token that takes CKA_ALWAYS_AUTHENTICATE and knows no login for a single use: it asks for no
// PIN, and the key is used without.
func TestNoLoginForASingleUse(t *testing.T) {
	t.Parallel()
	db := newNSS(t)
	key := newRSA(t)
	private := plantedKey(t, "pin", 1, key, true).is(token.CKASensitive, true).is(token.CKAExtractable, true).is(token.CKASign, true).is(token.CKAAlwaysAuthenticate, true)
	library := db.library(t, token.ReadWrite)
	certificate := plantedCertificate(t, "pin", 1, issue(t, db.directory, "pin", key).certificatePEM)
	if answers := plant(t, nil, library.Path, "NSS Certificate DB", nssPIN, library.InitString, []*object{private, certificate}); strings.Join(answers, "") != "00" {
		t.Fatalf("the token takes them not: %q", answers)
	}
	db.export(t, "pin", "pin.pfx", "--iterations", "1000").exported(t, "shroud", "token-signature")
	r := p11bridge(t, nil, "verify", db.file("pin.pfx"), "--against", "pin", "--nss-db", db.database, "--pin-source", "file:"+db.pin, "--password-source", "file:"+db.password, "--json")
	if r.code != 0 || !r.document.Valid {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// TestKeyOfAnotherDigest has keys that may sign by one mechanism alone (CKA_ALLOWED_MECHANISMS), and by none of SHA-256: they show whose they
// are, and sign a request that openssl takes.
func TestKeyOfAnotherDigest(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "matrix"`)
	for i, row := range []struct {
		label     string
		mechanism uint64
		algorithm string // of the request; empty: none can be made
	}{
		{"sha384", 0x41, "RSA-PKCS1-SHA384"}, {"sha512", 0x42, "RSA-PKCS1-SHA512"}, {"pss384", 0x44, "RSA-PSS-SHA384"}, {"pss512", 0x45, "RSA-PSS-SHA512"}, {"sha1", 0x06, ""},
	} {
		allowed := binary.NativeEndian.AppendUint64(nil, row.mechanism)
		key, id := newRSA(t), byte(i+1)
		private := plantedKey(t, row.label, id, key, false).is(token.CKASensitive, true).is(token.CKAExtractable, true).is(token.CKASign, true).bytes(0x40000600, allowed)
		certificate := plantedCertificate(t, row.label, id, issue(t, p.directory, row.label, key).certificatePEM)
		p.plant(t, private, certificate)
		if r := p11bridge(t, p.environment, p.export(row.label, "--iterations", "1000")...); r.code != 0 {
			t.Fatalf("export %s: exit code %d\n%s", row.label, r.code, r.stderr)
		}
		against := p11bridge(t, p.environment, "verify", p.file(row.label+".pfx"), "--against", row.label, "--pin-source", p.pin, "--password-source", p.password, "--json")
		if against.code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", row.label, against.code, against.stdout, against.stderr)
		}
		requested := p11bridge(t, p.environment, "request", row.label, "--same-key", "-o", p.path(row.label+".csr"), "--pin-source", p.pin, "--json")
		if requested.code != 0 && row.algorithm != "" || !strings.Contains(requested.stdout, row.algorithm) || row.algorithm == "" && requested.code != 1 {
			t.Errorf("%s: exit code %d\n%s%s", row.label, requested.code, requested.stdout, requested.stderr)
		}
		if out, err := exec.Command("openssl", "req", "-in", p.path(row.label+".csr"), "-noout", "-verify").CombinedOutput(); row.algorithm != "" && err != nil {
			t.Errorf("%s: %v\n%s", row.label, err, out)
		}
	}
}

// TestKeyThatDecryptsOnly has keys that may do nothing but decrypt, each by one mechanism alone: they show whose they are.
func TestKeyThatDecryptsOnly(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "matrix"`)
	for i, row := range []struct {
		label     string
		mechanism uint64
	}{{"pkcs1", 0x01}, {"oaep", 0x09}} {
		key, id := newRSA(t), byte(i+1)
		private := plantedKey(t, row.label, id, key, false).is(token.CKASensitive, true).is(token.CKAExtractable, true).is(token.CKASign, false).
			is(token.CKADecrypt, true).bytes(0x40000600, binary.NativeEndian.AppendUint64(nil, row.mechanism))
		p.plant(t, private, plantedCertificate(t, row.label, id, issue(t, p.directory, row.label, key).certificatePEM))
		if r := p11bridge(t, p.environment, p.export(row.label, "--iterations", "1000")...); r.code != 0 {
			t.Fatalf("export %s: exit code %d\n%s", row.label, r.code, r.stderr)
		}
		against := p11bridge(t, p.environment, "verify", p.file(row.label+".pfx"), "--against", row.label, "--pin-source", p.pin, "--password-source", p.password, "--json")
		if against.code != 0 || !against.document.Valid {
			t.Errorf("%s: exit code %d\n%s%s", row.label, against.code, against.stdout, against.stderr)
		}
	}
}

// TestKeyWithAnotherModulus has a key with the public attributes of another one, which could leave more easily: it takes neither
// the certificate nor the backup of the one that it is not.
func TestKeyWithAnotherModulus(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "matrix"`)
	key := newRSA(t)
	other := *newRSA(t)
	other.N = key.N
	p.plant(t,
		plantedKey(t, "liar", 1, &other, false).is(token.CKASensitive, false).is(token.CKAExtractable, true).is(token.CKASign, true),
		plantedKey(t, "good", 2, key, false).is(token.CKASensitive, true).is(token.CKAExtractable, true).is(token.CKASign, true),
		plantedCertificate(t, "certificate", 1, issue(t, p.directory, "good", key).certificatePEM))
	list := p11bridge(t, p.environment, "list", "--json", "--pin-source", p.pin)
	if good, liar := list.identity(t, "good"), list.identity(t, "liar"); good.Certificate == nil || good.PrivateKey == nil || liar.Certificate != nil {
		t.Errorf("the certificate is not the good key's:\n%s", list.stdout)
	}
	if r := p11bridge(t, p.environment, p.export("good", "--iterations", "1000")...); r.code != 0 {
		t.Errorf("export: exit code %d\n%s", r.code, r.stderr)
	}
}
