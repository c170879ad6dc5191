package pfx

import (
	"bytes"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var (
	tagExplicit0      = asn1.Tag(0).ContextSpecific().Constructed()
	tagImplicit0      = asn1.Tag(0).ContextSpecific()
	tagImplicitAttrs1 = asn1.Tag(1).ContextSpecific().Constructed()
)

// keyBag is a keyBag or a pkcs8ShroudedKeyBag (RFC 7292, sections 4.2.1 and 4.2.2). The byte slices are the reader's.
type keyBag struct {
	attributes attributes
	// clear is the PrivateKeyInfo of a keyBag.
	clear []byte
	// shrouded is the EncryptedPrivateKeyInfo, of which pbe and ciphertext are the parts.
	shrouded   []byte
	pbe        *pbe
	ciphertext []byte
	// derivation is set once it was started.
	derivation *derivation
}

func (k *keyBag) protection() Protection {
	if k.shrouded == nil {
		return Protection{Algorithm: Clear}
	}
	return Protection{Algorithm: k.pbe.name, Iterations: k.pbe.iterations}
}

// bags are the bags of a file as far as they were read.
type bags struct {
	keys         []*keyBag
	certificates []Certificate
	others       int // of other types than these, secrets among them
	secrets      int
	unshrouded   bool // a bag for an encrypted private key holds one that is not encrypted
	// count is the whole file's.
	count *bagCount
}

// exposed reports whether a private key is among them that is not encrypted itself.
func (b *bags) exposed() bool {
	return b.unshrouded || slices.ContainsFunc(b.keys, func(k *keyBag) bool { return k.shrouded == nil })
}

// bagCount counts what a file may not have too many of.
type bagCount struct {
	bags, attributes int
	// damage is what looks like damage in a certificate: only the MAC, or that there is none, shows whether it is.
	damage error
}

func (t *bagCount) add(bags, attributes int) error {
	if t.bags += bags; t.bags > maxBags {
		return &LimitError{What: LimitBags, Value: int64(t.bags), Bound: maxBags}
	}
	if t.attributes += attributes; t.attributes > maxAttributes {
		return &LimitError{What: LimitAttributes, Value: int64(t.attributes), Bound: maxAttributes}
	}
	return nil
}

// read takes in a SafeContents (RFC 7292, section 4.2). Bags of other types are counted, not refused.
func (b *bags) read(der cryptobyte.String, depth int) error {
	const where = "SafeContents"
	if depth > maxSafeDepth {
		return &LimitError{What: LimitSafeDepth, Value: int64(depth), Bound: maxSafeDepth}
	}
	var contents cryptobyte.String
	if !der.ReadASN1(&contents, asn1.SEQUENCE) || !der.Empty() {
		return damaged(where)
	}
	for !contents.Empty() {
		if err := b.count.add(1, 0); err != nil {
			return err
		}
		var bag, value, set cryptobyte.String
		if !contents.ReadASN1(&bag, asn1.SEQUENCE) {
			return damaged(where)
		}
		oid, ok := readOID(&bag)
		if !ok || !bag.ReadASN1(&value, tagExplicit0) {
			return damaged("SafeBag")
		}
		if !bag.Empty() && (!bag.ReadASN1(&set, asn1.SET) || !bag.Empty()) {
			return damaged("SafeBag")
		}
		a, err := readAttributes(set, b.count)
		if err != nil {
			return err
		}
		if err := b.readValue(oid, value, a, depth); err != nil {
			return err
		}
	}
	return nil
}

func (b *bags) readValue(oid string, value cryptobyte.String, a attributes, depth int) error {
	switch oid {
	case oidKeyBag:
		if err := checkPrivateKeyInfo(value); err != nil {
			return err
		}
		b.keys = append(b.keys, &keyBag{attributes: a, clear: value})
	case oidShroudedKeyBag:
		p, ciphertext, err := readShrouded(value)
		if err != nil && checkPrivateKeyInfo(value) == nil { // GnuTLS writes such a bag where it is told to encrypt nothing
			b.unshrouded = true
			return damaged("EncryptedPrivateKeyInfo")
		}
		if err != nil {
			return err
		}
		b.keys = append(b.keys, &keyBag{attributes: a, shrouded: value, pbe: p, ciphertext: ciphertext})
	case oidCertBag:
		var bag, content, der cryptobyte.String
		if !value.ReadASN1(&bag, asn1.SEQUENCE) || !value.Empty() {
			return damaged("certBag")
		}
		kind, ok := readOID(&bag)
		if !ok || !bag.ReadASN1(&content, tagExplicit0) || !bag.Empty() {
			return damaged("certBag")
		}
		if kind != oidX509Certificate {
			b.others++
			return nil
		}
		if !content.ReadASN1(&der, asn1.OCTET_STRING) || !content.Empty() {
			return damaged("certBag")
		}
		b.certificates = append(b.certificates, Certificate{
			DER: b.certificate(der), FriendlyName: a.friendlyName, LocalKeyID: a.localKeyID, Attributes: a.others,
		})
	case oidSafeContentsBag:
		return b.read(value, depth+1)
	case oidSecretBag:
		b.secrets++
		b.others++
	default:
		b.others++
	}
	return nil
}

// certificate is the DER of what a certBag holds: BER is turned into DER, and what stands behind the certificate is left away. What is no SEQUENCE at
// all stays as it is. It keeps nobody from the rest, but where nothing else shows damage, it does.
func (b *bags) certificate(value cryptobyte.String) []byte {
	if oneSequence(value) {
		return bytes.Clone(value)
	}
	der, _, _, err := toDER(value, "certificate")
	if err != nil || !oneSequence(der) {
		b.count.damage = damaged("certificate")
		return bytes.Clone(value)
	}
	return der
}

// oneSequence reports whether der is exactly one SEQUENCE.
func oneSequence(der cryptobyte.String) bool {
	var sequence cryptobyte.String
	return der.ReadASN1(&sequence, asn1.SEQUENCE) && der.Empty()
}

// wholeSequence reports whether der is one SEQUENCE, or begins with a PrivateKeyInfo.
func wholeSequence(der cryptobyte.String) bool {
	var element cryptobyte.String
	rest := der
	return rest.ReadASN1Element(&element, asn1.SEQUENCE) && (rest.Empty() || checkPrivateKeyInfo(element) == nil)
}

// checkPrivateKeyInfo checks the frame of RFC 5958, section 2: a version, an algorithm and a key of whatever kind.
func checkPrivateKeyInfo(der cryptobyte.String) error {
	var sequence, key cryptobyte.String
	var version int64
	if !der.ReadASN1(&sequence, asn1.SEQUENCE) || !der.Empty() || !sequence.ReadASN1Integer(&version) {
		return damaged("PrivateKeyInfo")
	}
	if _, ok := readAlgorithm(&sequence); !ok || !sequence.ReadASN1(&key, asn1.OCTET_STRING) {
		return damaged("PrivateKeyInfo")
	}
	return nil
}

// trimPrivateKeyInfo returns the PrivateKeyInfo that plaintext begins with, in DER, if nothing but zero bytes follows. Some tokens pad what they
// wrap. It is in plaintext's memory, or in its own where it was in BER; plaintext is wiped then.
func trimPrivateKeyInfo(plaintext []byte) ([]byte, error) {
	der, end, wasDER, err := toDER(plaintext, "PrivateKeyInfo")
	if err != nil {
		return nil, err
	}
	if !onlyZeros(plaintext[end:]) {
		clear(der)
		return nil, damaged("PrivateKeyInfo: trailing data")
	}
	err = checkPrivateKeyInfo(der)
	if err == nil && !wasDER {
		clear(plaintext)
		return der, nil
	}
	clear(der)
	return plaintext[:end], err
}

func onlyZeros(rest []byte) bool { return len(bytes.Trim(rest, "\x00")) == 0 }

// readShrouded takes an EncryptedPrivateKeyInfo apart (RFC 5958, section 3).
func readShrouded(der cryptobyte.String) (*pbe, []byte, error) {
	const where = "EncryptedPrivateKeyInfo"
	var sequence, ciphertext cryptobyte.String
	if !der.ReadASN1(&sequence, asn1.SEQUENCE) || !der.Empty() {
		return nil, nil, damaged(where)
	}
	p, err := readPBE(&sequence)
	if err != nil {
		return nil, nil, err
	}
	if !sequence.ReadASN1(&ciphertext, asn1.OCTET_STRING) || !sequence.Empty() {
		return nil, nil, damaged(where)
	}
	return p, ciphertext, nil
}

func buildShrouded(p *pbe, ciphertext []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		p.add(b)
		b.AddASN1OctetString(ciphertext)
	})
	return b.Bytes()
}

// addBag writes a SafeBag.
func addBag(b *cryptobyte.Builder, oid string, a attributes, value func(*cryptobyte.Builder)) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oid)
		b.AddASN1(tagExplicit0, value)
		addAttributes(b, a)
	})
}

func addCertBag(b *cryptobyte.Builder, c Certificate) {
	addBag(b, oidCertBag, attributes{c.FriendlyName, c.LocalKeyID, c.Attributes}, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addOID(b, oidX509Certificate)
			b.AddASN1(tagExplicit0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(c.DER) })
		})
	})
}

func addShroudedKeyBag(b *cryptobyte.Builder, k Key, shrouded []byte) {
	addBag(b, oidShroudedKeyBag, attributes{k.FriendlyName, k.LocalKeyID, k.Attributes}, func(b *cryptobyte.Builder) {
		b.AddBytes(shrouded)
	})
}
