package bridge

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
)

// InstallRequest says which certificates are to be put beside their key.
type InstallRequest struct {
	Session      *token.Session
	Inventory    *token.Inventory
	Certificates []*pki.Certificate // as they stand in the file
	Key          *token.Object      // the one that the certificate is said to be of; nil: the one that is found by the public key
	WithChain    bool
	Now          time.Time // zero: the time of the call
}

// validate takes what is needed where nothing is named, and refuses what cannot be, before the token is touched.
func (r InstallRequest) validate() (InstallRequest, error) {
	if r.Now.IsZero() {
		r.Now = time.Now()
	}
	return r, needs("install", part{"session", r.Session == nil}, part{"inventory", r.Inventory == nil},
		part{"certificate", len(r.Certificates) == 0 || slices.Contains(r.Certificates, nil)})
}

// NamedCertificate is a certificate and where it is, or is to be, on the token.
type NamedCertificate struct {
	Certificate *pki.Certificate
	Name        token.Name
	There       *token.Object // it was there already
}

// InstallPlan is what will be stored, worked out before anything is.
type InstallPlan struct {
	NamedCertificate
	Key     *token.Object
	Proof   token.Link         // how the key was shown to be the certificate's
	Chain   []NamedCertificate // the issuers that the file has, nearest first; empty without WithChain
	LeftOut int                // certificates of the file that are not stored
	Notices []verdict.Reason
	After   *token.Inventory // the token as Install read it again; as it was, where nothing was stored
}

// OtherID reports whether the certificate is there already under a CKA_ID that is not its key's.
func (p *InstallPlan) OtherID() bool {
	return p.There != nil && !bytes.Equal(p.There.ID(), p.Key.ID())
}

// InstallRefusedError means that no certificate of the file is shown to belong to a key on the token.
type InstallRefusedError struct {
	Reason verdict.Reason
	// Possible is the shortest name of a key that may be the certificate's, for InstallRequest.Key; empty where there is none.
	Possible string
}

// ErrNotItsKey means that no certificate of the file is of the key that was named, or that no private key was named.
var ErrNotItsKey = errors.New("the certificate is of another key than the one that was named")

// Error gives the reason's code.
func (e *InstallRefusedError) Error() string { return "not installed: " + string(e.Reason.Code) }

// ErrNotStored means that what the token stored is not what it was given. It was removed.
var ErrNotStored = errors.New("the token stored something else")

// Plan finds the key of the first certificate that has one on the token. The others are its chain as far as they are its
// issuers. The error is an *InstallRefusedError, ErrNotItsKey, ErrWriteProtected, or comes from the token or the context.
func (r InstallRequest) Plan(ctx context.Context) (*InstallPlan, error) {
	r, err := r.validate()
	if err != nil {
		return nil, err
	}
	plan := &InstallPlan{After: r.Inventory}
	find := r.findKey
	if r.Key != nil {
		find = r.confirmKey
	}
	if err := find(ctx, plan); err != nil {
		return nil, err
	}
	if err := unread(r.Inventory.Objects, [][]byte{plan.Key.ID()}); err != nil {
		return nil, err
	}
	plan.NamedCertificate = r.place(plan.Certificate, token.Name{Label: string(plan.Key.Label()), ID: plan.Key.ID()})
	if r.WithChain {
		chain, _ := pki.Chain(plan.Certificate, r.Certificates)
		for _, above := range chain {
			plan.Chain = append(plan.Chain, r.place(above, token.Name{ID: above.PublicKey.KeyID()}))
		}
	}
	plan.LeftOut = r.leftOut(plan)
	plan.Notices = append(plan.Notices, verdict.Validity(plan.Certificate, r.Now)...)
	if r.Inventory.Token.Flags.Has(token.CKFWriteProtected) && plan.Missing() {
		return nil, ErrWriteProtected
	}
	return plan, nil
}

// findKey looks for the key of each certificate in turn, until one has its own.
func (r InstallRequest) findKey(ctx context.Context, plan *InstallPlan) error {
	var possible *token.Object
	for _, certificate := range r.Certificates {
		key, proof, err := r.Session.Holder(ctx, r.Inventory, certificate.PublicKey)
		if err != nil {
			return err
		}
		if proof != token.LinkedByNone {
			plan.Certificate, plan.Key, plan.Proof = certificate, key, proof
			return nil
		}
		possible = cmp.Or(possible, key)
	}
	if possible != nil {
		return &InstallRefusedError{verdict.NotIdentified(possible), nameOf(r.Inventory, possible)}
	}
	return &InstallRefusedError{Reason: verdict.Because(verdict.NoKeyForCertificate, verdict.Fact{Name: "certificate_key", Value: verdict.KeyText(r.Certificates[0].PublicKey)},
		verdict.Fact{Name: "certificates", Value: len(r.Certificates)}, verdict.Fact{Name: "private_keys", Value: len(r.privateKeys())}, verdict.Fact{Name: "logged_in", Value: r.Inventory.LoggedIn})}
}

// confirmKey finds the certificate of the key that was named. One that could not be asked is taken at the person's word, where the file has one
// certificate alone that may be its own: nobody but the person knows, and storing a certificate destroys nothing.
func (r InstallRequest) confirmKey(ctx context.Context, plan *InstallPlan) error {
	possible := map[string]*pki.Certificate{}
	for _, certificate := range r.Certificates {
		proof, err := r.Session.HeldBy(ctx, r.Key, certificate.PublicKey)
		switch {
		case errors.Is(err, token.ErrOtherKey):
		case err != nil:
			return err
		case proof != token.LinkedByNone:
			plan.Certificate, plan.Key, plan.Proof = certificate, r.Key, proof
			return nil
		case !certificate.IsCA || len(r.Certificates) == 1:
			possible[certificate.SHA256()] = certificate
		}
	}
	if len(possible) == 0 {
		return ErrNotItsKey
	}
	if len(possible) > 1 {
		return &InstallRefusedError{Reason: verdict.NotIdentified(r.Key)}
	}
	for _, certificate := range possible {
		plan.Certificate, plan.Key, plan.Proof = certificate, r.Key, token.LinkedByNone
	}
	plan.Notices = append(plan.Notices, verdict.UnshownCertificate(r.Key))
	return nil
}

// Missing reports whether anything is to be stored.
func (p *InstallPlan) Missing() bool {
	return p.There == nil || slices.ContainsFunc(p.Chain, func(c NamedCertificate) bool { return c.There == nil })
}

// leftOut counts the different certificates of the file that are neither the key's own nor in the chain.
func (r InstallRequest) leftOut(plan *InstallPlan) int {
	seen := map[string]bool{plan.Certificate.SHA256(): true}
	for _, above := range plan.Chain {
		seen[above.Certificate.SHA256()] = true
	}
	left := 0
	for _, c := range r.Certificates {
		if digest := c.SHA256(); !seen[digest] {
			seen[digest] = true
			left++
		}
	}
	return left
}

// place finds a certificate on the token. Without a label it is named after its subject.
func (r InstallRequest) place(certificate *pki.Certificate, name token.Name) NamedCertificate {
	if name.Label == "" {
		name.Label = LabelOf(certificate)
	}
	named := NamedCertificate{Certificate: certificate, Name: name}
	for _, o := range r.Inventory.Objects {
		if o.Class == token.CKOCertificate && bytes.HasPrefix(o.Attributes.Bytes(token.CKAValue), certificate.Raw) {
			named.There = o
			if bytes.Equal(o.ID(), name.ID) {
				break
			}
		}
	}
	return named
}

// nameOf is the shortest name of a key on the token.
func nameOf(inventory *token.Inventory, key *token.Object) string {
	identities := inventory.Identities()
	at := slices.IndexFunc(identities, func(i token.Identity) bool { return i.PrivateKey == key })
	if at < 0 {
		return ""
	}
	return inventory.ShortNames(identities)[at]
}

func (r InstallRequest) privateKeys() []*token.Object {
	var keys []*token.Object
	for _, o := range r.Inventory.Objects {
		if o.Class == token.CKOPrivateKey {
			keys = append(keys, o)
		}
	}
	return keys
}

// Install stores what the plan says, or what it plans itself where that is nil, in a read-write session, and reads the token again: every certificate must be there
// byte for byte and under its CKA_ID. Whatever fails removes what was stored. The error is ErrNotStored, a
// *token.RemainsError, or comes from the token or the context.
func Install(ctx context.Context, r InstallRequest, plan *InstallPlan) error {
	r, err := r.validate()
	if err == nil && plan == nil {
		plan, err = r.Plan(ctx)
	}
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(append([]NamedCertificate{plan.NamedCertificate}, plan.Chain...), func(c NamedCertificate) bool { return c.There != nil })
	if len(missing) == 0 {
		return nil
	}
	return r.Session.Adding(ctx, func(added *token.Additions) error {
		for _, c := range missing {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if _, err := added.StoreCertificate(c.Name, c.Certificate); err != nil {
				return err
			}
		}
		after, err := r.Session.Inventory(ctx)
		if err != nil {
			return err
		}
		for _, c := range missing {
			if err := unread(after.Objects, [][]byte{c.Name.ID}); err != nil {
				return err
			}
			if !stored(after, c) {
				return fmt.Errorf("%w: the certificate %s", ErrNotStored, c.Certificate.Subject)
			}
		}
		plan.After = after
		return nil
	})
}

func stored(inventory *token.Inventory, c NamedCertificate) bool {
	return slices.ContainsFunc(inventory.Objects, func(o *token.Object) bool {
		return o.Class == token.CKOCertificate && bytes.Equal(o.Attributes.Bytes(token.CKAValue), c.Certificate.Raw) && bytes.Equal(o.ID(), c.Name.ID)
	})
}
