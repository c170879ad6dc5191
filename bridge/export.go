package bridge

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"p11bridge/bridge/pfx"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// ExportRequest says what is to leave, and how the file is to be made.
type ExportRequest struct {
	Session   *token.Session
	Inventory *token.Inventory
	Identity  token.Identity
	Verdict   Verdict

	Certificate *pki.Certificate   // in place of the identity's own
	Pool        []*pki.Certificate // where the chain is sought, besides the token
	Method      Method             // empty: the verdict's, and what else the token allows

	Password   *secret.Text
	Profile    pfx.Profile
	Iterations int // zero: the profile's own number
	Target     Target
	Random     io.Reader
}

// Proof says how a written file was shown to be a valid copy.
type Proof string

// The proofs.
const (
	// ProofIndependent: an implementation other than the one that wrote the file opened it, and its key is the certificate's.
	ProofIndependent Proof = "independent-reader"
	// ProofOwn: the same for a key that the independent reader does not know, with our own reader.
	ProofOwn Proof = "own-reader"
)

// Receipt says what was written and how it was proven.
type Receipt struct {
	File          string
	SHA256        string // of the file, hexadecimal
	Method        Method
	Mechanism     string
	Profile       pfx.Profile
	Iterations    int
	Certificate   *pki.Certificate
	ChainLength   int // certificates beside the key's own
	ChainComplete bool
	FriendlyName  string
	Proof         Proof
	Notices       []Reason
}

// RefusedError means that the key cannot leave the token. It carries the verdict.
type RefusedError struct{ Verdict Verdict }

// Error gives the first reason's code.
func (e *RefusedError) Error() string {
	if len(e.Verdict.Reasons) == 0 {
		return "the key cannot leave the token"
	}
	return "the key cannot leave the token: " + string(e.Verdict.Reasons[0].Code)
}

// ErrNoCertificate means that neither the token nor the request has a certificate for the key.
var ErrNoCertificate = errors.New("no certificate for the key")

// ErrNotProven means that the file as read back from disk is not the copy that was meant. It was removed.
var ErrNotProven = errors.New("the written file could not be proven to be a valid copy")

// Export carries a key out of its token, writes it with its certificate to a PFX file, proves the file as it stands on
// disk, and only then gives it its name. Whatever fails leaves no file. The error is a *RefusedError where the key cannot
// leave, ErrNoCertificate, a *FileError, ErrNotProven, or comes from the token or the context.
func Export(ctx context.Context, r ExportRequest) (*Receipt, error) {
	if !r.Verdict.Exportable {
		return nil, &RefusedError{r.Verdict}
	}
	if err := r.Target.Check(); err != nil {
		return nil, err
	}
	if _, told := token.PublicKeyOf(r.Identity.PrivateKey); told && r.Identity.Certificate == nil && r.Certificate == nil {
		return nil, ErrNoCertificate
	}
	key, verdict, err := carryOut(ctx, r)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	certificate, err := r.certificateFor(key.Public)
	if err != nil {
		return nil, err
	}
	receipt := &Receipt{
		File: r.Target.Path, Method: verdict.Method, Mechanism: verdict.Mechanism, Profile: r.Profile, Certificate: certificate,
		FriendlyName: friendlyName(r.Identity),
	}
	chain := r.chain(receipt)
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	file, err := r.encode(ctx, key, receipt, chain)
	if err != nil {
		return nil, err
	}
	draft, err := newDraft(r.Target, file)
	if err != nil {
		return nil, err
	}
	if err := prove(ctx, draft, r.Password, certificate, chain, receipt); err != nil {
		return nil, errors.Join(err, draft.discard())
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(context.Cause(ctx), draft.discard())
	}
	return receipt, draft.place()
}

// carryOut brings the key into this process by the verdict's method. Where the token then refuses to wrap a key that may
// also be read, it is read. What the token answered becomes part of a refusal's evidence.
func carryOut(ctx context.Context, r ExportRequest) (*pki.PrivateKey, Verdict, error) {
	verdict := r.Verdict
	if r.Method != "" {
		verdict.Method = r.Method
	}
	object := r.Identity.PrivateKey
	readable := object.Attributes.Bool(token.CKASensitive) == token.False
	if verdict.Method == MethodWrap {
		key, mechanism, err := r.Session.Wrap(ctx, object, r.Inventory.Mechanisms, r.Random)
		if err == nil {
			verdict.Mechanism = mechanism.String()
			return key, verdict, nil
		}
		var refused *token.WrapError
		if !errors.As(err, &refused) {
			return nil, verdict, err
		}
		if !readable || r.Method == MethodWrap {
			return nil, verdict, &RefusedError{verdict.refused(wrapReason(refused))}
		}
		verdict.Method = MethodAttributes
	}
	verdict.Mechanism = ""
	if !readable {
		return nil, verdict, &RefusedError{verdict.refused(because(NoWrappingMechanism, attributeFact(object, token.CKASensitive)))}
	}
	key, err := r.Session.ReadClear(object)
	var unsupported *pki.UnsupportedError
	if errors.As(err, &unsupported) {
		return nil, verdict, &RefusedError{verdict.refused(because(KeyTypeUnsupported, typeFacts(object)...))}
	}
	return key, verdict, err
}

// wrapReason turns a token's answers to C_WrapKey into a reason.
func wrapReason(refused *token.WrapError) Reason {
	answers := make([]string, len(refused.Attempts))
	for i, attempt := range refused.Attempts {
		answer := attempt.Problem
		if answer == "" {
			answer = attempt.Code.String()
		}
		answers[i] = attempt.Mechanism.String() + ": " + attempt.Function + ": " + answer
	}
	code := NoWrappingMechanism
	if refused.AboutKey {
		code = WrapRefused
	}
	return because(code, Fact{"answers", answers})
}

// certificateFor finds the certificate of the key that was carried out. Equality of the public key decides; where several
// certificates of one key are on the token, the identity's own counts.
func (r ExportRequest) certificateFor(public pki.PublicKey) (*pki.Certificate, error) {
	given := r.Certificate
	if given == nil && r.Identity.Certificate != nil {
		given = r.Identity.Certificate.Parsed
	}
	if given != nil && given.PublicKey.Equal(public) {
		return given, nil
	}
	if r.Certificate == nil {
		for _, identity := range r.Inventory.Identities() {
			if c := identity.Certificate; c != nil && c.Parsed != nil && c.Parsed.PublicKey.Equal(public) {
				return c.Parsed, nil
			}
		}
	}
	if given == nil {
		return nil, ErrNoCertificate
	}
	return nil, &RefusedError{r.Verdict.refused(because(CertificateDoesNotMatchKey,
		Fact{"CKA_ID", hexText(r.Identity.PrivateKey.ID())}, Fact{"certificate_key", keyText(given.PublicKey)}, Fact{"private_key", keyText(public)}))}
}

// chain finds the certificates above the key's own, on the token and in the pool.
func (r ExportRequest) chain(receipt *Receipt) []*pki.Certificate {
	chain, complete := pki.Chain(receipt.Certificate, append(TokenCertificates(r.Inventory), r.Pool...))
	receipt.ChainLength, receipt.ChainComplete = len(chain), complete
	if !complete {
		last := receipt.Certificate
		if len(chain) > 0 {
			last = chain[len(chain)-1]
		}
		receipt.Notices = append(receipt.Notices, because(ChainIncomplete, Fact{"missing_issuer", last.Issuer}))
	}
	return chain
}

// TokenCertificates lists the certificates on a token that could be read.
func TokenCertificates(inventory *token.Inventory) []*pki.Certificate {
	var certificates []*pki.Certificate
	for _, identity := range inventory.Identities() {
		if identity.Certificate != nil && identity.Certificate.Parsed != nil {
			certificates = append(certificates, identity.Certificate.Parsed)
		}
	}
	return certificates
}

func (r ExportRequest) encode(ctx context.Context, key *pki.PrivateKey, receipt *Receipt, chain []*pki.Certificate) ([]byte, error) {
	id := localKeyID(r.Identity, receipt.Certificate)
	contents := pfx.Contents{
		Keys:         []pfx.Key{{PKCS8: key.DER, FriendlyName: receipt.FriendlyName, LocalKeyID: id}},
		Certificates: []pfx.Certificate{{DER: receipt.Certificate.Raw, FriendlyName: receipt.FriendlyName, LocalKeyID: id}},
	}
	for _, c := range chain {
		contents.Certificates = append(contents.Certificates, pfx.Certificate{DER: c.Raw})
	}
	file, err := pfx.Encode(ctx, r.Random, contents, r.Password.Bytes(), pfx.Options{Profile: r.Profile, Iterations: r.Iterations})
	if err != nil {
		return nil, fmt.Errorf("make the PFX: %w", err)
	}
	return file, nil
}

// prove reads the draft back from disk and opens it with a reader that did not write it: the password fits, the key is
// the certificate's, no certificate is missing.
func prove(ctx context.Context, d *draft, password *secret.Text, certificate *pki.Certificate, chain []*pki.Certificate, receipt *Receipt) error {
	file, err := d.readBack()
	if err != nil {
		return err
	}
	digest := sha256.Sum256(file)
	receipt.SHA256 = hex.EncodeToString(digest[:])
	facts, err := pfx.Inspect(file)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotProven, err)
	}
	receipt.Iterations = facts.Iterations
	receipt.Proof = ProofIndependent
	pkcs8, found, err := pfx.ReadIndependently(file, password.Bytes())
	if errors.Is(err, pfx.ErrIndependentReaderCannot) {
		receipt.Proof = ProofOwn
		pkcs8, found, err = readOwn(ctx, file, password)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotProven, err)
	}
	defer secret.Wipe(pkcs8)
	key, err := pki.ParsePrivateKey(pkcs8)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotProven, err)
	}
	defer key.Wipe()
	expected := [][]byte{certificate.Raw}
	for _, c := range chain {
		expected = append(expected, c.Raw)
	}
	switch {
	case !key.Public.Equal(certificate.PublicKey):
		return fmt.Errorf("%w: the key is not the certificate's", ErrNotProven)
	case !equalAll(found, expected):
		return fmt.Errorf("%w: %d certificates instead of %d", ErrNotProven, len(found), len(expected))
	}
	return nil
}

func readOwn(ctx context.Context, file []byte, password *secret.Text) (pkcs8 []byte, certificates [][]byte, err error) {
	contents, err := pfx.Decode(ctx, file, password.Bytes(), pfx.DecodeOptions{})
	if err != nil {
		return nil, nil, err
	}
	if len(contents.Keys) != 1 {
		contents.Wipe()
		return nil, nil, fmt.Errorf("%d keys instead of one", len(contents.Keys))
	}
	for _, c := range contents.Certificates {
		certificates = append(certificates, c.DER)
	}
	return contents.Keys[0].PKCS8, certificates, nil
}

func equalAll(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// friendlyName is the key's CKA_LABEL, else the certificate's. Control characters, which a token may hold and a reader
// may print, become replacement characters.
func friendlyName(identity token.Identity) string {
	for _, o := range identity.Objects() {
		if label := o.Label(); label != "" {
			return strings.Map(func(r rune) rune {
				if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
					return unicode.ReplacementChar
				}
				return r
			}, label)
		}
	}
	return ""
}

// localKeyID is the key's CKA_ID; where it has none, the SHA-1 of the certificate, as other writers do. It only ties the
// two bags together.
func localKeyID(identity token.Identity, certificate *pki.Certificate) []byte {
	if id := identity.PrivateKey.ID(); len(id) > 0 {
		return id
	}
	digest := sha1.Sum(certificate.Raw)
	return digest[:]
}

// WriteCertificate writes a certificate alone, in DER. That is no backup: the key is not in it.
func WriteCertificate(target Target, certificate *pki.Certificate) error {
	draft, err := newDraft(target, certificate.Raw)
	if err != nil {
		return err
	}
	written, err := draft.readBack()
	if err == nil && !bytes.Equal(written, certificate.Raw) {
		err = ErrNotProven
	}
	if err != nil {
		return errors.Join(err, draft.discard())
	}
	return draft.place()
}
