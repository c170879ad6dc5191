package softhsmtests

import (
	"bytes"
	"crypto/des"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/x509"
	"math/big"
	"slices"
	"testing"
)

// inBER is a DER element whose length is indefinite.
func inBER(der []byte) []byte {
	header := 2
	if der[1] > 0x80 {
		header += int(der[1] & 0x7f)
	}
	return ber(der[0], der[header:])
}

// padding is what some programs leave behind an element.
func padding(element []byte, rest string) []byte { return append(bytes.Clone(element), rest...) }

// oddRows are files that are not as RFC 7292 has it, and that other programs read: what holds the key is to be read, what spoils it to be named, and a right
// password never to be called wrong.
func oddRows(t *testing.T) []corpusRow {
	t.Helper()
	id, bmp, raw := plainIdentity(t, "odd"), standardBMP("pw"), []byte("pw")
	mac, wrong := macSHA256(bmp), macSHA256(standardBMP("other"))
	key, certificate := shroudedBag(underAES(raw), id.pkcs8), certBagOf(id.certificate)
	both := sequenceOf(key, certificate)
	content := padding(sequenceOf(clearData(both)), "\x00\x00")
	date := bytes.Index(id.certificate, []byte{0x17, 13}) + 2
	undated := certBagOf(slices.Concat(id.certificate[:date], []byte("250230000000Z"), id.certificate[date+13:]))
	altered := func(certificate []byte) []byte { // its last byte is the signature's
		last := len(certificate) - 1
		return certBagOf(append(bytes.Clone(certificate[:last]), certificate[last]^1))
	}
	root, rootKey := corpusKey(t, "root", -day, 365*day, nil, nil)
	authority, err := x509.ParseCertificate(root.certificate)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := corpusKey(t, "leaf", -day, 365*day, authority, rootKey)
	leafKey, issuer, namesake := shroudedBag(underAES(raw), leaf.pkcs8), certBagOf(root.certificate), certBagOf(plainIdentity(t, "root").certificate)
	none := certBagOf([]byte("no certificate"))
	wide := func(content []byte) []byte { // an iteration count with a zero byte before it, as no DER has it
		plain := mac(content)
		return sequenceOf(plain[2:len(plain)-3], []byte{0x02, 0x02, 0x00, lowCount})
	}
	uncounted := scheme{sequenceOf(objectID("1.2.840.113549.1.12.1.3"), sequenceOf(octets([]byte("saltsalt")), number(0))), underTripleDESOnce(bmp)}
	return []corpusRow{
		{"zero bytes behind the AuthenticatedSafe", "", sequenceOf(number(3), clearData(content), mac(content)), "valid"},
		{"zero bytes behind a safe in clear", "", pfxOf(mac, clearData(padding(both, "\x00"))), "valid"},
		{"zero bytes behind an encrypted safe", "", pfxOf(mac, sealedContent(underAES(raw), padding(both, "\x00\x00"))), "valid"},
		{"more behind an encrypted safe", "", pfxOf(mac, sealedContent(underAES(raw), padding(both, "\n"))), "unjudged format-unsupported"},
		{"a certificate in BER", "", pfxOf(mac, inClear(key, certBagOf(inBER(id.certificate)))), "valid"},
		{"an end of line behind the certificate", "", pfxOf(mac, inClear(key, certBagOf(padding(id.certificate, "\n")))), "valid"},
		{"no certificate in a certificate bag", "", pfxOf(mac, inClear(key, certificate, none, certBagOf(nil))), "valid further-certificate-unreadable"},
		{"no certificate in the only certificate bag", "", pfxOf(mac, inClear(key, none)), "unjudged format-unsupported"},
		{"no certificate in a certificate bag, no MAC", "", pfxOf(nil, inClear(key, certificate, none)), "invalid file-damaged"},
		{"no certificate in a certificate bag, another MAC", "", pfxOf(wrong, inClear(key, certificate, none)), "invalid file-damaged"},
		{"a certificate with a date that is none", "", pfxOf(mac, inClear(key, undated)), "unjudged format-unsupported"},
		{"a certificate with a date that is none, no MAC", "", pfxOf(nil, inClear(key, undated)), "invalid file-damaged integrity-not-protected"},
		{"a certificate with another signature", "", pfxOf(mac, inClear(key, altered(id.certificate))), "valid chain-incomplete"},
		{"a certificate with another signature, no MAC", "", pfxOf(nil, inClear(key, altered(id.certificate))), "invalid integrity-not-protected file-damaged"},
		{"a certificate of an issuer that is not there, no MAC", "", pfxOf(nil, inClear(leafKey, certBagOf(leaf.certificate))), "valid integrity-not-protected chain-incomplete"},
		{"a certificate and its issuer, no MAC", "", pfxOf(nil, inClear(leafKey, certBagOf(leaf.certificate), issuer)), "valid integrity-not-protected"},
		{"a certificate that was altered and its issuer, no MAC", "", pfxOf(nil, inClear(leafKey, altered(leaf.certificate), issuer)), "invalid integrity-not-protected file-damaged"},
		{"a certificate and another of its issuer's name, no MAC", "", pfxOf(nil, inClear(leafKey, certBagOf(leaf.certificate), namesake)), "valid integrity-not-protected chain-incomplete"},
		{"an iteration count in two octets", "", pfxOf(wide, inClear(key, certificate)), "valid"},
		{"a MAC of no iterations", "", pfxOf(uncountedMAC(bmp), inClear(key, certificate)), "valid"},
		{"3DES of no iterations", "", pfxOf(mac, inClear(shroudedBag(uncounted, id.pkcs8), certificate)), "valid"},
	}
}

// oddKeyRows are files whose private key is in another form, or is none.
func oddKeyRows(t *testing.T) []corpusRow {
	t.Helper()
	id, raw := plainIdentity(t, "odd key"), []byte("pw")
	mac, certificate := macSHA256(standardBMP("pw")), certBagOf(id.certificate)
	strayed := sequenceOf(number(0), number(1))
	bareSeed := sequenceOf(number(0), sequenceOf(objectID("1.3.101.112")), octets(make([]byte, 32)))
	return []corpusRow{
		{"a key in BER", "", pfxOf(mac, inClear(shroudedBag(underAES(raw), inBER(id.pkcs8)), certificate)), "valid"},
		{"a key in BER, no MAC", "", pfxOf(nil, inClear(shroudedBag(underAES(raw), inBER(id.pkcs8)), certificate)), "valid integrity-not-protected"},
		{"a key that is another SEQUENCE", "", pfxOf(mac, inClear(shroudedBag(underAES(raw), strayed), certificate)), "unjudged format-unsupported"},
		{"a key that is another SEQUENCE, no MAC", "", pfxOf(nil, inClear(shroudedBag(underAES(raw), strayed), certificate)), "invalid file-damaged"},
		{"more behind the key, no MAC", "", pfxOf(nil, inClear(shroudedBag(underAES(raw), padding(id.pkcs8, "\n")), certificate)), "invalid file-damaged"},
		{"an Ed25519 seed without its OCTET STRING", "", pfxOf(mac, inClear(shroudedBag(underAES(raw), bareSeed), certificate)), "unjudged format-unsupported"},
		{"an Ed25519 seed without its OCTET STRING, no MAC", "", pfxOf(nil, inClear(shroudedBag(underAES(raw), bareSeed), certificate)), "invalid key-not-sound integrity-not-protected"},
		{"an RSA modulus of 16,385 bits", "", pfxOf(mac, inClear(shroudedBag(underAES(raw), oddRSA(16385, 17)), certificate)), "unjudged format-unsupported"},
		{"an RSA exponent of 257 bits", "", pfxOf(mac, inClear(shroudedBag(underAES(raw), oddRSA(2048, 257)), certificate)), "unjudged format-unsupported"},
		{"RSA numbers that do not belong together", "", pfxOf(mac, inClear(shroudedBag(underAES(raw), oddRSA(2048, 17)), certificate)), "invalid key-not-sound"},
	}
}

// oddRSA is a PrivateKeyInfo of RSA with a modulus and an exponent of so many bits. It is nobody's key.
func oddRSA(modulus, exponent uint) []byte {
	integer := func(bits uint) []byte {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return tlv(0x02, append([]byte{0}, n.SetBit(n, 0, 1).Bytes()...))
	}
	numbers := [][]byte{number(0), integer(modulus), integer(exponent)}
	for range 6 {
		numbers = append(numbers, integer(modulus/2))
	}
	return sequenceOf(number(0), sequenceOf(objectID("1.2.840.113549.1.1.1"), []byte{5, 0}), octets(sequenceOf(numbers...)))
}

// underTripleDESOnce is underTripleDES with one iteration.
func underTripleDESOnce(secret []byte) func([]byte) []byte {
	salt := []byte("saltsalt")
	return func(plaintext []byte) []byte {
		key, iv := pkcs12Derive(sha1.New, 64, 1, secret, salt, 1, 24), pkcs12Derive(sha1.New, 64, 2, secret, salt, 1, 8)
		return padded(mustBlock(des.NewTripleDESCipher(key)), iv, plaintext)
	}
}

// uncountedMAC is a MAC of one iteration whose count says 0.
func uncountedMAC(secret []byte) integrity {
	return func(content []byte) []byte {
		sum := hmac.New(sha1.New, pkcs12Derive(sha1.New, 64, 3, secret, []byte("saltsalt"), 1, sha1.Size))
		sum.Write(content)
		return sequenceOf(sequenceOf(sequenceOf(objectID("1.3.14.3.2.26"), []byte{5, 0}), octets(sum.Sum(nil))), octets([]byte("saltsalt")), number(0))
	}
}
