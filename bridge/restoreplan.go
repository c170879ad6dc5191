package bridge

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
)

// RestorePlan is what a restore will put on the token, found out before anything is put there.
type RestorePlan struct {
	Name   token.Name
	Usage  token.Usage
	Method RestoreMethod // the likely one, by the make of the token and the mechanisms that it lists
	// LeftOut are the certificates of the file that will not be on the token: each key gets one certificate, and its chain.
	LeftOut []*pki.Certificate

	certificate *token.Object      // the key's own, where it is on the token already
	publicKey   *token.Object      // likewise
	missing     []*pki.Certificate // of the chain, what the token does not have
}

const (
	maxID    = 64  // bytes of a CKA_ID that is taken over from a file
	maxLabel = 255 // bytes of a CKA_LABEL
)

// Plan looks at the token and says what would be done. The error is a *NotRestoredError where the key is there already,
// ErrWriteProtected, ErrRequest, or comes from the token or the context.
func (r RestoreRequest) Plan(ctx context.Context) (*RestorePlan, error) {
	r, err := r.validate()
	if err != nil {
		return nil, err
	}
	if r.Inventory.Token.Flags.Has(token.CKFWriteProtected) {
		return nil, ErrWriteProtected
	}
	public := r.Copy.Certificate.PublicKey
	holder, shown, err := r.Session.Holder(ctx, r.Inventory, public)
	if err != nil {
		return nil, err
	}
	if shown != token.LinkedByNone {
		there := verdict.Because(verdict.AlreadyOnToken, verdict.Fact{Name: "uri", Value: r.Inventory.Token.URI().With(holder).String()})
		return nil, &NotRestoredError{[]verdict.Reason{there}, nameOf(r.Inventory, holder)}
	}
	if err := unread(r.Inventory.Objects, r.ids()); err != nil {
		return nil, err
	}
	plan := &RestorePlan{Method: r.likelyMethod()}
	found := map[string]bool{}
	for _, o := range r.Inventory.Objects {
		switch o.Class {
		case token.CKOCertificate:
			if o.Certificate == nil {
				continue
			}
			found[o.Certificate.SHA256()] = true
			if o.Certificate.SHA256() == r.Copy.Certificate.SHA256() {
				plan.certificate = o
			}
		case token.CKOPublicKey:
			if onToken, ok := token.PublicKeyOf(o); ok && onToken.Equal(public) {
				plan.publicKey = o
			}
		}
	}
	for _, certificate := range r.Copy.Chain {
		if !found[certificate.SHA256()] {
			plan.missing = append(plan.missing, certificate)
		}
	}
	plan.Name, plan.Usage, plan.LeftOut = r.name(plan), r.usage(), notOn(r.Inventory, r.Copy.leftOut())
	return plan, nil
}

func (r RestoreRequest) likelyMethod() RestoreMethod {
	if keyType, err := token.KeyTypeOf(r.Copy.Certificate.PublicKey); err == nil && verdict.RefusesToUnwrap(r.Inventory, keyType) {
		return RestoreByCreate
	}
	unwraps := func(listed func(token.CKM) bool) bool {
		return slices.ContainsFunc(r.Inventory.Mechanisms, func(m token.Mechanism) bool { return m.Unwrap && listed(m.Type) })
	}
	switch {
	case len(r.Copy.ciphertext) > 0 && unwraps(func(m token.CKM) bool { return m == token.CKMAESCBCPad }):
		return RestoreByUnwrap
	case unwraps(func(m token.CKM) bool {
		return slices.ContainsFunc(token.Rewrappings(nil), func(r token.Rewrapping) bool { return r.Mechanism == m })
	}):
		return RestoreByRewrap
	}
	return RestoreByCreate
}

// record is the record, where it speaks of this certificate.
func (r RestoreRequest) record() *archive.Record {
	if r.Record == nil || r.Record.Certificate.SHA256 != r.Copy.Certificate.SHA256() {
		return &archive.Record{}
	}
	return r.Record
}

// name chooses CKA_ID and CKA_LABEL: those of the certificate or public key that are on the token, so that the key joins them;
// else the record's; else the file's; a label is at last that of the certificate's subject. An identifier that another key on the token has would tie the two together, so it is
// passed over; the digest of the public key (RFC 5280 section 4.2.1.2, method 1) is nobody else's.
func (r RestoreRequest) name(plan *RestorePlan) token.Name {
	var ids [][]byte
	var labels []string
	for _, o := range []*token.Object{plan.certificate, plan.publicKey} {
		if o != nil {
			ids, labels = append(ids, o.ID()), append(labels, string(o.Label()))
		}
	}
	name := token.Name{}
	for _, id := range append(ids, r.ids()...) {
		if len(id) > 0 && len(id) <= maxID && !r.taken(id) {
			name.ID = id
			break
		}
	}
	for _, label := range append(labels, string(r.record().Label), r.Copy.Name, LabelOf(r.Copy.Certificate)) {
		if name.Label = shortLabel(label); name.Label != "" {
			break
		}
	}
	return name
}

// ids are the CKA_IDs that a key of this copy may have, whatever is on the token: the record's, the file's, and the digest.
func (r RestoreRequest) ids() [][]byte {
	ids := [][]byte{r.Copy.LocalKeyID, r.Copy.Certificate.PublicKey.KeyID()}
	if id, err := hex.DecodeString(r.record().ID); err == nil {
		ids = append([][]byte{id}, ids...)
	}
	return ids
}

// taken reports whether an object of another key has the identifier.
func (r RestoreRequest) taken(id []byte) bool {
	public := r.Copy.Certificate.PublicKey
	return slices.ContainsFunc(r.Inventory.Objects, func(o *token.Object) bool {
		if !bytes.Equal(o.ID(), id) {
			return false
		}
		switch o.Class {
		case token.CKOPrivateKey:
			return true // it is not this one: that is not on the token
		case token.CKOPublicKey:
			onToken, ok := token.PublicKeyOf(o)
			return ok && !onToken.Equal(public)
		case token.CKOCertificate:
			return o.Certificate != nil && !o.Certificate.PublicKey.Equal(public)
		}
		return false
	})
}

// signingUsages are the bits of keyUsage for which a key signs (RFC 5280 section 4.2.1.3).
var signingUsages = []string{"digitalSignature", "contentCommitment", "nonRepudiation", "keyCertSign", "cRLSign"}

// usage is what the key was allowed to do, by the record, else what its certificate says that it is for. A certificate
// without the extension restricts nothing.
func (r RestoreRequest) usage() token.Usage {
	usage := certificateUsage(r.Copy.Certificate)
	noted := r.record().Usage
	for _, row := range []struct {
		noted *bool
		into  *bool
	}{{noted.Sign, &usage.Sign}, {noted.Decrypt, &usage.Decrypt}, {noted.Derive, &usage.Derive}} {
		if row.noted != nil {
			*row.into = *row.noted
		}
	}
	return usage
}

func certificateUsage(certificate *pki.Certificate) token.Usage {
	has := func(names ...string) bool {
		return len(certificate.KeyUsage) == 0 || slices.ContainsFunc(certificate.KeyUsage, func(u string) bool { return slices.Contains(names, u) })
	}
	usage := token.Usage{Sign: has(signingUsages...), Decrypt: has("keyEncipherment", "dataEncipherment"), Derive: has("keyAgreement")}
	if usage == (token.Usage{}) {
		usage.Sign = true
	}
	return usage
}
