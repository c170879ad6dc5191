package bridge

import (
	"context"
	"fmt"
	"strings"
	"time"

	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// Copy is a PFX file with one key and its certificate, opened as far as restoring needs: a key in a shrouded key bag that a
// token can unwrap has not been in clear. The password is the caller's and outlives the copy.
type Copy struct {
	Certificate *pki.Certificate   // the key's own, as far as can be told without opening the key
	Chain       []*pki.Certificate // above it, as far as the file has them
	Name        string             // friendlyName, without control characters
	LocalKeyID  []byte
	Notices     []verdict.Reason

	certificates []*pki.Certificate
	file         []byte
	password     *secret.Text
	shrouding    pfx.Shrouding
	ciphertext   []byte // empty where no token can unwrap the key bag
}

// InvalidCopyError means that a file is no valid copy. It carries the reasons.
type InvalidCopyError struct{ Reasons []verdict.Reason }

// Error gives the first reason's code.
func (e *InvalidCopyError) Error() string {
	if len(e.Reasons) == 0 {
		return "not a valid copy"
	}
	return "not a valid copy: " + string(e.Reasons[0].Code)
}

// SeveralKeysError means that a file has more than one key, and which one is meant cannot be told. Names are theirs.
type SeveralKeysError struct{ Names []string }

// Error counts them.
func (e *SeveralKeysError) Error() string { return fmt.Sprintf("%d keys in one file", len(e.Names)) }

// OpenCopy opens a file for restoring. The error is an *InvalidCopyError with the reasons that Verify gives, a
// *SeveralKeysError, or what kept us from finding out. Whether a key that stays shrouded is the certificate's shows only when
// it is used.
func OpenCopy(ctx context.Context, file []byte, password func() (*secret.Text, error), now time.Time) (c *Copy, err error) {
	secret.Forget(func() { c, err = openCopy(ctx, file, password, now) })
	secret.Erase()
	return c, err
}

func openCopy(ctx context.Context, file []byte, password func() (*secret.Text, error), now time.Time) (*Copy, error) {
	c := &Copy{file: file}
	v, contents, err := openFile(ctx, file, func() (given *secret.Text, err error) {
		c.password, err = password()
		return c.password, err
	}, pfx.DecodeOptions{KeepShrouded: true})
	if err != nil {
		return nil, err
	}
	if contents == nil {
		return nil, &InvalidCopyError{v.Reasons}
	}
	defer contents.Wipe()
	if len(contents.Keys) > 1 {
		several := &SeveralKeysError{}
		for _, key := range contents.Keys {
			several.Names = append(several.Names, fmt.Sprintf("%s (localKeyID %x)", plainName(key.FriendlyName), key.LocalKeyID))
		}
		return nil, several
	}
	if len(contents.Keys) == 0 || len(contents.Certificates) == 0 {
		v.judgeContents(contents, now)
		return nil, &InvalidCopyError{v.Reasons}
	}
	key := contents.Keys[0]
	c.Name, c.LocalKeyID = plainName(key.FriendlyName), key.LocalKeyID
	leaf := c.read(contents, key)
	if leaf == nil || !c.unwrappable(key.Shrouded) {
		v, err := verify(ctx, file, func() (*secret.Text, error) { return c.password, nil }, now)
		if err != nil {
			return nil, err
		}
		if !v.Valid {
			return nil, &InvalidCopyError{v.Reasons}
		}
		leaf = v.Certificate
	}
	v.judgeProtection(contents.Facts)
	v.judgeValidity(leaf, now)
	c.Notices = v.Reasons
	return c, c.settle(leaf)
}

// read keeps the certificates of the file that can be read, and gives the one that the file calls the key's own. It is nil
// where only the key itself can tell.
func (c *Copy) read(contents *pfx.Contents, key pfx.Key) *pki.Certificate {
	own := -1
	if key.Shrouded != nil {
		if own = pfx.Match(contents, compareKey)[0].Certificate; own < 0 && len(contents.Certificates) == 1 {
			own = 0
		}
	}
	var leaf *pki.Certificate
	for i, certificate := range contents.Certificates {
		parsed, err := pki.ParseCertificate(certificate.DER)
		if err != nil {
			continue // it is not the key's, or Verify gives the reason
		}
		c.certificates = append(c.certificates, parsed)
		if i == own {
			leaf = parsed
		}
	}
	return leaf
}

// unwrappable tells whether a token could unwrap the key bag: PBES2 with AES in CBC mode, which is CKM_AES_CBC_PAD.
func (c *Copy) unwrappable(shrouded []byte) bool {
	if shrouded == nil {
		return false
	}
	shrouding, ciphertext, err := pfx.ParseShrouded(shrouded)
	if err != nil || !strings.HasPrefix(shrouding.Cipher, "AES-") {
		return false
	}
	c.shrouding, c.ciphertext = shrouding, ciphertext
	return true
}

// settle makes a certificate the key's own.
func (c *Copy) settle(leaf *pki.Certificate) error {
	public := leaf.PublicKey
	if _, err := token.KeyTypeOf(public); err != nil || public.Bits == 0 {
		return &InvalidCopyError{[]verdict.Reason{verdict.Because(verdict.KeyTypeUnsupported, verdict.Fact{Name: "algorithm", Value: strings.TrimSpace(public.Algorithm + " " + public.Curve)})}}
	}
	c.Certificate = leaf
	c.Chain, _ = pki.Chain(leaf, c.certificates)
	return nil
}
