package pfx

import (
	"bytes"
	"context"
)

// Shrouding says how an EncryptedPrivateKeyInfo was encrypted, in terms that a token can work with. All is PBES2 with
// PBKDF2 (RFC 8018) and a cipher in CBC mode with PKCS#7 padding, which is CKM_AES_CBC_PAD or CKM_DES3_CBC_PAD.
type Shrouding struct {
	Salt       []byte
	Iterations int
	IV         []byte
	// KeyLength is the length of the cipher's key in bytes.
	KeyLength int
	// PRF is "HMAC-SHA-256" or one with another hash function.
	PRF string
	// Cipher is "AES-256-CBC", "AES-192-CBC", "AES-128-CBC", "DES-EDE3-CBC", "DES-CBC" or "RC2-CBC".
	Cipher string
}

// Key derives the cipher's key from the password in UTF-8, with PBKDF2 (RFC 8018, section 5.2). The caller wipes it. The
// errors are ErrPasswordNotUTF8, *LimitError, *DamagedError and *UnsupportedError for a key length and a PRF that
// ParseShrouded never returns, and the context's own.
func (s Shrouding) Key(ctx context.Context, password []byte) ([]byte, error) {
	prf := findDigest(func(d *digest) bool { return "HMAC-"+d.name == s.PRF })
	if prf == nil {
		return nil, &UnsupportedError{Algorithm: s.PRF}
	}
	if s.KeyLength < 1 || s.KeyLength > maxMACKey {
		return nil, damaged("key length")
	}
	if err := checkIterations(s.Iterations); err != nil {
		return nil, err
	}
	if err := checkSalt(len(s.Salt)); err != nil {
		return nil, err
	}
	secret, err := newPassword(password)
	if err != nil {
		return nil, err
	}
	d := newDerivations(ctx, secret)
	defer d.close()
	source := &pbkdf2Params{salt: bytes.Clone(s.Salt), iterations: s.Iterations, prf: prf}
	key, err := d.wait(d.startReading(source, s.KeyLength, secret.standard(familyOctets)))
	if err != nil {
		return nil, err
	}
	return bytes.Clone(key), nil
}

// Open decrypts a key bag's ciphertext under Key, and gives the PKCS#8 in it, which the caller wipes. It is false where that is no
// DER SEQUENCE: then the password was another one, or the file is damaged.
func (s Shrouding) Open(key, ciphertext []byte) (pkcs8 []byte, ok bool) {
	for i := range pbes2Ciphers {
		if c := &pbes2Ciphers[i]; c.name == s.Cipher && c.keySize == len(key) && c.fits(ciphertext) {
			if pkcs8, ok = c.open(key, s.IV, ciphertext); ok && checkPrivateKeyInfo(pkcs8) == nil {
				return pkcs8, true
			}
			clear(pkcs8)
		}
	}
	return nil, false
}

// AssembleShrouded returns the DER EncryptedPrivateKeyInfo (RFC 5958, section 3) for a ciphertext that was made under
// the key of a Derived with AES-256-CBC and PKCS#7 padding: what Key.Shrouded takes. The errors are *DamagedError for an IV that has
// not 16 bytes or a ciphertext that has no whole blocks, and *LimitError.
func AssembleShrouded(salt []byte, iterations int, iv, ciphertext []byte) ([]byte, error) {
	if err := checkIterations(iterations); err != nil {
		return nil, err
	}
	if err := checkSalt(len(salt)); err != nil {
		return nil, err
	}
	if len(iv) != ivSize {
		return nil, damaged("initialization vector: length")
	}
	if len(ciphertext) == 0 || len(ciphertext)%ivSize != 0 {
		return nil, damaged("ciphertext: length")
	}
	if err := checkSize(len(ciphertext)); err != nil {
		return nil, err
	}
	return buildShrouded(newPBES2(salt, iv, iterations), ciphertext)
}

// ParseShrouded takes a DER EncryptedPrivateKeyInfo apart, as Decode returns it in Key.Shrouded, so that a token can
// unwrap the ciphertext under Shrouding.Key. The errors are *DamagedError, *LimitError for a salt or an iteration count
// beyond MaxIterations, and *UnsupportedError for anything but PBES2 with PBKDF2.
func ParseShrouded(der []byte) (Shrouding, []byte, error) {
	if err := checkSize(len(der)); err != nil {
		return Shrouding{}, nil, err
	}
	p, ciphertext, err := readShrouded(der)
	if err != nil {
		return Shrouding{}, nil, err
	}
	source, ok := p.source.(*pbkdf2Params)
	if p.cipher == nil || !ok {
		return Shrouding{}, nil, &UnsupportedError{Algorithm: p.name}
	}
	if err := checkIterations(p.iterations); err != nil {
		return Shrouding{}, nil, err
	}
	if !p.cipher.fits(ciphertext) {
		return Shrouding{}, nil, damaged("ciphertext: length")
	}
	return Shrouding{
		Salt:       bytes.Clone(source.salt),
		Iterations: p.iterations,
		IV:         bytes.Clone(p.iv),
		KeyLength:  p.cipher.keySize,
		PRF:        source.prfName,
		Cipher:     p.cipher.name,
	}, bytes.Clone(ciphertext), nil
}
