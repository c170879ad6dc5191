package pfx

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// pad is what CKM_AES_CBC_PAD does.
func pad(plaintext []byte, block int) []byte {
	count := block - len(plaintext)%block
	return append(bytes.Clone(plaintext), bytes.Repeat([]byte{byte(count)}, count)...)
}

// A token that has the key only makes a bag and undoes it, with no help but the parameters.
func TestShroudedByAToken(t *testing.T) {
	ctx := context.Background()
	id := newIdentity(t, "P-384")
	iv := []byte("fedcba9876543210")
	for _, password := range []string{"test", "pässwörd €", ""} {
		derived, err := Derive(ctx, rand.Reader, []byte(password), Options{Iterations: 77})
		must(t, err)
		key, salt := derived.Key(), derived.source.salt
		block, err := aes.NewCipher(key)
		must(t, err)
		ciphertext := pad(id.pkcs8, 16)
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(ciphertext, ciphertext)
		shrouded, err := derived.AssembleShrouded(iv, ciphertext)
		must(t, err)

		contents := id.contents("name")
		contents.Keys[0].PKCS8, contents.Keys[0].Shrouded = nil, shrouded
		for _, profile := range []Profile{Modern, PBMAC1} {
			file := encode(t, contents, password, profile)
			if got := decode(t, file, password); !bytes.Equal(got.Keys[0].PKCS8, id.pkcs8) || got.Facts.Profile != profile {
				t.Errorf("%s %q: %+v", profile, password, got.Facts)
			}
			kept, err := Decode(ctx, file, []byte(password), DecodeOptions{KeepShrouded: true})
			must(t, err)
			if kept.Keys[0].PKCS8 != nil || !bytes.Equal(kept.Keys[0].Shrouded, shrouded) {
				t.Errorf("%s %q: kept %+v", profile, password, kept.Keys[0])
			}
			if pkcs8, _, err := ReadIndependently(file, []byte(password)); err != nil || !samePKCS8(t, pkcs8, id.pkcs8) {
				t.Errorf("%s %q: independently: %v", profile, password, err)
			}
		}
		checkDerivedKeys(t, contents, password, derived)
		parsed, same, err := ParseShrouded(shrouded)
		must(t, err)
		again, err := parsed.Key(ctx, []byte(password))
		must(t, err)
		if !bytes.Equal(again, key) || !bytes.Equal(same, ciphertext) || !bytes.Equal(parsed.IV, iv) || !bytes.Equal(parsed.Salt, salt) ||
			parsed.Iterations != 77 || parsed.KeyLength != 32 || parsed.PRF != "HMAC-SHA-256" || parsed.Cipher != "AES-256-CBC" {
			t.Errorf("%q: parsed %+v", password, parsed)
		}
	}
}

// checkDerivedKeys writes with keys that were derived before, under which the key bag stands already. They are taken where they fit, and the
// file is as any other.
func checkDerivedKeys(t *testing.T, contents Contents, password string, derived *Derived) {
	t.Helper()
	for _, row := range []struct {
		options Options
		taken   bool
	}{
		{Options{Iterations: 77}, true},
		{Options{Iterations: 77, Profile: Modern}, true},
		{Options{Iterations: 77, Profile: PBMAC1}, false},
		{Options{Iterations: 78}, false},
		{Options{Iterations: 77, Profile: Legacy}, false},
	} {
		row.options.Derived = derived
		file, err := Encode(context.Background(), rand.Reader, contents, []byte(password), row.options)
		must(t, err)
		inKeyBag := 1
		if taken := bytes.Count(file, derived.source.salt) > inKeyBag; taken != row.taken || taken != bytes.Contains(file, derived.mac.salt) {
			t.Errorf("%q, %+v: taken %v", password, row.options, taken)
		}
		if got := decode(t, file, password); !bytes.Equal(got.Certificates[0].DER, contents.Certificates[0].DER) {
			t.Errorf("%q, %+v: another certificate", password, row.options)
		}
	}
	if bytes.Equal(derived.key, make([]byte, 32)) || bytes.Equal(derived.macKey, make([]byte, 32)) {
		t.Errorf("%q: a file that is written wipes the keys, which are the caller's", password)
	}
	own := derived.Clone()
	if own.Wipe(); !bytes.Equal(own.key, make([]byte, 32)) || !bytes.Equal(own.macKey, make([]byte, 32)) || bytes.Equal(derived.key, own.key) {
		t.Errorf("%q: Wipe leaves a key, or takes another's", password)
	}
}

// The limits of a bag that stays shrouded are not this reader's: nothing is derived.
func TestKeepShroudedOfAnyAlgorithm(t *testing.T) {
	for _, name := range []string{"openssl-rc4-128", "pk12util-default"} {
		f := foreignFile{name: name}
		contents, err := Decode(context.Background(), f.read(t), []byte("test"), DecodeOptions{KeepShrouded: true})
		if err != nil || contents.Keys[0].Shrouded == nil || contents.Keys[0].PKCS8 != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	shrouded, err := buildShrouded(newPBES2([]byte("salt"), make([]byte, 16), 1_000_000_000), make([]byte, 16))
	must(t, err)
	m, key := testMAC(t, "test")
	file := assemble(t, m, key, info(t, func(b *cryptobyte.Builder) { addShroudedKeyBag(b, Key{}, shrouded) }))
	contents, err := Decode(context.Background(), file, []byte("test"), DecodeOptions{KeepShrouded: true})
	must(t, err)
	if !bytes.Equal(contents.Keys[0].Shrouded, shrouded) || contents.Facts.KeyBags[0].Iterations != 1_000_000_000 {
		t.Errorf("contents: %+v", contents)
	}
}

func assembled(salt []byte, iterations int, iv, ciphertext []byte) error {
	_, err := AssembleShrouded(salt, iterations, iv, ciphertext)
	return err
}

func derivedFrom(password string, options Options) error {
	_, err := Derive(context.Background(), rand.Reader, []byte(password), options)
	return err
}

func TestShroudRefuses(t *testing.T) {
	ctx := context.Background()
	salt, iv, text := make([]byte, 16), make([]byte, 16), make([]byte, 32)
	var limit *LimitError
	var broken *DamagedError
	var unsupported *UnsupportedError
	parse := func(p *pbe, ciphertext []byte) error {
		der, err := buildShrouded(p, ciphertext)
		must(t, err)
		_, _, err = ParseShrouded(der)
		return err
	}
	over, cancel := context.WithDeadline(ctx, time.Unix(0, 0))
	defer cancel()
	_, errOver := Derive(over, rand.Reader, nil, Options{Iterations: 1})
	_, errRandom := Derive(ctx, bytes.NewReader(make([]byte, 31)), nil, Options{Iterations: 1})
	_, errPRF := Shrouding{Salt: salt, Iterations: 1, KeyLength: 32, PRF: "HMAC-MD4"}.Key(ctx, nil)
	_, errLength := Shrouding{Salt: salt, Iterations: 1, KeyLength: 0, PRF: "HMAC-SHA-1"}.Key(ctx, nil)
	otherSize := newPBES2(salt, iv, 1)
	otherSize.source.(*pbkdf2Params).keyLength = 16
	tests := []struct {
		name string
		err  error
		want any
	}{
		{"no iterations", assembled(salt, 0, iv, text), &limit},
		{"too many iterations", assembled(salt, MaxIterations+1, iv, text), &limit},
		{"salt", assembled(make([]byte, maxSalt+1), 1, iv, text), &limit},
		{"size", assembled(salt, 1, iv, make([]byte, maxFileSize+16)), &limit},
		{"short IV", assembled(salt, 1, iv[:15], text), &broken},
		{"no ciphertext", assembled(salt, 1, iv, nil), &broken},
		{"ciphertext of odd length", assembled(salt, 1, iv, text[:31]), &broken},
		{"password not in the BMP", derivedFrom("🔑", Options{Iterations: 1}), ErrPasswordNotBMP},
		{"password not in UTF-8", derivedFrom("\xff", Options{Iterations: 1}), ErrPasswordNotUTF8},
		{"key with too many iterations", derivedFrom("test", Options{Iterations: MaxIterations + 1}), &limit},
		{"legacy", derivedFrom("test", Options{Iterations: 1, Profile: Legacy}), ErrProfile},
		{"no profile", derivedFrom("test", Options{Iterations: 1, Profile: "best"}), ErrProfile},
		{"context", errOver, context.DeadlineExceeded},
		{"random numbers", errRandom, io.ErrUnexpectedEOF},
		{"PRF", errPRF, &unsupported},
		{"key length", errLength, &broken},
		{"parsed: iterations", parse(newPBES2(salt, iv, MaxIterations+1), text), &limit},
		{"parsed: no PBES2", parse(newTripleDES(salt, 1), text), &unsupported},
		{"parsed: ciphertext", parse(newPBES2(salt, iv, 1), text[:31]), &broken},
		{"parsed: IV", parse(newPBES2(salt, iv[:8], 1), text), &broken},
		{"parsed: key length", parse(otherSize, text), &broken},
	}
	for _, test := range tests {
		if !isError(test.err, test.want) {
			t.Errorf("%s: %v", test.name, test.err)
		}
	}
	if _, _, err := ParseShrouded(make([]byte, maxFileSize+1)); !errors.As(err, &limit) {
		t.Errorf("parsed: size: %v", err)
	}
}

// TestShroudingOpen: the key that was derived for a token opens the bag here, too, and another one does not.
func TestShroudingOpen(t *testing.T) {
	password := []byte("password")
	id := newIdentity(t, "P-256")
	file, err := Encode(t.Context(), rand.Reader, id.contents("name"), password, Options{Iterations: 1000})
	must(t, err)
	contents, err := Decode(t.Context(), file, password, DecodeOptions{KeepShrouded: true})
	must(t, err)
	shrouding, ciphertext, err := ParseShrouded(contents.Keys[0].Shrouded)
	must(t, err)
	key, err := shrouding.Key(t.Context(), password)
	must(t, err)
	if pkcs8, ok := shrouding.Open(key, ciphertext); !ok || !bytes.Equal(pkcs8, id.pkcs8) {
		t.Errorf("not opened: %v", ok)
	}
	other := bytes.Clone(key)
	other[0] ^= 1
	for _, wrong := range [][]byte{other, key[:16], nil} {
		if _, ok := shrouding.Open(wrong, ciphertext); ok {
			t.Errorf("opened by %d bytes that are another key", len(wrong))
		}
	}
	if _, ok := shrouding.Open(key, ciphertext[:15]); ok {
		t.Error("opened what has no whole blocks")
	}
}
