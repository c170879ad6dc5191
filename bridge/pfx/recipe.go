package pfx

import (
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// recipe makes the schemes of one profile.
type recipe struct {
	rand         io.Reader
	profile      Profile
	iterations   int
	certificates *Derived // nil where nothing was derived before
}

func newRecipe(rand io.Reader, options Options) (*recipe, error) {
	r := &recipe{rand: rand, profile: options.Profile, iterations: options.Iterations, certificates: options.Certificates}
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
	return r, checkIterations(r.iterations)
}

func (r *recipe) random(size int) ([]byte, error) {
	random := make([]byte, size)
	if _, err := io.ReadFull(r.rand, random); err != nil {
		return nil, fmt.Errorf("pfx: random numbers: %w", err)
	}
	return random, nil
}

// beginCertificates is begin for the certificates, whose key may have been derived before.
func (r *recipe) beginCertificates(d *derivations) (sealing, error) {
	known := r.certificates
	if known == nil || r.profile == Legacy || known.iterations != r.iterations {
		return r.begin(d)
	}
	iv, err := r.random(ivSize)
	if err != nil {
		return sealing{}, err
	}
	return sealing{newPBES2(known.salt, iv, r.iterations), d.known(known.key)}, nil
}

// begin makes a scheme with its own salt and starts its derivation.
func (r *recipe) begin(d *derivations) (sealing, error) {
	salt, err := r.random(saltSize)
	if err != nil {
		return sealing{}, err
	}
	var p *pbe
	if r.profile == Legacy {
		p = newTripleDES(salt, r.iterations)
	} else {
		iv, err := r.random(ivSize)
		if err != nil {
			return sealing{}, err
		}
		p = newPBES2(salt, iv, r.iterations)
	}
	return sealing{p, d.startWriting(p.source, p.keySize(), d.password.standard(p.source.family()))}, nil
}

func (r *recipe) mac() (*mac, error) {
	salt, err := r.random(saltSize)
	if err != nil {
		return nil, err
	}
	switch r.profile {
	case PBMAC1:
		return newPBMAC1(salt, r.iterations), nil
	case Legacy:
		return newMAC("SHA-1", salt, r.iterations), nil
	default:
		return newMAC("SHA-256", salt, r.iterations), nil
	}
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
