package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// Copy is a key of a PFX file with its certificate, opened as far as restoring needs: a key in a shrouded key bag that a
// token can unwrap has not been in clear. The password is the caller's and outlives the copy.
type Copy struct {
	Certificate *pki.Certificate   // the key's own, as far as can be told without opening the key
	Chain       []*pki.Certificate // above it, as far as the file has them
	Name        string             // friendlyName, without control characters
	LocalKeyID  []byte
	Notices     []verdict.Reason

	key          *FileKey
	certificates []*pki.Certificate
	pool         *pki.Pool // of the certificates
	owned        ownership
	left         []*FileKey // the keys of the file that are in no copy
	der          []byte     // of the PFX
	password     *secret.Text
	shrouding    pfx.Shrouding
	ciphertext   []byte       // empty where no token can unwrap the key bag
	derived      *pfx.Derived // the key bag's, where the file was opened with it; nil where not, and once the copy is restored
}

// InvalidCopyError means that a file is no valid copy. It carries the reasons.
type InvalidCopyError struct{ Reasons []verdict.Reason }

// Error gives the first reason's code.
func (e *InvalidCopyError) Error() string { return "not a valid copy" + firstCode(e.Reasons) }

// UnjudgedError means that a file could not be judged: it uses what cannot be read here. It carries the reasons.
type UnjudgedError struct{ Reasons []verdict.Reason }

// Error gives the first reason's code.
func (e *UnjudgedError) Error() string { return "could not be judged" + firstCode(e.Reasons) }

func firstCode(reasons []verdict.Reason) string {
	if len(reasons) == 0 {
		return ""
	}
	return ": " + string(reasons[0].Code)
}

// failure is the error that a file which is no valid copy gives to those who need one; nil for a valid copy.
func (v *VerifyResult) failure() error {
	switch {
	case v.Valid:
		return nil
	case v.Unjudged:
		return &UnjudgedError{v.Reasons}
	}
	return &InvalidCopyError{v.Reasons}
}

// SeveralKeysError means that a file has more than one key, and which one is meant was not said, or was said of none or of
// several.
type SeveralKeysError struct {
	Wanted string   // empty where nothing was said
	Names  []string // what they are called, each with its certificate's subject and fingerprint
}

// Error counts them.
func (e *SeveralKeysError) Error() string { return fmt.Sprintf("%d keys in one file", len(e.Names)) }

// Title names the copy's key as the file's list of keys does.
func (c *Copy) Title() string { return c.key.Title() }

// Choose finds the one copy that is meant: by friendlyName, localKeyID in hexadecimal, or the certificate's subject or SHA-256
// fingerprint, of which eight digits are enough. An empty name means the only one. The error is a *SeveralKeysError.
func Choose(copies []*Copy, wanted string) (*Copy, error) {
	if wanted == "" && len(copies) == 1 {
		return copies[0], nil
	}
	found := slices.DeleteFunc(slices.Clone(copies), func(c *Copy) bool { return wanted == "" || !c.key.named(wanted) })
	if len(found) == 1 {
		return found[0], nil
	}
	several := &SeveralKeysError{Wanted: wanted}
	for _, c := range copies {
		several.Names = append(several.Names, fmt.Sprintf("%s: %s, %s", c.key.Title(), c.Certificate.Subject, c.Certificate.SHA256()))
	}
	return nil, several
}

// OpenCopies opens a file for restoring: a copy for every key that has its certificate, each key once. A key that is alone in its file
// stays shrouded where a token could open it. The error is an *InvalidCopyError or an *UnjudgedError where Verify finds the file so, with the same reasons; a *NotRestoredError where no
// key of the file is one that a token takes; or what kept us from finding out. Whether a key that stays shrouded is the
// certificate's shows only when it is used.
func OpenCopies(ctx context.Context, r VerifyRequest) (copies []*Copy, err error) {
	secret.Forget(func() { copies, err = openCopies(ctx, r.validate()) })
	if !r.later {
		secret.Erase()
	}
	return copies, err
}

func openCopies(ctx context.Context, r VerifyRequest) ([]*Copy, error) {
	var given *secret.Text
	ask := r.Password
	r.Password = func() (_ *secret.Text, err error) {
		if given == nil {
			given, err = ask()
		}
		return given, err
	}
	x, err := examine(ctx, r, pfx.DecodeOptions{KeepShrouded: true})
	if err != nil {
		return nil, err
	}
	if x.contents != nil && slices.ContainsFunc(x.Keys, func(k *FileKey) bool { return !x.enough(k) }) {
		x.wipe()
		if x, err = examine(ctx, r, pfx.DecodeOptions{}); err != nil {
			return nil, err
		}
	}
	defer x.wipe()
	if err := x.failure(); err != nil {
		return nil, err
	}
	return x.copies(given)
}

// enough reports whether a key can stay as it is: open, or shrouded in a bag that a token may unwrap, beside a certificate that
// the file calls its own and a token can prove. Of several keys none stays shrouded: a localKeyID may be that of two of them, or stand on
// another's certificate, and then one key would be taken for another, or for the same one twice.
func (x *examination) enough(k *FileKey) bool {
	shrouded := x.contents.Keys[k.index].Shrouded
	if shrouded == nil {
		return true
	}
	if len(x.Keys) > 1 {
		return false
	}
	_, _, unwrappable := unwrapping(shrouded)
	return unwrappable && k.Certificate != nil && notForTokens(k.Certificate.PublicKey) == ""
}

// copies makes a copy of every key that has its certificate.
func (x *examination) copies(password *secret.Text) ([]*Copy, error) {
	var copies []*Copy
	var left []*FileKey
	var unfit error
	certificates := x.certificates.readable()
	pool := pki.NewPool(certificates)
	owned := ownershipOf(x.Keys, certificates, pool)
	for _, key := range x.Keys {
		if key.Certificate == nil {
			left = append(left, key)
			continue
		}
		c := &Copy{
			Name: key.Name, LocalKeyID: key.LocalKeyID, Notices: slices.Clone(x.Reasons), key: key, der: x.der, password: password,
			certificates: certificates, pool: pool, owned: owned,
		}
		inFile := x.contents.Keys[key.index]
		c.shrouding, c.ciphertext, _ = unwrapping(inFile.Shrouded)
		c.derived = inFile.Derived.Clone()
		if err := c.settle(key.Certificate); err != nil {
			unfit, left = err, append(left, key)
			continue
		}
		if !slices.ContainsFunc(copies, func(other *Copy) bool { return other.Certificate.PublicKey.Equal(c.Certificate.PublicKey) }) {
			copies = append(copies, c)
		}
	}
	if len(copies) == 0 {
		return nil, unfit
	}
	for _, c := range copies {
		c.left = left
	}
	return copies, nil
}

// KeysAreLeft reports whether the file of these copies, which are all of it, has a further key: one without a certificate, or one that no token takes.
// When all copies are restored, it is not, and nobody may say that the file was.
func KeysAreLeft(copies []*Copy) bool {
	return slices.ContainsFunc(copies, func(c *Copy) bool { return len(c.left) > 0 })
}

// unwrapping takes a shrouded key bag apart that a token could unwrap: PBES2 with AES in CBC mode, which is CKM_AES_CBC_PAD.
func unwrapping(shrouded []byte) (pfx.Shrouding, []byte, bool) {
	if shrouded == nil {
		return pfx.Shrouding{}, nil, false
	}
	shrouding, ciphertext, err := pfx.ParseShrouded(shrouded)
	if err != nil || !strings.HasPrefix(shrouding.Cipher, "AES-") {
		return pfx.Shrouding{}, nil, false
	}
	return shrouding, ciphertext, true
}

// settle makes a certificate the key's own. The error is a *NotRestoredError for a key that no token takes from here.
func (c *Copy) settle(leaf *pki.Certificate) error {
	if algorithm := notForTokens(leaf.PublicKey); algorithm != "" {
		return notRestored(verdict.KeyNotForTokens, verdict.Fact{Name: "algorithm", Value: algorithm})
	}
	c.Certificate = leaf
	c.Chain, _ = c.pool.Chain(leaf)
	return nil
}

// openWith is open where the key of the shrouded key bag was derived already: nil where it was not. What it does not open is judged by
// open.
func (c *Copy) openWith(ctx context.Context, kek []byte) (*pki.PrivateKey, error) {
	if kek == nil {
		return c.open(ctx)
	}
	pkcs8, ok := c.shrouding.Open(kek, c.ciphertext)
	defer clear(pkcs8)
	if ok {
		if private, err := pki.ParsePrivateKey(pkcs8); err == nil {
			return private, nil
		}
	}
	return c.open(ctx)
}

// forget wipes what is derived.
func (c *Copy) forget() {
	c.derived.Wipe()
	c.derived = nil
}

// open reads the key in clear, and no other of the file, and judges as Verify does what it finds. The caller wipes it. The error is an *InvalidCopyError,
// an *UnjudgedError, or the context's.
func (c *Copy) open(ctx context.Context) (*pki.PrivateKey, error) {
	v := &VerifyResult{}
	contents, err := pfx.Decode(ctx, c.der, c.password.Bytes(), pfx.DecodeOptions{Only: &c.key.place})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		v.readingFailed(err)
		v.settle()
		return nil, errors.Join(v.failure(), err)
	}
	defer contents.Wipe()
	keys, err := fileKeys(ctx, contents, newFileCertificates(ctx, contents.Certificates), time.Time{}) // why it is not read does not depend on the time
	if err != nil {
		return nil, err
	}
	key := keys[c.key.index]
	if !key.locked {
		private, err := pki.ParsePrivateKey(contents.Keys[c.key.index].PKCS8)
		if err == nil {
			return private, nil
		}
	}
	v.Reasons = []verdict.Reason{key.reason()}
	v.settle()
	return nil, v.failure()
}
