package bridge

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
)

// CSRRequest says what certificate is to be requested, and with which key.
type CSRRequest struct {
	Session   *token.Session
	Inventory *token.Inventory
	Identity  token.Identity // the old one; empty where there is none
	Like      *Model         // what the request is modelled on in its place; nil: on the identity

	SameKey    bool
	KeyType    string // of the new key; empty: as the old one
	Exportable bool   // the new key may leave the token
	Label      *string
	Subject    []byte // DER Name; nil: the old certificate's
	AltNames   []byte // DER GeneralNames; nil: the old certificate's

	Target  archive.Target         // empty path: no file, the request is only given to Deliver
	Deliver func(*CSRResult) error // the last act where there is no file; where it fails, nothing was done
}

// Model is what a request is made after where the old key and certificate are not on the token.
type Model struct {
	Certificate *pki.Certificate // nil where only the subject is known
	Subject     []byte           // DER Name; nil: the certificate's
	Label       string
	Usage       token.Usage // where there is no certificate
}

// validate refuses what cannot be, before the token is touched.
func (r CSRRequest) validate() error {
	if err := needs("request", part{"session", r.Session == nil}, part{"inventory", r.Inventory == nil}); err != nil {
		return err
	}
	if r.KeyType != "" && !slices.Contains(KeyTypes(), r.KeyType) {
		return fmt.Errorf("request: key type %q: %w", r.KeyType, ErrRequest)
	}
	return nil
}

// CSRPlan is what will be requested, worked out before anything is done.
type CSRPlan struct {
	RawSubject []byte
	Extensions [][]byte      // DER Extensions
	Kind       token.KeyKind // of the new key
	Label      string        // of the new key
	Bits       int
	NewKey     bool
	Weak       int           // the size of the old RSA key, where it is too small to be repeated
	Issuer     string        // of the old certificate; empty where there is none but itself
	Same       pki.PublicKey // of the old key, where it is to sign
}

// CSRResult says what was requested, by which key, and who signed.
type CSRResult struct {
	CSRPlan
	PEM        []byte
	SHA256     string // of the request in DER, hexadecimal
	Key        pki.PublicKey
	PrivateKey *token.Object
	Verdict    verdict.Verdict // may the key leave: its ways out were tried, where it may by what the token lists
	SignedBy   token.SignedBy
	Algorithm  pki.Scheme
	Uncertain  *archive.SavedError // the file is placed and whole, and not certain to be on disk; nil otherwise
}

// Exportable is CKA_EXTRACTABLE as the token tells it; nil where it does not.
func (r *CSRResult) Exportable() *bool {
	return r.PrivateKey.Attributes.Bool(token.CKAExtractable).Value()
}

// What keeps a request from being made.
var (
	ErrNoSubject        = errors.New("no certificate and no subject")
	ErrGeneratesNoKeys  = errors.New("the token generates no keys of this kind")
	ErrGeneratesNothing = errors.New("the token generates no keys")
	ErrKeyTypeNeeded    = errors.New("no new key can be made after the old one: its type is unknown, or none that is made here")
	ErrNoKeyToSign      = errors.New("there is no private key to sign with")
	ErrMayNotSign       = errors.New("the key may not sign")
	ErrPublicHalfUntold = errors.New("nothing tells the public half of the key")
	ErrWriteProtected   = errors.New("the token is write-protected")
	ErrRequestNotProven = errors.New("the request does not prove the possession of the key")
)

// GenerateError means that the token would not make the new key pair.
type GenerateError struct {
	Kind       token.KeyKind
	Exportable bool // it was to be one that may leave
	Err        error
}

// Error gives the token's answer.
func (e *GenerateError) Error() string { return fmt.Sprintf("make a key pair: %v", e.Err) }

// Unwrap gives the token's answer.
func (e *GenerateError) Unwrap() error { return e.Err }

// CannotSignError means that the token does not sign with the key. Err is its answer.
type CannotSignError struct{ Err error }

// Error gives the token's answer.
func (e *CannotSignError) Error() string {
	return fmt.Sprintf("the token does not sign with the key: %v", e.Err)
}

// Unwrap gives the token's answer.
func (e *CannotSignError) Unwrap() error { return e.Err }

// Try is for a plan that will not be carried out: the key that is to sign the request signs it, and the request is thrown away. No list says
// what a key signs: it may be restricted (CKA_ALLOWED_MECHANISMS), and its token may know its curve by name alone. The error is one of CreateCSR's.
func (r CSRRequest) Try(plan *CSRPlan) error {
	if plan.NewKey {
		return nil
	}
	_, err := r.sign(&CSRResult{CSRPlan: *plan, Key: plan.Same, PrivateKey: r.Identity.PrivateKey})
	return err
}

// KeyTypes lists what CSRRequest.KeyType takes.
func KeyTypes() []string {
	return []string{"rsa2048", "rsa3072", "rsa4096", "p256", "p384", "p521", "ed25519"}
}

// smallestRSA is the size in bits below which no new RSA key is made: no public CA takes it.
const smallestRSA = 2048

// Plan works out the request. The error is one of the above.
func (r CSRRequest) Plan() (*CSRPlan, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	plan := &CSRPlan{NewKey: !r.SameKey, RawSubject: r.Subject, Label: string(r.Identity.Label())}
	certificate := r.certificate()
	if r.Like != nil {
		plan.Label = r.Like.Label
	}
	if r.Like != nil && plan.RawSubject == nil {
		plan.RawSubject = r.Like.Subject
	}
	if certificate != nil {
		if !certificate.SelfIssued() {
			plan.Issuer = string(certificate.Issuer)
		}
		plan.Extensions = certificate.RequestExtensions()
		if plan.RawSubject == nil {
			plan.RawSubject = certificate.RawSubject
		}
	}
	if plan.RawSubject == nil {
		return nil, ErrNoSubject
	}
	if r.AltNames != nil {
		names, err := pki.SubjectAltNameExtension(r.AltNames, len(plan.RawSubject) <= 2)
		if err != nil {
			return nil, fmt.Errorf("alternative names: %w", err)
		}
		plan.Extensions = append([][]byte{names}, slices.DeleteFunc(plan.Extensions, pki.IsSubjectAltName)...)
	}
	if r.SameKey {
		return plan, r.planSameKey(plan)
	}
	switch {
	case r.Label != nil:
		plan.Label = *r.Label
	case plan.Label == "": // a key without a name would be hard to find again
		plan.Label = labelFor(plan.RawSubject)
	}
	if r.Inventory.Token.Flags.Has(token.CKFWriteProtected) {
		return nil, ErrWriteProtected
	}
	if err := r.planKey(plan, certificate); err != nil {
		return nil, err
	}
	if !token.GeneratesAny(r.Inventory.Mechanisms) {
		return nil, ErrGeneratesNothing
	}
	if !token.Generates(r.Inventory.Mechanisms, plan.Kind) {
		return nil, ErrGeneratesNoKeys
	}
	return plan, nil
}

// certificate is the one that the request is made after; nil for none.
func (r CSRRequest) certificate() *pki.Certificate {
	switch {
	case r.Like != nil:
		return r.Like.Certificate
	case r.Identity.Certificate != nil:
		return r.Identity.Certificate.Parsed
	}
	return nil
}

// Judge says whether the key that is planned could leave its token by what the token lists: the new one that is to be made, or the old
// one. CSRResult.Verdict is the one to promise a backup by.
func (r CSRRequest) Judge(plan *CSRPlan) verdict.Verdict {
	if plan.NewKey {
		return verdict.JudgeNew(r.Inventory, plan.Kind, r.Exportable)
	}
	return verdict.JudgeKey(r.Inventory, r.Identity)
}

// judgeMade judges the key that signed the request as any other. Who reads that a backup will be possible has a certificate issued for
// the key: so the ways out are tried that the token lists. Where the token fails over that, the request is none the worse.
func (r CSRRequest) judgeMade(ctx context.Context, made *CSRResult) verdict.Verdict {
	judged := verdict.JudgeKey(r.Inventory, token.Identity{PrivateKey: made.PrivateKey, Public: made.Key})
	if judged.Method != verdict.MethodWrap && judged.Method != verdict.MethodShroud {
		return judged
	}
	tried, err := try(ctx, r.Session, r.Inventory, made.PrivateKey, judged, rand.Reader)
	if err != nil {
		return judged
	}
	return tried
}

// CouldLeave reports whether a new key in the place of the plan's could leave the token, if it were asked for as one that may.
func (r CSRRequest) CouldLeave(plan *CSRPlan) bool {
	kind := plan.Kind
	if !plan.NewKey {
		kind, _ = r.oldKind()
	}
	return token.Generates(r.Inventory.Mechanisms, kind) && verdict.JudgeNew(r.Inventory, kind, true).Exportable
}

// planKey decides what the new key is to be: what was asked for, else what the old one is.
func (r CSRRequest) planKey(plan *CSRPlan, certificate *pki.Certificate) error {
	kind, bits := token.KeyKindOf(r.KeyType)
	if r.KeyType == "" {
		kind, bits = r.oldKind()
	}
	if kind.Algorithm == "RSA" && kind.Bits < smallestRSA {
		plan.Weak, kind.Bits, bits = kind.Bits, smallestRSA, smallestRSA
	}
	plan.Kind, plan.Bits = kind, bits
	switch kind.Algorithm {
	case "RSA", "Ed25519":
	case "EC":
		if len(kind.Params) == 0 {
			return ErrKeyTypeNeeded
		}
	default:
		return ErrKeyTypeNeeded
	}
	plan.Kind.Decrypt = kind.Algorithm == "RSA" && r.oldKeyMay(token.CKADecrypt, certificate, "keyEncipherment", "dataEncipherment")
	plan.Kind.Derive = kind.Algorithm == "EC" && r.oldKeyMay(token.CKADerive, certificate, "keyAgreement")
	return nil
}

// oldKeyMay reports whether the old key was for more than signatures, by its attribute or by its certificate's key usage.
func (r CSRRequest) oldKeyMay(a token.Attribute, certificate *pki.Certificate, usages ...string) bool {
	if certificate != nil && slices.ContainsFunc(usages, func(u string) bool { return slices.Contains(certificate.KeyUsage, u) }) {
		return true
	}
	if certificate == nil && r.Like != nil {
		return map[token.Attribute]bool{token.CKADecrypt: r.Like.Usage.Decrypt, token.CKADerive: r.Like.Usage.Derive}[a]
	}
	return certificate == nil && r.Identity.PrivateKey != nil && r.Identity.PrivateKey.Attributes.Bool(a) == token.True
}

// oldKind is the old key's kind, by its public half or by what the private key tells of itself.
func (r CSRRequest) oldKind() (token.KeyKind, int) {
	public := r.Identity.Public
	if c := r.certificate(); r.Like != nil && c != nil {
		public = c.PublicKey
	}
	switch public.Algorithm {
	case "RSA", "RSA-PSS":
		return token.KeyKind{Algorithm: "RSA", Bits: public.Bits}, public.Bits
	case "EC":
		params, err := public.Params()
		if err != nil {
			return token.KeyKind{}, 0
		}
		return token.KeyKind{Algorithm: "EC", Curve: public.Curve, Params: params}, public.Bits
	case "Ed25519":
		return token.KeyKind{Algorithm: "Ed25519"}, public.Bits
	}
	if r.Identity.PrivateKey == nil {
		return token.KeyKind{}, 0
	}
	params := r.Identity.PrivateKey.Attributes.Bytes(token.CKAECParams)
	algorithm, curve, bits, err := pki.ECParams(params)
	if err != nil {
		return token.KeyKind{}, 0
	}
	return token.KeyKind{Algorithm: algorithm, Curve: curve, Params: params}, bits
}

// CreateCSR makes the signing request (PKCS#10, RFC 2986) that the plan describes, or that it plans itself where that is nil, has it
// signed on the token, verifies the signature with the public key that was read here, and gives it out. Whatever fails after a new key pair was made removes
// that again. The error is one of those above, a *GenerateError, a *FileError, a *token.LoginError for a key that wants its
// PIN for each signature, a *token.RemainsError, or comes from the token or the context.
func CreateCSR(ctx context.Context, r CSRRequest, plan *CSRPlan) (*CSRResult, error) {
	if err := errors.Join(r.validate(), needs("request", part{"file or receiver", r.Target.Path == "" && r.Deliver == nil})); err != nil {
		return nil, err
	}
	if plan == nil {
		var err error
		if plan, err = r.Plan(); err != nil {
			return nil, err
		}
	}
	if r.Target.Path != "" {
		if err := r.Target.Check(); err != nil {
			return nil, err
		}
	}
	result := &CSRResult{CSRPlan: *plan, Key: plan.Same, PrivateKey: r.Identity.PrivateKey}
	if !plan.NewKey {
		return result, r.giveOut(ctx, result)
	}
	err := r.Session.Adding(ctx, func(added *token.Additions) error {
		pair, err := added.NewKeyPair(ctx, plan.Kind, plan.Label, token.Policy{Sensitive: true, Extractable: r.Exportable})
		if err != nil && ctx.Err() == nil {
			return &GenerateError{Kind: plan.Kind, Exportable: r.Exportable, Err: err}
		}
		if err != nil {
			return err
		}
		result.Key, result.PrivateKey = pair.Key, pair.Private
		return r.giveOut(ctx, result)
	})
	return result, err
}

// giveOut signs the request and gives it out as the last act.
func (r CSRRequest) giveOut(ctx context.Context, result *CSRResult) error {
	der, err := r.sign(result)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(der)
	result.SHA256 = hex.EncodeToString(digest[:])
	result.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	result.Verdict = r.judgeMade(ctx, result)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if r.Target.Path == "" {
		return r.Deliver(result)
	}
	err = archive.WriteFile(r.Target, result.PEM)
	var saved *archive.SavedError
	if errors.As(err, &saved) && saved.Fault == archive.SavedUncertain {
		result.Uncertain = saved // the request may be sent in as it stands: its key stays
		return nil
	}
	return err
}
