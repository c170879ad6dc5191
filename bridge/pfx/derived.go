package pfx

import (
	"bytes"
	"context"
	"io"
)

// Derived is what a password gives for one file: the key of its PBES2 schemes, and for a file that is to be written the key of its MAC. It
// is as secret as the password.
type Derived struct {
	source *pbkdf2Params
	key    []byte

	profile Profile // empty where it is of a file that was read
	mac     *mac
	macKey  []byte
}

// Derive makes the keys of a file that is to be written with these options, with salts from rand: PBKDF2-HMAC-SHA-256 (RFC 8018, section
// 5.2), and for the MAC the derivation of the profile, in nearly the same time. A token that wraps a private key under Key with
// CKM_AES_CBC_PAD makes the ciphertext for AssembleShrouded; Encode takes both keys in Options.Derived. The caller wipes it.
//
// The errors are ErrProfile for Legacy, whose keys are not shared, ErrPasswordNotUTF8, ErrPasswordNotBMP, *LimitError, those of rand, and the
// context's own.
func Derive(ctx context.Context, rand io.Reader, password []byte, options Options) (*Derived, error) {
	options.Derived = nil
	r, err := newRecipe(rand, options)
	if err != nil {
		return nil, err
	}
	if r.profile == Legacy {
		return nil, ErrProfile
	}
	d, err := newWriting(ctx, password)
	if err != nil {
		return nil, err
	}
	defer d.close()
	if err := r.beginKey(d); err != nil {
		return nil, err
	}
	m, macKey, err := r.beginMAC(d)
	if err != nil {
		return nil, err
	}
	d.release()
	key, err := d.wait(r.key)
	if err != nil {
		return nil, err
	}
	sum, err := d.wait(macKey)
	if err != nil {
		return nil, err
	}
	return &Derived{source: r.source, key: bytes.Clone(key), profile: r.profile, mac: m, macKey: bytes.Clone(sum)}, nil
}

// Key is the key of the cipher, AES-256 for a file that is to be written. It stays the Derived's own.
func (d *Derived) Key() []byte { return d.key }

// AssembleShrouded is AssembleShrouded for a ciphertext that was made under Key.
func (d *Derived) AssembleShrouded(iv, ciphertext []byte) ([]byte, error) {
	return AssembleShrouded(d.source.salt, d.source.iterations, iv, ciphertext)
}

// Clone has keys of its own. It may be nil.
func (d *Derived) Clone() *Derived {
	if d == nil {
		return nil
	}
	own := *d
	own.key, own.macKey = bytes.Clone(d.key), bytes.Clone(d.macKey)
	return &own
}

// Wipe overwrites the keys. It may be nil.
func (d *Derived) Wipe() {
	if d != nil {
		clear(d.key)
		clear(d.macKey)
	}
}

// fits reports whether a recipe can take it.
func (d *Derived) fits(r *recipe) bool {
	return d != nil && d.profile == r.profile && d.source.iterations == r.iterations
}

// opens reports whether a scheme has this key: PBES2 with the same parameters of PBKDF2, and a cipher for a key of this length.
func (d *Derived) opens(p *pbe) bool {
	if d == nil || p == nil || p.cipher == nil || p.cipher.keySize != len(d.key) {
		return false
	}
	source, is := p.source.(*pbkdf2Params)
	return is && source.same(d.source)
}
