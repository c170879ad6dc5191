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
	// KeepShrouded leaves shrouded key bags as they are: Key.Shrouded is set, and nothing opens them. Nothing is derived for them either;
	// where they have the key of another part of the file, it is in Key.Derived.
	KeepShrouded bool
	// Only, where it is not nil, is the place of the one shrouded key bag that is opened: all others stay as with KeepShrouded.
	Only *Place
}

// Decode reads a PFX file (RFC 7292) in DER or BER with password integrity, or with none. The password is UTF-8. Bytes
// behind the file are left alone and counted in Facts.
//
// Limits are checked before any derivation is started. What several parts of the file derive alike is derived once. Derivations run at once on all cores, and none of their results
// is used before the MAC is verified. Other programs turned a password into other bytes than the specification says: the
// MAC decides among the encodings, one after the other, and Facts.Encodings names those that were used.
//
// The errors are ErrPassword, *PrivacyPasswordError, ErrPasswordNotUTF8, *DamagedError, *NonconformingError, *LimitError,
// *UnsupportedError, and the context's own: Decode then returns at once, while a derivation that cannot be interrupted ends
// in the background. A key bag that does not open is an error only where no key does; else Key.Locked is set.
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
	d.keepShrouded, d.only = options.KeepShrouded, options.Only
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
	only         *Place
	// macEncoding is the encoding with which the MAC was verified; encodings are all that were used.
	macEncoding Encoding
	encodings   []Encoding
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
	contents := &Contents{}
	var places []Place
	var locked error
	open := false
	for i, s := range d.safes {
		contents.Certificates = append(contents.Certificates, s.bags.certificates...)
		for j, bag := range s.bags.keys {
			key, err := d.openKey(bag)
			switch {
			case errors.Is(err, ErrPrivacyPassword):
				locked, key.Locked, key.Shrouded = err, true, bytes.Clone(bag.shrouded)
			case err != nil:
				contents.Wipe()
				return nil, err
			default:
				open = true
			}
			contents.Keys, places = append(contents.Keys, key), append(places, Place{i, j})
		}
	}
	switch {
	case locked != nil && !open:
		return nil, locked
	case d.mac == nil && d.count.damage != nil:
		contents.Wipe()
		return nil, d.count.damage
	}
	contents.Facts = d.facts()
	contents.Facts.Encodings, contents.Facts.Places = d.encodings, places
	return contents, nil
}

// verify checks everything that the outer structure shows, starts all its derivations, and verifies the MAC.
func (d *decoder) verify() error {
	if d.mac == nil && d.broken != nil {
		return d.broken
	}
	if err := d.require(); err != nil {
		return err
	}
	var made *derivation
	if d.mac != nil {
		made = d.startReading(d.mac.source(), d.mac.keySize(), d.secret.standard(d.mac.source().family()))
	}
	if d.broken == nil {
		for _, s := range d.safes {
			if s.pbe != nil {
				s.derivation = d.startScheme(s.pbe)
			}
			d.deriveKeys(s)
		}
	}
	if made == nil {
		return nil
	}
	switch err := d.verifyMAC(made); {
	case errors.Is(err, ErrPassword) && errors.As(d.broken, new(*DamagedError)):
		return d.broken
	case errors.Is(err, ErrPassword) && d.count.damage != nil:
		return d.count.damage
	case err != nil:
		return err
	}
	return d.odd(d.broken) // the file is as its maker wrote it
}

// require settles the budget for all derivations of the outer structure before the first one starts.
func (d *decoder) require() error {
	if d.mac != nil {
		if err := d.mac.require(d.budget); err != nil {
			return err
		}
	}
	if d.broken != nil {
		return nil
	}
	for _, s := range d.safes {
		if s.unsupported != "" {
			return d.blame(&UnsupportedError{Algorithm: s.unsupported})
		}
		if s.pbe != nil {
			if err := s.pbe.require(d.budget, s.ciphertext); err != nil {
				return d.blame(err)
			}
		}
		if err := d.requireKeys(s); err != nil {
			return d.blame(err)
		}
	}
	return nil
}

// blame keeps what is wrong with a safe or a key bag for after the MAC, which tells an altered file from one that uses what is
// not read here.
func (d *decoder) blame(err error) error {
	if d.mac != nil {
		d.broken = err
		return nil
	}
	return err
}

// verifyMAC tries the readings of the password one after the other.
func (d *decoder) verifyMAC(one *derivation) error {
	source := d.mac.source()
	for i, from := range d.secret.readings(source.family(), false) {
		if i > 0 {
			if d.budget.spend(source.cost()) != nil {
				break // the file asked for so much that one more try is too much
			}
			one = d.startReading(source, d.mac.keySize(), from)
		}
		key, err := d.wait(one)
		if err != nil {
			return err
		}
		if d.mac.verify(key, d.content) {
			d.macEncoding = from.encoding
			d.used(i, from)
			return nil
		}
	}
	return ErrPassword
}

// used notes a reading that is not the specification's.
func (d *decoder) used(index int, from reading) {
	odd := index > 0 || from.encoding == EncodingUTF16
	if !odd || from.encoding == EncodingNothing {
		return
	}
	for _, known := range d.encodings {
		if known == from.encoding {
			return
		}
	}
	d.encodings = append(d.encodings, from.encoding)
}

// openWith decrypts with one reading of the password after the other, until accept takes a plaintext or ends the search
// with an error. one is the derivation from the first reading. The error is ErrPassword where none was taken.
func (d *decoder) openWith(p *pbe, one *derivation, ciphertext []byte, accept func(plaintext []byte) (taken bool, err error)) error {
	for i, from := range d.order(p.source.family()) {
		if i > 0 {
			if d.budget.spend(p.source.cost()) != nil {
				break
			}
			one = d.startReading(p.source, p.keySize(), from)
		}
		derived, err := d.wait(one)
		if err != nil {
			return err
		}
		plaintext, ok := p.open(derived, ciphertext)
		if !ok {
			continue
		}
		if taken, err := accept(plaintext); taken || err != nil {
			d.used(i, from)
			return err
		}
	}
	return ErrPassword
}

// order has the specification's reading first, since it is derived already, and the one of the MAC next.
func (d *decoder) order(f family) []reading {
	readings := d.secret.readings(f, d.mac != nil)
	for i, one := range readings {
		if i > 1 && one.encoding == d.macEncoding {
			ordered := append([]reading{readings[0], one}, readings[1:i]...)
			return append(ordered, readings[i+1:]...)
		}
	}
	return readings
}

// doesNotOpen is the error for what no reading of the password opens.
func (d *decoder) doesNotOpen(part Part) error {
	if d.mac == nil {
		return ErrPassword
	}
	return &PrivacyPasswordError{Part: part}
}

// odd is the error for what opened and is not as RFC 7292 has it.
func (d *decoder) odd(err error) error {
	if d.mac != nil && errors.As(err, new(*DamagedError)) {
		return &NonconformingError{Err: err}
	}
	return err
}

func (d *decoder) openSafe(s *safe) error {
	var odd error
	err := d.openWith(s.pbe, s.derivation, s.ciphertext, func(plaintext []byte) (bool, error) {
		defer clear(plaintext)
		if len(plaintext) == 0 || plaintext[0] != 0x30 { // of a SEQUENCE; padding fits by chance
			return false, nil
		}
		der, err := d.wholeDER(plaintext, "SafeContents")
		if errors.As(err, new(*DamagedError)) {
			if d.mac != nil { // padding and the tag of a SEQUENCE fit by chance once in 65,536 times
				odd = d.odd(err)
			}
			return false, nil
		}
		if err != nil {
			return false, err
		}
		s.opened = true
		return true, d.odd(s.bags.read(der, 1))
	})
	switch {
	case errors.Is(err, ErrPassword) && odd != nil:
		return odd
	case errors.Is(err, ErrPassword):
		return d.doesNotOpen(PartSafe)
	}
	return err
}
