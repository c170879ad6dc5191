package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// entered is a private key that is on the token now.
type entered struct {
	key       *token.Object
	template  token.KeyTemplate
	method    RestoreMethod
	mechanism string
	proof     RestoreProof
	unproven  *token.CannotShowError // why not

	plan        *RestorePlan
	certificate *token.Object // placed before its turn, since the token signs only beside it
}

// otherCertificateError means that the key is that of another certificate in the file than the one taken for its own.
type otherCertificateError struct{ certificate *pki.Certificate }

// Error says so.
func (e *otherCertificateError) Error() string {
	return "the key belongs to another certificate of the file"
}

// enter brings the key onto the token in the first way that works, and proves it there.
func (r RestoreRequest) enter(ctx context.Context, plan *RestorePlan, added *token.Additions) (*entered, error) {
	in := &entered{template: token.KeyTemplate{
		Name: plan.Name, Public: r.Copy.Certificate.PublicKey, OnToken: true, Extractable: r.Exportable, Usage: plan.Usage,
	}, plan: plan}
	in.template.Usage.Sign = true // for the proof; settleAttributes takes it away again
	var answers []string
	var kek []byte
	if len(r.Copy.ciphertext) > 0 {
		var err error
		if kek, err = bagKey(ctx, r.Copy.shrouding, r.Copy.password, r.Copy.derived); err != nil {
			return nil, fmt.Errorf("open the file: %w", err)
		}
		defer clear(kek)
		in.method, in.mechanism = RestoreByUnwrap, token.CKMAESCBCPad.String()
		done, err := r.try(ctx, in, added, &answers, func() (*token.Object, error) {
			return added.Unshroud(kek, r.Copy.shrouding.IV, r.Copy.ciphertext, in.template)
		})
		if err != nil {
			return in, err
		}
		if done {
			whole, err := r.wholeKey(in, kek)
			if whole || err != nil {
				return in, err
			}
			answers = append(answers, in.mechanism+": proof: the token wraps another key than it unwrapped")
			if err := added.Retract(in.key); err != nil {
				return nil, err
			}
		}
	}
	var err error
	secret.Forget(func() { err = r.enterOpened(ctx, in, added, kek, answers) })
	if !r.later {
		secret.Erase()
	}
	return in, err
}

// enterOpened is the one function in which the key is in clear. It is wiped when it ends.
func (r RestoreRequest) enterOpened(ctx context.Context, in *entered, added *token.Additions, kek []byte, answers []string) error {
	key, err := r.openKey(ctx, kek)
	if err != nil {
		return err
	}
	defer key.Wipe()
	in.method = RestoreByRewrap
	for _, rewrapping := range token.Rewrappings(r.Inventory.Mechanisms) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		in.mechanism = rewrapping.Mechanism.String()
		done, err := r.try(ctx, in, added, &answers, func() (*token.Object, error) { return added.Rewrap(rewrapping, key, in.template, r.Random) })
		if done || err != nil {
			return err
		}
	}
	in.method, in.mechanism = RestoreByCreate, ""
	done, err := r.try(ctx, in, added, &answers, func() (*token.Object, error) { return added.StorePrivateKey(key, in.template) })
	if done || err != nil {
		return err
	}
	return notRestored(verdict.RestoreRefused, verdict.Fact{Name: "answers", Value: answers})
}

// try goes one way: the key enters, signs a fresh challenge, and the certificate verifies the signature. It is done where it
// did; a way that the token does not go, or on which the key came to harm, leaves nothing behind and gives its place to the
// next one. What ends everything is an error.
func (r RestoreRequest) try(ctx context.Context, in *entered, added *token.Additions, answers *[]string, way func() (*token.Object, error)) (done bool, err error) {
	name := in.mechanism
	if name == "" {
		name = "CKO_PRIVATE_KEY"
	}
	note := func(what string) {
		if answer := name + ": " + what; !slices.Contains(*answers, answer) {
			*answers = append(*answers, answer)
		}
	}
	key, err := way()
	if err != nil {
		var unsupported *pki.UnsupportedError
		code, refused := refusal(err)
		if refused && code == token.CKRUserNotLoggedIn && !r.Session.LoggedIn { // it refuses nothing, and wants a login
			return false, err
		}
		if !refused && !errors.As(err, &unsupported) {
			return false, err
		}
		note(err.Error())
		if key == nil {
			return false, nil
		}
		return false, added.Retract(key)
	}
	var unable *token.CannotShowError
	switch err := r.prove(ctx, in, added, key); {
	case err == nil:
		in.key, in.proof = key, RestoreProofSignature
		return true, nil
	case errors.Is(err, token.ErrOtherKey) && in.method == RestoreByUnwrap:
		return false, r.otherCertificate(func(public pki.PublicKey) bool {
			return r.Session.Holds(ctx, key, public) == nil
		})
	case errors.Is(err, token.ErrOtherKey): // in clear here, it was the certificate's: the token took it for something else
		note("the token signs with another key")
	case token.Lost(err):
		return false, err
	case in.method == RestoreByCreate && errors.As(err, &unable): // every number of it was given
		in.key, in.proof, in.unproven = key, RestoreProofNone, unable
		return true, nil
	default:
		*answers = append([]string{name + ": proof: " + err.Error()}, *answers...) // the key went in: this says the most
	}
	return false, added.Retract(key)
}

// prove has the key that entered answer a challenge. OpenSC answers C_Sign with CKR_HOST_MEMORY until the certificate of an EC key is
// on the card: where C_Sign fails, the certificate is placed and the key asked again. It is taken away again where that does not help.
func (r RestoreRequest) prove(ctx context.Context, in *entered, added *token.Additions, key *token.Object) error {
	err := r.Session.Prove(ctx, key, in.template.Public)
	var answer *token.Error
	if !errors.As(err, &answer) || !answer.SignsLater() || in.plan.certificate != nil || in.certificate != nil {
		return err
	}
	certificate, refusedCertificate := added.StoreCertificate(in.plan.Name, r.Copy.Certificate)
	if refusedCertificate != nil {
		if _, refused := refusal(refusedCertificate); refused {
			return err
		}
		return refusedCertificate
	}
	if again := r.Session.Prove(ctx, key, in.template.Public); again == nil {
		in.certificate = certificate
		return nil
	}
	if err := added.Retract(certificate); err != nil {
		return err
	}
	return err
}

// otherCertificate looks for the certificate of the file whose key this is.
func (r RestoreRequest) otherCertificate(fits func(pki.PublicKey) bool) error {
	for _, certificate := range r.Copy.certificates {
		if !certificate.PublicKey.Equal(r.Copy.Certificate.PublicKey) && fits(certificate.PublicKey) {
			return &otherCertificateError{certificate}
		}
	}
	return &InvalidCopyError{[]verdict.Reason{verdict.Because(verdict.KeyOfAnotherCert, verdict.Fact{Name: "certificate_key", Value: verdict.KeyText(r.Copy.Certificate.PublicKey)})}}
}

// settleAttributes tightens what the token made wider than it was asked to, reads everything back, and notes what is not as
// it should be.
func (r RestoreRequest) settleAttributes(plan *RestorePlan, in *entered, result *RestoreResult) error {
	in.template.Usage = plan.Usage
	wanted := in.template.Booleans()
	reread, err := r.Session.Reread(in.key)
	if err != nil {
		return err
	}
	// Both can only be tightened, never loosened (PKCS#11 v3.1 §4.9); CKA_SIGN was for the proof. Where the token will not, the
	// difference stays and is told.
	for _, a := range []token.Attribute{token.CKASensitive, token.CKAExtractable, token.CKASign} {
		if is := reread.Attributes.Bool(a).Value(); is != nil && *is != wanted[a] && (a != token.CKAExtractable || *is) {
			if err := r.Session.SetBool(in.key, a, wanted[a]); err != nil && token.Lost(err) {
				return err
			}
		}
	}
	if reread, err = r.Session.Reread(in.key); err != nil {
		return err
	}
	result.Key = reread
	for _, a := range []token.Attribute{token.CKAToken, token.CKAPrivate, token.CKASensitive, token.CKAExtractable, token.CKASign, token.CKADecrypt, token.CKADerive} {
		want, given := wanted[a]
		is := reread.Attributes.Bool(a).Value()
		if !given || is != nil && *is == want {
			continue
		}
		difference := Difference{Attribute: a, Wanted: want}
		if is != nil {
			difference.Found = *is
		}
		result.Differences = append(result.Differences, difference)
	}
	if id := reread.ID(); string(id) != string(plan.Name.ID) {
		result.Differences = append(result.Differences, Difference{token.CKAID, verdict.HexText(plan.Name.ID), verdict.HexText(id)})
	}
	if label := reread.Label(); string(label) != plan.Name.Label {
		result.Differences = append(result.Differences, Difference{token.CKALabel, plan.Name.Label, label})
	}
	if len(result.Differences) > 0 {
		var evidence []verdict.Fact
		for _, d := range result.Differences {
			evidence = append(evidence, verdict.Fact{Name: d.Attribute.String(), Value: d.Found})
		}
		result.Notices = append(result.Notices, verdict.Because(verdict.RestoredDifferently, evidence...))
	}
	return nil
}
