package bridge

import (
	"context"
	"strings"
	"time"

	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// MaxFileSize is the largest file, in bytes, that is read as a PFX or a certificate.
const MaxFileSize = 16 << 20

// WeakIterations is the iteration count below which a file's protection is called weak.
const WeakIterations = 100_000

// VerifyRequest says which file is to be judged.
type VerifyRequest struct {
	File     []byte
	Password func() (*secret.Text, error) // asked only where the file has one; nil: such a file is ErrRequest
	Now      time.Time                    // zero: the time of the call
	// Sealed: the file's record tells that its password was made for it, so that nobody guesses it. Few iterations are no weakness then.
	Sealed bool

	later bool // whoever opens many files erases what is left of their keys
}

// validate takes what is needed where nothing is named. An empty file is judged as any other.
func (r VerifyRequest) validate() VerifyRequest {
	if r.Password == nil {
		r.Password = func() (*secret.Text, error) { return nil, needs("verify", part{"password", true}) }
	}
	if r.Now.IsZero() {
		r.Now = time.Now()
	}
	return r
}

// VerifyResult says whether a file is a valid copy: a private key with its certificate, in a PFX that opens. A file that is
// neither Valid nor Unjudged was judged, and is none.
type VerifyResult struct {
	Valid             bool
	Unjudged          bool // it uses what cannot be read here, so that another program may find it valid
	HasPrivateKey     bool
	HasCertificate    bool
	KeyMatches        *bool // nil where it could not be found out
	Format            string
	Profile           string
	Iterations        int
	Certificate       *pki.Certificate // the key's own; of several keys, the first that has one
	OtherCertificates int
	FriendlyName      foreign.Text
	Keys              []*FileKey // all of them, in the order of the file
	SHA256            string
	Reasons           []verdict.Reason

	ShownBy token.Link // by Against: how the token's key was shown to be the copy's; empty where it was not
	Unasked error      // by Against: what the token answered where the key could not be asked; nil where it was, and where nothing was tried
}

func (v *VerifyResult) add(code verdict.Code, evidence ...verdict.Fact) {
	v.Reasons = append(v.Reasons, verdict.Because(code, evidence...))
}

// FormatPFX is the format of a file that was recognised as a PFX. Other formats have the names of pfx.Recognise.
const (
	FormatPFX     = "PKCS#12"
	FormatUnknown = "unknown"
)

// Verify opens a file as far as it can and says whether it is a valid copy and why or why not. The password is asked for
// only where the file has one. The error is for what kept us from finding out: no password to be had, a cancelled
// context.
func Verify(ctx context.Context, r VerifyRequest) (v *VerifyResult, err error) {
	secret.Forget(func() { v, err = verify(ctx, r.validate()) })
	if !r.later {
		secret.Erase()
	}
	return v, err
}

func verify(ctx context.Context, r VerifyRequest) (*VerifyResult, error) {
	x, err := examine(ctx, r, pfx.DecodeOptions{})
	if err != nil {
		return nil, err
	}
	defer x.wipe()
	return x.VerifyResult, nil
}

// settle draws the sum of the reasons.
func (v *VerifyResult) settle() {
	kinds := map[verdict.Kind]bool{}
	for _, reason := range v.Reasons {
		entry, known := verdict.Lookup(reason.Code)
		if !known {
			entry.Kind = verdict.Spoils
		}
		kinds[entry.Kind] = true
	}
	spoiled := kinds[verdict.Spoils] || kinds[verdict.Refuses]
	v.Unjudged = !spoiled && kinds[verdict.Unjudged]
	v.Valid = !spoiled && !v.Unjudged
}

// judgeContents judges what is in a PFX that was opened. The error is the context's.
func (x *examination) judgeContents(ctx context.Context, now time.Time, sealed bool) (err error) {
	v, contents := x.VerifyResult, x.contents
	v.HasPrivateKey, v.HasCertificate = len(contents.Keys) > 0, len(contents.Certificates) > 0
	v.Profile, v.Iterations = string(contents.Facts.Profile), contents.Facts.Iterations
	if !v.HasPrivateKey {
		v.add(verdict.NoPrivateKey)
	}
	if v.HasPrivateKey && !v.HasCertificate { // without a key, there is nothing that a certificate would be missing for
		v.add(verdict.NoCertificate)
	}
	x.certificates = newFileCertificates(ctx, contents.Certificates)
	if v.Keys, err = fileKeys(ctx, contents, x.certificates, now); err != nil {
		return err
	}
	if v.HasPrivateKey && v.HasCertificate {
		v.judgeKeys(contents, x.certificates)
	}
	certificates := x.certificates.readable()
	if v.Certificate == nil && len(certificates) > 0 {
		v.Certificate = certificates[0]
	}
	v.OtherCertificates = max(0, len(contents.Certificates)-1)
	v.judgeOpening(contents.Facts)
	v.judgeProtection(contents.Facts, sealed)
	if v.Certificate != nil {
		v.Reasons = append(v.Reasons, verdict.Validity(v.Certificate, now)...) // the copy is as good as it was
	}
	if v.KeyMatches != nil && *v.KeyMatches && v.Certificate != nil {
		v.judgeChain(certificates, contents.Facts.MAC != pfx.NoMAC)
	}
	return nil
}

// judgeKeys says whether there is a key with its certificate, and which keys have none.
func (v *VerifyResult) judgeKeys(contents *pfx.Contents, certificates *fileCertificates) {
	if len(contents.Keys) > 1 {
		v.add(verdict.SeveralKeys, verdict.Fact{Name: "keys", Value: len(contents.Keys)})
	}
	var whole *FileKey
	for _, key := range v.Keys { // one whose certificate cannot be read says nothing of another
		if key.complete() && (whole == nil || whole.Certificate == nil && key.Certificate != nil) {
			whole = key
		}
	}
	if whole == nil {
		v.judgeIncomplete()
		return
	}
	matches := true
	v.KeyMatches, v.FriendlyName, v.Certificate = &matches, foreign.Text(whole.Name), whole.Certificate
	switch {
	case whole.unreadable != nil && whole.intact: // another program wrote it so, and may read it
		v.add(verdict.FormatUnsupported, verdict.Fact{Name: "structure", Value: whole.unreadable.Error()})
	case whole.unreadable != nil:
		v.add(verdict.FileDamaged, verdict.Fact{Name: "problem", Value: whole.unreadable.Error()})
	}
	v.judgeUnreadable(certificates)
	v.judgeEach(whole)
}

// judgeEach says which keys no token takes, and which of them that are not the whole one cannot be used.
func (v *VerifyResult) judgeEach(whole *FileKey) {
	for _, key := range v.Keys {
		named := verdict.Fact{Name: "key", Value: key.Title()}
		switch {
		case key.Certificate != nil:
			algorithm := notForTokens(key.Certificate.PublicKey)
			if algorithm == "" {
				continue
			}
			evidence := []verdict.Fact{{Name: "algorithm", Value: algorithm}}
			if len(v.Keys) > 1 {
				evidence = append(evidence, named)
			}
			v.add(verdict.KeyNotForTokens, evidence...)
		case key != whole:
			v.add(verdict.FurtherKeyIncomplete, named, verdict.Fact{Name: "problem", Value: key.problem()})
		}
	}
}

// judgeIncomplete is for a file in which no key has its certificate: what cannot be read weighs more than what does not fit.
func (v *VerifyResult) judgeIncomplete() {
	reasons := make([]verdict.Reason, len(v.Keys))
	for i, key := range v.Keys {
		reasons[i] = key.reason()
	}
	chosen := reasons[0]
	for _, reason := range reasons {
		if entry, known := verdict.Lookup(reason.Code); known && entry.Kind == verdict.Unjudged {
			chosen = reason
			break
		}
	}
	v.Reasons = append(v.Reasons, chosen)
	if chosen.Code == verdict.KeyOfAnotherCert {
		matches := false
		v.KeyMatches = &matches
	}
}

// judgeOpening says what was odd about the file and its password.
func (v *VerifyResult) judgeOpening(facts pfx.Facts) {
	for _, encoding := range facts.Encodings {
		v.add(verdict.PasswordEncoding, verdict.Fact{Name: "encoding", Value: string(encoding)})
	}
	if facts.Trailing > 0 {
		evidence := []verdict.Fact{{Name: "bytes", Value: facts.Trailing}}
		if facts.Another {
			evidence = append(evidence, verdict.Fact{Name: "format", Value: FormatPFX})
		}
		v.add(verdict.TrailingData, evidence...)
	}
	if facts.OtherBags > 0 {
		v.add(verdict.OtherContents, verdict.Fact{Name: "secret_keys", Value: facts.Secrets}, verdict.Fact{Name: "others", Value: facts.OtherBags - facts.Secrets})
	}
}

// judgeChain says whether a certificate between the key's own and its root is missing. The copy is valid all the same. Where no MAC shows that the file is as
// its maker wrote it, a signature that the issuer's own certificate contradicts is damage.
func (v *VerifyResult) judgeChain(certificates []*pki.Certificate, intact bool) {
	chain, complete := pki.Chain(v.Certificate, certificates)
	if complete {
		return
	}
	last := v.Certificate
	if len(chain) > 0 {
		last = chain[len(chain)-1]
	}
	if !intact && pki.Altered(last, certificates) {
		v.add(verdict.FileDamaged, verdict.Fact{Name: "problem", Value: "the signature of a certificate is not its issuer's"})
		return
	}
	v.add(verdict.ChainIncomplete, verdict.Fact{Name: "missing_issuer", Value: last.Issuer})
}

// judgeProtection says what is weak about a copy that is valid all the same.
func (v *VerifyResult) judgeProtection(facts pfx.Facts, sealed bool) {
	if facts.ClearKey {
		v.add(verdict.KeyNotProtected)
	}
	if facts.MAC == pfx.NoMAC {
		v.add(verdict.IntegrityNotProtected, verdict.Fact{Name: "mac", Value: facts.MAC})
	}
	weakest := verdict.Fact{}
	for _, protection := range facts.KeyBags {
		if protection.Algorithm != pfx.Clear && (!strings.HasPrefix(protection.Algorithm, "PBES2") || strings.HasSuffix(protection.Algorithm, " RC2-CBC") || strings.HasSuffix(protection.Algorithm, " DES-CBC")) {
			weakest = verdict.Fact{Name: "algorithm", Value: protection.Algorithm}
		}
	}
	if weakest.Name != "" || !sealed && facts.Iterations > 0 && facts.Iterations < WeakIterations {
		evidence := []verdict.Fact{{Name: "iterations", Value: facts.Iterations}}
		if weakest.Name != "" {
			evidence = append([]verdict.Fact{weakest}, evidence...)
		}
		v.add(verdict.WeakProtection, evidence...)
	}
}
