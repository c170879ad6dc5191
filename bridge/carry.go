package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"

	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
)

// carriedKey is a private key on its way from the token to the file: in clear, or shrouded by the token.
type carriedKey struct {
	mechanism string
	key       *pki.PrivateKey // nil where the token shrouded it
	shrouded  []byte          // DER EncryptedPrivateKeyInfo
	derived   *pfx.Derived    // what the file is written with; nil for the legacy profile
}

func (c *carriedKey) pkcs8() []byte {
	if c.key == nil {
		return nil
	}
	return c.key.DER
}

func (c *carriedKey) wipe() {
	if c.key != nil {
		c.key.Wipe()
	}
	c.derived.Wipe()
}

// methodFailure is a method that the token will not do. It says nothing against the next one.
type methodFailure struct {
	method  verdict.Method
	answers []string // "CKM_…: C_…: CKR_…"
	key     bool     // the answer is about the key itself
	carried bool     // the key was carried out, and the token could not prove the file
	fault   error    // an answer that is a failure of the token, no verdict
	err     error
}

// Error names the method and the cause.
func (e *methodFailure) Error() string { return fmt.Sprintf("%s: %v", e.method, e.err) }

// Unwrap gives the cause.
func (e *methodFailure) Unwrap() error { return e.err }

// refusal turns the answers of all methods that were tried into one verdict. A failure of the token is no verdict, and neither
// is a way out that worked and could not be proven, nor one that does not show whose certificate it takes, nor the refusal of the one way that was
// allowed.
func (r ExportRequest) refusal(failures []*methodFailure) error {
	var answers []string
	var fault error
	carried := false
	code := verdict.NoWrappingMechanism
	for _, failure := range failures {
		if errors.Is(failure, ErrNoCertificate) {
			return r.withoutCertificate()
		}
		answers = append(answers, failure.answers...)
		if failure.key {
			code = verdict.WrapRefused
		}
		if fault == nil {
			fault = failure.fault
		}
		carried = carried || failure.carried
	}
	switch {
	case fault != nil && (code != verdict.WrapRefused || carried):
		return fault
	case carried:
		return &UnprovenError{verdict.Because(verdict.TokenCouldNotProve, verdict.Fact{Name: "answers", Value: answers})}
	case r.Verdict.Exportable && r.restricted():
		facts := []verdict.Fact{{Name: "method", Value: string(failures[0].method)}, {Name: "answers", Value: answers}}
		return &MethodRefusedError{verdict.Because(verdict.MethodRefused, facts...)}
	}
	return &RefusedError{r.Verdict.Refuse(verdict.Because(code, verdict.Fact{Name: "answers", Value: answers}))}
}

// UnprovenError means that the token let the key go, and that the file could not be proven: by the token itself, since it was
// not to be opened here. There is no file. It carries the reason.
type UnprovenError struct{ Reason verdict.Reason }

// Error gives the reason's code.
func (e *UnprovenError) Error() string {
	return "the file could not be proven: " + string(e.Reason.Code)
}

// MethodRefusedError means that the key may leave, and that the token refused the one way that the request allowed. There is no file. It
// carries the reason.
type MethodRefusedError struct{ Reason verdict.Reason }

// Error gives the reason's code.
func (e *MethodRefusedError) Error() string {
	return "the key may leave in another way: " + string(e.Reason.Code)
}

// restricted reports whether the request allows one way out only.
func (r ExportRequest) restricted() bool { return r.RequireShroud || r.Method != "" }

// methods lists the ways out in the order in which they are tried.
func (r ExportRequest) methods() []verdict.Method {
	switch {
	case r.RequireShroud:
		return []verdict.Method{verdict.MethodShroud}
	case r.Method != "":
		return []verdict.Method{r.Method}
	}
	var methods []verdict.Method
	// Where nothing is listed, whatever there is may work. The legacy profile has no cipher that tokens wrap under.
	if (r.Verdict.Method == verdict.MethodShroud || !r.Verdict.Exportable) && r.Profile != ProfileLegacy {
		methods = append(methods, verdict.MethodShroud)
	}
	if r.Verdict.Method != verdict.MethodAttributes {
		methods = append(methods, verdict.MethodWrap)
	}
	if r.readable() {
		methods = append(methods, verdict.MethodAttributes)
	}
	if r.Verdict.Method == verdict.MethodAttributes { // NSS withholds the parts of every key, whatever it says of the key
		methods = append(methods, verdict.MethodWrap)
	}
	return methods
}

// readable reports whether the key may be read in clear. It takes both attributes (PKCS#11 v3.1 §4.9).
func (r ExportRequest) readable() bool {
	attributes := r.Identity.PrivateKey.Attributes
	return attributes.Bool(token.CKASensitive) == token.False && attributes.Bool(token.CKAExtractable) == token.True
}

func (r ExportRequest) carry(ctx context.Context, method verdict.Method) (*carriedKey, error) {
	switch method {
	case verdict.MethodShroud:
		return r.carryShrouded(ctx)
	case verdict.MethodWrap:
		key, mechanism, err := r.Session.Wrap(ctx, r.Identity.PrivateKey, r.Inventory.Mechanisms, r.Random)
		if err != nil {
			return nil, r.notCarried(method, err)
		}
		return &carriedKey{mechanism: mechanism.String(), key: key}, nil
	}
	if !r.readable() {
		withheld := &token.Error{Function: "C_GetAttributeValue", Code: token.CKRAttributeSensitive} // and may still be wrapped
		return nil, &methodFailure{method: method, answers: []string{withheld.Error()}, err: withheld}
	}
	key, err := r.Session.ReadClear(r.Identity.PrivateKey)
	if err != nil {
		return nil, r.notCarried(method, err)
	}
	return &carriedKey{key: key}, nil
}

// notCarried tells apart a method that the token refuses and a failure that ends everything.
func (r ExportRequest) notCarried(method verdict.Method, err error) error {
	var refused *token.WrapError
	var unsupported *pki.UnsupportedError
	switch {
	case errors.As(err, &refused):
		failure := &methodFailure{method: method, key: refused.AboutKey, fault: refused.Fault(), err: err}
		for _, attempt := range refused.Attempts {
			failure.answers = append(failure.answers, attempt.String())
		}
		return failure
	case errors.As(err, &unsupported):
		return &RefusedError{Verdict: r.Verdict.Refuse(verdict.Because(verdict.KeyTypeUnsupported, verdict.TypeFacts(r.Identity.PrivateKey)...))}
	}
	if code, known := token.CodeOf(err); known && code.Withheld() {
		return &methodFailure{method: method, answers: []string{"C_GetAttributeValue: " + code.String()}, key: true, err: err}
	}
	return err
}

// carryShrouded has the token make the shrouded key bag: the key wrapped under the key that PBKDF2 derives from the file's
// password (RFC 8018 §6.2), so that nothing else is ever needed to open it.
func (r ExportRequest) carryShrouded(ctx context.Context) (*carriedKey, error) {
	derived, err := pfx.Derive(ctx, r.Random, r.Password.Bytes(), r.fileOptions())
	if err != nil {
		return nil, fmt.Errorf("make the PFX: %w", err)
	}
	carried := &carriedKey{mechanism: token.CKMAESCBCPad.String(), derived: derived}
	if err := r.shroudInto(carried); err != nil {
		carried.wipe()
		return nil, err
	}
	return carried, nil
}

// shroudInto has the token make the key bag under the key of the file.
func (r ExportRequest) shroudInto(carried *carriedKey) error {
	iv := make([]byte, 16)
	if _, err := io.ReadFull(r.Random, iv); err != nil {
		return fmt.Errorf("make an IV: %w", err)
	}
	ciphertext, err := r.Session.Shroud(r.Identity.PrivateKey, carried.derived.Key(), iv)
	if err != nil {
		return r.notCarried(verdict.MethodShroud, err)
	}
	if carried.shrouded, err = carried.derived.AssembleShrouded(iv, ciphertext); err != nil {
		return &token.AnswerError{Function: "C_WrapKey", Fault: token.AnswerWrapped, Err: err}
	}
	return nil
}

// fileOptions are those of the file that is written.
func (r ExportRequest) fileOptions() pfx.Options {
	return pfx.Options{Profile: r.Profile, Iterations: r.Iterations}
}
