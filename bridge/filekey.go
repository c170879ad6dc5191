package bridge

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// FileKey is one private key of a PFX file.
type FileKey struct {
	Name       string // friendlyName, without control characters
	LocalKeyID []byte
	// Certificate is the key's own; nil where there is none, or none that can be read.
	Certificate *pki.Certificate
	// Proven means that the certificate is of this very key. A key that stays shrouded shows it only when it is used.
	Proven bool

	index      int // in the contents
	place      pfx.Place
	pair       pfx.Pair
	locked     bool
	intact     bool  // the MAC shows that the file is as its maker wrote it
	unreadable error // of the certificate that is the key's
}

// fileKeys finds the certificate of every key, as it is at a time. The error is the context's.
func fileKeys(ctx context.Context, contents *pfx.Contents, certificates *fileCertificates, now time.Time) ([]*FileKey, error) {
	var keys []*FileKey
	for _, pair := range pfx.Match(contents, certificates.compare(ctx)) {
		held, place := contents.Keys[pair.Key], pfx.Place{}
		if pair.Key < len(contents.Facts.Places) {
			place = contents.Facts.Places[pair.Key]
		}
		key := &FileKey{Name: plainName(held.FriendlyName), LocalKeyID: held.LocalKeyID, index: pair.Key, place: place, pair: pair, locked: held.Locked, intact: contents.Facts.MAC != pfx.NoMAC}
		key.Proven = pair.LinkedBy == pfx.LinkedByPublicKey
		if pair.Certificate < 0 && held.Shrouded != nil && !held.Locked && len(contents.Keys) == 1 && len(contents.Certificates) == 1 {
			key.pair.Certificate, key.pair.LinkedBy = 0, pfx.LinkedByLocalKeyID
		}
		if key.pair.Certificate >= 0 && (key.Proven || held.PKCS8 == nil && !held.Locked) {
			key.choose(certificates, now)
		}
		keys = append(keys, key)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return keys, nil
}

// choose takes the key's own certificate. Of several of the same key, as they remain after a renewal, it is the one that is valid longest, among those
// that the file names as it names the first. One whose time has not come is taken only where there is no other.
func (k *FileKey) choose(certificates *fileCertificates, now time.Time) {
	first := certificates.held[k.pair.Certificate]
	k.Certificate, k.unreadable = certificates.parse(k.pair.Certificate)
	for _, i := range k.pair.Also {
		if bytes.Equal(certificates.held[i].LocalKeyID, k.LocalKeyID) != bytes.Equal(first.LocalKeyID, k.LocalKeyID) {
			continue
		}
		other, err := certificates.parse(i)
		if err == nil && (k.Certificate == nil || other.PublicKey.Equal(k.Certificate.PublicKey) && isBetter(other, k.Certificate, now)) {
			k.Certificate, k.unreadable = other, nil
		}
	}
}

// isBetter reports whether a key is of more use with one certificate than with another.
func isBetter(one, other *pki.Certificate, now time.Time) bool {
	if early := one.NotBefore.After(now); early != other.NotBefore.After(now) {
		return !early
	}
	return one.NotAfter.After(other.NotAfter)
}

// complete reports whether the key has its certificate, as far as was found out.
func (k *FileKey) complete() bool { return k.Certificate != nil || k.unreadable != nil }

// Title names the key for a person, by the shortest name that it has: the friendlyName, its certificate's subject, the
// localKeyID in hexadecimal, or its place in the file.
func (k *FileKey) Title() string {
	switch {
	case k.Name != "":
		return k.Name
	case k.Certificate != nil:
		return string(k.Certificate.Subject)
	case len(k.LocalKeyID) > 0:
		return hex.EncodeToString(k.LocalKeyID)
	}
	return fmt.Sprintf("%d", k.index+1)
}

// reason says why a key that is not complete is not.
func (k *FileKey) reason() verdict.Reason {
	var unsupported *pki.UnsupportedError
	var malformed *pki.MalformedError
	switch err := k.pair.Err; {
	case k.locked:
		return verdict.Because(verdict.InnerPasswordDiffers, verdict.Fact{Name: "part", Value: string(pfx.PartKey)})
	case errors.As(err, &unsupported):
		return verdict.Because(verdict.FormatUnsupported, verdict.Fact{Name: "algorithm", Value: unsupported.Algorithm})
	case errors.Is(err, pfx.ErrNotCompared):
		return verdict.Because(verdict.FormatUnsupported, verdict.Fact{Name: "structure", Value: "SubjectPublicKeyInfo"})
	case k.intact && errors.As(err, &malformed) && !malformed.Contradicts: // another program wrote it so, and may read it
		return verdict.Because(verdict.FormatUnsupported, verdict.Fact{Name: "structure", Value: malformed.What})
	case err != nil && !errors.Is(err, pfx.ErrMismatch):
		return verdict.Because(verdict.KeyNotSound, verdict.Fact{Name: "problem", Value: err.Error()})
	}
	return verdict.Because(verdict.KeyOfAnotherCert)
}

// problem is the reason in the words of evidence.
func (k *FileKey) problem() string {
	if k.unreadable != nil {
		return k.unreadable.Error()
	}
	if reason := k.reason(); reason.Code != verdict.KeyOfAnotherCert {
		return string(reason.Code)
	}
	return "no certificate of this key"
}

// named reports whether a person means this key: by its name, its certificate's subject or fingerprint, or its localKeyID. A
// fingerprint may be cut off behind its eighth digit.
func (k *FileKey) named(name string) bool {
	if name == k.Name || len(k.LocalKeyID) > 0 && strings.EqualFold(name, hex.EncodeToString(k.LocalKeyID)) {
		return name != ""
	}
	if k.Certificate == nil {
		return false
	}
	const shortest = 8
	digits := strings.ToLower(strings.ReplaceAll(name, ":", ""))
	return name == string(k.Certificate.Subject) || len(digits) >= shortest && strings.HasPrefix(k.Certificate.SHA256(), digits)
}

// turnTo makes the key with this public half the one that the verification speaks of, where the file has several and it is
// among them.
func (v *VerifyResult) turnTo(public pki.PublicKey) {
	for _, key := range v.Keys {
		if key.Certificate != nil && key.Certificate.PublicKey.Equal(public) {
			v.Certificate, v.FriendlyName = key.Certificate, foreign.Text(key.Name)
			return
		}
	}
}

// notForTokens names the type of a key that p11bridge cannot put on a token; it is empty for the others.
func notForTokens(public pki.PublicKey) string {
	if _, err := token.KeyTypeOf(public); err == nil && public.Bits > 0 {
		return ""
	}
	return strings.TrimSpace(public.Algorithm + " " + public.Curve)
}

// judgeUnreadable names the certificates beside a key with its own that cannot be read, by their place among those of the file and what they are called there,
// unless one of them was judged as a key's own. Without the key's own, that is what is to be said.
func (v *VerifyResult) judgeUnreadable(certificates *fileCertificates) {
	own := map[int]bool{}
	for _, key := range v.Keys {
		if key.unreadable != nil {
			own[key.pair.Certificate] = true
		}
	}
	var unread []string
	for i, c := range certificates.held {
		_, err := certificates.parse(i)
		if err == nil || own[i] {
			continue
		}
		place := fmt.Sprintf("%d", i+1)
		if name := plainName(c.FriendlyName); name != "" {
			place += " (" + name + ")"
		}
		unread = append(unread, place+": "+err.Error())
	}
	if len(unread) > 0 {
		v.add(verdict.FurtherCertUnreadable, verdict.Fact{Name: "certificates", Value: strings.Join(unread, "; ")})
	}
}
