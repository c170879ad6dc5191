package softhsmtests

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hostileSpecimens have labels that would control a terminal, run as a script, or name files elsewhere.
const hostileSpecimens = `token "<h1>token\x1b[2J"
label="evil\x1b[2J\x07\u202elabel/../x" id=01 key=p256 policy=wrappable certificate=valid
label="<script>alert(1)</script>" id=02 key=p256 policy=locked certificate=valid
label="\"><img src=x onerror=alert(2)>" id=03 key=p256 policy=wrappable certificate=valid
label="raw\x9b\xff bytes\x00" id=04 key=p256 policy=locked imported
label="'; rm -rf / #$(id)" id=05 key=p256 policy=wrappable certificate=valid
label="</style><style>*{display:none}" id=06 key=p256 policy=wrappable
label="{{.Title}}%s" id=07 key=p256 nokey
label="zero\u200bwidth\u2066isolate\u2028line" id=08 key=p256 nokey certificate=valid
`

// TestSnapshotUnderFaults takes a few of the wrong answers.
func TestSnapshotUnderFaults(t *testing.T) {
	t.Parallel()
	testSnapshotUnderFaults(t, 8)
}

// TestSnapshotUnderFaultsLong takes them all.
func TestSnapshotUnderFaultsLong(t *testing.T) {
	t.Parallel()
	testSnapshotUnderFaults(t, 1)
}

// testSnapshotUnderFaults compares both diagnoses for a module that answers wrongly, attribute by attribute, in one case of
// so many.
func testSnapshotUnderFaults(t *testing.T, every int) {
	t.Helper()
	p := newPlace(t, `token "faulty"
label="rsa" id=01 key=rsa2048 policy=wrappable certificate=valid
label="locked" id=02 key=p256 policy=locked certificate=valid imported
label="readable" id=03 key=p256 policy=readable certificate=valid
label="eduard" id=04 key=ed25519 policy=readable
label="note" data
`)
	d := p.diagnosed("--module", faultyModule(t), "--token", "faulty", "--timeout", "20s")
	var faults []string
	// Every object has a class: one that is not told, or that no specification knows, is a failure, and not in the list.
	attributes := []string{"0x3", "0x11", "0x80", "0x100", "0x102", "0x103", "0x120", "0x129", "0x162", "0x163", "0x164", "0x180", "0x210"}
	for _, fault := range []string{"unsupported", "empty", "unavailable", "garbage"} {
		for _, attribute := range attributes {
			faults = append(faults, fault+":"+attribute)
		}
	}
	faults = append(faults, "short-ulong", "hide-mechanisms", "no-wrap", "cbc-pad", "overlong:0x3", "overlong:0x102", "huge:0x3", "short-ulong,garbage:0x162", "flags:+0x80000 --no-login", "flags:+0x60000 --no-login", "flags:-0x4")
	for i := 0; i < len(faults); i += every {
		fault := faults[i]
		t.Run(fault, func(t *testing.T) {
			under := *d
			fault, more, _ := strings.Cut(fault, " ")
			under.environment = append(slices.Clone(d.environment), "P11FAULT="+fault)
			under.same(t, strings.Fields(more)...)
		})
	}
}

// forms are the ways in which bytes may stand in a text.
func forms(secret []byte) []string {
	list := []string{string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret))}
	for skip := range min(3, len(secret)) { // whatever stands in front of it
		whole := (len(secret) - skip) / 3 * 3
		list = append(list, base64.StdEncoding.EncodeToString(secret[skip:skip+whole]))
	}
	return list
}

// holdsNone looks for secrets in a snapshot, in every form.
func holdsNone(t *testing.T, text string, secrets map[string][]byte) {
	t.Helper()
	for name, secret := range secrets {
		for _, form := range forms(secret) {
			if strings.Contains(text, form) {
				t.Errorf("%s is in the snapshot, as %.40q", name, form)
			}
		}
	}
}

// TestSnapshotHoldsNoSecret plants keys, values and a PIN that are known here, and searches for them.
func TestSnapshotHoldsNoSecret(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "secrets"`)
	rsaKey, ecKey := newRSA(t), newEC(t, elliptic.P256())
	aes, note := make([]byte, 32), []byte("Wer reitet so spaet durch Nacht und Wind")
	if _, err := rand.Read(aes); err != nil {
		t.Fatal(err)
	}
	private := issue(t, p.directory, "private certificate", newEC(t, elliptic.P256()))
	tool := func(content []byte, kind string, more ...string) {
		t.Helper()
		file := write(t, p.directory, "object", content)
		args := append([]string{"--module", softHSM(t), "--token-label", "secrets", "--login", "--pin", testPIN, "--write-object", file, "--type", kind}, more...)
		if out, err := foreign(p.directory, p.environment, "pkcs11-tool", args...); err != nil {
			t.Fatal(err, out)
		}
	}
	for label, key := range map[string]any{"rsa": rsaKey, "ec": ecKey} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		tool(der, "privkey", "--label", label, "--id", hex.EncodeToString([]byte(label)))
		tool(der, "privkey", "--label", label+" readable", "--id", hex.EncodeToString([]byte(label+"2")), "--extractable")
	}
	tool(aes, "secrkey", "--key-type", "AES:32", "--label", "aes", "--extractable")
	tool(note, "data", "--label", "note", "--application-label", "poem", "--private")
	if out, err := foreign(p.directory, append(p.environment, "GNUTLS_PIN="+testPIN), "p11tool", "--provider", softHSM(t), "--batch", "--login", "--write",
		"--load-certificate", private.certificatePEM, "--label", "withheld", "--mark-private", "pkcs11:token=secrets"); err != nil {
		t.Fatal(err, out)
	}

	text := p.diagnosed().snapshot(t)
	for _, label := range []string{"rsa", "ec readable", "aes", "note", "withheld"} {
		if !strings.Contains(text, `"CKA_LABEL": "`+label+`"`) {
			t.Errorf("%s is not in the snapshot", label)
		}
	}
	if !strings.Contains(text, hex.EncodeToString(rsaKey.N.Bytes())) {
		t.Error("the search would find nothing: even the modulus is missing")
	}
	secrets := map[string][]byte{
		"the PIN": []byte(testPIN), "the AES key": aes, "the data object's value": note, "RSA d": rsaKey.D.Bytes(), "RSA p": rsaKey.Primes[0].Bytes(), "RSA q": rsaKey.Primes[1].Bytes(),
		"RSA dP": rsaKey.Precomputed.Dp.Bytes(), "RSA dQ": rsaKey.Precomputed.Dq.Bytes(), "RSA qInv": rsaKey.Precomputed.Qinv.Bytes(), "EC d": scalar(t, ecKey),
		"the private certificate": private.leaf.Raw, "its subject": []byte("private certificate"), "its key": private.leaf.RawSubjectPublicKeyInfo,
	}
	holdsNone(t, text, secrets)
	for name, number := range map[string]fmt.Stringer{"RSA d": rsaKey.D, "RSA p": rsaKey.Primes[0]} {
		if strings.Contains(text, number.String()) {
			t.Errorf("%s is in the snapshot, as a number", name)
		}
	}
	if strings.Contains(text, `"CKA_VALUE"`) {
		t.Error("a CKA_VALUE is in the snapshot")
	}
	info, err := os.Stat(filepath.Join(p.directory, "snapshot.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func scalar(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	b, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
