package pfx

import (
	"bytes"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

// TestOnlyOneKeyIsOpened: of several keys the one at the place that is named is opened, and no other.
func TestOnlyOneKeyIsOpened(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("one")
	for _, name := range []string{"P-256", "Ed25519"} {
		further := newIdentity(t, name).contents(name)
		contents.Keys, contents.Certificates = append(contents.Keys, further.Keys...), append(contents.Certificates, further.Certificates...)
	}
	apart := encode(t, contents, "test", Modern)
	kept, err := Decode(t.Context(), apart, []byte("test"), DecodeOptions{KeepShrouded: true})
	must(t, err)
	m, key := testMAC(t, "test")
	together := assemble(t, m, key, info(t, func(b *cryptobyte.Builder) {
		for _, k := range kept.Keys {
			addShroudedKeyBag(b, Key{}, k.Shrouded)
		}
	}))
	for _, file := range [][]byte{apart, together} {
		onlyOneIsOpened(t, file)
	}
}

func onlyOneIsOpened(t *testing.T, file []byte) {
	t.Helper()
	all, err := Decode(t.Context(), file, []byte("test"), DecodeOptions{})
	must(t, err)
	if len(all.Facts.Places) != len(all.Keys) || len(all.Keys) != 3 {
		t.Fatalf("%d keys at %v", len(all.Keys), all.Facts.Places)
	}
	for i, wanted := range all.Keys {
		got, err := Decode(t.Context(), file, []byte("test"), DecodeOptions{Only: &all.Facts.Places[i]})
		must(t, err)
		for j, key := range got.Keys {
			if open := key.PKCS8 != nil; open != (i == j) || open == (key.Shrouded != nil) {
				t.Errorf("only key %d, and key %d: %d bytes in clear, %d shrouded, at %v", i, j, len(key.PKCS8), len(key.Shrouded), got.Facts.Places[j])
			}
		}
		if !bytes.Equal(got.Keys[i].PKCS8, wanted.PKCS8) {
			t.Errorf("key %d is another one", i)
		}
	}
	for _, nowhere := range []Place{{-1, 0}, {len(all.Keys) + 9, 0}, {0, 99}} {
		got, err := Decode(t.Context(), file, []byte("test"), DecodeOptions{Only: &nowhere})
		must(t, err)
		for _, key := range got.Keys {
			if key.PKCS8 != nil {
				t.Errorf("a key is open where none is at %v", nowhere)
			}
		}
	}
}
