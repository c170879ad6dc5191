package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

func TestParseCertificate(t *testing.T) {
	tests := []struct {
		file, subject, algorithm, curve string
		bits                            int
	}{
		{"rsa.crt", "CN=rsa,O=Prova,C=ES", "RSA", "", 2048},
		{"p256.crt", "CN=p256", "EC", "P-256", 256},
		{"explicit.crt", "CN=explicit", "EC", "P-256", 256},
		{"brainpoolP256r1.crt", "CN=brainpoolP256r1", "EC", "brainpoolP256r1", 256},
		{"secp256k1.crt", "CN=secp256k1", "EC", "secp256k1", 256},
		{"sect283r1.crt", "CN=sect283r1", "EC", "1.3.132.0.17", 0},
		{"ed25519.crt", "CN=ed25519", "Ed25519", "", 256},
		{"ed448.crt", "CN=ed448", "Ed448", "", 456},
		{"rsapss.crt", "CN=rsapss", "RSA-PSS", "", 2048},
		{"dsa.crt", "CN=dsa", "DSA", "", 2048},
		{"utf8.crt", `emailAddress=n@example.org,CN=ÑANDÚ GARCÍA — 署名,O=Generació d’Entitats\, S.A.,C=ES`, "EC", "P-256", 256},
		{"hostile.crt", `OU=\#x\+y=\<z\>\;\",O=\ lead\,trail\ ,CN=a\1B[31mred\0Asecond line\E2\80\AEgnp.exe`, "EC", "P-256", 256},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			c := certificate(t, tt.file)
			if string(c.Subject) != tt.subject || string(c.Issuer) != tt.subject {
				t.Errorf("subject %s\nissuer  %s\nwant    %s", c.Subject, c.Issuer, tt.subject)
			}
			k := c.PublicKey
			if k.Algorithm != tt.algorithm || k.Curve != tt.curve || k.Bits != tt.bits || len(k.SPKI) == 0 {
				t.Errorf("key %q %q %d, %d bytes of SPKI", k.Algorithm, k.Curve, k.Bits, len(k.SPKI))
			}
			if !c.SelfIssued() || !c.MayHaveIssued(c) || !c.IsCA || len(c.Unreadable) > 0 {
				t.Errorf("self-issued %t, may have issued itself %t, CA %t, unreadable %v", c.SelfIssued(), c.MayHaveIssued(c), c.IsCA, c.Unreadable)
			}
			if left := time.Until(c.NotAfter); left < 90*365*24*time.Hour || c.NotAfter.Sub(c.NotBefore) != 36500*24*time.Hour {
				t.Errorf("valid %v to %v", c.NotBefore, c.NotAfter)
			}
		})
	}
}

func TestExtensions(t *testing.T) {
	c := certificate(t, "rsa.crt")
	if want := []string{"clientAuth", "emailProtection", "smartcardLogon", "1.2.3.4"}; !slices.Equal(c.Purposes, want) || !c.HasEKU {
		t.Errorf("purposes %v (there: %t), want %v", c.Purposes, c.HasEKU, want)
	}
	if want := []string{"digitalSignature", "nonRepudiation", "keyEncipherment"}; !slices.Equal(c.KeyUsage, want) {
		t.Errorf("key usage %v, want %v", c.KeyUsage, want)
	}
	if !bytes.Contains(c.RawSAN, []byte("a@example.org")) || len(c.SubjectKeyID) != 20 || !bytes.Equal(c.SubjectKeyID, c.AuthorityKeyID) {
		t.Errorf("SAN %q, key ids %x and %x", c.RawSAN, c.SubjectKeyID, c.AuthorityKeyID)
	}
	if none := certificate(t, "p256.crt"); none.HasEKU || none.Purposes != nil || none.KeyUsage != nil || none.RawSAN != nil {
		t.Errorf("a certificate without these extensions has %v %v %x", none.Purposes, none.KeyUsage, none.RawSAN)
	}
}

// TestBrokenExtension holds that an extension nobody can read costs that extension and not the certificate.
func TestBrokenExtension(t *testing.T) {
	extension := func(oid string, value []byte) []byte {
		return tagged(t, cbasn1.SEQUENCE, append(oidDER(t, oid), octetString(t, value)...))
	}
	var list []byte
	broken := []string{"2.5.29.14", "2.5.29.15", "2.5.29.19", "2.5.29.35", "2.5.29.37"}
	for _, oid := range broken {
		list = append(list, extension(oid, []byte{0x02, 0x01})...)
	}
	list = append(list, extension("2.5.29.17", []byte{0x30, 0})...)
	list = append(list, extension("2.5.29.17", []byte{0x31, 0})...) // the same once more
	for value, want := range map[string]bool{"3000": false, "30030101ff": true, "3003010100": false, "3003010101": true} {
		if c := (odd{extensions: extension("2.5.29.19", unhex(t, value))}).parse(t); c.IsCA != want || c.Unreadable != nil {
			t.Errorf("basicConstraints %s: CA %t, unreadable %v", value, c.IsCA, c.Unreadable)
		}
	}
	// Arcs of any size are legal, but decimal text takes quadratic time.
	long := tagged(t, cbasn1.OBJECT_IDENTIFIER, append(bytes.Repeat([]byte{0x81}, 1000), 1))
	if c := (odd{extensions: extension("2.5.29.37", tagged(t, cbasn1.SEQUENCE, long))}).parse(t); c.Purposes != nil || len(c.Unreadable) != 1 {
		t.Errorf("an OID of a thousand octets: %v", c.Purposes)
	}
	uuid := append([]byte{0x69}, append(bytes.Repeat([]byte{0xff}, 18), 0x7f)...)
	if c := (odd{extensions: extension("2.5.29.37", tagged(t, cbasn1.SEQUENCE, tagged(t, cbasn1.OBJECT_IDENTIFIER, uuid)))}).parse(t); len(c.Purposes) != 1 || !strings.HasPrefix(c.Purposes[0], "2.25.1") {
		t.Errorf("a UUID's OID: %v %v", c.Purposes, c.Unreadable)
	}
	c := odd{extensions: list}.parse(t)
	if !slices.Equal(c.Unreadable, broken) || !c.HasEKU || !bytes.Equal(c.RawSAN, []byte{0x30, 0}) {
		t.Errorf("unreadable %v, EKU there %t, SAN %x", c.Unreadable, c.HasEKU, c.RawSAN)
	}
	odd{hasExtensionsList: true}.parse(t) // an empty list, which RFC 5280 forbids
	cut := append(extension("2.5.29.37", []byte{0x30, 0}), 0x30, 5)
	if c := (odd{extensions: cut}).parse(t); !c.HasEKU || !slices.Equal(c.Unreadable, []string{"extensions"}) {
		t.Errorf("a list that is cut off: EKU there %t, unreadable %v", c.HasEKU, c.Unreadable)
	}
}

func TestSerial(t *testing.T) {
	if got := certificate(t, "negative.crt").Serial; got != "-1234" {
		t.Errorf("negative.crt has serial %s", got)
	}
	for content, want := range map[string]string{
		"00": "00", "01": "01", "0a1b": "0a1b", "00ff": "ff", "0000ff": "ff", "ff": "-01", "80": "-80", "ff7f": "-81", "8000": "-8000",
	} {
		if got := (odd{serial: unhex(t, content)}).parse(t).Serial; got != want {
			t.Errorf("%s: got %s, want %s", content, got, want)
		}
	}
}

func TestValidityForms(t *testing.T) {
	tests := []struct {
		tag  cbasn1.Tag
		text string
		want time.Time
	}{
		{cbasn1.UTCTime, "491231235959Z", date(2049, 12, 31, 23, 59, 59)},
		{cbasn1.UTCTime, "500101000000Z", date(1950, 1, 1, 0, 0, 0)},
		{cbasn1.UTCTime, "690101000000Z", date(1969, 1, 1, 0, 0, 0)},
		{cbasn1.UTCTime, "680101000000Z", date(1968, 1, 1, 0, 0, 0)},
		{cbasn1.UTCTime, "2401020304Z", date(2024, 1, 2, 3, 4, 0)},
		{cbasn1.UTCTime, "240102030405+0100", date(2024, 1, 2, 2, 4, 5)},
		{cbasn1.GeneralizedTime, "20500101000000Z", date(2050, 1, 1, 0, 0, 0)},
		{cbasn1.GeneralizedTime, "20240102030405.5Z", date(2024, 1, 2, 3, 4, 5).Add(500 * time.Millisecond)},
		{cbasn1.GeneralizedTime, "99991231235959Z", date(9999, 12, 31, 23, 59, 59)},
		{cbasn1.GeneralizedTime, "20240102030405", date(2024, 1, 2, 3, 4, 5)},
	}
	for _, tt := range tests {
		c := odd{notAfter: tagged(t, tt.tag, []byte(tt.text))}.parse(t)
		if !c.NotAfter.Equal(tt.want) || c.NotAfter.Location() != time.UTC {
			t.Errorf("%s: got %v, want %v", tt.text, c.NotAfter, tt.want)
		}
	}
	for _, text := range []string{"", "Z", "240230000000Z", "yesterday", "24010203040506Z"} {
		if _, err := ParseCertificate(odd{notBefore: tagged(t, cbasn1.UTCTime, []byte(text))}.der(t)); !isMalformed(err) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestUnknownKey holds that a certificate outlives a key nobody understands.
func TestUnknownKey(t *testing.T) {
	offCurve := bytes.Clone(certificate(t, "p256.crt").PublicKey.SPKI)
	offCurve[len(offCurve)-1] ^= 1
	algorithm := tagged(t, cbasn1.SEQUENCE, oidDER(t, "2.16.840.1.101.3.4.3.17")) // ML-DSA-44
	for name, spki := range map[string][]byte{
		"unknown algorithm":     tagged(t, cbasn1.SEQUENCE, append(algorithm, tagged(t, cbasn1.BIT_STRING, []byte{0, 1})...)),
		"point off its curve":   offCurve,
		"not even an algorithm": {0x30, 0},
	} {
		c := odd{spki: spki}.parse(t)
		if c.PublicKey.Algorithm != "" || !bytes.Equal(c.PublicKey.SPKI, spki) {
			t.Errorf("%s: algorithm %q, SPKI %x", name, c.PublicKey.Algorithm, c.PublicKey.SPKI)
		}
	}
}

func TestCertificatePadding(t *testing.T) {
	for _, name := range fixtures(t, "crt", 10) {
		der := file(t, name)
		padded := append(append(bytes.Clone(der), make([]byte, 300)...), "junk"...)
		plain, err := ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		cut, err := ParseCertificate(padded)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain, cut); diff != "" || !bytes.Equal(cut.Raw, der) {
			t.Errorf("%s: padding made a difference:\n%s", name, diff)
		}
		clear(padded)
		if !bytes.Equal(cut.Raw, der) || cmp.Diff(plain, cut) != "" {
			t.Errorf("%s: the certificate shares memory with its input", name)
		}
	}
}

// TestLooseEnds: bytes behind the signature, a signature that is no whole number of bytes, an algorithm that is none.
func TestLooseEnds(t *testing.T) {
	der := odd{}.der(t)
	s := cryptobyte.String(der)
	var content, tbs cryptobyte.String
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) || !content.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		t.Fatal("no certificate")
	}
	for what, rest := range map[string][]byte{
		"bytes behind":    append(bytes.Clone(content), 0, 0),
		"seven bits":      append(sequence(t, oidDER(t, "1.2.840.10045.4.3.2")), 3, 2, 1, 0),
		"no algorithm":    append(sequence(t, []byte{5, 0}), 3, 2, 0, 0),
		"no signature":    append(sequence(t, oidDER(t, "1.2.840.10045.4.3.2")), 3, 0),
		"many parameters": append(sequence(t, oidDER(t, "1.2.840.10045.4.3.2"), derNull, derNull), 3, 2, 0, 0),
	} {
		c, err := ParseCertificate(sequence(t, tbs, rest))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		Chain(c, []*Certificate{certificate(t, "p256.crt")})
	}
}

func TestCertificateTruncated(t *testing.T) {
	der := file(t, "rsa.crt")
	for i := range der {
		if _, err := ParseCertificate(der[:i]); !isMalformed(err) {
			t.Fatalf("%d of %d bytes: %v", i, len(der), err)
		}
	}
}

// TestLargeCertificate: what a hostile token can store must be read in linear time.
func TestLargeCertificate(t *testing.T) {
	var purposes, attributes []byte
	for i := range 1 << 17 {
		purposes = append(purposes, 6, 4, 0x2a, byte(0x80|(i>>14+1)), byte(0x80|i>>7&0x7f), byte(i&0x7f))
	}
	attribute := oneAttribute(t, "2.5.4.3", tagged(t, cbasn1.UTF8String, []byte("\x1b\u202e")))
	for range 1 << 15 {
		attributes = append(attributes, attribute[2:]...)
	}
	value := octetString(t, tagged(t, cbasn1.SEQUENCE, purposes))
	runtime.LockOSThread() // whose processor time is measured: other work on the machine does not count
	defer runtime.UnlockOSThread()
	start := threadTime(t)
	c := odd{
		serial: bytes.Repeat([]byte{0x7f}, 1<<20), subject: tagged(t, cbasn1.SEQUENCE, attributes),
		extensions: tagged(t, cbasn1.SEQUENCE, append(oidDER(t, "2.5.29.37"), value...)),
	}.parse(t)
	if took := threadTime(t) - start; took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if len(c.Purposes) != 1<<17 || len(c.Serial) != 2<<20 || !printable(string(c.Subject)) {
		t.Errorf("%d purposes, %d digits", len(c.Purposes), len(c.Serial))
	}
}

func TestMayHaveIssued(t *testing.T) {
	name := func(s string) []byte { return oneAttribute(t, "2.5.4.3", tagged(t, cbasn1.UTF8String, []byte(s))) }
	ca := func(keyID ...byte) *Certificate { return &Certificate{RawSubject: name("CA"), SubjectKeyID: keyID} }
	child := func(issuer string, keyID ...byte) *Certificate {
		return &Certificate{RawSubject: name("leaf"), RawIssuer: name(issuer), AuthorityKeyID: keyID}
	}
	tests := []struct {
		what      string
		ca, child *Certificate
		want      bool
	}{
		{"no key identifiers", ca(), child("CA"), true},
		{"the CA's alone", ca(1), child("CA"), true},
		{"the child's alone", ca(), child("CA", 1), true},
		{"equal ones", ca(1, 2), child("CA", 1, 2), true},
		{"different ones", ca(1, 2), child("CA", 1, 3), false},
		{"another name", ca(), child("CB"), false},
		{"another name, equal key identifiers", ca(1), child("CB", 1), false},
	}
	for _, tt := range tests {
		if got := tt.ca.MayHaveIssued(tt.child); got != tt.want {
			t.Errorf("%s: %t", tt.what, got)
		}
		if tt.child.SelfIssued() {
			t.Errorf("%s: the child is self-issued", tt.what)
		}
	}
}

// compareWithX509 holds what crypto/x509 says of the same bytes against ours.
func compareWithX509(t testing.TB, c *Certificate, std *x509.Certificate) {
	t.Helper()
	if !bytes.Equal(c.Raw, std.Raw) || !bytes.Equal(c.RawSubject, std.RawSubject) || !bytes.Equal(c.RawIssuer, std.RawIssuer) {
		t.Error("raw fields differ")
	}
	if !c.NotBefore.Equal(std.NotBefore) || !c.NotAfter.Equal(std.NotAfter) {
		t.Errorf("validity %v to %v, want %v to %v", c.NotBefore, c.NotAfter, std.NotBefore, std.NotAfter)
	}
	serial := std.SerialNumber.Bytes()
	if len(serial) == 0 {
		serial = []byte{0}
	}
	if want := hex.EncodeToString(serial); strings.TrimPrefix(c.Serial, "-") != want {
		t.Errorf("serial %s, want %s", c.Serial, want)
	}
	if std.Version != 3 {
		return // crypto/x509 does not look at their extensions
	}
	if c.IsCA != std.IsCA || !bytes.Equal(c.SubjectKeyID, std.SubjectKeyId) || !bytes.Equal(c.AuthorityKeyID, std.AuthorityKeyId) {
		t.Error("basic constraints or key identifiers differ")
	}
	var usage x509.KeyUsage
	for _, name := range c.KeyUsage {
		usage |= 1 << slices.Index(keyUsageNames, name)
	}
	if usage != std.KeyUsage {
		t.Errorf("key usage %v, want %b", c.KeyUsage, std.KeyUsage)
	}
	if got, want := len(c.Purposes), len(std.ExtKeyUsage)+len(std.UnknownExtKeyUsage); got > want || (got == 0) != (want == 0) {
		t.Errorf("%d purposes, want %d", got, want)
	}
	if len(c.Unreadable) > 0 {
		t.Errorf("unreadable: %v", c.Unreadable)
	}
}

func TestCertificateAgainstX509(t *testing.T) {
	compared := 0
	for _, name := range fixtures(t, "crt", 10) {
		std, err := x509.ParseCertificate(file(t, name))
		if err != nil {
			continue // which is why this package is here
		}
		compareWithX509(t, certificate(t, name), std)
		compared++
	}
	if compared < 5 {
		t.Errorf("only %d certificates were compared", compared)
	}
}

func isMalformed(err error) bool {
	var malformed *MalformedError
	return errors.As(err, &malformed) && strings.HasPrefix(err.Error(), "malformed ")
}

func isUnsupported(err error) bool {
	var unsupported *UnsupportedError
	return errors.As(err, &unsupported)
}

func FuzzParseCertificate(f *testing.F) {
	for _, name := range fixtures(f, "crt", 10) {
		f.Add(file(f, name))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := ParseCertificate(der)
		if err != nil {
			if !isMalformed(err) {
				t.Fatalf("an error of another type: %v", err)
			}
			if _, stdErr := x509.ParseCertificate(der); stdErr == nil {
				t.Fatalf("crypto/x509 reads it, and we say: %v", err)
			}
			return
		}
		if !bytes.HasPrefix(der, c.Raw) {
			t.Fatal("Raw is not what stands in front")
		}
		for _, text := range []string{string(c.Subject), string(c.Issuer)} {
			if !printable(text) {
				t.Fatalf("%q is not fit to be shown", text)
			}
		}
		if again, err := ParseCertificate(c.Raw); err != nil || cmp.Diff(c, again) != "" {
			t.Fatalf("Raw does not parse to the same: %v", err)
		}
		if k := c.PublicKey; k.Algorithm != "" {
			if again, err := ParsePublicKey(k.SPKI); err != nil || again.Algorithm != k.Algorithm && k.Algorithm != "RSA-PSS" || !again.Equal(k) {
				t.Fatalf("the canonical key does not parse to itself: %v", err)
			}
		}
		if std, err := x509.ParseCertificate(c.Raw); err == nil {
			compareWithX509(t, c, std)
		}
		Chain(c, []*Certificate{c, certificate(t, "rsa.crt")})
	})
}
