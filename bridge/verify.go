package bridge

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// MaxFileSize is the largest file, in bytes, that is read as a PFX or a certificate.
const MaxFileSize = 16 << 20

// WeakIterations is the iteration count below which a file's protection is called weak.
const WeakIterations = 100_000

// Verification says whether a file is a valid copy: a private key with its certificate, in a PFX that opens.
type Verification struct {
	Valid             bool
	HasPrivateKey     bool
	HasCertificate    bool
	KeyMatches        *bool // nil where it could not be found out
	Format            string
	Profile           string
	Iterations        int
	Certificate       *pki.Certificate // the key's own
	OtherCertificates int
	FriendlyName      string
	SHA256            string
	Reasons           []verdict.Reason
}

func (v *Verification) add(code verdict.Code, evidence ...verdict.Fact) {
	v.Reasons = append(v.Reasons, verdict.Because(code, evidence...))
}

// The formats that Verify tells apart.
const (
	FormatPFX            = "PKCS#12"
	FormatCertificateDER = "X.509 DER"
	FormatCertificatePEM = "X.509 PEM"
	FormatKeyPEM         = "private key PEM"
	FormatUnknown        = "unknown"
)

// Verify opens a file as far as it can and says whether it is a valid copy and why or why not. The password is asked for
// only where the file has one. The error is for what kept us from finding out: no password to be had, a cancelled
// context.
func Verify(ctx context.Context, file []byte, password func() (*secret.Text, error), now time.Time) (v *Verification, err error) {
	secret.Forget(func() { v, err = verify(ctx, file, password, now) })
	secret.Erase()
	return v, err
}

func verify(ctx context.Context, file []byte, password func() (*secret.Text, error), now time.Time) (*Verification, error) {
	v, contents, err := openFile(ctx, file, password, pfx.DecodeOptions{})
	if err != nil || contents == nil {
		return v, err
	}
	defer contents.Wipe()
	v.judgeContents(contents, now)
	v.Valid = !spoiled(v.Reasons)
	return v, nil
}

// openFile opens a file as a PFX. The contents are nil where it is none or does not open; the reasons then say why.
func openFile(ctx context.Context, file []byte, password func() (*secret.Text, error), options pfx.DecodeOptions) (*Verification, *pfx.Contents, error) {
	v := &Verification{Format: FormatUnknown}
	if len(file) > MaxFileSize {
		v.add(verdict.FileTooLarge, verdict.Fact{Name: "size", Value: len(file)}, verdict.Fact{Name: "limit", Value: MaxFileSize})
		return v, nil, nil
	}
	if block, _ := pem.Decode(file); block != nil {
		v.verifyPEM(file)
		return v, nil, nil
	}
	if certificate, err := pki.ParseCertificate(file); err == nil {
		v.Format, v.HasCertificate, v.Certificate = FormatCertificateDER, true, certificate
		v.add(verdict.CertificateOnly, verdict.Fact{Name: "format", Value: v.Format})
		return v, nil, nil
	}
	facts, err := pfx.Inspect(file)
	if err != nil {
		v.readingFailed(file, err)
		return v, nil, nil
	}
	v.Format, v.Profile, v.Iterations = FormatPFX, string(facts.Profile), facts.Iterations
	if tooMany, is := beyondLimit(facts); is {
		v.add(verdict.IterationCountTooLarge, verdict.Fact{Name: "iterations", Value: tooMany}, verdict.Fact{Name: "limit", Value: pfx.MaxIterations})
		return v, nil, nil
	}
	if facts.Unsupported != "" {
		v.add(verdict.FormatUnsupported, verdict.Fact{Name: "algorithm", Value: facts.Unsupported})
		return v, nil, nil
	}
	given, err := password()
	if err != nil {
		return v, nil, err
	}
	contents, err := pfx.Decode(ctx, file, given.Bytes(), options)
	if ctx.Err() != nil {
		return v, nil, context.Cause(ctx)
	}
	if err != nil {
		v.readingFailed(file, err)
		return v, nil, nil
	}
	return v, contents, nil
}

func beyondLimit(facts *pfx.Facts) (int, bool) {
	highest := facts.MACIterations
	for _, protection := range append(facts.Safes, facts.KeyBags...) {
		highest = max(highest, protection.Iterations)
	}
	return highest, highest > pfx.MaxIterations
}

func spoiled(reasons []verdict.Reason) bool {
	for _, reason := range reasons {
		if entry, known := verdict.Lookup(reason.Code); !known || entry.Kind == verdict.Spoils || entry.Kind == verdict.Refuses {
			return true
		}
	}
	return false
}

// verifyPEM looks at the blocks of a PEM file. It may hold a key, and is no PFX.
func (v *Verification) verifyPEM(file []byte) {
	for block, rest := pem.Decode(file); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			v.HasPrivateKey = true
		case block.Type == "CERTIFICATE" || block.Type == "TRUSTED CERTIFICATE":
			v.HasCertificate = true
			if certificate, err := pki.ParseCertificate(block.Bytes); err == nil && v.Certificate == nil {
				v.Certificate = certificate
			}
		}
	}
	switch {
	case v.HasPrivateKey:
		v.Format = FormatKeyPEM
		v.add(verdict.NotAPFX, verdict.Fact{Name: "format", Value: v.Format})
	case v.HasCertificate:
		v.Format = FormatCertificatePEM
		v.add(verdict.CertificateOnly, verdict.Fact{Name: "format", Value: v.Format})
	default:
		v.add(verdict.NotAPFX, verdict.Fact{Name: "format", Value: "PEM"})
	}
}

// readingFailed turns an error of the reader into a reason.
func (v *Verification) readingFailed(file []byte, err error) {
	var damaged *pfx.DamagedError
	var limit *pfx.LimitError
	var unsupported *pfx.UnsupportedError
	var odd *pfx.NonconformingError
	switch {
	case errors.As(err, &odd):
		v.add(verdict.FormatUnsupported, verdict.Fact{Name: "algorithm", Value: odd.Where()})
	case errors.Is(err, pfx.ErrPassword), errors.Is(err, pfx.ErrPasswordNotBMP), errors.Is(err, pfx.ErrPasswordNotUTF8):
		v.add(verdict.PasswordIncorrect)
	case errors.Is(err, pfx.ErrPrivacyPassword):
		v.add(verdict.FileDamaged, verdict.Fact{Name: "problem", Value: err.Error()})
	case errors.As(err, &limit) && limit.What == pfx.LimitIterations, errors.As(err, &limit) && limit.What == pfx.LimitTotalIterations:
		v.add(verdict.IterationCountTooLarge, verdict.Fact{Name: "iterations", Value: limit.Value}, verdict.Fact{Name: "limit", Value: limit.Bound})
	case errors.As(err, &limit):
		v.add(verdict.FileDamaged, verdict.Fact{Name: "problem", Value: limit.Error()})
	case errors.As(err, &unsupported):
		v.Format = FormatPFX
		v.add(verdict.FormatUnsupported, verdict.Fact{Name: "algorithm", Value: unsupported.Algorithm})
	case errors.As(err, &damaged) && looksLikePFX(file):
		v.Format = FormatPFX
		v.add(verdict.FileDamaged, verdict.Fact{Name: "problem", Value: damaged.Error()})
	default:
		v.add(verdict.NotAPFX, verdict.Fact{Name: "format", Value: v.Format})
	}
}

// looksLikePFX tells whether a file begins as a PFX does: a SEQUENCE with the version 3 as its first member.
func looksLikePFX(file []byte) bool {
	head := file[:min(len(file), 16)]
	return len(head) > 4 && head[0] == 0x30 && bytes.Contains(head, []byte{0x02, 0x01, 0x03, 0x30})
}

func (v *Verification) judgeContents(contents *pfx.Contents, now time.Time) {
	v.HasPrivateKey, v.HasCertificate = len(contents.Keys) > 0, len(contents.Certificates) > 0
	v.Profile, v.Iterations = string(contents.Facts.Profile), contents.Facts.Iterations
	if !v.HasPrivateKey {
		v.add(verdict.NoPrivateKey)
	}
	if !v.HasCertificate {
		v.add(verdict.NoCertificate)
	}
	if v.HasPrivateKey && v.HasCertificate {
		v.judgePair(contents)
	}
	if v.Certificate == nil && v.HasCertificate {
		v.Certificate = firstReadable(contents.Certificates)
	}
	v.OtherCertificates = max(0, len(contents.Certificates)-1)
	v.judgeProtection(contents.Facts)
	if v.Certificate != nil {
		v.judgeValidity(v.Certificate, now)
	}
}

// judgeValidity says whether the certificate is expired, or not valid yet. The copy is as good as it was.
func (v *Verification) judgeValidity(c *pki.Certificate, now time.Time) {
	if now.After(c.NotAfter) {
		v.add(verdict.CertificateExpired, verdict.Fact{Name: "not_after", Value: c.NotAfter.UTC().Format(time.RFC3339)})
	} else if now.Before(c.NotBefore) {
		v.add(verdict.CertificateNotYetValid, verdict.Fact{Name: "not_before", Value: c.NotBefore.UTC().Format(time.RFC3339)})
	}
}

// judgePair looks for a key with its certificate.
func (v *Verification) judgePair(contents *pfx.Contents) {
	if len(contents.Keys) > 1 {
		v.add(verdict.SeveralKeys, verdict.Fact{Name: "keys", Value: len(contents.Keys)})
	}
	var problem error
	for _, pair := range pfx.Match(contents, compareKey) {
		if pair.LinkedBy != pfx.LinkedByPublicKey {
			if problem == nil {
				problem = pair.Err
			}
			continue
		}
		matches := true
		v.KeyMatches = &matches
		v.FriendlyName = contents.Keys[pair.Key].FriendlyName
		certificate, err := pki.ParseCertificate(contents.Certificates[pair.Certificate].DER)
		if err != nil {
			v.add(verdict.CertificateUnreadable, verdict.Fact{Name: "problem", Value: err.Error()})
		}
		v.Certificate = certificate
		return
	}
	var unsupported *pki.UnsupportedError
	switch {
	case errors.As(problem, &unsupported):
		v.add(verdict.KeyTypeUnsupported, verdict.Fact{Name: "algorithm", Value: unsupported.Algorithm})
	case problem != nil && !errors.Is(problem, pfx.ErrMismatch):
		v.add(verdict.FileDamaged, verdict.Fact{Name: "problem", Value: problem.Error()})
	default:
		matches := false
		v.KeyMatches = &matches
		v.add(verdict.KeyOfAnotherCert)
	}
}

// compareKey compares keys, not their encodings.
func compareKey(pkcs8 []byte) (func([]byte) pfx.Relation, error) {
	key, err := pki.ParsePrivateKey(pkcs8)
	if err != nil {
		return nil, fmt.Errorf("read the private key: %w", err)
	}
	key.Wipe()
	return func(der []byte) pfx.Relation {
		certified, err := pki.KeyOfCertificate(der)
		switch {
		case err != nil:
			return pfx.Unknown
		case certified.Equal(key.Public):
			return pfx.Certified
		case certified.Differs(key.Public):
			return pfx.Unrelated
		}
		return pfx.Unknown
	}, nil
}

func firstReadable(certificates []pfx.Certificate) *pki.Certificate {
	for _, c := range certificates {
		if parsed, err := pki.ParseCertificate(c.DER); err == nil {
			return parsed
		}
	}
	return nil
}

// judgeProtection says what is weak about a copy that is valid all the same.
func (v *Verification) judgeProtection(facts pfx.Facts) {
	if facts.ClearKey {
		v.add(verdict.KeyNotProtected)
	}
	if facts.MAC == pfx.NoMAC {
		v.add(verdict.IntegrityNotProtected, verdict.Fact{Name: "mac", Value: facts.MAC})
	}
	weakest := verdict.Fact{}
	for _, protection := range facts.KeyBags {
		if protection.Algorithm != pfx.Clear && !strings.HasPrefix(protection.Algorithm, "PBES2") {
			weakest = verdict.Fact{Name: "algorithm", Value: protection.Algorithm}
		}
	}
	if weakest.Name != "" || facts.Iterations > 0 && facts.Iterations < WeakIterations {
		evidence := []verdict.Fact{{Name: "iterations", Value: facts.Iterations}}
		if weakest.Name != "" {
			evidence = append([]verdict.Fact{weakest}, evidence...)
		}
		v.add(verdict.WeakProtection, evidence...)
	}
}
