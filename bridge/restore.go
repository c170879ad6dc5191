package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
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
	Random     io.Reader       // nil: crypto/rand

	later bool // as in VerifyRequest
}

// validate takes what is needed where nothing is named, and refuses what cannot be, before the token is touched.
func (r RestoreRequest) validate() (RestoreRequest, error) {
	r.Random = randomOr(r.Random)
	return r, needs("restore", part{"session", r.Session == nil}, part{"inventory", r.Inventory == nil}, part{"copy", r.Copy == nil || r.Copy.Certificate == nil})
}

// RestoreResult says what was put on the token.
type RestoreResult struct {
	Key         *token.Object // as re-read from the token
	Public      pki.PublicKey
	Certificate *pki.Certificate
	Name        token.Name
	Method      RestoreMethod
	Mechanism   string // empty for RestoreByCreate
	Proof       RestoreProof
	ChainLength int                // certificates above the key's own that are on the token now
	Kept        bool               // the key's certificate was on the token before
	LeftOut     []*pki.Certificate // of the file, and not on the token
	Differences []Difference
	Notices     []verdict.Reason
}

// Verified reports whether the token signed with the key and the certificate verified the signature.
func (r *RestoreResult) Verified() bool {
	return r.Proof == RestoreProofSignature || r.Proof == RestoreProofComparison
}

// Difference is an attribute that the token made other than it was asked to.
type Difference struct {
	Attribute token.Attribute `json:"attribute"`
	Wanted    any             `json:"wanted"`
	Found     any             `json:"found"` // nil where the token does not tell
}

// NotRestoredError means that nothing was put on the token, or nothing is left there. It carries the reasons.
type NotRestoredError struct {
	Reasons []verdict.Reason
	Holder  string // the shortest name of the key that is there already; empty where there is none
}

// Error gives the first reason's code.
func (e *NotRestoredError) Error() string { return "not restored: " + string(e.Reasons[0].Code) }

func notRestored(code verdict.Code, evidence ...verdict.Fact) error {
	return &NotRestoredError{Reasons: []verdict.Reason{verdict.Because(code, evidence...)}}
}

// Restore puts the copy's key, its certificate and its chain on the token. Everything is checked before anything is put
// there; the key counts once the token has signed with it and the certificate has verified the signature; whatever fails
// takes away again what was put there. The error is a *NotRestoredError, an *InvalidCopyError where the key turns out to be
// another one, a *token.RemainsError, or comes from the token or the context.
func Restore(ctx context.Context, r RestoreRequest) (*RestoreResult, error) {
	r, err := r.validate()
	if err != nil {
		return nil, err
	}
	defer r.Copy.forget()
	result, err := r.restore(ctx)
	var other *otherCertificateError
	var remains *token.RemainsError
	if errors.As(err, &other) && !errors.As(err, &remains) { // the file called another certificate the key's own
		if err = r.Copy.settle(other.certificate); err == nil {
			result, err = r.restore(ctx)
		}
	}
	if full(err) && !errors.As(err, &remains) {
		err = errors.Join(notRestored(verdict.TokenFull, verdict.Fact{Name: "CKR", Value: token.CKRDeviceMemory.String()}), err)
	}
	return result, err
}

// Rehearse is Plan for a run in which nothing is done: a key that Restore would open here is opened, and judged as there. A key that the
// token is to open itself stays shrouded; one that was open has been judged. The error is one of Plan's, an *InvalidCopyError or an *UnjudgedError.
func (r RestoreRequest) Rehearse(ctx context.Context) (*RestorePlan, error) {
	r, err := r.validate()
	if err != nil {
		return nil, err
	}
	defer r.Copy.forget()
	plan, err := r.Plan(ctx)
	if err != nil || plan.Method == RestoreByUnwrap || len(r.Copy.ciphertext) == 0 {
		return plan, err
	}
	secret.Forget(func() { err = r.look(ctx) })
	if !r.later {
		secret.Erase()
	}
	var other *otherCertificateError
	if !errors.As(err, &other) {
		return plan, err
	}
	if err := r.Copy.settle(other.certificate); err != nil {
		return nil, err
	}
	return r.Plan(ctx)
}

// look opens the key and looks whose it is. The key is in clear here, and wiped.
func (r RestoreRequest) look(ctx context.Context) error {
	kek, err := bagKey(ctx, r.Copy.shrouding, r.Copy.password, r.Copy.derived)
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	defer clear(kek)
	key, err := r.openKey(ctx, kek)
	if err != nil {
		return err
	}
	key.Wipe()
	return nil
}

// openKey opens the key bag, and looks whether the key in it is the certificate's. The key is in clear, and the caller wipes it.
func (r RestoreRequest) openKey(ctx context.Context, kek []byte) (*pki.PrivateKey, error) {
	key, err := r.Copy.openWith(ctx, kek)
	if err != nil {
		return nil, err
	}
	if !key.Public.Equal(r.Copy.Certificate.PublicKey) {
		defer key.Wipe()
		return nil, r.otherCertificate(func(public pki.PublicKey) bool { return key.Public.Equal(public) })
	}
	return key, nil
}

// full reports whether the token answered that it has no memory for an object. A token may lack it for a computation, too.
func full(err error) bool {
	answer := token.AnswerOf(err)
	return answer != nil && answer.Code == token.CKRDeviceMemory && slices.Contains([]string{"C_CreateObject", "C_CopyObject", "C_UnwrapKey"}, answer.Function)
}

func (r RestoreRequest) restore(ctx context.Context) (result *RestoreResult, err error) {
	plan, err := r.Plan(ctx)
	if err != nil {
		return nil, err
	}
	err = r.Session.Adding(ctx, func(added *token.Additions) error {
		result, err = r.add(ctx, plan, added)
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// add puts everything on the token, the private key first.
func (r RestoreRequest) add(ctx context.Context, plan *RestorePlan, added *token.Additions) (*RestoreResult, error) {
	entered, err := r.enter(ctx, plan, added)
	if err != nil {
		return nil, err
	}
	result := &RestoreResult{
		Public: r.Copy.Certificate.PublicKey, Certificate: r.Copy.Certificate, Name: plan.Name, Method: entered.method, Mechanism: entered.mechanism,
		Proof: entered.proof, ChainLength: len(r.Copy.Chain), Kept: plan.certificate != nil, LeftOut: plan.LeftOut, Notices: slices.Clone(r.Copy.Notices),
	}
	if entered.unproven != nil {
		answers := entered.unproven.Answers
		if len(answers) == 0 {
			answers = []string{entered.unproven.Error()}
		}
		result.Notices = append(result.Notices, verdict.Because(verdict.RestoredUnproven, verdict.Fact{Name: "answers", Value: answers}))
	}
	if err := r.settleAttributes(plan, entered, result); err != nil {
		return nil, err
	}
	if err := r.addPublicObjects(ctx, plan, added, result, entered.certificate != nil); err != nil {
		return nil, err
	}
	missing, err := added.Missing()
	if err != nil {
		return nil, err
	}
	if missing > 0 {
		return nil, notRestored(verdict.RestoreRefused, verdict.Fact{Name: "answers", Value: []string{fmt.Sprintf("%d objects that the token took are not there", missing)}})
	}
	return result, nil
}

// addPublicObjects puts the public key, the certificate and the chain beside the private key, as far as they are not there. placed says that the
// key's own certificate is.
func (r RestoreRequest) addPublicObjects(ctx context.Context, plan *RestorePlan, added *token.Additions, result *RestoreResult, certificateThere bool) error {
	if plan.publicKey == nil {
		_, err := added.StorePublicKey(plan.Name, result.Public, plan.Usage)
		code, refused := refusal(err)
		switch {
		case err == nil:
		case refused: // a card may have no place for one
			result.Notices = append(result.Notices, verdict.Because(verdict.PublicKeyNotStored, verdict.Fact{Name: "function", Value: "C_CreateObject"}, verdict.Fact{Name: "CKR", Value: code.String()}))
		default:
			return err
		}
	}
	certificates := plan.missing
	if plan.certificate == nil && !certificateThere {
		certificates = append([]*pki.Certificate{r.Copy.Certificate}, certificates...)
	}
	for _, certificate := range certificates {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		name := plan.Name
		if certificate != r.Copy.Certificate {
			name = token.Name{Label: LabelOf(certificate), ID: certificate.PublicKey.KeyID()}
		}
		if _, err := added.StoreCertificate(name, certificate); err != nil {
			return err
		}
	}
	return nil
}

// refusal tells apart an answer by which a token refuses what it was given, and has taken nothing, and a failure that ends everything.
func refusal(err error) (token.CKR, bool) {
	var answer *token.AnswerError
	code, known := token.CodeOf(err)
	return code, known && !token.Lost(err) && !errors.As(err, &answer)
}
