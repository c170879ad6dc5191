package bridge

import (
	"fmt"
	"io"
	"slices"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// ExportRequest says what is to leave, and how the file is to be made.
type ExportRequest struct {
	Session   *token.Session
	Inventory *token.Inventory
	Identity  token.Identity
	Verdict   verdict.Verdict // empty: judged from the inventory

	Certificate   *pki.Certificate   // in place of the identity's own
	Pool          []*pki.Certificate // where the chain is sought, besides the token
	Method        verdict.Method     // empty: the first that the token allows
	RequireShroud bool               // refuse whatever would bring the key into this process
	Prover        Prover             // who proves a shrouded key; empty: the token
	DeleteKey     bool               // destroy the private key once the file is placed and proven anew
	AllowVolatile bool               // DeleteKey also where the file is gone after the next start of the machine

	Password   *secret.Text // nil with Sealing
	Sealing    *Sealing     // a password is made for the file, and sealed; nil: Password is the file's
	Profile    pfx.Profile  // empty: ProfileModern
	Iterations int          // zero: the profile's own number
	Target     archive.Target
	Random     io.Reader // nil: crypto/rand

	olderPassword *archive.SavedFile    // the sealed password that may be replaced
	failures      []*methodFailure      // of the methods that were tried before
	shared        *issuers              // where many exports from one token share them
	turn          *turn[*token.Session] // where many exports share what erases their keys: its session is Session; nil for one alone
	recording     *recording            // nil where no record is written
}

// validate takes what is needed where nothing is named, and refuses what cannot be, before the token is touched.
func (r ExportRequest) validate() (ExportRequest, error) {
	if err := needs("export", part{"session", r.Session == nil}, part{"inventory", r.Inventory == nil}, part{"target", r.Target.Path == ""}); err != nil {
		return r, err
	}
	if err := archive.CheckName(r.Target.Path, archive.ContentKey); err != nil {
		return r, err
	}
	if r.Verdict.Empty() || r.Identity.PrivateKey == nil {
		r.Verdict = verdict.Judge(r.Inventory, r.Identity, time.Now())
	}
	return r.validateFile()
}

// validateFile is validate for what does not depend on the key: how the file is to be made. Many exports have it in common.
func (r ExportRequest) validateFile() (ExportRequest, error) {
	if err := needs("export", part{"password", r.Password == nil && r.Sealing == nil}); err != nil {
		return r, err
	}
	var err error
	if r.Sealing, err = r.Sealing.validate(); err != nil {
		return r, err
	}
	if err := CheckPassword(r.Password, true); err != nil {
		return r, err
	}
	r.Random = randomOr(r.Random)
	if r.Profile == "" {
		r.Profile = ProfileModern
	}
	switch {
	case r.Sealing != nil && r.Password != nil:
		return r, fmt.Errorf("export: a password, and one to be made: %w", ErrRequest)
	case r.Sealing != nil && r.DeleteKey && len(r.Sealing.Keys) == 0:
		return r, ErrNotOpened
	case !slices.Contains(Profiles(), r.Profile):
		return r, fmt.Errorf("export: profile %q: %w", r.Profile, ErrRequest)
	case r.Iterations < 0 || r.Iterations > MaxIterations:
		return r, fmt.Errorf("export: %d iterations: %w", r.Iterations, ErrRequest)
	case r.Method != "" && !slices.Contains(Methods(), r.Method):
		return r, fmt.Errorf("export: method %q: %w", r.Method, ErrRequest)
	case r.Prover != "" && r.Prover != ProverToken && r.Prover != ProverHost:
		return r, fmt.Errorf("export: prover %q: %w", r.Prover, ErrRequest)
	}
	return r, nil
}
