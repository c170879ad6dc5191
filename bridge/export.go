package bridge

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// RefusedError means that the key cannot leave the token, or that nothing here can bring it out. It carries the verdict.
type RefusedError struct{ Verdict verdict.Verdict }

// Error gives the first reason's code.
func (e *RefusedError) Error() string {
	if len(e.Verdict.Reasons) == 0 {
		return "the key cannot leave the token"
	}
	return "the key cannot leave the token: " + string(e.Verdict.Reasons[0].Code)
}

// ErrNoCertificate means that neither the token nor the request has a certificate for the key.
var ErrNoCertificate = errors.New("no certificate for the key")

// NoCertificateError is ErrNoCertificate of a key. Unsigned says why the key cannot sign a request for one: ErrMayNotSign, or ErrPublicHalfUntold. It is
// nil where it can, as far as it is known.
type NoCertificateError struct{ Unsigned error }

// Error gives the text of ErrNoCertificate.
func (e *NoCertificateError) Error() string { return ErrNoCertificate.Error() }

// Unwrap gives ErrNoCertificate.
func (e *NoCertificateError) Unwrap() error { return ErrNoCertificate }

func (r ExportRequest) withoutCertificate() error {
	return &NoCertificateError{Unsigned: CSRRequest{Identity: r.Identity}.checkSameKey()}
}

// Export carries a key out of its token, writes it with its certificate to a PFX file, proves the file as it stands on
// disk, and only then gives it its name. Whatever fails leaves no file. The methods are tried in the order that exposes
// the key least; a method that the token will not do, or whose result the token cannot prove, gives way to the next one.
// With DeleteKey the key is destroyed after that, unless nobody could prove the file.
// The error is a *RefusedError where the key cannot leave, ErrNoCertificate, a *archive.FileError, a *archive.SavedError where the
// file was given its name and is not there as it was made, ErrNotProven, a *DeletionError, or comes from the token or the context.
func Export(ctx context.Context, r ExportRequest) (*ExportResult, error) {
	r, err := r.validate()
	if err != nil {
		return nil, err
	}
	if err := r.Check(); err != nil {
		return nil, err
	}
	if r, err = r.besideSealed(); err != nil {
		return nil, err
	}
	medium, err := archive.CheckLasting(r.Target.Path)
	if err != nil && r.DeleteKey && !r.AllowVolatile {
		return nil, err
	}
	r, forget, err := r.withFreshPassword()
	if err != nil {
		return nil, err
	}
	defer forget()
	var failures []*methodFailure
	for _, method := range r.methods() {
		r.failures = failures
		result, err := r.exportBy(ctx, method)
		var failure *methodFailure
		if !errors.As(err, &failure) {
			if result != nil && result.KeyDeleted {
				result.standsOn(medium)
			}
			return result, err
		}
		failures = append(failures, failure)
	}
	return nil, r.refusal(failures)
}

// Check finds what stands against the export before anything is tried, and does nothing: Export begins with it, and a dry run is
// it alone. The error is one of Export's.
func (r ExportRequest) Check() error {
	if fault := r.Identity.PrivateKey.Fault(); fault != nil { // no verdict rests on what could not be read
		return fault.Err()
	}
	if r.Verdict.Final() {
		return &RefusedError{Verdict: r.Verdict}
	}
	if err := r.Target.Check(); err != nil {
		return err
	}
	public, known := token.PublicKeyOf(r.Identity.PrivateKey)
	without := r.Identity.Certificate == nil && r.Certificate == nil && (known || !r.Inventory.MayHaveCertificate(r.Identity.PrivateKey))
	switch {
	case without && !r.Verdict.Exportable: // a certificate would not help
		return &RefusedError{Verdict: r.Verdict}
	case without:
		return r.withoutCertificate()
	case known && r.Certificate != nil && !r.Certificate.PublicKey.Equal(public):
		return r.mismatch(r.Certificate.PublicKey, public)
	}
	return nil
}

// exportBy makes, proves and places the file by one method. A *methodFailure leaves the next method its chance.
func (r ExportRequest) exportBy(ctx context.Context, method verdict.Method) (*ExportResult, error) {
	var made *provenFile
	var err error
	secret.Forget(func() { made, err = r.makeProven(ctx, method) })
	if err == nil && ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), made.discard())
	}
	r.erase(err == nil)
	if err != nil {
		return nil, err
	}
	result := made.result
	record, err := r.draftRecord(made)
	if err != nil {
		return nil, errors.Join(err, made.discard())
	}
	err = made.place()
	uncertain := noticed(result, err)
	if err != nil && uncertain == nil {
		return nil, errors.Join(err, record.discard())
	}
	if err := record.place(result); err != nil {
		return result, err
	}
	if r.recording == nil { // of a file that was replaced, or is elsewhere
		olderBackup{unused: sealedAt(result.File + archive.PasswordExtension)}.leave(result)
	}
	switch {
	case !r.DeleteKey || !result.Verified():
		return result, nil
	case uncertain != nil:
		return result, &DeletionError{File: result.File, State: KeyKept, Err: uncertain}
	}
	return result, r.deleteKey(ctx, made)
}

// erase overwrites what the work with the key has left in memory. In a run of many exports a file waits for that with the others, and
// goes on with another session; what failed has nothing to wait for.
func (r *ExportRequest) erase(waits bool) {
	switch {
	case r.turn == nil:
		secret.Erase()
	case waits:
		r.turn.wait()
		r.Session = r.turn.with
	default:
		r.turn.worked()
	}
}

// provenFile is a file that is proven and has not got its name yet. No key in clear is in it.
type provenFile struct {
	result        *ExportResult
	encoded       []byte
	draft         *archive.Draft
	saved         *archive.SavedFile // once it has its name
	password      *archive.Draft     // of the sealed password; nil where the password was given
	sealed        []byte             // the contents of password
	savedPassword *archive.SavedFile // once it has its name
	chain         []*pki.Certificate
	shrouded      []byte // the key bag, where the token made it
}

// makeProven is the function in which the key is in clear, where it is. It is wiped when it ends.
func (r ExportRequest) makeProven(ctx context.Context, method verdict.Method) (*provenFile, error) {
	if r.shared == nil {
		r.shared = issuersOn(r.Inventory, r.Pool)
	}
	carried, err := r.carry(ctx, method)
	if err != nil {
		return nil, err
	}
	defer carried.wipe()
	certificate, err := r.certificateFor(carried)
	if errors.Is(err, ErrNoCertificate) && carried.key == nil { // a key in clear shows whose it is
		return nil, &methodFailure{method: method, err: err}
	}
	if err != nil {
		return nil, err
	}
	result := &ExportResult{
		File: r.Target.Path, Method: method, Mechanism: carried.mechanism, Profile: r.Profile, Certificate: certificate,
		FriendlyName: foreign.Text(plainName(string(r.Identity.Label()))),
	}
	if len(r.failures) > 0 {
		result.Notices = append(result.Notices, otherMethod(r.failures))
	}
	chain := r.chain(result)
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	file, err := r.encode(ctx, carried, result, chain)
	if err != nil {
		return nil, err
	}
	draft, err := archive.NewDraft(r.Target, file)
	if err != nil {
		return nil, err
	}
	made := &provenFile{result: result, encoded: file, draft: draft, chain: chain, shrouded: carried.shrouded}
	if err := r.prove(ctx, made, carried.derived); err != nil {
		return nil, errors.Join(err, draft.Discard())
	}
	if r.Sealing != nil {
		if made.password, made.sealed, err = r.sealPassword(result); err != nil {
			return nil, errors.Join(err, draft.Discard())
		}
	}
	return made, nil
}

// otherMethod says that the key leaves in another way than the first, and why.
func otherMethod(failures []*methodFailure) verdict.Reason {
	answers := []string{}
	for _, failure := range failures {
		answers = append(answers, failure.answers...)
	}
	return verdict.Because(verdict.OtherMethodUsed, verdict.Fact{Name: "method", Value: string(failures[0].method)}, verdict.Fact{Name: "answers", Value: answers})
}

// certificateFor finds the certificate of the key that was carried out. A key that came out in clear must be the one that
// was asked for: what the token told of its public half, and the identity's certificate, decide. Only for a key of which
// nothing told the public half is a certificate sought by it.
func (r ExportRequest) certificateFor(c *carriedKey) (*pki.Certificate, error) {
	given := r.Certificate
	if given == nil && r.Identity.Certificate != nil {
		given = r.Identity.Certificate.Parsed
	}
	public := r.Identity.Public
	if c.key != nil {
		public = c.key.Public
		if known := r.Identity.Public; len(known.SPKI) > 0 && !known.Equal(public) {
			return nil, r.mismatch(known, public)
		}
	}
	if given == nil && c.key != nil {
		for _, certificate := range r.shared.onToken {
			if certificate.PublicKey.Equal(public) {
				return certificate, nil
			}
		}
	}
	switch {
	case given == nil:
		return nil, r.withoutCertificate()
	case len(public.SPKI) > 0 && !given.PublicKey.Equal(public):
		return nil, r.mismatch(given.PublicKey, public)
	}
	return given, nil
}

func (r ExportRequest) mismatch(certificate, private pki.PublicKey) error {
	return &RefusedError{Verdict: r.Verdict.Refuse(verdict.Because(verdict.CertificateDoesNotMatchKey, verdict.Fact{Name: "CKA_ID", Value: verdict.HexText(r.Identity.PrivateKey.ID())},
		verdict.Fact{Name: "certificate_key", Value: verdict.KeyText(certificate)}, verdict.Fact{Name: "private_key", Value: verdict.KeyText(private)}))}
}

// chain finds the certificates above the key's own, on the token and in the pool.
func (r ExportRequest) chain(result *ExportResult) []*pki.Certificate {
	chain, complete := r.shared.pool.Chain(result.Certificate)
	result.ChainLength, result.ChainComplete = len(chain), complete
	if !complete {
		last := result.Certificate
		if len(chain) > 0 {
			last = chain[len(chain)-1]
		}
		result.Notices = append(result.Notices, verdict.Because(verdict.ChainIncomplete, verdict.Fact{Name: "missing_issuer", Value: last.Issuer}))
	}
	return chain
}

func (r ExportRequest) encode(ctx context.Context, c *carriedKey, result *ExportResult, chain []*pki.Certificate) ([]byte, error) {
	id := localKeyID(r.Identity, result.Certificate)
	contents := pfx.Contents{
		Keys:         []pfx.Key{{PKCS8: c.pkcs8(), Shrouded: c.shrouded, FriendlyName: string(result.FriendlyName), LocalKeyID: id}},
		Certificates: []pfx.Certificate{{DER: result.Certificate.Raw, FriendlyName: string(result.FriendlyName), LocalKeyID: id}},
	}
	for _, above := range chain {
		contents.Certificates = append(contents.Certificates, pfx.Certificate{DER: above.Raw, FriendlyName: plainName(r.shared.labels[above.SHA256()])})
	}
	options := r.fileOptions()
	if c.derived == nil && r.Profile != ProfileLegacy {
		var err error
		if c.derived, err = pfx.Derive(ctx, r.Random, r.Password.Bytes(), options); err != nil {
			return nil, fmt.Errorf("make the PFX: %w", err)
		}
	}
	options.Derived = c.derived
	file, err := pfx.Encode(ctx, r.Random, contents, r.Password.Bytes(), options)
	if err != nil {
		return nil, fmt.Errorf("make the PFX: %w", err)
	}
	return file, nil
}

// plainName replaces the control characters of a label, which a token may hold and a reader of the file may print, and
// what a BMPString has no place for.
func plainName(label string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r > 0xFFFF {
			return unicode.ReplacementChar
		}
		return r
	}, label)
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
