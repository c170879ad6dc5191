package pfx

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	aes128     = "PBES2 PBKDF2-HMAC-SHA-256 AES-128-CBC"
	aes192     = "PBES2 PBKDF2-HMAC-SHA-256 AES-192-CBC"
	aes256     = "PBES2 PBKDF2-HMAC-SHA-256 AES-256-CBC"
	desEDE3    = "PBES2 PBKDF2-HMAC-SHA-256 DES-EDE3-CBC"
	tripleDES  = "pbeWithSHAAnd3-KeyTripleDES-CBC"
	doubleDES  = "pbeWithSHAAnd2-KeyTripleDES-CBC"
	rc2With40  = "pbeWithSHAAnd40BitRC2-CBC"
	rc2With128 = "pbeWithSHAAnd128BitRC2-CBC"
)

// foreignFile is one of the files that testdata/make-foreign.sh makes.
type foreignFile struct {
	name    string
	profile Profile
	mac     string
	// safes and keys are the algorithms, separated by a bar.
	safes, keys string
	// names are the friendly names of the keys, then of the certificates, separated by a bar.
	names  string
	others int
}

var foreignFiles = []foreignFile{
	{"certtool-3des", Other, "HMAC-SHA-256", tripleDES + "|" + tripleDES + "|clear", tripleDES, "a name/a name|", 0},
	{"certtool-aes-256", Modern, "HMAC-SHA-256", aes256 + "|" + aes256 + "|clear", aes256, "a name/a name|", 0},
	{"certtool-default", Modern, "HMAC-SHA-256", aes128 + "|" + aes128 + "|clear", aes128, "a name/a name|", 0},
	{"certtool-rc2-40", Other, "HMAC-SHA-256", rc2With40 + "|" + rc2With40 + "|clear", rc2With40, "a name/a name|", 0},
	{"keytool-default-testtest", Modern, "HMAC-SHA-256", "clear|" + aes256, aes256, "one/one", 0},
	{"keytool-legacy-testtest", Legacy, "HMAC-SHA-1", "clear|" + rc2With40, tripleDES, "one/one", 0},
	{"keytool-secret-key-testtest", Modern, "HMAC-SHA-256", "clear|" + aes256, aes256, "one/one", 1},
	{"keytool-trust-store-testtest", Modern, "HMAC-SHA-256", aes256, "", "/ca", 0},
	{"keytool-two-keys-testtest", Modern, "HMAC-SHA-256", "clear|" + aes256, aes256 + "|" + aes256, "one|zwei/one|zwei", 0},
	{"openssl-2des", Legacy, "HMAC-SHA-1", doubleDES + "|clear", doubleDES, "a näme/a näme|", 0},
	{"openssl-3des", Legacy, "HMAC-SHA-1", tripleDES + "|clear", tripleDES, "a näme/a näme|", 0},
	{"openssl-aes-128-cbc", Modern, "HMAC-SHA-256", aes128 + "|clear", aes128, "a näme/a näme|", 0},
	{"openssl-aes-192-cbc", Modern, "HMAC-SHA-256", aes192 + "|clear", aes192, "a näme/a näme|", 0},
	{"openssl-brainpoolP256r1", Modern, "HMAC-SHA-256", aes256 + "|clear", aes256, "/", 0},
	{"openssl-clear", Other, "HMAC-SHA-256", "clear|clear", "clear", "a näme/a näme|", 0},
	{"openssl-clear-certificates", Modern, "HMAC-SHA-256", "clear|clear", aes256, "a näme/a näme|", 0},
	{"openssl-clear-key", Other, "HMAC-SHA-256", aes256 + "|clear", "clear", "a näme/a näme|", 0},
	{"openssl-clear-no-mac", Other, "none", "clear|clear", "clear", "a näme/a näme|", 0},
	{"openssl-default", Modern, "HMAC-SHA-256", aes256 + "|clear", aes256, "a näme/a näme|", 0},
	{"openssl-des-ede3-cbc", Other, "HMAC-SHA-256", desEDE3 + "|clear", desEDE3, "a näme/a näme|", 0},
	{"openssl-ed25519", Modern, "HMAC-SHA-256", aes256 + "|clear", aes256, "/", 0},
	{"openssl-empty-password", Modern, "HMAC-SHA-256", aes256 + "|clear", aes256, "/", 0},
	{"openssl-empty-password-legacy", Legacy, "HMAC-SHA-1", rc2With40 + "|clear", tripleDES, "/", 0},
	{"openssl-legacy", Legacy, "HMAC-SHA-1", rc2With40 + "|clear", tripleDES, "a näme/a näme|", 0},
	{"openssl-mac-sha224", Modern, "HMAC-SHA-224", aes256 + "|clear", aes256, "a näme/a näme|", 0},
	{"openssl-mac-sha384", Modern, "HMAC-SHA-384", aes256 + "|clear", aes256, "a näme/a näme|", 0},
	{"openssl-mac-sha512", Modern, "HMAC-SHA-512", aes256 + "|clear", aes256, "a näme/a näme|", 0},
	{"openssl-no-certificate", Modern, "HMAC-SHA-256", "clear", aes256, "", 0},
	{"openssl-no-iterations", Modern, "HMAC-SHA-256", aes256 + "|clear", aes256, "a näme/a näme|", 0},
	{"openssl-no-key", Modern, "HMAC-SHA-256", aes256, "", "/", 0},
	{"openssl-no-mac", Other, "none", "clear|clear", aes256, "a näme/a näme|", 0},
	{"openssl-non-ascii-password", Modern, "HMAC-SHA-256", aes256 + "|clear", aes256, "/", 0},
	{"openssl-rc2-128", Legacy, "HMAC-SHA-1", rc2With128 + "|clear", rc2With128, "a näme/a näme|", 0},
	{"openssl-rc2-40", Legacy, "HMAC-SHA-1", rc2With40 + "|clear", rc2With40, "a näme/a näme|", 0},
	{"openssl-rc4-128", Legacy, "HMAC-SHA-1", "pbeWithSHAAnd128BitRC4|clear", "pbeWithSHAAnd128BitRC4", "a näme/a näme|", 0},
	{"openssl-rsa", Modern, "HMAC-SHA-256", aes256 + "|clear", aes256, "/", 0},
	{"openssl-secp256k1", Modern, "HMAC-SHA-256", aes256 + "|clear", aes256, "/", 0},
	{"pk12util-3des", Legacy, "HMAC-SHA-1", "clear|" + tripleDES, tripleDES, "a name/ca|a name", 0},
	{"pk12util-aes-128-sha-512", Modern, "HMAC-SHA-512", "clear|PBES2 PBKDF2-HMAC-SHA-512 AES-128-CBC", "PBES2 PBKDF2-HMAC-SHA-512 AES-128-CBC", "a name/ca|a name", 0},
	{"pk12util-clear-certificates", Modern, "HMAC-SHA-256", "clear", aes256, "a name/ca|a name", 0},
	{"pk12util-default", Modern, "HMAC-SHA-256", "clear|" + aes128, aes256, "a name/ca|a name", 0},
	{"pk12util-non-ascii-password", Modern, "HMAC-SHA-256", "clear|" + aes128, aes256, "a name/ca|a name", 0},
	{"pk12util-rc2-40", Legacy, "HMAC-SHA-1", "clear|" + rc2With40, rc2With40, "a name/ca|a name", 0},
}

func (f foreignFile) read(t testing.TB) []byte {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", "foreign", f.name+".p12"))
	must(t, err)
	return file
}

func (f foreignFile) password() string {
	switch {
	case strings.HasSuffix(f.name, "-testtest"):
		return "testtest"
	case strings.Contains(f.name, "-non-ascii-password"):
		return "tést €"
	case strings.Contains(f.name, "-empty-password"):
		return ""
	default:
		return "test"
	}
}

func algorithms(protections []Protection) string {
	var names []string
	for _, p := range protections {
		names = append(names, p.Algorithm)
	}
	return strings.Join(names, "|")
}

func names(contents *Contents) string {
	var keys, certificates []string
	for _, k := range contents.Keys {
		keys = append(keys, k.FriendlyName)
	}
	for _, c := range contents.Certificates {
		certificates = append(certificates, c.FriendlyName)
	}
	text := strings.Join(keys, "|") + "/" + strings.Join(certificates, "|")
	if len(certificates) == 0 {
		return strings.Join(keys, "|")
	}
	return text
}

// One file in six is read here: most of them have a hundred thousand iterations and more.
func TestForeignFiles(t *testing.T) { testForeignFiles(t, 6) }

// Every file is read.
func TestForeignFilesLong(t *testing.T) { testForeignFiles(t, 1) }

func testForeignFiles(t *testing.T, every int) {
	t.Helper()
	found, err := filepath.Glob("testdata/foreign/*.p12")
	must(t, err)
	if len(found) != len(foreignFiles) || len(found) == 0 {
		t.Errorf("%d files for %d rows", len(found), len(foreignFiles))
	}
	for i, f := range foreignFiles {
		if i%every != 0 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			file := f.read(t)
			facts, err := Inspect(file)
			must(t, err)
			if facts.MAC != f.mac || algorithms(facts.Safes) != f.safes {
				t.Errorf("inspected: %+v", facts)
			}
			if want := strings.HasPrefix(f.name, "pk12util-"); facts.BER != want {
				t.Errorf("BER is %v", facts.BER)
			}
			contents, err := Decode(context.Background(), file, []byte(f.password()), DecodeOptions{})
			must(t, err)
			after := contents.Facts
			if !after.Counted || after.Profile != f.profile || after.MAC != f.mac || algorithms(after.Safes) != f.safes ||
				algorithms(after.KeyBags) != f.keys || after.OtherBags != f.others || names(contents) != f.names {
				t.Errorf("decoded: %+v, names %s", after, names(contents))
			}
			if after.ClearKey != strings.Contains(f.keys, "clear") {
				t.Errorf("key in clear: %v", after.ClearKey)
			}
			f.checkPairs(t, contents)
			if f.mac == NoMAC && !strings.Contains(f.keys, "PBES2") {
				return
			}
			_, err = Decode(context.Background(), file, []byte("wrong"), DecodeOptions{})
			if !errors.Is(err, ErrPassword) {
				t.Errorf("with a wrong password: %v", err)
			}
		})
	}
}

// checkPairs checks that every key is found to belong to its certificate.
func (f foreignFile) checkPairs(t *testing.T, contents *Contents) {
	t.Helper()
	for _, pair := range Match(contents, comparer(contents)) {
		want := LinkedByPublicKey
		switch {
		case strings.Contains(f.name, "brainpool"), strings.Contains(f.name, "secp256k1"):
			want = LinkedByLocalKeyID // crypto/x509 does not parse the key
		case len(contents.Certificates) == 0:
			want = LinkedByNothing
		}
		if pair.LinkedBy != want {
			t.Errorf("pair %+v", pair)
		}
		if pair.Certificate >= 0 {
			certificate, key := contents.Certificates[pair.Certificate], contents.Keys[pair.Key]
			if hex.EncodeToString(certificate.LocalKeyID) != hex.EncodeToString(key.LocalKeyID) {
				t.Errorf("local key ids are %x and %x", certificate.LocalKeyID, key.LocalKeyID)
			}
		}
	}
}

// The vectors of RFC 9579, appendix A: three that must open and three that must not.
func TestRFC9579Vectors(t *testing.T) {
	read := func(name string) []byte {
		file, err := os.ReadFile(filepath.Join("testdata", "rfc9579", name))
		must(t, err)
		return file
	}
	for name, mac := range map[string]string{
		"a1.p12": "PBMAC1-HMAC-SHA-256", "a2.p12": "PBMAC1-HMAC-SHA-256", "a3.p12": "PBMAC1-HMAC-SHA-512",
	} {
		contents := decode(t, read(name), "1234")
		pair := Match(contents, comparer(contents))
		if len(pair) != 1 || pair[0].LinkedBy != LinkedByPublicKey || contents.Facts.MAC != mac ||
			contents.Facts.MACIterations != 2048 || contents.Facts.Profile != PBMAC1 {
			t.Errorf("%s: %+v, %+v", name, pair, contents.Facts)
		}
	}
	for _, name := range []string{"a4.p12", "a5.p12"} {
		if _, err := Decode(context.Background(), read(name), []byte("1234"), DecodeOptions{}); !errors.Is(err, ErrPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode(context.Background(), read("a6.p12"), []byte("1234"), DecodeOptions{}); !errors.As(err, new(*UnsupportedError)) ||
		!strings.Contains(err.Error(), "key length") {
		t.Errorf("a6.p12: %v", err)
	}
}
