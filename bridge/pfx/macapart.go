package pfx

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// manyIterations is from where on the MAC is worth to be verified apart: the key of the MAC is a hash of a hash, so many times, and
// go-pkcs12 allocates memory for each. Under runtime/secret every allocation is noted, so that it may be erased, which takes longer than
// the hash. No private key is near it, and neither is one when the MAC is verified apart.
const manyIterations = 10_000

// MACApart reports whether the MAC of a file that Encode has just returned is worth to be verified by VerifyMAC, and the rest of it read by
// ReadVerified: both together are ReadEncoded. They may run at the same time.
func MACApart(encoded []byte) bool {
	facts, err := Inspect(encoded)
	return err == nil && independentlyReadable(facts) == nil && facts.MACIterations >= manyIterations && len(facts.Safes) == 2
}

// otherwiseVerified is what go-pkcs12 answers when it is asked for a trust store, which has one safe, by a file with two: with the
// password verified by the MAC, and nothing decrypted.
const otherwiseVerified = pkcs12.NotImplementedError("expected exactly 1 items in the authenticated safe, but this file has 2")

// VerifyMAC has go-pkcs12 verify the MAC of a file for which MACApart is true. It opens nothing of it. What it leaves in memory comes of the
// password, and not of a key. The error says that the independent reader finds fault with the file.
func VerifyMAC(encoded, password []byte) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("pfx: independent reader panicked: %v", problem)
		}
	}()
	_, err = pkcs12.DecodeTrustStore(encoded, string(password))
	if err == nil {
		return errors.New("pfx: independent reader: a trust store in a file with two safes")
	}
	if errors.Is(err, otherwiseVerified) {
		return nil
	}
	return fmt.Errorf("pfx: independent reader: %w", err)
}

// ReadVerified is ReadEncoded for a file whose MAC VerifyMAC verifies. The AuthenticatedSafe is given to go-pkcs12 as it stands in the file, below
// a MAC of one iteration.
//
// With derived, go-pkcs12 derives once where the file says one derivation twice. It opens the key bag as it stands in the file, with what it
// derives itself. The certificates, which stand under the same algorithm, salt and count, are opened with the key of derived, and given to
// go-pkcs12 under a count of one. That this key is the one of go-pkcs12 is shown by the key bag: both open it to the same private key.
func ReadVerified(encoded, password []byte, derived *Derived) (pkcs8 []byte, chain [][]byte, err error) {
	c, err := readContainer(encoded)
	defer c.wipe()
	if err != nil {
		return nil, nil, err
	}
	secret, err := newPassword(password)
	if err != nil {
		return nil, nil, err
	}
	defer secret.wipe()
	content := []byte(c.content)
	shared, is := c.sharing(derived)
	if is {
		if content, err = shared.quick(secret); err != nil {
			return nil, nil, err
		}
	}
	under, err := underQuickMAC(content, secret)
	if err != nil {
		return nil, nil, err
	}
	defer clear(under)
	if pkcs8, chain, err = openIndependently(under, password); err != nil || !is {
		return pkcs8, chain, err
	}
	if err := shared.confirm(pkcs8); err != nil {
		clear(pkcs8)
		return nil, nil, err
	}
	return pkcs8, chain, nil
}

// underQuickMAC is a file with this AuthenticatedSafe and a MAC of one iteration.
func underQuickMAC(content []byte, secret *password) ([]byte, error) {
	salt := make([]byte, 8)
	if _, err := rand.Read(salt); err != nil {
		return nil, fmt.Errorf("pfx: make a salt: %w", err)
	}
	m := newMAC("SHA-256", salt, 1)
	key, err := m.derive()(context.Background(), secret.standard(m.source().family()).secret)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		addData(b, content)
		m.add(b, key, content)
	})
	under, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("pfx: encode: %w", err)
	}
	return under, nil
}
