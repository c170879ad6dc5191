package pfx

import (
	"bytes"
	"context"
	"crypto/rand"
	"testing"
)

// protections are the salts and IVs of a file with its certificates in the first safe and its keys in the second.
func protections(t *testing.T, file []byte) (salts, ivs [][]byte, mac []byte) {
	t.Helper()
	c, err := readContainer(file)
	must(t, err)
	schemes := []*pbe{c.safes[0].pbe}
	for _, bag := range c.safes[1].bags.keys {
		schemes = append(schemes, bag.pbe)
	}
	for _, p := range schemes {
		switch source := p.source.(type) {
		case *pbkdf2Params:
			salts = append(salts, source.salt)
		case *bmpSource:
			salts = append(salts, source.salt)
		}
		ivs = append(ivs, p.iv)
	}
	if mac = c.mac.salt; c.mac.pbkdf2 != nil {
		mac = c.mac.pbkdf2.salt
	}
	return salts, ivs, mac
}

// TestOneKeyForAFile: what PBES2 encrypts has one salt and each part its own IV, the MAC has another salt, and what derives its IV shares nothing.
func TestOneKeyForAFile(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	contents.Keys = append(contents.Keys, contents.Keys[0])
	for _, profile := range knownProfiles {
		salts, ivs, mac := protections(t, encode(t, contents, "test", profile))
		all := append(salts[:len(salts):len(salts)], mac)
		for i, one := range all {
			for j, other := range all[:i] {
				if shared := bytes.Equal(one, other); shared != (profile != Legacy && i < len(salts)) {
					t.Errorf("%s: salts %d and %d: the same %v", profile, j, i, shared)
				}
			}
		}
		for i, iv := range ivs {
			for j, other := range ivs[:i] {
				if profile != Legacy && bytes.Equal(iv, other) {
					t.Errorf("%s: IVs %d and %d are the same", profile, j, i)
				}
			}
		}
	}
}

// TestDerivationsOfAFile counts the derivations that a file takes: two to write it and two to read it, the MAC's included, and where the
// token opens the key bag, nothing more, since the reader has the key of the bag as well. A file of two salts takes one more.
func TestDerivationsOfAFile(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	for _, profile := range []Profile{Modern, PBMAC1} {
		secret, err := newWriting(t.Context(), []byte("test"))
		must(t, err)
		r, err := newRecipe(rand.Reader, Options{Profile: profile, Iterations: testIterations})
		must(t, err)
		_, _, err = r.beginAll(secret, contents)
		must(t, err)
		_, _, err = r.beginMAC(secret)
		must(t, err)
		if len(secret.all) != 2 {
			t.Errorf("%s: %d derivations to write", profile, len(secret.all))
		}
		secret.release()
		secret.close()
		for _, row := range []struct {
			name string
			file []byte
			keep bool
			want int
			kek  bool
		}{
			{"new", encode(t, contents, "test", profile), false, 2, false},
			{"new, kept shrouded", encode(t, contents, "test", profile), true, 2, true},
			{"of two salts", ownFile(t, profile), false, 3, false},
			{"of two salts, kept shrouded", ownFile(t, profile), true, 2, false},
		} {
			got, made := derivationsToRead(t, row.file, row.keep)
			if made != row.want || (got.Keys[0].Derived != nil) != row.kek {
				t.Errorf("%s, %s: %d derivations, %+v", profile, row.name, made, got.Keys[0])
			}
			if row.kek {
				checkOpens(t, got.Keys[0], contents.Keys[0].PKCS8)
			}
		}
	}
}

func ownFile(t *testing.T, profile Profile) []byte {
	t.Helper()
	return foreignFile{name: "../own/" + string(profile) + "-two-keys"}.read(t)
}

// derivationsToRead does what Decode does.
func derivationsToRead(t *testing.T, file []byte, keep bool) (contents *Contents, made int) {
	t.Helper()
	secret, err := newPassword([]byte("test"))
	must(t, err)
	d := &decoder{derivations: newDerivations(t.Context(), secret), secret: secret, budget: newBudget(0), keepShrouded: keep}
	defer d.close()
	d.container, err = readContainer(file)
	must(t, err)
	defer d.wipe()
	contents, err = d.decode()
	must(t, err)
	return contents, len(d.all)
}

func checkOpens(t *testing.T, key Key, pkcs8 []byte) {
	t.Helper()
	shrouding, ciphertext, err := ParseShrouded(key.Shrouded)
	must(t, err)
	if opened, ok := shrouding.Open(key.Derived.Key(), ciphertext); !ok || !bytes.Equal(opened, pkcs8) {
		t.Error("the key that was derived for the certificates does not open the key bag")
	}
	contents := Contents{Keys: []Key{key}}
	if contents.Wipe(); !bytes.Equal(key.Derived.Key(), make([]byte, 32)) {
		t.Error("Wipe leaves the derived key")
	}
}

// written is a file with what it was written with.
func written(t *testing.T, contents Contents, options Options) ([]byte, *Derived) {
	t.Helper()
	derived, err := Derive(t.Context(), rand.Reader, []byte("test"), options)
	must(t, err)
	options.Derived = derived
	file, err := Encode(t.Context(), rand.Reader, contents, []byte("test"), options)
	must(t, err)
	return file, derived
}

// TestIndependentReaderDerivesOnce: what go-pkcs12 is given has the full count at the key bag alone, which stands as in the file.
func TestIndependentReaderDerivesOnce(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	for _, profile := range []Profile{Modern, PBMAC1} {
		file, derived := written(t, contents, Options{Profile: profile, Iterations: testIterations})
		c, err := readContainer(file)
		must(t, err)
		shared, is := c.sharing(derived)
		if !is {
			t.Fatalf("%s: nothing is shared", profile)
		}
		secret, err := newPassword([]byte("test"))
		must(t, err)
		content, err := shared.quick(secret)
		must(t, err)
		under, err := underQuickMAC(content, secret)
		must(t, err)
		facts, err := Inspect(under)
		must(t, err)
		if facts.MACIterations != 1 || facts.Safes[0].Iterations != 1 || facts.KeyBags[0].Iterations != testIterations || !bytes.Contains(under, shared.bag.shrouded) {
			t.Errorf("%s: %+v", profile, facts)
		}
		if _, is := c.sharing(nil); is {
			t.Errorf("%s: shared with nobody", profile)
		}
	}
	_, derived := written(t, contents, Options{Iterations: testIterations})
	beside := newIdentity(t, "P-256").contents("name")
	beside.Keys[0].PKCS8, beside.Keys[0].Shrouded = nil, sealedBag(t, derived, contents.Keys[0].PKCS8)
	for name, file := range map[string][]byte{
		"another file": encode(t, contents, "test", Modern), "two salts": ownFile(t, Modern), "legacy": encode(t, contents, "test", Legacy),
		"certificates with a salt of their own": encode(t, beside, "test", Modern),
	} {
		c, err := readContainer(file)
		must(t, err)
		if _, is := c.sharing(derived); is {
			t.Errorf("%s: shared", name)
		}
		if _, _, err := ReadVerified(file, []byte("test"), derived); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSharedKeyIsTheIndependentReaders: a writer with a fault has certificates, or the key, under another key than the password gives. The key
// that the writer hands over proves nothing unless the key bag, which go-pkcs12 opens by itself, opens by it.
func TestSharedKeyIsTheIndependentReaders(t *testing.T) {
	id := newIdentity(t, "P-256")
	other := newIdentity(t, "P-384")
	for _, row := range []struct {
		name              string
		key, certificates bool // made under the right key
		handed            bool // the right one
		proven            bool
	}{
		{"as meant", true, true, true, true},
		{"a wrong key handed over", true, true, false, false},
		{"the certificates under a wrong key", true, false, true, false},
		{"the certificates under a wrong key, which is handed over", true, false, false, false},
		{"the key under a wrong key", false, true, true, false},
		{"both under a wrong key", false, false, false, false},
	} {
		options := Options{Iterations: testIterations}
		_, right := written(t, id.contents("name"), options)
		wrong := right.Clone()
		wrong.key[5] ^= 1
		under := func(is bool) *Derived {
			if is {
				return right
			}
			return wrong
		}
		bag := sealedBag(t, under(row.key), id.pkcs8)
		contents := id.contents("name")
		contents.Keys[0].PKCS8, contents.Keys[0].Shrouded = nil, bag
		options.Derived = under(row.certificates)
		file, err := Encode(context.Background(), rand.Reader, contents, []byte("test"), options)
		must(t, err)
		pkcs8, chain, err := ReadVerified(file, []byte("test"), under(row.handed))
		if (err == nil) != row.proven {
			t.Errorf("%s: %v", row.name, err)
		}
		if row.proven && (!bytes.Equal(pkcs8, id.pkcs8) || len(chain) != 2) || !row.proven && (pkcs8 != nil || chain != nil) {
			t.Errorf("%s: other contents", row.name)
		}
	}
	_, derived := written(t, id.contents("name"), Options{Iterations: testIterations})
	s := &sharedKey{key: derived.key, bag: &keyBag{pbe: newPBES2(derived.source.salt, make([]byte, ivSize), testIterations)}}
	for name, inBag := range map[string][]byte{"another key": other.pkcs8, "no key": []byte("0123456789")} {
		ciphertext, err := s.bag.pbe.seal(derived.key, inBag)
		must(t, err)
		s.bag.ciphertext = ciphertext
		if err := s.confirm(id.pkcs8); err == nil {
			t.Errorf("confirmed by %s", name)
		}
	}
}

func sealedBag(t *testing.T, derived *Derived, pkcs8 []byte) []byte {
	t.Helper()
	iv := bytes.Repeat([]byte{3}, ivSize)
	ciphertext, err := newPBES2(derived.source.salt, iv, derived.source.iterations).seal(derived.key, pkcs8)
	must(t, err)
	bag, err := derived.AssembleShrouded(iv, ciphertext)
	must(t, err)
	return bag
}

// TestDamagedFileOfOneKey damages every byte of a file. The MAC is looked at apart, so that all of this reaches the reader: it neither panics nor
// gives a private key of another public half.
func TestDamagedFileOfOneKey(t *testing.T) {
	id := newIdentity(t, "RSA")
	file, derived := written(t, id.contents("name"), Options{Iterations: 1})
	read := 0
	for at := range file {
		damaged := bytes.Clone(file)
		damaged[at] ^= 0x11
		pkcs8, chain, err := ReadVerified(damaged, []byte("test"), derived)
		if err != nil {
			continue
		}
		read++
		if len(chain) == 0 || !samePKCS8(t, pkcs8, id.pkcs8) {
			t.Errorf("byte %d: another key", at)
		}
	}
	if read == 0 || read == len(file) {
		t.Errorf("%d of %d files were read", read, len(file))
	}
}
