package bridge

import (
	"errors"
	"regexp"
	"testing"

	"filippo.io/age"

	"p11bridge/bridge/seal"
)

// sealing is one to a fresh age key, and the key to it.
func sealing(t *testing.T) (*Sealing, []seal.Key) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipients, err := seal.ReadRecipients("test", []byte(identity.Recipient().String()))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.ReadKeys([]byte(identity.String()))
	if err != nil {
		t.Fatal(err)
	}
	return &Sealing{Recipients: recipients}, keys
}

// TestKeyStaysUntilSealedIsOpened: the only copy of a key is not left behind a password that nobody has opened.
func TestKeyStaysUntilSealedIsOpened(t *testing.T) {
	to, keys := sealing(t)
	request := func(change func(*ExportRequest)) ExportRequest {
		return leaving(func(r *ExportRequest) {
			r.Password, r.Sealing = nil, to
			change(r)
		})
	}
	if _, err := request(func(*ExportRequest) {}).validate(); err != nil {
		t.Error(err)
	}
	if _, err := request(func(r *ExportRequest) { r.DeleteKey = true }).validate(); !errors.Is(err, ErrNotOpened) {
		t.Errorf("nobody opens it: %v", err)
	}
	opening := *to
	opening.Keys = keys
	if _, err := request(func(r *ExportRequest) { r.DeleteKey, r.Sealing = true, &opening }).validate(); err != nil {
		t.Error(err)
	}
	if _, err := leaving(func(r *ExportRequest) { r.Sealing = to }).validate(); !errors.Is(err, ErrRequest) {
		t.Errorf("two passwords: %v", err)
	}
	if _, err := request(func(r *ExportRequest) { r.Sealing = &Sealing{} }).validate(); !errors.As(err, new(*seal.RecipientError)) {
		t.Errorf("to nobody: %v", err)
	}
	if _, err := request(func(r *ExportRequest) { r.Sealing = &Sealing{Recipients: to.Recipients, Transport: "post"} }).validate(); !errors.Is(err, ErrRequest) {
		t.Errorf("an unknown transport: %v", err)
	}
}

// TestSealedPasswordsAreStrong: each has at least 128 bits, is another one, and can be typed.
func TestSealedPasswordsAreStrong(t *testing.T) {
	const bitsOfCharacter = 5
	form := regexp.MustCompile(`^([a-z2-9]{5}-){5}[a-z2-9]{5}$`)
	seen := map[string]bool{}
	for range 100 {
		password, err := NewPassword(nil, sealedGroups)
		if err != nil {
			t.Fatal(err)
		}
		text := password.Reveal()
		if !form.MatchString(text) || seen[text] {
			t.Errorf("%q", text)
		}
		seen[text] = true
	}
	if len(passwordAlphabet) != 1<<bitsOfCharacter || sealedGroups*passwordGroup*bitsOfCharacter < 128 {
		t.Error("fewer than 128 bits")
	}
}
