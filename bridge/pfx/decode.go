package pfx

import (
	"bytes"
	"context"
	"errors"
)

// DecodeOptions are the options of Decode. The zero value is ready to use.
type DecodeOptions struct {
	// MaxIterations is the highest iteration count of one derivation; 0 stands for the constant MaxIterations. All
	// derivations of a file together may take 32 times as many.
	MaxIterations int
	// KeepShrouded leaves shrouded key bags as they are: Key.Shrouded is set, and no key derived from the password
	// opens them.
	KeepShrouded bool
}

// Decode reads a PFX file (RFC 7292) in DER or BER with password integrity, or with none. The password is UTF-8.
//
// Limits are checked before any derivation is started. Derivations run at once on all cores, and none of their results
// is used before the MAC is verified. The errors are ErrPassword, ErrPrivacyPassword, ErrPasswordNotUTF8,
// ErrPasswordNotBMP where the file needs that encoding, *DamagedError, *LimitError, *UnsupportedError, and the
// context's own: Decode then returns at once, while a derivation that cannot be interrupted ends in the background.
//
// A PrivateKeyInfo that zero bytes follow, as some tokens wrap it, is returned without them. The caller wipes the
// contents, which share no memory with file.
func Decode(ctx context.Context, file, password []byte, options DecodeOptions) (*Contents, error) {
	if options.MaxIterations < 0 {
		return nil, &LimitError{What: LimitIterations, Value: int64(options.MaxIterations), Bound: 1}
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	secret, err := newPassword(password)
	if err != nil {
		return nil, err
	}
	d := &decoder{derivations: newDerivations(ctx, secret), secret: secret}
	defer d.close()
	d.budget = newBudget(options.MaxIterations)
	d.keepShrouded = options.KeepShrouded
	d.container, err = readContainer(file)
	defer d.container.wipe()
	if err != nil {
		return nil, err
	}
	contents, err := d.decode()
	if err != nil {
		return nil, err
	}
	return contents, nil
}

type decoder struct {
	*container
	*derivations
	budget       *budget
	secret       *password
	keepShrouded bool
}

func (d *decoder) decode() (*Contents, error) {
	if err := d.verify(); err != nil {
		return nil, err
	}
	for _, s := range d.safes {
		if s.derivation == nil {
			continue
		}
		if err := d.openSafe(s); err != nil {
			return nil, err
		}
		if err := d.startKeys(s); err != nil {
			return nil, err
		}
	}
	contents := &Contents{Facts: d.facts()}
	for _, s := range d.safes {
		contents.Certificates = append(contents.Certificates, s.bags.certificates...)
		for _, bag := range s.bags.keys {
			key, err := d.openKey(bag)
			if err != nil {
				contents.Wipe()
				return nil, err
			}
			contents.Keys = append(contents.Keys, key)
		}
	}
	return contents, nil
}

// verify checks everything that the outer structure shows, starts all its derivations, and verifies the MAC.
func (d *decoder) verify() error {
	// The budget is settled for all of them before the first one starts.
	if d.mac != nil {
		if err := d.mac.require(d.budget, d.secret); err != nil {
			return err
		}
	}
	for _, s := range d.safes {
		if s.unsupported != "" {
			return &UnsupportedError{Algorithm: s.unsupported}
		}
		if s.pbe != nil {
			if err := s.pbe.require(d.budget, d.secret, s.ciphertext); err != nil {
				return err
			}
		}
		if err := d.requireKeys(s); err != nil {
			return err
		}
	}
	var made *derivation
	if d.mac != nil {
		made = d.start(d.mac.derive())
	}
	for _, s := range d.safes {
		if s.pbe != nil {
			s.derivation = d.start(s.pbe.derive())
		}
		d.deriveKeys(s)
	}
	if made == nil {
		return nil
	}
	keys, err := d.wait(made)
	if err != nil {
		return err
	}
	if !d.mac.verify(keys, d.content) {
		return ErrPassword
	}
	return nil
}

// doesNotOpen is the error for what no reading of the password opens.
func (d *decoder) doesNotOpen() error {
	if d.mac == nil {
		return ErrPassword
	}
	return ErrPrivacyPassword
}

func (d *decoder) openSafe(s *safe) error {
	keys, err := d.wait(s.derivation)
	if err != nil {
		return err
	}
	for _, key := range keys {
		plaintext, ok := s.pbe.open(key, s.ciphertext)
		if !ok {
			continue
		}
		der, err := d.toDER(plaintext, "SafeContents")
		clear(plaintext)
		var broken *DamagedError
		if errors.As(err, &broken) {
			continue
		}
		if err != nil {
			return err
		}
		s.opened = true
		return s.bags.read(der, 1)
	}
	return d.doesNotOpen()
}

func (d *decoder) requireKeys(s *safe) error {
	if d.keepShrouded {
		return nil
	}
	for _, bag := range s.bags.keys {
		if bag.shrouded == nil {
			continue
		}
		if err := bag.pbe.require(d.budget, d.secret, bag.ciphertext); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) deriveKeys(s *safe) {
	if d.keepShrouded {
		return
	}
	for _, bag := range s.bags.keys {
		if bag.shrouded != nil {
			bag.derivation = d.start(bag.pbe.derive())
		}
	}
}

// startKeys is for the key bags of a safe that was encrypted.
func (d *decoder) startKeys(s *safe) error {
	if err := d.requireKeys(s); err != nil {
		return err
	}
	d.deriveKeys(s)
	return nil
}

func (d *decoder) openKey(bag *keyBag) (Key, error) {
	key := Key{
		FriendlyName: bag.attributes.friendlyName,
		LocalKeyID:   bag.attributes.localKeyID,
		Attributes:   bag.attributes.others,
	}
	switch {
	case bag.shrouded == nil:
		key.PKCS8 = bytes.Clone(bag.clear)
		return key, nil
	case bag.derivation == nil:
		key.Shrouded = bytes.Clone(bag.shrouded)
		return key, nil
	}
	derived, err := d.wait(bag.derivation)
	if err != nil {
		return key, err
	}
	for _, material := range derived {
		plaintext, ok := bag.pbe.open(material, bag.ciphertext)
		if !ok {
			continue
		}
		if key.PKCS8, err = trimPrivateKeyInfo(plaintext); err == nil {
			return key, nil
		}
		// Padding fits by chance once in 256 times, a SEQUENCE on top of it hardly ever.
		isSequence := len(plaintext) > 0 && plaintext[0] == 0x30
		clear(plaintext)
		if isSequence && d.mac != nil {
			return key, err
		}
	}
	return key, d.doesNotOpen()
}
