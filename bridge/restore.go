package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
)

// RestoreMethod is a way for a key to get onto a token.
type RestoreMethod string

// The ways onto a token, in the order in which they are tried: the first exposes the key least.
const (
	RestoreByUnwrap RestoreMethod = "unwrap" // C_UnwrapKey of the file's own shrouded key bag: never in clear outside the token
	RestoreByRewrap RestoreMethod = "rewrap" // opened here and wrapped under a one-time key for C_UnwrapKey
	RestoreByCreate RestoreMethod = "create" // opened here and stored number by number
)

// RestoreRequest says what is to go where.
type RestoreRequest struct {
	Session    *token.Session   // read-write, and logged in where the token asks for it
	Inventory  *token.Inventory // of the session
	Copy       *Copy
	Record     *archive.Record // what the export noted beside the file; nil for none. It is not believed where it contradicts the file.
	Exportable bool            // CKA_EXTRACTABLE
	Random     io.Reader
}

// Restoration says what was put on the token.
type Restoration struct {
	Key         *token.Object // as re-read from the token
	Public      pki.PublicKey
	Certificate *pki.Certificate
	Name        token.Name
	Method      RestoreMethod
	Mechanism   string // empty for RestoreByCreate
	Verified    bool   // the token signed with the key, and the certificate verified the signature
	ChainLength int    // certificates above the key's own that are on the token now
	Kept        bool   // the key's certificate was on the token before
	Differences []Difference
	Notices     []verdict.Reason
}

// Difference is an attribute that the token made other than it was asked to.
type Difference struct {
	Attribute token.Attribute `json:"attribute"`
	Wanted    any             `json:"wanted"`
	Found     any             `json:"found"` // nil where the token does not tell
}

// NotRestoredError means that nothing was put on the token, or nothing is left there. It carries the reasons.
type NotRestoredError struct{ Reasons []verdict.Reason }

// Error gives the first reason's code.
func (e *NotRestoredError) Error() string { return "not restored: " + string(e.Reasons[0].Code) }

func notRestored(code verdict.Code, evidence ...verdict.Fact) error {
	return &NotRestoredError{[]verdict.Reason{verdict.Because(code, evidence...)}}
}

// LeftoverError means that a restore failed, and that something it had put on the token could not be removed again.
type LeftoverError struct {
	URIs []string // of what is still there; empty where the token would not list it
	Err  error    // why the restore failed
}

// Error counts what is left.
func (e *LeftoverError) Error() string {
	return fmt.Sprintf("%v; %d objects are left on the token", e.Err, len(e.URIs))
}

// Unwrap gives the reason of the failure.
func (e *LeftoverError) Unwrap() error { return e.Err }

// Restore puts the copy's key, its certificate and its chain on the token. Everything is checked before anything is put
// there; the key counts once the token has signed with it and the certificate has verified the signature; whatever fails
// takes away again what was put there. The error is a *NotRestoredError, an *InvalidCopyError where the key turns out to be
// another one, a *LeftoverError, or comes from the token or the context.
func Restore(ctx context.Context, r RestoreRequest) (*Restoration, error) {
	result, err := r.restore(ctx)
	var other *otherCertificateError
	var leftover *LeftoverError
	if errors.As(err, &other) && !errors.As(err, &leftover) { // the file called another certificate the key's own
		if err = r.Copy.settle(other.certificate); err == nil {
			result, err = r.restore(ctx)
		}
	}
	if code, told := token.CodeOf(err); told && code == token.CKRDeviceMemory {
		err = errors.Join(notRestored(verdict.TokenFull, verdict.Fact{Name: "CKR", Value: code.String()}), err)
	}
	return result, err
}

func (r RestoreRequest) restore(ctx context.Context) (result *Restoration, err error) {
	plan, err := r.Plan(ctx)
	if err != nil {
		return nil, err
	}
	put := &placed{request: r}
	defer func() {
		if err != nil {
			result, err = nil, put.undo(err)
		}
	}()
	entered, err := r.enter(ctx, plan, put)
	if err != nil {
		return nil, err
	}
	result = &Restoration{
		Public: r.Copy.Certificate.PublicKey, Certificate: r.Copy.Certificate, Name: plan.Name, Method: entered.method, Mechanism: entered.mechanism,
		Verified: entered.proven, ChainLength: len(r.Copy.Chain), Kept: plan.certificate != nil, Notices: r.Copy.Notices,
	}
	if err := r.settleAttributes(plan, entered, result); err != nil {
		return nil, err
	}
	if err := r.company(ctx, plan, put, result); err != nil {
		return nil, err
	}
	missing, err := put.missing()
	if err != nil {
		return nil, err
	}
	if missing > 0 {
		return nil, notRestored(verdict.RestoreRefused, verdict.Fact{Name: "answers", Value: []string{fmt.Sprintf("%d objects that the token took are not there", missing)}})
	}
	return result, nil
}

// company puts the public key, the certificate and the chain beside the private key, as far as they are not there.
func (r RestoreRequest) company(ctx context.Context, plan *RestorePlan, put *placed, result *Restoration) error {
	if plan.publicKey == nil {
		o, err := r.Session.StorePublicKey(plan.Name, result.Public, plan.Usage)
		code, told := token.CodeOf(err)
		switch {
		case err == nil:
			put.add(o)
		case told && !token.Lost(err): // a card may have no place for one
			result.Notices = append(result.Notices, verdict.Because(verdict.PublicKeyNotStored, verdict.Fact{Name: "CKR", Value: code.String()}))
		default:
			return err
		}
	}
	certificates := plan.missing
	if plan.certificate == nil {
		certificates = append([]*pki.Certificate{r.Copy.Certificate}, certificates...)
	}
	for _, certificate := range certificates {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		name := plan.Name
		if certificate != r.Copy.Certificate {
			name = token.Name{Label: shortLabel(certificate.Subject), ID: keyDigest(certificate.PublicKey)}
		}
		o, err := r.Session.StoreCertificate(name, certificate)
		if err != nil {
			return err
		}
		put.add(o)
	}
	return nil
}

// placed are the objects that a restore has put on the token, in their order.
type placed struct {
	request RestoreRequest
	objects []*token.Object
}

func (p *placed) add(o *token.Object) { p.objects = append(p.objects, o) }

// missing counts those that are not there.
func (p *placed) missing() (int, error) {
	there, err := p.request.Session.Remaining(p.objects)
	return len(p.objects) - len(there), err
}

// undo takes everything away again and lists the token, because C_DestroyObject may answer CKR_OK and do nothing. The error
// is err, or a *LeftoverError.
func (p *placed) undo(err error) error {
	for i := len(p.objects) - 1; i >= 0; i-- {
		if destroyed := p.request.Session.Destroy(p.objects[i]); destroyed != nil && token.Lost(destroyed) {
			break // the list tells
		}
	}
	left, listing := p.request.Session.Remaining(p.objects)
	if listing == nil && len(left) == 0 {
		p.objects = nil
		return err
	}
	if listing != nil {
		if len(p.objects) == 0 {
			return err
		}
		left = p.objects
	}
	failure := &LeftoverError{Err: err}
	for _, o := range left {
		if told, err := p.request.Session.Reread(o); err == nil {
			o = told
		}
		failure.URIs = append(failure.URIs, p.request.Inventory.Token.URI().With(o).String())
	}
	return failure
}
