package token

import (
	"context"
	"errors"
	"slices"

	"p11bridge/token/foreign"
)

// Inventory is everything that a token tells without giving up a secret: plain values, good without the token.
// Every object that was enumerated is in it.
type Inventory struct {
	Module     ModuleInfo  `json:"module"`
	Token      Info        `json:"token"`
	LoggedIn   bool        `json:"logged_in"`
	Mechanisms []Mechanism `json:"mechanisms"`
	Objects    []*Object   `json:"objects"`

	// PassedOver is a file of the token that the module passes over in silence, because this user may not read it: objects may be missing.
	// Nothing but what the machine shows tells, so that it is not in a snapshot.
	PassedOver string `json:"-"`

	linker *linker // of the objects, once they are complete
}

// Index prepares an inventory whose objects do not change any more for many questions.
func (inventory *Inventory) Index() {
	for _, o := range inventory.Objects {
		if o.Class == CKOPrivateKey || o.Class == CKOPublicKey {
			o.readPublicKey()
		}
	}
	inventory.linker = newLinker(inventory.Objects)
}

// ShowsPrivate reports whether an object is shown that has CKA_PRIVATE: a session that shows one before a login hides none for want of it.
func (inventory *Inventory) ShowsPrivate() bool {
	if inventory.linker != nil {
		return inventory.linker.private
	}
	return slices.ContainsFunc(inventory.Objects, (*Object).private)
}

// IssuesHere reports whether another certificate has the name for its issuer.
func (inventory *Inventory) IssuesHere(name foreign.Text) bool {
	if inventory.linker != nil {
		return inventory.linker.issuers[name]
	}
	return slices.ContainsFunc(inventory.Objects, func(o *Object) bool {
		return o.Certificate != nil && o.Certificate.Issuer == name && o.Certificate.Subject != name
	})
}

func (o *Object) private() bool { return o.Attributes.Bool(CKAPrivate) == True }

// Inventory reads the token's description, mechanisms and objects, as far as the session's login state shows them.
// Attributes that a token does not tell are in the result with the return value that it gave instead.
func (s *Session) Inventory(ctx context.Context) (*Inventory, error) {
	info, err := s.module.tokenInfo(s.Slot.ID) // anew: the login changes the flags
	if err != nil {
		return nil, err
	}
	objects, further, err := s.objects(ctx)
	if err != nil {
		return nil, err
	}
	l := newLinker(objects)
	asking := newAsking(s, further)
	mechanisms, err := s.module.mechanisms(s.Slot.ID, 1+len(further)) // before anything is signed
	if err == nil {
		err = asking.compareTwins(ctx, l)
	}
	if err == nil {
		err = asking.settle(ctx, l)
	}
	if err == nil && len(asking.vanished) > 0 {
		if objects, err = s.withoutGone(ctx, objects, asking.vanished); err == nil {
			l = newLinker(objects)
		}
	}
	if closing := asking.close(); err == nil && Lost(closing) {
		err = closing
	}
	if err != nil {
		return nil, err
	}
	loggedIn := s.LoggedIn
	if !loggedIn && !info.Flags.Has(CKFLoginRequired) && info.Flags.Has(CKFUserPINInitialized) && !l.private { // the module may have logged in by itself
		if loggedIn, err = s.ofUser(); Lost(err) {
			return nil, err
		}
	}
	return &Inventory{Module: s.module.Info, Token: *info, LoggedIn: loggedIn, Mechanisms: mechanisms, Objects: objects, linker: l}, nil
}

// withoutGone leaves out the keys that somebody else removed since they were read. One that is still listed stays, whatever the token answered
// when it was asked.
func (s *Session) withoutGone(ctx context.Context, objects, vanished []*Object) (left []*Object, err error) {
	for _, o := range objects {
		if slices.Contains(vanished, o) {
			gone := s.gone(ctx, o.handle, errVanished)
			if gone == nil {
				continue
			}
			if !errors.Is(gone, errVanished) {
				return nil, gone
			}
		}
		left = append(left, o)
	}
	return left, nil
}
