package pfx

import (
	"context"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	saltSize = 16
	ivSize   = 16
)

// Options are the options of Encode. The zero value is ready to use.
type Options struct {
	// Profile is Modern if it is empty.
	Profile Profile
	// Iterations is the count of every derivation; 0 stands for the default of the profile.
	Iterations int
	// Derived is what Derive made of the same password. It is used where it is of the same profile and iteration count. It may be nil, and
	// stays the caller's.
	Derived *Derived
}

// Encode writes a PFX file in DER: RFC 7292 with password privacy and password integrity. The AuthenticatedSafe has an
// encryptedData with all certificates, then a data with a shrouded key bag for each key; either is left out if it would
// be empty. The password is UTF-8. Salts of 16 bytes and IVs are read from rand in a fixed order and nothing else is
// random, so that the same rand gives the same file. Under Legacy a salt is passed over from which gpgsm would derive another key. The derivations run at once on all cores.
//
// Under Modern and PBMAC1 certificates and keys are encrypted under one key (AES-256-CBC, random IVs), with one salt: a file costs its
// writer, and a reader that notices, one derivation for both. The MAC has its own salt. Under Legacy everything has its own.
//
// A key in Shrouded form goes in as it is; that it was made with the same password is for the caller to know. Nothing
// is checked of a key or a certificate but its outermost structure, and nothing is added: give a key and its certificate
// the same LocalKeyID if readers shall pair them.
//
// The errors are ErrNothingToEncode, ErrKeyForm, ErrProfile, ErrPasswordNotUTF8, ErrPasswordNotBMP whatever the
// profile, *DamagedError for contents that are malformed, *LimitError for what Decode would not read back, those of
// rand, and the context's own, upon which Encode returns at once.
func Encode(ctx context.Context, rand io.Reader, contents Contents, password []byte, options Options) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	d, err := newWriting(ctx, password)
	if err != nil {
		return nil, err
	}
	defer d.close()
	if err := checkContents(contents); err != nil {
		return nil, err
	}
	r, err := newRecipe(rand, options)
	if err != nil {
		return nil, err
	}

	certificates, keys, err := r.beginAll(d, contents)
	if err != nil {
		return nil, err
	}
	m, macKey, err := r.beginMAC(d)
	if err != nil {
		return nil, err
	}
	d.release()

	authSafe, err := buildAuthSafe(d, contents, certificates, keys)
	if err != nil {
		return nil, err
	}
	key, err := d.wait(macKey)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		addData(b, authSafe)
		m.add(b, key, authSafe)
	})
	file, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("pfx: encode: %w", err)
	}
	if err := checkSize(len(file)); err != nil {
		return nil, err
	}
	return file, nil
}

// beginAll starts the derivations for the certificates and for every key that is in clear, in this order.
func (r *recipe) beginAll(d *derivations, contents Contents) (certificates sealing, keys []sealing, err error) {
	if len(contents.Certificates) > 0 {
		if certificates, err = r.begin(d); err != nil {
			return certificates, nil, err
		}
	}
	keys = make([]sealing, len(contents.Keys))
	for i, key := range contents.Keys {
		if key.Shrouded == nil {
			if keys[i], err = r.begin(d); err != nil {
				return certificates, nil, err
			}
		}
	}
	return certificates, keys, nil
}

// checkContents refuses what could not be read back.
func checkContents(contents Contents) error {
	count := len(contents.Keys) + len(contents.Certificates)
	if count == 0 {
		return ErrNothingToEncode
	}
	var t bagCount
	if err := t.add(count, 0); err != nil {
		return err
	}
	size := 0
	for i, key := range contents.Keys {
		size += len(key.PKCS8) + len(key.Shrouded)
		if (key.PKCS8 == nil) == (key.Shrouded == nil) {
			return ErrKeyForm
		}
		if !utf8.ValidString(key.FriendlyName) {
			return &DamagedError{Where: fmt.Sprintf("friendly name of key %d", i)}
		}
		err := t.add(0, 2+len(key.Attributes)) // the name and the id are two
		if err == nil {
			err = checkAttributes(key.Attributes)
		}
		if err != nil {
			return fmt.Errorf("key %d: %w", i, err)
		}
		if key.Shrouded == nil {
			err = checkPrivateKeyInfo(key.PKCS8)
		} else {
			var p *pbe
			if p, _, err = readShrouded(key.Shrouded); err == nil && p.iterations > MaxIterations {
				err = checkIterations(p.iterations)
			}
		}
		if err != nil {
			return fmt.Errorf("key %d: %w", i, err)
		}
	}
	for i, certificate := range contents.Certificates {
		size += len(certificate.DER)
		if !oneSequence(certificate.DER) {
			return &DamagedError{Where: fmt.Sprintf("certificate %d", i)}
		}
		if !utf8.ValidString(certificate.FriendlyName) {
			return &DamagedError{Where: fmt.Sprintf("friendly name of certificate %d", i)}
		}
		err := t.add(0, 2+len(certificate.Attributes))
		if err == nil {
			err = checkAttributes(certificate.Attributes)
		}
		if err != nil {
			return fmt.Errorf("certificate %d: %w", i, err)
		}
	}
	return checkSize(size)
}

// sealing is a scheme whose key is being derived.
type sealing struct {
	pbe        *pbe
	derivation *derivation
}

func (s sealing) seal(d *derivations, plaintext []byte) ([]byte, error) {
	key, err := d.wait(s.derivation)
	if err != nil {
		return nil, err
	}
	ciphertext, err := s.pbe.seal(key, plaintext)
	if err != nil {
		return nil, fmt.Errorf("pfx: encrypt: %w", err)
	}
	return ciphertext, nil
}

// buildAuthSafe returns the AuthenticatedSafe (RFC 7292, section 4.1).
func buildAuthSafe(d *derivations, contents Contents, certificates sealing, keys []sealing) ([]byte, error) {
	var authSafe, safe cryptobyte.Builder
	var err error
	authSafe.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if len(contents.Certificates) > 0 {
			err = addCertificates(b, d, contents.Certificates, certificates)
		}
		if err != nil || len(contents.Keys) == 0 {
			return
		}
		safe.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for i, key := range contents.Keys {
				shrouded := key.Shrouded
				if shrouded == nil {
					if shrouded, err = shroud(d, keys[i], key.PKCS8); err != nil {
						return
					}
				}
				addShroudedKeyBag(b, key, shrouded)
			}
		})
		der, buildErr := safe.Bytes()
		if buildErr != nil {
			b.SetError(buildErr)
			return
		}
		addData(b, der)
	})
	if err != nil {
		return nil, err
	}
	der, err := authSafe.Bytes()
	if err != nil {
		return nil, fmt.Errorf("pfx: encode: %w", err)
	}
	return der, nil
}

func shroud(d *derivations, s sealing, pkcs8 []byte) ([]byte, error) {
	ciphertext, err := s.seal(d, pkcs8)
	if err != nil {
		return nil, err
	}
	return buildShrouded(s.pbe, ciphertext)
}

func addCertificates(b *cryptobyte.Builder, d *derivations, certificates []Certificate, s sealing) error {
	var contents cryptobyte.Builder
	contents.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, certificate := range certificates {
			addCertBag(b, certificate)
		}
	})
	der, err := contents.Bytes()
	if err != nil {
		return fmt.Errorf("pfx: encode: %w", err)
	}
	ciphertext, err := s.seal(d, der)
	if err != nil {
		return err
	}
	addEncryptedData(b, s.pbe, ciphertext)
	return nil
}
