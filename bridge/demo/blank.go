package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"p11bridge/token"
	"p11bridge/token/secret"
)

// BlankToken is a SoftHSM2 token without objects, for one use after the other. Its PINs are random, 128 bits each, and stand nowhere
// but in the memory of this process: what is left of its files after a crash opens for nobody.
type BlankToken struct {
	module  *token.Module
	label   string
	slot    uint
	so, pin *secret.Text
}

// NewBlankToken makes one. The module is a SoftHSM2 whose SOFTHSM2_CONF names a place of its own; no other token there has the label.
func NewBlankToken(ctx context.Context, module *token.Module, label string) (*BlankToken, error) {
	so, err := randomPIN()
	if err != nil {
		return nil, err
	}
	pin, err := randomPIN()
	if err != nil {
		return nil, err
	}
	slot, err := initialise(ctx, module, label, so)
	if err != nil {
		return nil, err
	}
	return &BlankToken{module: module, label: label, slot: slot.ID, so: so, pin: pin}, nil
}

func randomPIN() (*secret.Text, error) {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return nil, fmt.Errorf("make a PIN: %w", err)
	}
	return secret.New([]byte(hex.EncodeToString(random))), nil
}

// Empty destroys everything on the token, by C_InitToken, and gives a read-write session of it that is logged in. No other session
// of this token may be open.
func (b *BlankToken) Empty(ctx context.Context) (*token.Session, error) {
	if err := b.Destroy(); err != nil {
		return nil, err
	}
	slot, err := findSlot(ctx, b.module, func(slot token.Slot) bool { return slot.Token != nil && string(slot.Token.Label) == b.label })
	if err != nil {
		return nil, err
	}
	b.slot = slot.ID
	session, err := slot.OpenSession(token.ReadWrite)
	if err != nil {
		return nil, err
	}
	if err = session.InitPIN(b.so, b.pin); err == nil {
		err = session.Login(b.pin)
	}
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	return session, nil
}

// Destroy destroys everything on the token. No session of it may be open.
func (b *BlankToken) Destroy() error { return b.module.InitToken(b.slot, b.label, b.so) }
