package guide

import (
	"context"
	"errors"
	"slices"
	"strings"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token"
)

// commonKeyType is the kind of key that most tokens make and every issuer certifies.
const commonKeyType = "rsa2048"

// rareKeyTypes are those that few issuers certify.
var rareKeyTypes = []string{"p521", "ed25519"}

// errOtherKind means that the token did not make the key, and that another kind of key is wanted.
var errOtherKind = errors.New("another kind of key")

// chooseKind asks which kind of key the new one is to be, where the token makes none like the old one, or not the usual one.
func (r *renewal) chooseKind(ctx context.Context) (bool, error) {
	r.kind, r.failedKinds = "", nil
	switch {
	case r.answer == sameKey, !r.first && r.makesLikeOld():
		return false, nil
	case r.first && slices.Contains(r.token.KeyTypes, commonKeyType):
		r.kind = commonKeyType
		return false, nil
	}
	return true, r.askKind(ctx)
}

// askKind asks for one of the kinds that the token makes, but for those at which it failed.
func (r *renewal) askKind(ctx context.Context) error {
	q := terminal.Choice{Title: r.Text("guide.kind.title", nil), Description: r.Text("guide.kind.description", nil)}
	var kinds []string
	for _, name := range r.token.KeyTypes {
		if slices.Contains(r.failedKinds, name) {
			continue
		}
		id := "guide.kind.common"
		if slices.Contains(rareKeyTypes, name) {
			id = "guide.kind.rare"
		}
		kinds = append(kinds, name)
		q.Answers = append(q.Answers, r.Text(id, messages.Args{"Key": messages.Own(keyTypeText(name))}))
	}
	if len(kinds) == 0 {
		return r.withoutKeys(ctx)
	}
	i, err := r.choose(ctx, q)
	if err == nil {
		r.kind = kinds[i]
	}
	return err
}

// keyTypeText is a kind of key as texts name it.
func keyTypeText(name string) string {
	kind, bits := token.KeyKindOf(name)
	return view.KeyText(view.Identity{PublicKey: &view.PublicKey{Type: kind.Algorithm, Bits: bits, Curve: kind.Curve}})
}

// withoutKeys says that the token makes no keys, and asks what to do instead: the key that is there may sign the request.
func (r *renewal) withoutKeys(ctx context.Context) error {
	answers := []string{"guide.to-menu"}
	if r.hasKey() {
		answers = append([]string{"guide.request.same"}, answers...)
	}
	i, err := r.pick(ctx, "guide.kind.none.title", "guide.kind.none.description", nil, 0, answers...)
	switch {
	case err != nil:
		return err
	case i == len(answers)-1:
		return errToMenu
	}
	r.answer, r.kind = sameKey, ""
	return nil
}

// hasKey reports whether a key may be there to sign: one that is not seen before the login may be.
func (r *renewal) hasKey() bool {
	return r.like == "" && !r.first && (!r.token.LoggedIn || r.key.PrivateKey != nil)
}

// makesLikeOld reports whether the token may make a key like the old one. Of what kind that is may not be known: the command finds out.
func (r *renewal) makesLikeOld() bool {
	old := publicKey{}
	switch {
	case r.like != "":
		if certificates, err := frame.ReadCertificates(r.like); err == nil && len(certificates) > 0 {
			old.Type = certificates[0].PublicKey.Algorithm
		}
	case r.key.PublicKey != nil:
		old = *r.key.PublicKey
	case r.key.PrivateKey != nil:
		old.Type = r.key.PrivateKey.Type
	}
	prefix := ""
	switch old.Type {
	case "":
		return true
	case "RSA", "RSA-PSS":
		prefix = "rsa"
	case "EC":
		prefix = "p"
	case "Ed25519":
		prefix = "ed"
	default:
		return false
	}
	return slices.ContainsFunc(r.token.KeyTypes, func(name string) bool { return strings.HasPrefix(name, prefix) })
}

// otherKind is offered where the command failed otherwise than at the PIN: the list of a token does not say which sizes it makes.
func (r *renewal) otherKind() *way {
	if r.answer == sameKey {
		return nil
	}
	return &way{"guide.kind.other", func(context.Context) error { return errOtherKind }}
}

// remember notes a kind at which the token failed.
func (r *renewal) remember() {
	if r.kind != "" {
		r.failedKinds = append(r.failedKinds, r.kind)
	}
}
