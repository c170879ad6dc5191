package pfx

import (
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// recipe makes the schemes of one profile. All that one file encrypts by PBES2 has one key, and each part an IV of its own.
type recipe struct {
	rand       io.Reader
	profile    Profile
	iterations int
	derived    *Derived      // nil where nothing was derived before
	source     *pbkdf2Params // of key
	key        *derivation
}

func newRecipe(rand io.Reader, options Options) (*recipe, error) {
	r := &recipe{rand: rand, profile: options.Profile, iterations: options.Iterations, derived: options.Derived}
	if r.profile == "" {
		r.profile = Modern
	}
	if !r.profile.known() {
		return nil, fmt.Errorf("%w: %q", ErrProfile, r.profile)
	}
	if r.iterations == 0 {
		r.iterations = DefaultIterations
		if r.profile == Legacy {
			r.iterations = LegacyIterations
		}
	}
	if !r.derived.fits(r) {
		r.derived = nil
	}
	return r, checkIterations(r.iterations)
}

func (r *recipe) random(size int) ([]byte, error) {
	random := make([]byte, size)
	if _, err := io.ReadFull(r.rand, random); err != nil {
		return nil, fmt.Errorf("pfx: random numbers: %w", err)
	}
	return random, nil
}

// begin makes a scheme. The first one of PBES2 starts the derivation of the key. A scheme of RFC 7292, appendix C, has its own salt, since it
// derives the IV as well.
func (r *recipe) begin(d *derivations) (sealing, error) {
	if r.profile == Legacy {
		return r.beginLegacy(d)
	}
	if err := r.beginKey(d); err != nil {
		return sealing{}, err
	}
	iv, err := r.random(ivSize)
	if err != nil {
		return sealing{}, err
	}
	return sealing{newPBES2(r.source.salt, iv, r.iterations), r.key}, nil
}

// mostSalts bounds how many salts are tried.
const mostSalts = 16

// beginLegacy makes a scheme of RFC 7292, appendix C, with a salt by which its readers get the key.
func (r *recipe) beginLegacy(d *derivations) (sealing, error) {
	password := d.password.standard(familyBMP)
	for tried := 1; ; tried++ {
		salt, err := r.random(saltSize)
		if err != nil {
			return sealing{}, err
		}
		short, err := hasShortNumber(d.ctx, password.secret, salt, r.iterations)
		if err != nil {
			return sealing{}, err
		}
		if !short || tried == mostSalts {
			p := newTripleDES(salt, r.iterations)
			return sealing{p, d.startWriting(p.source, p.keySize(), password)}, nil
		}
	}
}

// beginKey starts the derivation of the one key of PBES2, where it has not begun.
func (r *recipe) beginKey(d *derivations) error {
	switch {
	case r.key != nil:
		return nil
	case r.derived != nil:
		r.source, r.key = r.derived.source, d.known(r.derived.key)
		return nil
	}
	salt, err := r.random(saltSize)
	if err != nil {
		return err
	}
	r.source = newPBKDF2(salt, r.iterations)
	r.key = d.startWriting(r.source, newPBES2(salt, nil, r.iterations).cipher.keySize, d.password.standard(r.source.family()))
	return nil
}

// beginMAC makes the MAC and starts its derivation. It has its own salt whatever the profile: no key both encrypts and authenticates.
func (r *recipe) beginMAC(d *derivations) (*mac, *derivation, error) {
	if r.derived != nil {
		return r.derived.mac, d.known(r.derived.macKey), nil
	}
	salt, err := r.random(saltSize)
	if err != nil {
		return nil, nil, err
	}
	var m *mac
	switch r.profile {
	case PBMAC1:
		m = newPBMAC1(salt, r.iterations)
	case Legacy:
		m = newMAC("SHA-1", salt, r.iterations)
	default:
		m = newMAC("SHA-256", salt, r.iterations)
	}
	return m, d.startWriting(m.source(), m.keySize(), d.password.standard(m.source().family())), nil
}

// addData writes a ContentInfo of type data (RFC 5652, section 4).
func addData(b *cryptobyte.Builder, content []byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oidData)
		b.AddASN1(tagExplicit0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
	})
}

// addEncryptedData writes a ContentInfo of type encryptedData (RFC 5652, section 8).
func addEncryptedData(b *cryptobyte.Builder, p *pbe, ciphertext []byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oidEncryptedData)
		b.AddASN1(tagExplicit0, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(0)
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					addOID(b, oidData)
					p.add(b)
					b.AddASN1(tagImplicit0, func(b *cryptobyte.Builder) { b.AddBytes(ciphertext) })
				})
			})
		})
	})
}
