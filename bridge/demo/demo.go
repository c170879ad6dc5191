// Package demo makes throw-away SoftHSM2 tokens with specimens of every kind of identity: for a first look at p11bridge,
// for pipelines, and for the tests. The keys are worthless.
package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"p11bridge/token"
	"p11bridge/token/host"
	"p11bridge/token/secret"
)

// Place is a directory that holds SoftHSM2 tokens and their configuration.
type Place struct {
	Directory string
	Library   token.Library
	PIN       string // of every token made here; throw-away
}

// ErrNoSoftHSM means that SoftHSM2's library is in none of the usual places.
var ErrNoSoftHSM = errors.New("the SoftHSM2 library was not found")

// ErrDirectoryNotEmpty means that the directory for a new token holds something already.
var ErrDirectoryNotEmpty = errors.New("the directory is not empty")

// Configuration is the path of the softhsm2.conf, for SOFTHSM2_CONF.
func (p Place) Configuration() string { return filepath.Join(p.Directory, "softhsm2.conf") }

// PINFile is the path of the file with the user PIN.
func (p Place) PINFile() string { return filepath.Join(p.Directory, "pin.txt") }

// FindSoftHSM looks for SoftHSM2's library where distributions put it. A configuration that names one that is gone, as the
// package softhsm2-common leaves it behind, is passed over.
func FindSoftHSM() (token.Library, error) {
	for _, library := range host.Discover() {
		if !host.IsSoftHSM(library.Path) {
			continue
		}
		if _, err := os.Stat(library.Path); err == nil {
			return library, nil
		}
	}
	return token.Library{}, ErrNoSoftHSM
}

// NewPlace writes the configuration and the PIN into a directory, which is made if it is missing and must be empty.
func NewPlace(directory, pin string) (Place, error) {
	p, err := NewPlaceWithoutPIN(directory)
	if err != nil {
		return Place{}, err
	}
	p.PIN = pin
	if err := os.WriteFile(p.PINFile(), []byte(pin+"\n"), 0o600); err != nil {
		return Place{}, fmt.Errorf("make a token: %w", err)
	}
	return p, nil
}

// NewPlaceWithoutPIN is NewPlace for tokens whose PIN is written nowhere.
func NewPlaceWithoutPIN(directory string) (Place, error) {
	library, err := FindSoftHSM()
	if err != nil {
		return Place{}, err
	}
	if directory, err = filepath.Abs(directory); err != nil {
		return Place{}, fmt.Errorf("make a token: %w", err)
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return Place{}, fmt.Errorf("make a token: %w", err)
	}
	entries, err := os.ReadDir(directory)
	switch {
	case err != nil:
		return Place{}, fmt.Errorf("make a token: %w", err)
	case len(entries) > 0:
		return Place{}, ErrDirectoryNotEmpty
	}
	p := Place{Directory: directory, Library: library}
	tokens := filepath.Join(directory, "tokens")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		return Place{}, fmt.Errorf("make a token: %w", err)
	}
	configuration := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
	if err := os.WriteFile(p.Configuration(), []byte(configuration), 0o600); err != nil {
		return Place{}, fmt.Errorf("make a token: %w", err)
	}
	return p, nil
}

// NewPIN makes a throw-away PIN of eight digits.
func NewPIN() (string, error) {
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("make a PIN: %w", err)
	}
	for i := range random {
		random[i] = '0' + random[i]%10
	}
	return string(random), nil
}

// AddToken makes a token with the specimens. SOFTHSM2_CONF must name the place's configuration before the process opens
// SoftHSM2 for the first time.
func (p Place) AddToken(ctx context.Context, observer token.Observer, label string, specimens []Specimen) (err error) {
	module, err := token.Open(p.Library, observer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, module.Close()) }()
	soPIN := make([]byte, 8)
	if _, err := rand.Read(soPIN); err != nil {
		return fmt.Errorf("make an SO PIN: %w", err)
	}
	so := secret.New([]byte(hex.EncodeToString(soPIN)))
	slot, err := initialise(ctx, module, label, so)
	if err != nil {
		return err
	}
	session, err := slot.OpenSession(token.ReadWrite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	pin := secret.New([]byte(p.PIN))
	if err := session.InitPIN(so, pin); err != nil {
		return err
	}
	if err := session.Login(pin); err != nil {
		return err
	}
	return populate(ctx, session, specimens)
}

// initialise makes a token in the first slot without one and finds the slot that it then has.
func initialise(ctx context.Context, module *token.Module, label string, so *secret.Text) (token.Slot, error) {
	free := func(slot token.Slot) bool {
		return slot.Token != nil && !slot.Token.Flags.Has(token.CKFTokenInitialized)
	}
	slot, err := findSlot(ctx, module, free)
	if err != nil {
		return slot, err
	}
	if err := module.InitToken(slot.ID, label, so); err != nil {
		return slot, err
	}
	return findSlot(ctx, module, func(slot token.Slot) bool {
		return slot.Token != nil && string(slot.Token.Label) == label && !slot.Token.Flags.Has(token.CKFUserPINInitialized)
	})
}

func findSlot(ctx context.Context, module *token.Module, fits func(token.Slot) bool) (token.Slot, error) {
	slots, err := module.Slots(ctx)
	if err != nil {
		return token.Slot{}, err
	}
	for _, slot := range slots {
		if fits(slot) {
			return slot, nil
		}
	}
	return token.Slot{}, errors.New("SoftHSM2 offers no slot for a new token")
}

// ExistingPlace is a place that NewPlace made earlier.
func ExistingPlace(directory string) (Place, error) {
	library, err := FindSoftHSM()
	if err != nil {
		return Place{}, err
	}
	p := Place{Directory: directory, Library: library}
	pin, err := os.ReadFile(p.PINFile())
	if err != nil {
		return Place{}, fmt.Errorf("find the demo's token: %w", err)
	}
	p.PIN = strings.TrimSpace(string(pin))
	return p, nil
}
