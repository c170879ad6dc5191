package token

import (
	"context"
	"errors"
	"slices"

	"github.com/miekg/pkcs11"
)

// KeySearch finds out whether a private key that was to be destroyed is gone.
type KeySearch struct {
	key   *Object
	own   []*pkcs11.Attribute // what the key alone, or nearly so, has; nil where a search for that does not find it
	alike int                 // private keys that told of themselves what it does; nothing keeps two objects from being alike
}

// errVanished means that a key is not found any more that was there before.
var errVanished = errors.New("the key is no longer found on the token")

// Vanished reports whether an error says that an object is no longer there, or another one in its place: somebody else may have destroyed it.
func Vanished(err error) bool {
	code, known := CodeOf(err)
	return errors.Is(err, errVanished) || known && (code == CKRObjectHandleInvalid || code == CKRKeyHandleInvalid)
}

// SearchFor looks for the key, which is there still: Vanished tells of an error whether it is not. Where the token finds it by its CKA_ID and CKA_LABEL, the others are not looked
// at: who destroys many keys would read all that are left for each. An error comes from the token or the context.
func (s *Session) SearchFor(ctx context.Context, key *Object) (*KeySearch, error) {
	search := &KeySearch{key: key}
	own := []*pkcs11.Attribute{ulong(CKAClass, uint(CKOPrivateKey))}
	for _, a := range []Attribute{CKAID, CKALabel} {
		if value := key.Attributes.Bytes(a); len(value) > 0 {
			own = append(own, pkcs11.NewAttribute(uint(a), value))
		}
	}
	if len(key.ID()) > 0 {
		handles, err := s.find(ctx, keysAlike, own...)
		switch {
		case Lost(err) || ctx.Err() != nil || endsSearching(err):
			return nil, err
		case err == nil && slices.Contains(handles, key.handle):
			search.own = own
		}
	}
	var err error
	_, search.alike, err = search.look(ctx, s)
	if err == nil && search.alike == 0 {
		err = errVanished
	}
	return search, err
}

// keysAlike is a search, for the observer.
const keysAlike = "CKO_PRIVATE_KEY with CKA_ID"

// Gone looks once more: C_DestroyObject may answer CKR_OK and do nothing. The key is gone where its handle is not found any more,
// and one less of those that are like it. An error comes from the token.
func (k *KeySearch) Gone(ctx context.Context, s *Session) (bool, error) {
	there, alike, err := k.look(ctx, s)
	return !there && alike < k.alike, err
}

func (k *KeySearch) look(ctx context.Context, s *Session) (there bool, alike int, err error) {
	var handles []pkcs11.ObjectHandle
	if k.own != nil {
		handles, err = s.find(ctx, keysAlike, k.own...)
		there = slices.Contains(handles, k.key.handle)
	} else {
		var left []*Object
		if left, err = s.Remaining([]*Object{k.key}); err == nil {
			handles, err = s.find(ctx, CKOPrivateKey.String(), ulong(CKAClass, uint(CKOPrivateKey)))
		}
		there = len(left) > 0
	}
	if err != nil {
		return there, 0, err
	}
	for _, handle := range handles {
		if ctx.Err() != nil {
			return there, alike, context.Cause(ctx)
		}
		key, err := s.readObject(handle)
		if code, known := CodeOf(err); known && code == CKRObjectHandleInvalid {
			continue // destroyed by another session since the search
		}
		if err != nil {
			return there, alike, err
		}
		if key.SameAs(k.key) {
			alike++
		}
	}
	return there, alike, nil
}
