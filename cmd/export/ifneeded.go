package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// unneeded looks at the file that is there: one that is a valid copy of this key and this certificate is what was wanted. The
// token signs with the key, and the file's certificate verifies. An export is needed where no file is there, or where one may be
// replaced that is no such copy. given is the certificate that is to be in the file, nil for the token's.
func unneeded(ctx context.Context, a *frame.App, o *exportOptions, found frame.Identity, given *pki.Certificate) (_ frame.Result, needed bool, _ error) {
	if _, err := os.Lstat(o.out); errors.Is(err, os.ErrNotExist) {
		return frame.Result{}, true, nil
	}
	source := o.password
	if o.sealing() {
		source = "sealed"
	}
	v, file, err := view.JudgeFile(ctx, a, o.out, source)
	if err != nil {
		return frame.Result{}, false, err
	}
	if v.Valid {
		uri := frame.IdentityURI(found.Inventory, found.Identity)
		if err := v.Against(ctx, found.Session, found.Identity, verdict.Judge(found.Inventory, found.Identity, a.Now()), uri); err != nil {
			return frame.Result{}, false, err
		}
	}
	switch {
	case v.Valid && sameCertificate(v.Certificate, wanted(found, given)):
		return unchangedResult(o, v, file), false, nil
	case o.force:
		return frame.Result{}, true, nil
	case v.Valid: // of the key, with another certificate
		return frame.Result{}, false, &otherCertificateError{o.out}
	}
	return frame.Result{}, false, view.NotACopy(o.out, v)
}

// otherCertificateError means that a file holds the key with a certificate that is not the token's.
type otherCertificateError struct{ file string }

// Error names the file.
func (e *otherCertificateError) Error() string {
	return e.file + " holds the key with another certificate"
}

// wanted is the certificate that is to be in the file; nil where any of the key's will do.
func wanted(found frame.Identity, given *pki.Certificate) *pki.Certificate {
	if onToken := found.Certificate; given == nil && onToken != nil {
		return onToken.Parsed
	}
	return given
}

func sameCertificate(certificate, wanted *pki.Certificate) bool {
	return wanted == nil || certificate != nil && certificate.SHA256() == wanted.SHA256()
}

// unchangedResult is what is to be told of a file that is as it should be.
func unchangedResult(o *exportOptions, v *bridge.VerifyResult, file []byte) frame.Result {
	sum := sha256.Sum256(file)
	shown := exportView{
		Schema: exportSchema, File: o.out, SHA256: hex.EncodeToString(sum[:]), Iterations: v.Iterations, ChainLength: v.OtherCertificates,
		FriendlyName: v.FriendlyName, Verified: true, HasPrivateKey: true, Unchanged: true, Reasons: frame.NoNil(v.Reasons),
	}
	if v.Certificate != nil {
		shown.CertificateSHA256 = v.Certificate.SHA256()
	}
	if v.Profile != "" {
		profile := string(v.Profile)
		shown.Profile = &profile
	}
	return frame.Result{JSON: shown, Text: func(p *frame.Printer) {
		p.Line("", messages.Args{"File": foreign.Text(o.out)}, "export.unchanged")
		p.Place("  ", o.out)
	}}
}
