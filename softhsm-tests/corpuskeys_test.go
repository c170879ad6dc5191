package softhsmtests

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// andOneWithout follows the subjects where a key of the file has no certificate: it stays behind, and all are restored in part.
const andOneWithout = " and a key without"

// keyRows are files whose keys and certificates the file ties together wrongly, or more than once. What is to be restored are the subjects of the
// certificates beside their keys.
func keyRows(t *testing.T) []corpusRow {
	t.Helper()
	one, other, bmp, raw := plainIdentity(t, "one"), plainIdentity(t, "other"), standardBMP("pw"), []byte("pw")
	key := func(id corpusIdentity, local string) []byte {
		return shroudedBag(underAES(raw), id.pkcs8, localKeyIDOf(local))
	}
	certificate := func(id corpusIdentity, local string) []byte { return certBagOf(id.certificate, localKeyIDOf(local)) }
	file := func(bags ...[]byte) []byte { return pfxOf(macSHA256(bmp), inClear(bags...)) }
	old, signer := corpusKey(t, "old", -9*day, -day, nil, nil)
	oldCertificate, err := x509.ParseCertificate(old.certificate)
	if err != nil {
		t.Fatal(err)
	}
	renewed := corpusIdentity{old.pkcs8, recertified(t, "renewed", oldCertificate, signer, -day)}
	early := certBagOf(recertified(t, "early", oldCertificate, signer, day))
	return []corpusRow{
		{"one localKeyID for two keys", "pw", file(key(one, "a"), key(other, "a"), certificate(one, "a"), certBagOf(other.certificate)), "CN=one CN=other"},
		{"one localKeyID for all", "pw", file(key(one, "a"), key(other, "a"), certificate(one, "a"), certificate(other, "a")), "CN=one CN=other"},
		{"localKeyIDs that are crossed", "pw", file(key(one, "a"), key(other, "b"), certificate(one, "b"), certificate(other, "a")), "CN=one CN=other"},
		{"a first key with another's localKeyID", "pw", file(key(other, "a"), key(one, "a"), certificate(one, "a")), "CN=one" + andOneWithout},
		{"a last key with another's localKeyID", "pw", file(key(one, "a"), key(other, "a"), certificate(one, "a")), "CN=one" + andOneWithout},
		{"the same key twice", "pw", file(key(one, "a"), key(one, "b"), certificate(one, "a"), certificate(one, "b")), "CN=one"},
		{"a renewed certificate behind the old one", "pw", file(key(old, "a"), certBagOf(old.certificate), certBagOf(renewed.certificate)), "CN=renewed"},
		{"an old certificate behind the renewed one", "pw", file(key(old, "a"), certBagOf(renewed.certificate), certBagOf(old.certificate)), "CN=renewed"},
		{"an old and a renewed certificate of one localKeyID", "pw", file(key(old, "a"), certificate(old, "a"), certificate(renewed, "a")), "CN=renewed"},
		{"a renewed certificate whose time has not come", "pw", file(key(old, "a"), early, certBagOf(renewed.certificate)), "CN=renewed"},
		{"a certificate whose time has not come, alone", "pw", file(key(old, "a"), early), "CN=early"},
		{"the file's own choice among certificates", "pw", file(key(old, "a"), certificate(old, "a"), certBagOf(renewed.certificate)), "CN=old"},
	}
}

// recertified is a new certificate of a key that has one. What begins later ends later.
func recertified(t *testing.T, name string, old *x509.Certificate, key any, from time.Duration) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(8), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(from + 365*day)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, old.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// verifiedKeys are the subjects of the certificates of the keys that verify shows, each once.
func verifiedKeys(t *testing.T, verified *result) string {
	t.Helper()
	var document struct{ Keys []struct{ Subject string } }
	if err := json.Unmarshal([]byte(verified.stdout), &document); verified.code != 0 || err != nil {
		t.Fatalf("%d %v\n%s%s", verified.code, err, verified.stdout, verified.stderr)
	}
	var subjects []string
	for _, key := range document.Keys {
		if key.Subject != "" { // a key without a certificate has none
			subjects = append(subjects, key.Subject)
		}
	}
	slices.Sort(subjects)
	return strings.Join(slices.Compact(subjects), " ")
}

// checkAgainst wants the file to be a copy of each key on the token, to verify and to delete: where the keys show whose they are, and where they do not.
func checkAgainst(t *testing.T, environment []string, file string, subjects, module []string) {
	t.Helper()
	against := func() {
		for _, subject := range subjects {
			name := strings.TrimPrefix(subject, "CN=")
			for _, args := range [][]string{{"verify", file, "--against", name}, {"delete", name, "--copy", file, "--allow-volatile", "--dry-run"}} {
				if r := p11bridge(t, environment, append(args, module...)...); r.code != 0 {
					t.Errorf("%s %s: %d\n%s%s", args[0], name, r.code, r.stdout, r.stderr)
				}
			}
		}
	}
	against()
	for _, subject := range subjects {
		for _, kind := range []string{"pubkey", "cert"} {
			pin := mustRead(t, strings.TrimPrefix(module[len(module)-1], "file:"))
			mustForeign(t, filepath.Dir(file), "env", environment[0], "pkcs11-tool", "--module", softHSM(t), "--token-label", "test", "--login", "--pin", strings.TrimSpace(string(pin)),
				"--delete-object", "--type", kind, "--label", strings.TrimPrefix(subject, "CN="))
		}
	}
	against()
}

// TestEveryKeyIsRestored wants each key of a file on the token and in the drill, beside the certificate that is its own.
func TestEveryKeyIsRestored(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	template := filepath.Join(directory, "template")
	if err := runMktoken(write(t, directory, "specimens", []byte("token \"test\"\n")), template); err != nil {
		t.Fatal(err)
	}
	for _, row := range keyRows(t) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			place := filepath.Join(t.TempDir(), "token")
			if err := copyToken(template, place); err != nil {
				t.Fatal(err)
			}
			environment := []string{"SOFTHSM2_CONF=" + filepath.Join(place, "softhsm2.conf"), "PFXPASSWORD=" + row.password}
			want, code := row.want, 0
			if all, left := strings.CutSuffix(want, andOneWithout); left {
				want, code = all, 5
			}
			backups := t.TempDir()
			file := write(t, backups, "file.pfx", row.file)
			if got := verifiedKeys(t, p11bridge(t, environment, "verify", file, "--password-source", "env:PFXPASSWORD", "--json")); got != want {
				t.Errorf("verify shows %s, not %s", got, want)
			}
			var restored struct {
				Restored []struct{ Label string } // the name in the certificate, since the files name no key
			}
			module := []string{"--password-source", "env:PFXPASSWORD", "--json", "--module", softHSM(t), "--token", "test", "--pin-source", "file:" + filepath.Join(place, "pin.txt")}
			r := p11bridge(t, environment, append([]string{"restore", file, "--all"}, module...)...)
			if err := json.Unmarshal([]byte(r.stdout), &restored); r.code != code || err != nil {
				t.Fatalf("%d %v\n%s%s", r.code, err, r.stdout, r.stderr)
			}
			var subjects []string
			for _, key := range restored.Restored {
				subjects = append(subjects, "CN="+key.Label)
			}
			slices.Sort(subjects)
			if got := strings.Join(subjects, " "); got != want {
				t.Errorf("restored are %s, not %s\n%s", got, want, r.stdout)
			}
			checkAgainst(t, environment, file, subjects, module)
			drilled := p11bridge(t, environment, "drill", "--dir", backups, "--password-source", "env:PFXPASSWORD", "--json")
			if count := strings.Count(drilled.stdout, `"proof": "`); drilled.code != code || count != len(subjects) || strings.Contains(drilled.stdout, `"outcome": "restored"`) != (code == 0) {
				t.Errorf("the drill ended with %d and has %d keys\n%s%s", drilled.code, count, drilled.stdout, drilled.stderr)
			}
		})
	}
}
