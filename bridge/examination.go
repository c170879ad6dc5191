package bridge

import (
	"context"
	"encoding/pem"
	"errors"

	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// examination is a file that was opened as far as it goes, and judged. Verify and OpenCopies rest on the same one, so that
// no file is a valid copy to one of them and none to the other.
type examination struct {
	*VerifyResult
	// der is the PFX itself, without what stood around it.
	der []byte
	// contents is nil where the file is no PFX, or does not open. They may hold keys in clear.
	contents     *pfx.Contents
	certificates *fileCertificates // of the contents
	clearKey     bool              // a private key stands in it that nothing protects
}

func (x *examination) wipe() {
	if x.contents != nil {
		x.contents.Wipe()
	}
}

// examine opens and judges a file. The error is for what kept us from finding out.
func examine(ctx context.Context, r VerifyRequest, options pfx.DecodeOptions) (*examination, error) {
	x := &examination{VerifyResult: &VerifyResult{Format: FormatUnknown}}
	empty, err := x.open(ctx, r.File, r.Password, options)
	if err != nil {
		return nil, err
	}
	switch {
	case x.contents != nil:
		if err := x.judgeContents(ctx, r.Now, r.Sealed); err != nil {
			x.wipe()
			return nil, err
		}
		if empty && x.contents.Facts.Protected() {
			x.add(verdict.PasswordEmpty)
		}
	case x.clearKey: // that is true whatever keeps the file from being read
		x.HasPrivateKey = true
		x.add(verdict.KeyNotProtected)
	}
	x.VerifyResult.settle()
	return x, nil
}

// open reads the contents, or adds the reason why they cannot be read.
func (x *examination) open(ctx context.Context, file []byte, password func() (*secret.Text, error), options pfx.DecodeOptions) (emptyPassword bool, err error) {
	if len(file) > MaxFileSize {
		x.add(verdict.FileTooLarge, verdict.Fact{Name: "size", Value: len(file)}, verdict.Fact{Name: "limit", Value: MaxFileSize})
		return false, nil
	}
	der, armour := pfx.RemoveArmour(file)
	facts, err := pfx.Inspect(der)
	if err != nil && !pfx.LooksLikePFX(der) && errors.As(err, new(*pfx.DamagedError)) {
		x.recognise(file)
		return false, nil
	}
	x.Format, x.der = FormatPFX, der
	if err != nil {
		x.clearKey = pfx.HasClearKey(der)
		x.readingFailed(err)
		return false, nil
	}
	x.clearKey = facts.ClearKey
	x.Profile, x.Iterations = string(facts.Profile), facts.Iterations
	if tooMany, is := beyondLimit(facts); is {
		x.add(verdict.IterationCountTooLarge, verdict.Fact{Name: "iterations", Value: tooMany}, verdict.Fact{Name: "limit", Value: pfx.MaxIterations})
		return false, nil
	}
	if facts.Unsupported != "" {
		x.add(verdict.FormatUnsupported, verdict.Fact{Name: "algorithm", Value: facts.Unsupported})
		return false, nil
	}
	given := secret.None
	if facts.Protected() {
		secret.Outside(func() { given, err = password() }) // whoever is asked may call C code
		if err != nil {
			return false, err
		}
	}
	contents, err := pfx.Decode(ctx, der, given.Bytes(), options)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if err != nil {
		x.readingFailed(err)
		return false, nil
	}
	x.contents = contents
	if armour != pfx.NoArmour {
		x.add(verdict.FileAsText, verdict.Fact{Name: "encoding", Value: string(armour)})
	}
	return len(given.Bytes()) == 0, nil
}

func beyondLimit(facts *pfx.Facts) (int, bool) {
	highest := facts.MACIterations
	for _, protection := range append(facts.Safes, facts.KeyBags...) {
		highest = max(highest, protection.Iterations)
	}
	return highest, highest > pfx.MaxIterations
}

// recognise says what a file is that is no PFX.
func (x *examination) recognise(file []byte) {
	if len(file) == 0 {
		x.add(verdict.FileEmpty)
		return
	}
	kind := pfx.Recognise(file)
	certificate, err := pki.ParseCertificate(file)
	if err == nil {
		kind = pfx.Kind{Name: "X.509 DER", Certificates: true}
		x.Certificate = certificate
	}
	for block, rest := pem.Decode(file); block != nil && x.Certificate == nil; block, rest = pem.Decode(rest) {
		if certificate, err := pki.ParseCertificate(block.Bytes); err == nil {
			x.Certificate = certificate
		}
	}
	if format := kind.Format(); format != "" {
		x.Format = format
	}
	x.HasPrivateKey, x.HasCertificate = kind.Key == pfx.KeyInClear || kind.Key == pfx.KeyEncrypted, kind.Certificates
	code := verdict.NotAPFX
	switch {
	case kind.Key == pfx.KeyInClear:
		code = verdict.PrivateKeyUnprotected
	case kind.Key == pfx.KeyEncrypted:
		code = verdict.PrivateKeyAlone
	case kind.Key == pfx.KeyStore:
		code = verdict.JavaKeyStore
	case kind.Certificates:
		code = verdict.CertificateOnly
	}
	x.add(code, verdict.Fact{Name: "format", Value: x.Format})
}

// readingFailed turns an error of the reader into a reason.
func (v *VerifyResult) readingFailed(err error) {
	var (
		limit       *pfx.LimitError
		unsupported *pfx.UnsupportedError
		odd         *pfx.NonconformingError
		privacy     *pfx.PrivacyPasswordError
	)
	switch {
	case errors.Is(err, pfx.ErrPassword), errors.Is(err, pfx.ErrPasswordNotUTF8):
		v.add(verdict.PasswordIncorrect)
	case errors.As(err, &privacy):
		v.add(verdict.InnerPasswordDiffers, verdict.Fact{Name: "part", Value: string(privacy.Part)})
	case errors.As(err, &limit) && limit.What == pfx.LimitIterations, errors.As(err, &limit) && limit.What == pfx.LimitTotalIterations:
		v.add(verdict.IterationCountTooLarge, verdict.Fact{Name: "iterations", Value: limit.Value}, verdict.Fact{Name: "limit", Value: limit.Bound})
	case errors.As(err, &limit):
		v.add(verdict.FileBeyondLimits, verdict.Fact{Name: "what", Value: string(limit.What)}, verdict.Fact{Name: "value", Value: limit.Value}, verdict.Fact{Name: "limit", Value: limit.Bound})
	case errors.As(err, &unsupported):
		v.add(verdict.FormatUnsupported, verdict.Fact{Name: "algorithm", Value: unsupported.Algorithm})
	case errors.As(err, &odd):
		v.add(verdict.FormatUnsupported, verdict.Fact{Name: "structure", Value: odd.Where()})
	default:
		v.add(verdict.FileDamaged, verdict.Fact{Name: "problem", Value: err.Error()})
	}
}
