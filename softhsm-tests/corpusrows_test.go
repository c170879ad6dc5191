package softhsmtests

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// corpusRow is a file of another program's making, or of the builder's, and what is to be said of it: "valid", "invalid" or
// "unjudged", and the reasons. That its protection is weak is said of nearly all, and not repeated here.
type corpusRow struct {
	name, password string
	file           []byte
	want           string
}

// corpusIdentity is a key with its certificate.
type corpusIdentity struct{ pkcs8, certificate []byte }

// corpusKey makes a P-256 key, certified by the issuer, or by itself if that is nil.
func corpusKey(t *testing.T, name string, from, until time.Duration, issuer *x509.Certificate, issuerKey any) (corpusIdentity, any) {
	t.Helper()
	key := newEC(t, elliptic.P256())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(until),
		IsCA: true, BasicConstraintsValid: true,
	}
	if issuer == nil {
		issuer, issuerKey = template, key
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return corpusIdentity{pkcs8, certificate}, key
}

const day = 24 * time.Hour

func plainIdentity(t *testing.T, name string) corpusIdentity {
	t.Helper()
	id, _ := corpusKey(t, name, -day, 365*day, nil, nil)
	return id
}

// encodingRows have every encoding of a password that is tried, for the MAC and for the bags by themselves.
func encodingRows(t *testing.T) []corpusRow {
	t.Helper()
	id := plainIdentity(t, "encoded")
	type coded struct {
		name   string
		secret []byte
		odd    bool
	}
	distinct := func(all ...coded) []coded {
		var kept []coded
		for _, one := range all {
			if !slices.ContainsFunc(kept, func(k coded) bool { return bytes.Equal(k.secret, one.secret) }) {
				kept = append(kept, one)
			}
		}
		return kept
	}
	var rows []corpusRow
	for _, text := range []string{"", "plain", "Contraseña", "Contraseña€", "pw😀pass"} {
		astral := strings.Contains(text, "😀")
		bmp := distinct(coded{"UTF-16", standardBMP(text), astral}, coded{"widened UTF-8", widenedBytes(text), true},
			coded{"widened Windows-1252", widenedBytes(string(latin1Or(text))), true}, coded{"open UTF-16", utf16Of(text), text != ""})
		bytewise := distinct(coded{"UTF-8", []byte(text), false}, coded{"one byte", windows1252Or(text), true}, coded{"UTF-16 bytes", standardBMP(text), true}, coded{"lower bytes", lowerBytes(text), true})
		if text == "" {
			bytewise = bytewise[:1]
		}
		for _, mac := range bmp {
			for i, bags := range append(slices.Clone(bytewise), bmp...) {
				under, kind := underAES(bags.secret), "PBES2"
				if i >= len(bytewise) {
					under, kind = underTripleDES(bags.secret), "3DES"
				}
				want := "valid"
				odd := map[string]bool{}
				for _, c := range []coded{mac, bags} {
					if c.odd && !odd[strings.TrimSuffix(c.name, " bytes")] {
						odd[strings.TrimSuffix(c.name, " bytes")] = true
						want += " password-encoding"
					}
				}
				if text == "" {
					want += " password-empty"
				}
				rows = append(rows, corpusRow{
					fmt.Sprintf("encodings %q: MAC %s, %s %s", text, mac.name, kind, bags.name), text,
					pfxOf(macSHA1(mac.secret), sealed(under, certBagOf(id.certificate)), inClear(shroudedBag(under, id.pkcs8))), want,
				})
			}
		}
	}
	return rows
}

// lowerBytes is what node-forge 1.4 makes of a password under PBES2: its hash takes four units for a number of 32 bits.
func lowerBytes(text string) []byte {
	var out []byte
	for i, unit := range utf16.Encode([]rune(text)) {
		if i%4 != 0 {
			out[i-1] ^= byte(unit >> 8)
		}
		out = append(out, byte(unit))
	}
	return out
}

// windows1252Or and latin1Or are the text in one byte a character, or in UTF-8 where a character has none.
func windows1252Or(text string) []byte {
	if strings.Contains(text, "😀") {
		return []byte(text)
	}
	return windows1252(text)
}

func latin1Or(text string) []byte { return windows1252Or(text) }

// shapeRows have what RFC 7292 allows and what it does not, in one identity.
func shapeRows(t *testing.T) []corpusRow {
	t.Helper()
	id, other := plainIdentity(t, "one"), plainIdentity(t, "other")
	bmp, raw := standardBMP("pw"), []byte("pw")
	mac := macSHA256(bmp)
	key := func(attributes ...[]byte) []byte { return shroudedBag(underAES(raw), id.pkcs8, attributes...) }
	certificate := func(attributes ...[]byte) []byte { return certBagOf(id.certificate, attributes...) }
	good := pfxOf(mac, sealed(underAES(raw), certificate()), inClear(key()))
	nested := bagOf(6, sequenceOf(key(), bagOf(6, sequenceOf(certificate()))))
	content := sequenceOf(inClear(certificate(), key()))
	half := len(content) / 2
	pieces := ber(0x24, octets(content[:half]), octets(content[half:]))
	rows := []corpusRow{
		{"plain", "", good, "valid"},
		{"certificates first", "", pfxOf(mac, inClear(certificate(), certBagOf(other.certificate), key())), "valid"},
		{"the issuer first", "", pfxOf(mac, inClear(certBagOf(other.certificate), certificate(), key())), "valid"},
		{"a safe for each bag", "", pfxOf(mac, inClear(key()), inClear(), sealed(underAES(raw), certificate()), inClear()), "valid"},
		{"nested safes", "", pfxOf(mac, inClear(nested)), "valid"},
		{"a key bag in an encrypted safe", "", pfxOf(mac, sealed(underAES(raw), bagOf(1, id.pkcs8), certificate())), "valid"},
		{"a shrouded bag in an encrypted safe", "", pfxOf(mac, sealed(underTripleDES(bmp), key(), certificate())), "valid"},
		{"a key in clear", "", pfxOf(mac, inClear(bagOf(1, id.pkcs8), certificate())), "valid key-not-protected"},
		{"a CRL and a secret beside them", "", pfxOf(mac, inClear(key(), certificate(), bagOf(4, sequenceOf(objectID("1.2.840.113549.1.9.23.1"), tlv(0xa0, octets([]byte{1})))),
			bagOf(5, sequenceOf(objectID("1.2.3"), tlv(0xa0, octets([]byte{1})))))), "valid other-contents"},
		{"an SDSI certificate beside them", "", pfxOf(mac, inClear(key(), certificate(), bagOf(3, sequenceOf(objectID("1.2.840.113549.1.9.22.2"), tlv(0xa0, tlv(0x16, []byte("x"))))))), "valid other-contents"},
		{"a bag of an unknown type", "", pfxOf(mac, inClear(key(), certificate(), sequenceOf(objectID("2.999.7"), tlv(0xa0, number(1))))), "valid other-contents"},
		{"a certificate that is none beside it", "", pfxOf(mac, inClear(certBagOf(sequenceOf(number(1))), key(), certificate())), "valid further-certificate-unreadable"},
		{"localKeyID of both", "", pfxOf(mac, inClear(key(localKeyIDOf("a")), certificate(localKeyIDOf("a")))), "valid"},
		{"localKeyID of the key alone", "", pfxOf(mac, inClear(key(localKeyIDOf("a")), certificate())), "valid"},
		{"localKeyIDs that differ", "", pfxOf(mac, inClear(key(localKeyIDOf("a")), certificate(localKeyIDOf("b")))), "valid"},
		{"localKeyID of another certificate", "", pfxOf(mac, inClear(key(localKeyIDOf("a")), certBagOf(other.certificate, localKeyIDOf("a")), certificate(localKeyIDOf("b")))), "valid"},
		{"a friendlyName in UTF-8", "", pfxOf(mac, inClear(key(attributeOf("1.2.840.113549.1.9.20", tlv(0x0c, []byte("näme")))), certificate())), "valid"},
		{"a friendlyName cut off", "", pfxOf(mac, inClear(key(attributeOf("1.2.840.113549.1.9.20", tlv(0x1e, []byte{0, 'a', 0}))), certificate())), "valid"},
		{"a friendlyName with its end", "", pfxOf(mac, inClear(key(friendlyNameOf("name\x00")), certificate())), "valid"},
		{"a friendlyName with two values", "", pfxOf(mac, inClear(key(attributeOf("1.2.840.113549.1.9.20", tlv(0x1e, utf16Of("a")), tlv(0x1e, utf16Of("b")))), certificate())), "valid"},
		{"two friendlyNames", "", pfxOf(mac, inClear(key(friendlyNameOf("a"), friendlyNameOf("b")), certificate())), "valid"},
		{"the name of a CSP", "", pfxOf(mac, inClear(key(attributeOf("1.3.6.1.4.1.311.17.1", tlv(0x1e, utf16Of("CSP"))), attributeOf("1.3.6.1.4.1.311.17.2")), certificate())), "valid"},
		{"an empty set of attributes", "", pfxOf(mac, inClear(sequenceOf(objectID(bagTypes+"2"), tlv(0xa0, sequenceOf(underAES(raw).algorithm, octets(underAES(raw).encrypt(id.pkcs8)))), tlv(0x31)), certificate())), "valid"},
		{"zero bytes behind the key", "", pfxOf(mac, inClear(shroudedBag(underAES(raw), append(bytes.Clone(id.pkcs8), make([]byte, 9)...)), certificate())), "valid"},
		{"indefinite lengths", "", ber(0x30, number(3), ber(0x30, objectID(dataType), ber(0xa0, octets(content))), mac(content)), "valid"},
		{"the content in pieces", "", ber(0x30, number(3), ber(0x30, objectID(dataType), ber(0xa0, pieces)), mac(content)), "valid"},
		{"the same key twice", "", pfxOf(mac, inClear(key(), key(), certificate())), "valid several-keys"},
		{"two keys with their certificates", "", pfxOf(mac, inClear(key(friendlyNameOf("one")), certificate(), shroudedBag(underAES(raw), other.pkcs8, friendlyNameOf("other")), certBagOf(other.certificate))), "valid several-keys"},
		{"a second key without certificate", "", pfxOf(mac, inClear(key(), certificate(), shroudedBag(underAES(raw), other.pkcs8))), "valid several-keys further-key-incomplete"},
		{"a first key without certificate", "", pfxOf(mac, inClear(shroudedBag(underAES(raw), other.pkcs8), key(), certificate())), "valid several-keys further-key-incomplete"},
		{"a second key with another password", "", pfxOf(mac, inClear(key(), certificate(), shroudedBag(underAES([]byte("keypw")), other.pkcs8), certBagOf(other.certificate))), "valid several-keys further-key-incomplete"},
		{"a second key of an unknown kind", "", pfxOf(mac, inClear(key(), certificate(), shroudedBag(underAES(raw), unknownPKCS8()))), "valid several-keys further-key-incomplete"},
		{"no key", "", pfxOf(mac, inClear(certificate())), "invalid no-private-key"},
		{"no certificate", "", pfxOf(mac, inClear(key())), "invalid no-certificate"},
		{"only an SDSI certificate", "", pfxOf(mac, inClear(key(), bagOf(3, sequenceOf(objectID("1.2.840.113549.1.9.22.2"), tlv(0xa0, tlv(0x16, []byte("x"))))))), "invalid no-certificate other-contents"},
		{"nothing in it", "", pfxOf(mac), "invalid no-private-key"},
		{"the key of another certificate", "", pfxOf(mac, inClear(key(), certBagOf(other.certificate))), "invalid key-of-another-certificate"},
		{"the key of another certificate, with localKeyID", "", pfxOf(mac, inClear(key(localKeyIDOf("a")), certBagOf(other.certificate, localKeyIDOf("a")))), "invalid key-of-another-certificate"},
		{"a key of an unknown kind", "", pfxOf(mac, inClear(shroudedBag(underAES(raw), unknownPKCS8()), certificate())), "unjudged format-unsupported"},
		{"an expired certificate", "", renewedFile(t, mac, raw, -2*day, -day), "valid certificate-expired"},
		{"a certificate of tomorrow", "", renewedFile(t, mac, raw, day, 2*day), "valid certificate-not-yet-valid"},
	}
	rows = append(rows, chainRows(t, mac, raw)...)
	return append(rows, unsoundRSA(t, mac, raw))
}

// unknownPKCS8 is a PrivateKeyInfo of ML-KEM-768.
func unknownPKCS8() []byte {
	return sequenceOf(number(0), sequenceOf(objectID("2.16.840.1.101.3.4.4.2")), octets(make([]byte, 64)))
}

func renewedFile(t *testing.T, mac integrity, password []byte, from, until time.Duration) []byte {
	t.Helper()
	id, _ := corpusKey(t, "dated", from, until, nil, nil)
	return pfxOf(mac, inClear(shroudedBag(underAES(password), id.pkcs8), certBagOf(id.certificate)))
}

func chainRows(t *testing.T, mac integrity, password []byte) []corpusRow {
	t.Helper()
	root, rootKey := corpusKey(t, "root", -day, 365*day, nil, nil)
	issuer, err := x509.ParseCertificate(root.certificate)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := corpusKey(t, "leaf", -day, 365*day, issuer, rootKey)
	key := shroudedBag(underAES(password), leaf.pkcs8)
	return []corpusRow{
		{"a chain", "", pfxOf(mac, inClear(key, certBagOf(leaf.certificate), certBagOf(root.certificate))), "valid"},
		{"a chain, the root first", "", pfxOf(mac, inClear(certBagOf(root.certificate), certBagOf(leaf.certificate), key)), "valid"},
		{"a chain without its root", "", pfxOf(mac, inClear(key, certBagOf(leaf.certificate))), "valid chain-incomplete"},
	}
}

// unsoundRSA is a key whose first prime is another one, under the certificate of the sound key.
func unsoundRSA(t *testing.T, mac integrity, password []byte) corpusRow {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "unsound"}, NotBefore: time.Now().Add(-day), NotAfter: time.Now().Add(365 * day)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}
	if _, err := asn1.Unmarshal(pkcs8, &info); err != nil {
		t.Fatal(err)
	}
	prime := key.Primes[0].Bytes()
	at := bytes.Index(info.Key, prime)
	info.Key[at+len(prime)-1] ^= 2
	if pkcs8, err = asn1.Marshal(info); err != nil {
		t.Fatal(err)
	}
	return corpusRow{"an RSA key that contradicts itself", "", pfxOf(mac, inClear(shroudedBag(underAES(password), pkcs8), certBagOf(certificate))), "invalid key-not-sound"}
}

// exposedRows have a private key without any encryption, and something that keeps the file from being read.
func exposedRows(t *testing.T) []corpusRow {
	t.Helper()
	id := plainIdentity(t, "one")
	mac, certificate := macSHA256(standardBMP("pw")), func() []byte { return certBagOf(id.certificate) }
	return []corpusRow{
		{"a key in clear, in a bag for an encrypted one", "", pfxOf(mac, inClear(bagOf(2, id.pkcs8), certificate())), "unjudged format-unsupported key-not-protected"},
		{"a key in clear, in a bag for an encrypted one, without a MAC", "", pfxOf(nil, inClear(bagOf(2, id.pkcs8), certificate())), "invalid file-damaged key-not-protected"},
		{"a key in clear, under another password", "", pfxOf(macSHA256(standardBMP("other")), inClear(bagOf(1, id.pkcs8), certificate())), "invalid password-incorrect key-not-protected"},
	}
}

// protectionRows have what stands around the contents: the MAC or none, schemes, salts, counts, damage, text.
func protectionRows(t *testing.T) []corpusRow {
	t.Helper()
	id := plainIdentity(t, "protected")
	bmp, raw := standardBMP("pw"), []byte("pw")
	mac := macSHA256(bmp)
	key, certificate := shroudedBag(underAES(raw), id.pkcs8), certBagOf(id.certificate)
	under := func(s scheme) []byte { return pfxOf(mac, sealed(s, certificate), inClear(shroudedBag(s, id.pkcs8))) }
	salted := func(n int) []byte {
		salt := make([]byte, n)
		return pfxOf(macOf("1.3.14.3.2.26", sha1New, 64, bmp, salt), sealed(underTripleDESWithSalt(bmp, salt), certificate), inClear(shroudedBag(underAESWithSalt(raw, salt), id.pkcs8)))
	}
	broken := sequenceOf(number(1))
	counted := func(content []byte) []byte {
		return sequenceOf(sequenceOf(sequenceOf(objectID("1.3.14.3.2.26"), []byte{5, 0}), octets(make([]byte, 20))), octets([]byte("salt")), number(10_000_001))
	}
	return []corpusRow{
		{"no MAC", "", pfxOf(nil, sealed(underAES(raw), certificate), inClear(key)), "valid integrity-not-protected"},
		{"no MAC, nothing encrypted", "", pfxOf(nil, inClear(bagOf(1, id.pkcs8), certificate)), "valid key-not-protected integrity-not-protected"},
		{"no MAC, another password", "", pfxOf(nil, sealed(underAES([]byte("other")), certificate), inClear(key)), "invalid password-incorrect"},
		{"another password", "", pfxOf(macSHA256(standardBMP("other")), inClear(key, certificate)), "invalid password-incorrect"},
		{"a key with another password", "", pfxOf(mac, inClear(shroudedBag(underAES([]byte("keypw")), id.pkcs8), certificate)), "invalid inner-password-differs"},
		{"a safe with another password", "", pfxOf(mac, sealed(underAES([]byte("other")), certificate), inClear(key)), "invalid inner-password-differs"},
		{"PBMAC1", "", pfxOf(pbmac1(raw, 32), inClear(key, certificate)), "valid"},
		{"PBMAC1 with an unused count of zero", "", pfxOf(pbmac1With(raw, 32, octets(nil), number(0)), inClear(key, certificate)), "valid"},
		{"PBMAC1 with a longer unused salt than any that is used", "", pfxOf(pbmac1With(raw, 32, octets(make([]byte, 1<<17))), inClear(key, certificate)), "valid"},
		{"PBMAC1 with the shortest key", "", pfxOf(pbmac1(raw, 20), inClear(key, certificate)), "valid"},
		{"PBMAC1 with too short a key", "", pfxOf(pbmac1(raw, 16), inClear(key, certificate)), "unjudged file-beyond-limits"},
		{"PBMAC1 without a key length", "", pfxOf(pbmac1(raw, 0), inClear(key, certificate)), "unjudged format-unsupported"},
		{"a MAC that nobody has", "", pfxOf(macOf("2.999.1", sha1New, 64, bmp, []byte("salt")), inClear(key, certificate)), "unjudged format-unsupported"},
		{"too many iterations", "", pfxOf(counted, inClear(key, certificate)), "unjudged iteration-count-too-large"},
		{"3DES", "", under(underTripleDES(bmp)), "valid"},
		{"RC4", "", under(underRC4(bmp)), "valid"},
		{"scrypt", "", under(underScrypt(raw, 1024, 8, 1)), "valid"},
		{"scrypt of four gigabytes", "", under(underScrypt(raw, 1<<22, 8, 1)), "unjudged file-beyond-limits"},
		{"a scheme that nobody has", "", under(underUnknown()), "unjudged format-unsupported"},
		{"a key bag in a scheme that nobody has", "", pfxOf(mac, inClear(shroudedBag(underUnknown(), id.pkcs8), certificate)), "unjudged format-unsupported"},
		{"a scheme that nobody has, and another password", "", pfxOf(macSHA256(standardBMP("other")), inClear(shroudedBag(underUnknown(), id.pkcs8), certificate)), "invalid password-incorrect"},
		{"public-key privacy", "", pfxOf(mac, inClear(key, certificate), sequenceOf(objectID("1.2.840.113549.1.7.3"), tlv(0xa0, sequenceOf()))), "unjudged format-unsupported"},
		{"public-key integrity", "", sequenceOf(number(3), sequenceOf(objectID("1.2.840.113549.1.7.2"), tlv(0xa0, sequenceOf()))), "unjudged format-unsupported"},
		{"no salt", "", salted(0), "valid"},
		{"2,000 bytes of salt", "", salted(2000), "valid"},
		{"65,536 bytes of salt", "", salted(1 << 16), "valid"},
		{"65,537 bytes of salt", "", salted(1<<16 + 1), "unjudged file-beyond-limits"},
		{"a safe that is none, under a MAC that fits", "", pfxOf(mac, clearData(broken)), "unjudged format-unsupported"},
		{"a safe that is none, under another MAC", "", pfxOf(macSHA256(standardBMP("other")), clearData(broken)), "invalid file-damaged"},
		{"a safe that is none, without a MAC", "", pfxOf(nil, clearData(broken)), "invalid file-damaged"},
		{"an encrypted safe that is none", "", pfxOf(mac, sealedContent(underAES(raw), broken), inClear(key)), "unjudged format-unsupported"},
	}
}

// formRows are whole files in another dress, damaged ones, and files of another kind.
func formRows(t *testing.T) []corpusRow {
	t.Helper()
	id, raw := plainIdentity(t, "formed"), []byte("pw")
	good := pfxOf(macSHA256(standardBMP("pw")), sealed(underAES(raw), certBagOf(id.certificate)), inClear(shroudedBag(underAES(raw), id.pkcs8)))
	block := func(label string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}) }
	plain64 := []byte(base64.StdEncoding.EncodeToString(good))
	altered := bytes.Clone(good)
	altered[len(altered)/2] ^= 1
	return []corpusRow{
		{"cut off", "", good[:len(good)-1], "invalid file-damaged"},
		{"half of it", "", good[:len(good)/2], "invalid file-damaged"},
		{"one bit altered", "", altered, "invalid password-incorrect"},
		{"a version of 1", "", sequenceOf(number(1), clearData(sequenceOf())), "invalid not-a-pfx"},
		{"an end of line behind it", "", append(bytes.Clone(good), '\n'), "valid trailing-data"},
		{"much behind it", "", append(bytes.Clone(good), make([]byte, 9000)...), "valid trailing-data"},
		{"twice in one file", "", append(bytes.Clone(good), good...), "valid trailing-data"},
		{"PEM", "", block("PKCS12", good), "valid file-as-text"},
		{"PEM with the label of a certificate", "", block("CERTIFICATE", good), "valid file-as-text"},
		{"Base64", "", plain64, "valid file-as-text"},
		{"Base64 in quotes", "", []byte(`p12: "` + string(plain64) + `"`), "valid file-as-text"},
		{"Base64 twice", "", []byte(base64.StdEncoding.EncodeToString(plain64)), "valid file-as-text"},
		{"Base64 in UTF-16", "", append([]byte{0xff, 0xfe}, swappedBytes(utf16Of(string(plain64)))...), "valid file-as-text"},
		{"PEM, cut off", "", block("PKCS12", good)[:700], "invalid file-damaged"},
		{"a key store of Java", "", []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02"), "invalid java-key-store"},
		{"a key in clear, PKCS #8", "", id.pkcs8, "invalid private-key-unprotected"},
		{"a key in clear, PEM", "", block("PRIVATE KEY", id.pkcs8), "invalid private-key-unprotected"},
		{"an encrypted key, PKCS #8", "", sequenceOf(underAES(raw).algorithm, octets(underAES(raw).encrypt(id.pkcs8))), "invalid private-key-alone"},
		{"a certificate", "", id.certificate, "invalid certificate-only"},
		{"a certificate, PEM", "", block("CERTIFICATE", id.certificate), "invalid certificate-only"},
		{"PKCS #7", "", sequenceOf(objectID("1.2.840.113549.1.7.2"), tlv(0xa0, sequenceOf(number(1)))), "invalid certificate-only"},
		{"text", "", []byte("Lorem ipsum"), "invalid not-a-pfx"},
		{"empty", "", nil, "invalid file-empty"},
	}
}

func swappedBytes(text []byte) []byte {
	for i := 0; i+1 < len(text); i += 2 {
		text[i], text[i+1] = text[i+1], text[i]
	}
	return text
}
