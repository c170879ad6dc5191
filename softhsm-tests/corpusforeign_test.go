package softhsmtests

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"p11bridge/bridge/pfx"
)

// foreignRows are files that OpenSSL, GnuTLS, Java and NSS make here and now.
func foreignRows(t *testing.T) []corpusRow {
	t.Helper()
	f := &foreignFiles{t: t, directory: t.TempDir()}
	f.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ec.key", "-subj", "/CN=foreign", "-days", "30", "-out", "ec.crt")
	f.schemes()
	f.passwords()
	f.platforms()
	f.keyTypes()
	f.encodings()
	f.certtool()
	f.keytool()
	f.pk12util()
	return f.rows
}

type foreignFiles struct {
	t         *testing.T
	directory string
	rows      []corpusRow
}

func (f *foreignFiles) run(name string, args ...string) {
	f.t.Helper()
	mustForeign(f.t, f.directory, name, args...)
}

// add takes a file that a program has written.
func (f *foreignFiles) add(name, password, file, want string) {
	f.t.Helper()
	f.rows = append(f.rows, corpusRow{name, password, mustRead(f.t, filepath.Join(f.directory, file)), want})
}

// pkcs12 has OpenSSL make a file. A version that has not the algorithm makes none.
func (f *foreignFiles) pkcs12(name, password, want string, args ...string) bool {
	f.t.Helper()
	args = append([]string{"pkcs12", "-export", "-inkey", "ec.key", "-in", "ec.crt", "-passout", "pass:" + password, "-iter", "10", "-out", "out.p12"}, args...)
	if _, err := foreign(f.directory, nil, "openssl", args...); err != nil {
		return false
	}
	f.add("openssl: "+name, password, "out.p12", want)
	return true
}

// schemes are all that OpenSSL encrypts with, under all that it makes a MAC with.
func (f *foreignFiles) schemes() {
	readable := []string{"NONE", "aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "des-ede3-cbc", "des-cbc", "rc2-cbc", "PBE-SHA1-3DES", "PBE-SHA1-2DES", "PBE-SHA1-RC2-40", "PBE-SHA1-RC2-128", "PBE-SHA1-RC4-40",
		"PBE-SHA1-RC4-128", "PBE-MD5-DES", "PBE-SHA1-DES"}
	macs := []string{"sha1", "sha224", "sha256", "sha384", "sha512", "sha512-224", "sha512-256", "sha3-224", "sha3-256", "sha3-384", "sha3-512", "md5"}
	made := 0
	for i, cipher := range append(readable, "camellia-256-cbc", "aria-256-cbc", "seed-cbc", "sm4-cbc") {
		for _, mac := range append(macs, "sm3", "ripemd160", "") {
			args := []string{"-keypbe", cipher, "-certpbe", cipher, "-provider", "legacy", "-provider", "default"}
			want := "valid"
			switch {
			case cipher == "NONE" && (mac == "sm3" || mac == "ripemd160"):
				want = "unjudged format-unsupported key-not-protected"
			case mac == "sm3" || mac == "ripemd160" || i >= len(readable):
				want = "unjudged format-unsupported"
			case cipher == "NONE":
				want += " key-not-protected"
			}
			if mac == "" {
				args = append(args, "-nomac")
				if i < len(readable) {
					want += " integrity-not-protected"
				}
			} else {
				args = append(args, "-macalg", mac)
			}
			if f.pkcs12(fmt.Sprintf("%s, MAC %q", cipher, mac), "pw", want, args...) {
				made++
			}
		}
	}
	if made < 150 {
		f.t.Errorf("OpenSSL made %d files", made)
	}
}

func (f *foreignFiles) passwords() {
	for password, want := range map[string]string{
		"": "valid password-empty", "Contraseña€": "valid", "pw😀pass": "valid password-encoding", " space ": "valid", strings.Repeat("long", 60): "valid", `"'\$`: "valid",
	} {
		f.pkcs12(fmt.Sprintf("password %.12q", password), password, want)
		f.pkcs12(fmt.Sprintf("password %.12q, legacy", password), password, want, "-legacy")
	}
	f.pkcs12("no iterations", "pw", "valid", "-noiter", "-nomaciter")
	f.pkcs12("names", "pw", "valid", "-name", "näme", "-caname", "x")
}

// platforms are files as the dialogues of operating systems write them: the ciphers, the counts, and the attributes of Windows.
func (f *foreignFiles) platforms() {
	old := []string{"-provider", "legacy", "-provider", "default", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"}
	with := func(args ...string) []string { return append(append([]string{}, old...), args...) }
	f.pkcs12("as Windows before 2019 writes it", "pw", "valid", with("-certpbe", "PBE-SHA1-3DES", "-iter", "2000", "-LMK", "-CSP", "Microsoft Software Key Storage Provider", "-name", "te-0c6a4f5a-1111-2222-3333-444455556666")...)
	f.pkcs12("as Windows since 2019 writes it", "pw", "valid", "-certpbe", "AES-256-CBC", "-keypbe", "AES-256-CBC", "-macalg", "sha256", "-iter", "2000", "-LMK", "-CSP", "Microsoft Enhanced RSA and AES Cryptographic Provider")
	f.pkcs12("as macOS writes it", "pw", "valid", with("-certpbe", "PBE-SHA1-RC2-40", "-iter", "2048", "-nomaciter")...)
	f.pkcs12("as old Android wants it", "pw", "valid", with("-certpbe", "PBE-SHA1-RC2-40")...)
	for _, iterations := range []string{"1", "17", "1025"} {
		f.pkcs12(iterations+" iterations", "pw", "valid", "-iter", iterations)
	}
}

// keyTypes are keys of all kinds, certified by themselves.
func (f *foreignFiles) keyTypes() {
	f.run("openssl", "genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024", "-pkeyopt", "dsa_paramgen_q_bits:160", "-out", "dsa.param")
	unjudged := "unjudged format-unsupported"
	for name, row := range map[string]struct {
		make []string
		want string
	}{
		"RSA":               {[]string{"genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:1024"}, "valid"},
		"RSA of 3 primes":   {[]string{"genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:1024", "-pkeyopt", "rsa_keygen_primes:3"}, "valid"},
		"RSASSA-PSS":        {[]string{"genpkey", "-algorithm", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:1024"}, "valid"},
		"RSASSA-PSS SHA256": {[]string{"genpkey", "-algorithm", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:1024", "-pkeyopt", "rsa_pss_keygen_md:sha256"}, "valid"},
		"P-384":             {[]string{"ecparam", "-name", "secp384r1", "-genkey", "-noout"}, "valid"},
		"P-521":             {[]string{"ecparam", "-name", "secp521r1", "-genkey", "-noout"}, "valid"},
		"secp256k1":         {[]string{"ecparam", "-name", "secp256k1", "-genkey", "-noout"}, "valid"},
		"brainpool":         {[]string{"ecparam", "-name", "brainpoolP256r1", "-genkey", "-noout"}, "valid"},
		"explicit":          {[]string{"ecparam", "-name", "prime256v1", "-param_enc", "explicit", "-genkey", "-noout"}, "valid"},
		"a binary field":    {[]string{"ecparam", "-name", "sect283r1", "-genkey", "-noout"}, unjudged},
		"Ed25519":           {[]string{"genpkey", "-algorithm", "ed25519"}, "valid"},
		"Ed448":             {[]string{"genpkey", "-algorithm", "ed448"}, unjudged},
		"DSA":               {[]string{"genpkey", "-paramfile", "dsa.param"}, unjudged},
	} {
		f.run("openssl", append(row.make, "-out", "key.pem")...)
		f.certified(name, row.want)
	}
	// An RSA key under a certificate that restricts it to RSASSA-PSS, as a token's copy is.
	f.run("openssl", "genpkey", "-algorithm", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:1024", "-out", "key.pem")
	f.run("openssl", "req", "-x509", "-new", "-key", "key.pem", "-subj", "/CN=pss", "-days", "30", "-out", "key.crt")
	f.packed("RSA under a certificate for RSASSA-PSS", unrestricted(f.t, f.pkcs8("key.pem")), "key.crt", "valid")
	// A compressed point in the certificate.
	f.run("openssl", "ec", "-in", "ec.key", "-conv_form", "compressed", "-out", "compressed.pem")
	f.run("openssl", "req", "-x509", "-new", "-key", "compressed.pem", "-subj", "/CN=compressed", "-days", "30", "-out", "key.crt")
	f.packed("a compressed point", f.pkcs8("ec.key"), "key.crt", "valid")
	f.packed("a compressed point in both", f.pkcs8("compressed.pem"), "key.crt", "valid")
}

// certified has OpenSSL certify key.pem by itself and pack it, and packs it once more here.
func (f *foreignFiles) certified(name, want string) {
	f.run("openssl", "req", "-x509", "-new", "-key", "key.pem", "-subj", "/CN=key", "-days", "30", "-out", "key.crt")
	f.run("openssl", "pkcs12", "-export", "-inkey", "key.pem", "-in", "key.crt", "-passout", "pass:pw", "-iter", "10", "-out", "key.p12")
	f.add("openssl: "+name, "pw", "key.p12", want)
	f.packed(name, f.pkcs8("key.pem"), "key.crt", want)
}

// pkcs8 is a key of a PEM file as PrivateKeyInfo.
func (f *foreignFiles) pkcs8(key string) []byte {
	f.t.Helper()
	f.run("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", key, "-outform", "DER", "-out", "key.der")
	return mustRead(f.t, filepath.Join(f.directory, "key.der"))
}

// unrestricted is the same RSA key under rsaEncryption.
func unrestricted(t *testing.T, pkcs8 []byte) []byte {
	t.Helper()
	var info struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}
	if _, err := asn1.Unmarshal(pkcs8, &info); err != nil {
		t.Fatal(err)
	}
	return sequenceOf(number(0), sequenceOf(objectID("1.2.840.113549.1.1.1"), []byte{5, 0}), octets(info.Key))
}

// packed puts what OpenSSL would not put together into one file, without localKeyIDs.
func (f *foreignFiles) packed(name string, pkcs8 []byte, certificate, want string) {
	f.t.Helper()
	block, _ := pem.Decode(mustRead(f.t, filepath.Join(f.directory, certificate)))
	contents := pfx.Contents{Keys: []pfx.Key{{PKCS8: pkcs8}}, Certificates: []pfx.Certificate{{DER: block.Bytes}}}
	for _, profile := range []pfx.Profile{pfx.Modern, pfx.Legacy, pfx.PBMAC1} {
		file, err := pfx.Encode(f.t.Context(), bytes.NewReader(make([]byte, 1024)), contents, []byte("pw"), pfx.Options{Profile: profile, Iterations: 10})
		if err != nil {
			f.t.Fatal(err)
		}
		f.rows = append(f.rows, corpusRow{fmt.Sprintf("%s, %s", name, profile), "pw", file, want})
	}
}

// encodings are what becomes of a good file on its way.
func (f *foreignFiles) encodings() {
	f.run("openssl", "pkcs12", "-export", "-inkey", "ec.key", "-in", "ec.crt", "-passout", "pass:pw", "-iter", "10", "-out", "good.p12")
	f.run("openssl", "base64", "-in", "good.p12", "-out", "good.b64")
	f.add("openssl: base64", "pw", "good.b64", "valid file-as-text")
	f.run("openssl", "pkcs8", "-topk8", "-in", "ec.key", "-passout", "pass:pw", "-out", "locked.pem")
	f.add("openssl: pkcs8, encrypted", "pw", "locked.pem", "invalid private-key-alone")
	f.run("openssl", "ec", "-in", "ec.key", "-aes128", "-passout", "pass:pw", "-out", "locked.pem")
	f.add("openssl: a key encrypted in the old way", "pw", "locked.pem", "invalid private-key-alone")
	f.run("openssl", "crl2pkcs7", "-nocrl", "-certfile", "ec.crt", "-outform", "DER", "-out", "good.p7b")
	f.add("openssl: PKCS #7", "pw", "good.p7b", "invalid certificate-only")
	f.run("openssl", "req", "-new", "-key", "ec.key", "-subj", "/CN=x", "-out", "good.csr")
	f.add("openssl: a request", "pw", "good.csr", "invalid not-a-pfx")
	both := append(mustRead(f.t, filepath.Join(f.directory, "ec.crt")), mustRead(f.t, filepath.Join(f.directory, "ec.key"))...)
	f.rows = append(f.rows, corpusRow{"openssl: a certificate and its key in PEM", "pw", both, "invalid private-key-unprotected"})
}

func (f *foreignFiles) certtool() {
	args := []string{"--to-p12", "--load-privkey", "ec.key", "--load-certificate", "ec.crt", "--p12-name", "name", "--outfile", "gnutls.p12"}
	for _, cipher := range []string{"3des-pkcs12", "arcfour", "rc2-40", "aes-256"} {
		f.run("certtool", append(args, "--password", "pw", "--outder", "--pkcs-cipher", cipher)...)
		f.add("certtool: "+cipher, "pw", "gnutls.p12", "valid")
	}
	f.run("certtool", append(args, "--password", "pw", "--outder", "--pkcs-cipher", "none")...)
	f.add("certtool: no cipher", "pw", "gnutls.p12", "unjudged format-unsupported key-not-protected")
	f.run("certtool", append(args, "--password", "pw")...)
	f.add("certtool: PEM", "pw", "gnutls.p12", "valid file-as-text")
	// GnuTLS composes a password for the bags, and makes spaces of all that look so. For the MAC it only takes the length of what is composed.
	for password, want := range map[string]string{
		"Contrasen\u0303a": "valid password-encoding password-encoding", "no\u00a0break": "valid password-encoding", "\u212bngstro\u0308m\u3000": "valid password-encoding password-encoding",
	} {
		for _, cipher := range []string{"3des-pkcs12", "aes-256"} {
			f.run("certtool", append(args, "--password", password, "--outder", "--pkcs-cipher", cipher)...)
			f.add(fmt.Sprintf("certtool: %s, password %+q", cipher, password), password, "gnutls.p12", want)
		}
	}
	// What is composed may be longer, too. GnuTLS fills up with what its memory holds, and opens its own file where that is the same again.
	const longer = "a\u0958bcd"
	f.run("certtool", append(args, "--password", longer, "--outder")...)
	if _, err := foreign(f.directory, nil, "certtool", "--p12-info", "--inder", "--infile", "gnutls.p12", "--password", longer); err == nil {
		f.add(fmt.Sprintf("certtool: password %+q", longer), longer, "gnutls.p12", "valid password-encoding password-encoding")
	}
	f.run("certtool", append(args, "--empty-password", "--outder")...)
	f.add("certtool: an empty password", "", "gnutls.p12", "valid password-empty")
	// GnuTLS 3.8.9 crashes where there is to be no password at all.
	if _, err := foreign(f.directory, nil, "certtool", append(args, "--null-password", "--outder")...); err == nil {
		f.add("certtool: no password", "", "gnutls.p12", "valid password-empty")
	}
}

func (f *foreignFiles) keytool() {
	counts := []string{"-J-Dkeystore.pkcs12.certPbeIterationCount=10", "-J-Dkeystore.pkcs12.keyPbeIterationCount=10", "-J-Dkeystore.pkcs12.macIterationCount=10", "-J-XX:TieredStopAtLevel=1"}
	generate := func(file, alias string, more ...string) {
		f.run("keytool", append(append([]string{"-genkeypair", "-keystore", file, "-storepass", "testtest", "-keypass", "testtest", "-alias", alias, "-dname", "CN=" + alias, "-validity", "30"}, counts...), more...)...)
	}
	generate("java.p12", "one", "-storetype", "PKCS12", "-keyalg", "EC", "-groupname", "secp256r1")
	f.add("keytool: EC", "testtest", "java.p12", "valid")
	generate("java.p12", "two", "-storetype", "PKCS12", "-keyalg", "RSA", "-keysize", "2048")
	f.add("keytool: two keys", "testtest", "java.p12", "valid several-keys")
	f.run("keytool", append([]string{"-genseckey", "-keyalg", "AES", "-keysize", "128", "-alias", "secret", "-keystore", "java.p12", "-storepass", "testtest"}, counts...)...)
	f.add("keytool: two keys and a secret", "testtest", "java.p12", "valid several-keys other-contents")
	generate("nomac.p12", "one", "-storetype", "PKCS12", "-keyalg", "EC", "-groupname", "secp256r1", "-J-Dkeystore.pkcs12.macAlgorithm=NONE")
	f.add("keytool: no MAC", "testtest", "nomac.p12", "valid integrity-not-protected")
	f.run("keytool", append([]string{"-genseckey", "-keyalg", "AES", "-keysize", "128", "-alias", "secret", "-keystore", "secret.p12", "-storetype", "PKCS12", "-storepass", "testtest"}, counts...)...)
	f.add("keytool: a secret alone", "testtest", "secret.p12", "invalid no-private-key other-contents")
	generate("legacy.p12", "one", "-storetype", "PKCS12", "-keyalg", "EC", "-groupname", "secp256r1", "-J-Dkeystore.pkcs12.legacy")
	f.add("keytool: legacy", "testtest", "legacy.p12", "valid")
	f.run("keytool", append([]string{"-importcert", "-noprompt", "-file", "ec.crt", "-alias", "ca", "-keystore", "trust.p12", "-storetype", "PKCS12", "-storepass", "testtest"}, counts...)...)
	f.add("keytool: trusted certificates", "testtest", "trust.p12", "invalid no-private-key")
	for _, kind := range []string{"JKS", "JCEKS"} {
		generate(strings.ToLower(kind), "one", "-storetype", kind, "-keyalg", "EC", "-groupname", "secp256r1")
		f.add("keytool: "+kind, "testtest", strings.ToLower(kind), "invalid java-key-store")
	}
}

func (f *foreignFiles) pk12util() {
	if err := os.Mkdir(filepath.Join(f.directory, "nss"), 0o700); err != nil {
		f.t.Fatal(err)
	}
	f.run("certutil", "-N", "-d", "sql:nss", "--empty-password")
	f.run("openssl", "pkcs12", "-export", "-inkey", "ec.key", "-in", "ec.crt", "-name", "name", "-passout", "pass:pw", "-out", "in.p12")
	f.run("pk12util", "-i", "in.p12", "-d", "sql:nss", "-W", "pw")
	for name, args := range map[string][]string{
		"default": nil, "3DES": {"-c", "PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC"}, "RC2": {"-c", "PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC"},
		"RC4": {"-c", "PKCS #12 V2 PBE With SHA-1 And 128 Bit RC4"}, "clear certificates": {"-C", "none"}, "AES-128": {"-c", "AES-128-CBC"},
	} {
		if _, err := foreign(f.directory, nil, "pk12util", append([]string{"-o", "nss.p12", "-n", "name", "-d", "sql:nss", "-W", "Contraseña€"}, args...)...); err != nil {
			if name == "default" {
				f.t.Fatal(err)
			}
			continue
		}
		f.add("pk12util: "+name, "Contraseña€", "nss.p12", "valid")
	}
}
