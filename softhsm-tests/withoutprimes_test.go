package softhsmtests

import (
	"testing"

	"p11bridge/token"
)

// TestKeyWithoutPrimes has RSA keys that were put on the token without their primes. One that may be read leaves whole, with primes that
// were computed. One that has to be wrapped is refused by SoftHSM2 2.6, which lists the mechanism all the same: every command that
// tried says so, and status tries.
func TestKeyWithoutPrimes(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "matrix"`)
	var objects []*object
	for i, label := range []string{"sensitive", "readable"} {
		key := newRSA(t)
		id := byte(i + 1)
		private := (&object{}).number(token.CKAClass, uint(token.CKOPrivateKey)).number(token.CKAKeyType, uint(token.CKKRSA)).
			bytes(token.CKALabel, []byte(label)).bytes(token.CKAID, []byte{id}).bytes(token.CKAModulus, key.N.Bytes()).
			bytes(ckaPublicExponent, []byte{1, 0, 1}).bytes(ckaPrivateExponent, key.D.Bytes()).is(token.CKAToken, true).is(token.CKAPrivate, true).
			is(token.CKASensitive, label == "sensitive").is(token.CKAExtractable, true).is(token.CKASign, true)
		objects = append(objects, private, plantedCertificate(t, label, id, issue(t, p.directory, label, key).certificatePEM))
	}
	p.plant(t, objects...)
	if r := p11bridge(t, p.environment, p.export("readable", "--iterations", "1000")...); r.code != 0 {
		t.Errorf("a key that may be read: exit code %d\n%s", r.code, r.stderr)
	}
	with := func(words ...string) *result {
		return p11bridge(t, p.environment, append(words, "--pin-source", p.pin, "--password-source", p.password)...)
	}
	if r := with("verify", p.file("readable.pfx"), "--against", "readable"); r.code != 0 {
		t.Errorf("verify --against: exit code %d\n%s", r.code, r.stderr)
	}
	exported := p11bridge(t, p.environment, p.export("sensitive", "--iterations", "1000")...)
	if exported.code != 0 && exported.code != 3 {
		t.Fatalf("a key that has to be wrapped: exit code %d\n%s", exported.code, exported.stderr)
	}
	refused := exported.code / 3
	probed := p11bridge(t, p.environment, "diagnose", "sensitive", "--probe", "--json", "--pin-source", p.pin)
	if leaves := probed.identity(t, "sensitive").Verdict.Exportable; leaves != (refused == 0) {
		t.Errorf("diagnose --probe and export do not agree:\n%s", probed.stdout)
	}
	status := func(want int, state string) {
		t.Helper()
		r := p11bridge(t, p.environment, "status", "--dir", p.path("backups"), "--json", "--pin-source", p.pin)
		if r.code != want || r.document.Counts["cannot-leave"] != refused || r.document.Counts[state] != 2-refused {
			t.Errorf("status: exit code %d, %v", r.code, r.document.Counts)
		}
	}
	if r := with("export", "--all", "--dir", p.path("backups"), "--iterations", "1000", "--json"); r.code != 0 || r.document.Counts["refused"] != refused {
		t.Errorf("export --all: exit code %d, %v", r.code, r.document.Counts)
	}
	status(0, "up-to-date")
	mustForeign(t, p.directory, "rm", "-r", p.path("backups"))
	mustForeign(t, p.directory, "mkdir", p.path("backups"))
	status(5, "never-made")
}
