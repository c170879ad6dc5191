package softhsmtests

import (
	"crypto/elliptic"
	"strings"
	"testing"

	"p11bridge/token"
)

// TestUnshownKeyOnNSSLong is about a key that tells nothing of its public half, is asked nothing, and has a certificate under another CKA_ID. The
// token would shroud it, and that does not show whose it is: it leaves in clear instead, and says so, or not at all.
func TestUnshownKeyOnNSSLong(t *testing.T) {
	t.Parallel()
	db := newNSS(t)
	key := newEC(t, elliptic.P256())
	of := issue(t, db.directory, "apart", key).certificatePEM
	private := plantedKey(t, "apart", 0x11, key, true).is(token.CKASign, true).is(token.CKASensitive, true).is(token.CKAExtractable, true).is(token.CKAAlwaysAuthenticate, true)
	certificate := plantedCertificate(t, "its certificate", 0x22, of)
	library := db.library(t, token.ReadWrite)
	for _, answer := range plant(t, nil, library.Path, "NSS Certificate DB", nssPIN, library.InitString, []*object{private, certificate}) {
		if answer != "0" {
			t.Fatalf("the token does not take it: 0x%s", answer)
		}
	}
	listed := db.list(t)
	for label, want := range map[string]string{"apart": "certificate-not-identified", "its certificate": "key-not-identified"} {
		if v := listed.identity(t, label).Verdict; codesOf(v.Reasons)[len(v.Reasons)-1] != want {
			t.Errorf("%s: %+v", label, v)
		}
	}
	db.export(t, "apart", "clear.pfx").exported(t, "wrap", "independent-reader")
	shroud := db.export(t, "apart", "shroud.pfx", "--require-shroud")
	if shroud.code != 1 || !strings.Contains(shroud.stdout+shroud.stderr, `"no-certificate"`) {
		t.Errorf("--require-shroud: exit code %d\n%s%s", shroud.code, shroud.stdout, shroud.stderr)
	}
	absent(t, db.file("shroud.pfx"))
	db.export(t, "apart", "given.pfx", "--require-shroud", "--certificate", of).exported(t, "shroud", "token-signature")
}
