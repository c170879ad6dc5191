package pfx

import (
	"bytes"
	"errors"
)

// derivedFor is the key of a bag that stays shrouded, where the same was derived for a safe of the file; nil where not.
func (d *decoder) derivedFor(bag *keyBag) *Derived {
	if bag.pbe.cipher == nil {
		return nil
	}
	params, is := bag.pbe.source.(*pbkdf2Params)
	if !is {
		return nil
	}
	one := d.find(params, bag.pbe.keySize(), d.secret.standard(familyOctets))
	if one == nil {
		return nil
	}
	key, err := d.wait(one)
	if err != nil {
		return nil
	}
	return &Derived{source: params.clone(), key: bytes.Clone(key)}
}

// toOpen are the shrouded key bags of a safe that are to be opened.
func (d *decoder) toOpen(s *safe) []*keyBag {
	if d.keepShrouded || d.only != nil && (d.only.Safe < 0 || d.only.Safe >= len(d.safes) || d.safes[d.only.Safe] != s) {
		return nil
	}
	var bags []*keyBag
	for i, bag := range s.bags.keys {
		if bag.shrouded != nil && (d.only == nil || d.only.Key == i) {
			bags = append(bags, bag)
		}
	}
	return bags
}

func (d *decoder) requireKeys(s *safe) error {
	for _, bag := range d.toOpen(s) {
		if err := bag.pbe.require(d.budget, bag.ciphertext); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) deriveKeys(s *safe) {
	for _, bag := range d.toOpen(s) {
		bag.derivation = d.startScheme(bag.pbe)
	}
}

// startScheme starts the derivation of a scheme's key from the specification's reading of the password.
func (d *decoder) startScheme(p *pbe) *derivation {
	return d.startReading(p.source, p.keySize(), d.secret.standard(p.source.family()))
}

// startKeys is for the key bags of a safe that was encrypted.
func (d *decoder) startKeys(s *safe) error {
	if err := d.requireKeys(s); err != nil {
		return d.odd(err)
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
		key.Shrouded, key.Derived = bytes.Clone(bag.shrouded), d.derivedFor(bag)
		return key, nil
	}
	var odd error
	err := d.openWith(bag.pbe, bag.derivation, bag.ciphertext, func(plaintext []byte) (bool, error) {
		var err error
		if key.PKCS8, err = trimPrivateKeyInfo(plaintext); err == nil {
			return true, nil
		}
		// Padding fits by chance once in 256 times, a SEQUENCE on top of it hardly ever, and a whole one never.
		if len(plaintext) > 0 && plaintext[0] == 0x30 && (d.mac != nil || wholeSequence(plaintext)) {
			odd = d.odd(err)
		}
		key.PKCS8 = nil
		clear(plaintext)
		return false, nil
	})
	switch {
	case errors.Is(err, ErrPassword) && odd != nil:
		return key, odd
	case errors.Is(err, ErrPassword):
		return key, d.doesNotOpen(PartKey)
	}
	return key, err
}
