package verdict

import (
	"errors"
	"slices"
	"strings"
	"time"

	"p11bridge/token"
	"p11bridge/token/pki"
)

// Method is a way for a key to leave its token.
type Method string

// The methods.
const (
	MethodShroud     Method = "shroud"     // C_WrapKey under the PFX file's own key: never in clear outside the token
	MethodWrap       Method = "wrap"       // C_WrapKey under a one-time key, unwrapped in this process
	MethodAttributes Method = "attributes" // a non-sensitive key, read attribute by attribute
)

// Verdict says whether a key can leave its token, how, and why or why not. The reasons stand in order of weight.
type Verdict struct {
	Exportable bool
	Method     Method // empty where the key cannot leave
	Mechanism  string // "CKM_…", for a method that needs one
	Reasons    []Reason

	// ListedRefused tells that the token lists a way out and refused every one that was tried, and that not for the key's sake: nobody knows
	// that it cannot leave.
	ListedRefused bool
}

// Has reports whether the verdict gives the reason.
func (v Verdict) Has(code Code) bool {
	return slices.ContainsFunc(v.Reasons, func(r Reason) bool { return r.Code == code })
}

// Known reports whether it could be found out whether the key can leave: it is not hidden, its object could be read, the token
// says what decides, and the key is of a kind that is known here. The first reason is the one that the verdict rests on.
func (v Verdict) Known() bool {
	return v.Exportable || !v.ListedRefused && !v.Has(KeysHiddenUntilLogin) && !v.first(ObjectUnreadable, TokenFileUnreadable, AttributesNotTold, KeyTypeUnsupported, KeyNotIdentified, CertificateWithheld, WrapFailed)
}

// KeyAbsent reports whether there is no private key of which anything could be said, whatever else is said of what is there.
func (v Verdict) KeyAbsent() bool {
	return v.Has(CertificateWithoutKey) || v.Has(IssuerCertificate) || v.Has(PublicKeyAlone)
}

// Mismatched reports whether the verdict rests on a certificate that was shown to be another key's: it says nothing against the key.
func (v Verdict) Mismatched() bool { return v.first(CertificateDoesNotMatchKey) }

// Unsupported reports whether the token may let the key leave, and that it is of a kind that no file can be made of here.
func (v Verdict) Unsupported() bool { return !v.Exportable && v.first(KeyTypeUnsupported) }

// Final reports whether no way out is to be tried. A token that only lists no mechanism may still wrap:
// lists are incomplete behind remoting, and a wrap that was tried is the proof.
func (v Verdict) Final() bool { return !v.Exportable && !v.first(NoWrappingMechanism) }

// first reports whether the reason of most weight is one of these.
func (v Verdict) first(codes ...Code) bool {
	return len(v.Reasons) > 0 && slices.Contains(codes, v.Reasons[0].Code)
}

// Empty reports whether nothing was judged.
func (v Verdict) Empty() bool { return !v.Exportable && v.Method == "" && len(v.Reasons) == 0 }

// Notices gives the reasons that are worth knowing whatever the verdict.
func (v Verdict) Notices() []Reason {
	var notices []Reason
	for _, reason := range v.Reasons {
		if entry, known := Lookup(reason.Code); known && entry.Kind == Notices {
			notices = append(notices, reason)
		}
	}
	return notices
}

func (v *Verdict) add(code Code, evidence ...Fact) {
	v.Reasons = append(v.Reasons, Because(code, evidence...))
}

// Refuse drops the way out and puts the reason first. Where the verdict gave the same reason already, the evidence of both
// stands there. What was tried takes the place of what was listed.
func (v Verdict) Refuse(reason Reason) Verdict {
	reasons := []Reason{reason}
	for _, r := range v.Reasons {
		entry, known := Lookup(r.Code)
		switch {
		case r.Code == reason.Code:
			reasons[0].Evidence = append(slices.Clone(reason.Evidence), r.Evidence...)
		case reason.Code == WrapRefused && r.Code == NoWrappingMechanism, reason.Code == NoWrappingMechanism && r.Code == WrapRefused:
		case !known || entry.Kind != Permits:
			reasons = append(reasons, r)
		}
	}
	return Verdict{Reasons: reasons, ListedRefused: v.Exportable && reason.Code == NoWrappingMechanism}
}

// Judge decides from what a token told, without asking it anything, whether an identity's key can leave. now decides on
// the validity of the certificate.
func Judge(inventory *token.Inventory, identity token.Identity, now time.Time) Verdict {
	var v Verdict
	if identity.PrivateKey == nil {
		judgeWithoutKey(&v, inventory, identity)
	} else {
		judgeKey(&v, inventory, identity.PrivateKey, identity)
	}
	judgeCertificate(&v, identity, now)
	return v
}

func judgeWithoutKey(v *Verdict, inventory *token.Inventory, identity token.Identity) {
	if c := identity.Certificate; c != nil && c.Object.Withheld() { // it may be that of any key
		v.add(CertificateWithheld, Fact{"CKA_ID", HexText(c.Object.ID())})
		return
	}
	if Hides(inventory) {
		v.Reasons = append(v.Reasons, HiddenReason(&inventory.Token))
		return
	}
	if fault := inventory.FaultOf(token.CKOPrivateKey); fault != nil { // its key may be the one that could not be read
		v.addFault(fault)
		return
	}
	if inventory.PassedOver != "" { // its key may be in that file
		v.Reasons = append(v.Reasons, PassedOverReason(inventory))
		return
	}
	loggedIn := Fact{"logged_in", inventory.LoggedIn}
	switch {
	case identity.Possible != nil && !isIssuer(inventory, identity):
		v.Reasons = append(v.Reasons, NotIdentified(identity.Possible))
	case identity.Certificate == nil:
		v.add(PublicKeyAlone, loggedIn)
	case identity.Mismatch != nil && isIssuer(inventory, identity) && inventory.IssuesHere(identity.Certificate.Parsed.Subject):
		v.add(IssuerCertificate, Fact{"is_ca", identity.Certificate.Parsed.IsCA}) // many programs give it the CKA_ID of the key that they belong to
	case identity.Mismatch != nil:
		v.add(CertificateDoesNotMatchKey, Fact{"CKA_ID", HexText(identity.Mismatch.ID())},
			Fact{"certificate_key", KeyText(identity.Public)}, Fact{"private_key", ObjectKeyText(identity.Mismatch)})
	case isIssuer(inventory, identity):
		v.add(IssuerCertificate, Fact{"is_ca", identity.Certificate.Parsed.IsCA})
	default:
		v.add(CertificateWithoutKey, loggedIn)
	}
}

// isIssuer reports whether the identity's certificate is an authority's, which is on a token for the sake of those that it issued. Old roots
// have no extension that says so: by keyUsage, or as the issuer of another certificate, they are known all the same.
func isIssuer(inventory *token.Inventory, identity token.Identity) bool {
	if identity.Certificate == nil || identity.Certificate.Parsed == nil {
		return false
	}
	c := identity.Certificate.Parsed
	bare := len(c.KeyUsage) == 0 && !c.HasEKU && c.Issuer == c.Subject
	return c.IsCA || slices.Contains(c.KeyUsage, "keyCertSign") || bare && inventory.IssuesHere(c.Subject)
}

// NotIdentified says that a private key may be the one that is looked for, and that it could not be asked whose it is.
func NotIdentified(key *token.Object) Reason {
	return Because(KeyNotIdentified, append([]Fact{{"CKA_ID", HexText(key.ID())}, {"CKA_LABEL", key.Label()}}, unaskedFacts(key)...)...)
}

// UnshownCertificate says that a certificate may be a private key's, which could not be asked whose it is.
func UnshownCertificate(key *token.Object) Reason {
	return Because(CertificateNotIdentified, append([]Fact{{"CKA_ID", HexText(key.ID())}}, unaskedFacts(key)...)...)
}

// unaskedFacts say why a key was not asked whose it is, as far as it is known.
func unaskedFacts(key *token.Object) []Fact {
	var facts []Fact
	if key.Attributes.Bool(token.CKAAlwaysAuthenticate) == token.True {
		facts = append(facts, Fact{"CKA_ALWAYS_AUTHENTICATE", true})
	}
	if key.NoChallenge != "" {
		facts = append(facts, Fact{"answer", key.NoChallenge})
	}
	return facts
}

// JudgeKey is Judge for a key alone, whatever its certificate.
func JudgeKey(inventory *token.Inventory, identity token.Identity) Verdict {
	var v Verdict
	if identity.PrivateKey == nil {
		judgeWithoutKey(&v, inventory, identity)
		return v
	}
	identity.Certificate, identity.Possible, identity.LinkedBy = nil, nil, token.LinkedByNone
	judgeKey(&v, inventory, identity.PrivateKey, identity)
	v.Reasons = slices.DeleteFunc(v.Reasons, func(r Reason) bool { return r.Code == KeyWithoutCertificate })
	return v
}

// JudgeNew is the verdict on a sensitive key that is still to be made.
func JudgeNew(inventory *token.Inventory, kind token.KeyKind, extractable bool) Verdict {
	public := pki.PublicKey{Algorithm: kind.Algorithm, Bits: kind.Bits, Curve: kind.Curve}
	return JudgeKey(inventory, token.Identity{PrivateKey: token.Planned(kind, token.Policy{Sensitive: true, Extractable: extractable}), Public: public})
}

// addFault says that an object could not be read. It is no verdict on a key.
func (v *Verdict) addFault(fault *token.Fault) {
	v.add(ObjectUnreadable, faultFacts(fault)...)
}

func faultFacts(fault *token.Fault) []Fact {
	return []Fact{{"attribute", fault.Attribute.String()}, {"function", "C_GetAttributeValue"}, {"CKR", fault.Code.String()}}
}

func judgeKey(v *Verdict, inventory *token.Inventory, key *token.Object, identity token.Identity) {
	if fault := key.Fault(); fault != nil {
		v.addFault(fault)
		return
	}
	extractable, sensitive := key.Attributes.Bool(token.CKAExtractable), key.Attributes.Bool(token.CKASensitive)
	extractableFact, sensitiveFact := attributeFact(key, token.CKAExtractable), attributeFact(key, token.CKASensitive)
	switch {
	case extractable == token.NotGiven:
		v.add(AttributesNotTold, extractableFact, sensitiveFact)
	case extractable == token.False:
		v.add(KeyNotExtractable, extractableFact)
		judgeOrigin(v, inventory, key)
	case !typeKnown(key):
		v.add(AttributesNotTold, append(TypeFacts(key), extractableFact, sensitiveFact)...)
	case !supported(key, identity):
		v.add(KeyTypeUnsupported, unsupportedFacts(key)...)
	default:
		judgeWayOut(v, inventory, key, sensitive, []Fact{sensitiveFact, extractableFact})
	}
	switch fault := inventory.FaultOf(token.CKOCertificate); {
	case identity.Certificate == nil && fault != nil: // its certificate may be the one that could not be read
		v.addFault(fault)
	case identity.Certificate == nil && identity.Possible != nil:
		v.Reasons = append(v.Reasons, UnshownCertificate(key))
	case identity.Certificate == nil && inventory.Withholds():
		v.add(CertificateWithheld, Fact{"CKA_ID", HexText(key.ID())})
	case identity.Certificate == nil:
		v.add(KeyWithoutCertificate, Fact{"CKA_ID", HexText(key.ID())})
	case identity.LinkedBy == token.LinkedByID:
		v.add(KeyLinkedByID, append([]Fact{{"CKA_ID", HexText(key.ID())}}, unaskedFacts(key)...)...)
	}
}

// addFamily adds the backup route of the token's own family, or that it has none.
func (v *Verdict) addFamily(inventory *token.Inventory) {
	family, known := FamilyOf(inventory)
	if !known {
		return
	}
	code := TokenFamilyBackup
	if !family.Backup {
		code = TokenFamilyNoBackup
	}
	v.add(code, Fact{"family", family.Name}, Fact{"manufacturer", inventory.Token.Manufacturer}, Fact{"model", inventory.Token.Model})
}

// judgeWayOut chooses the method for an extractable key, the one that exposes it least: shrouded it is never in clear
// outside the token; wrapped it crosses the module's interface, and a network behind it, as ciphertext.
func judgeWayOut(v *Verdict, inventory *token.Inventory, key *token.Object, sensitive token.Bool, facts []Fact) {
	family, _ := FamilyOf(inventory)
	keyType, _ := key.KeyType()
	trusted := key.Attributes.Bool(token.CKAWrapWithTrusted) == token.True
	mechanism, listed := wrapMechanism(inventory.Mechanisms)
	refusesType := family.refuses(keyType, inventory.Mechanisms)
	switch {
	case ListsShroud(inventory.Mechanisms) && !trusted && !refusesType:
		v.Exportable, v.Method, v.Mechanism = true, MethodShroud, token.CKMAESCBCPad.String()
		v.add(ExportableByShroud, append(facts, Fact{"mechanism", v.Mechanism})...)
	case listed && !trusted && !refusesType:
		v.Exportable, v.Method, v.Mechanism = true, MethodWrap, mechanism.String()
		v.add(ExportableByWrap, append(facts, Fact{"mechanism", v.Mechanism})...)
	case sensitive == token.False:
		v.Exportable, v.Method = true, MethodAttributes
		v.add(ExportableByAttributes, facts...)
	case trusted:
		v.add(WrapNeedsTrustedKey, attributeFact(key, token.CKAWrapWithTrusted))
	case refusesType:
		if !listed {
			mechanism = token.CKMAESCBCPad
		}
		v.add(WrapRefused, Fact{"CKA_KEY_TYPE", keyType.String()}, Fact{"model", inventory.Token.Model}, Fact{"mechanism", mechanism.String()})
	default:
		v.add(NoWrappingMechanism, append(facts, Fact{"mechanisms", len(inventory.Mechanisms)})...)
	}
	if !v.Exportable {
		v.addFamily(inventory)
	}
}

// ListsShroud reports whether a token offers to wrap under CKM_AES_CBC_PAD. Many list it for encryption only.
func ListsShroud(listed []token.Mechanism) bool {
	return slices.ContainsFunc(listed, func(m token.Mechanism) bool { return m.Type == token.CKMAESCBCPad && m.Wrap })
}

// wrapMechanism is the first mechanism that a token lists for carrying a key out.
func wrapMechanism(listed []token.Mechanism) (token.CKM, bool) {
	for _, mechanism := range token.WrapMechanisms {
		if slices.ContainsFunc(listed, func(m token.Mechanism) bool { return m.Type == mechanism }) {
			return mechanism, true
		}
	}
	return 0, false
}

func typeKnown(key *token.Object) bool {
	_, given := key.KeyType()
	return given
}

// supported reports whether the key's type is one whose PKCS#8 form can be read and checked here.
func supported(key *token.Object, identity token.Identity) bool {
	switch keyType, _ := key.KeyType(); keyType {
	case token.CKKRSA:
		return true
	case token.CKKEC:
		return curveSupported(key)
	case token.CKKECEdwards:
		return curveSupported(key) && (identity.Public.Algorithm == "" || identity.Public.Algorithm == "Ed25519")
	}
	return false
}

// unsupportedFacts name the type of a key and, as far as the token tells it, its curve.
func unsupportedFacts(key *token.Object) []Fact {
	facts := TypeFacts(key)
	algorithm, curve, _, err := pki.ECParams(key.Attributes.Bytes(token.CKAECParams))
	var unsupported *pki.UnsupportedError
	switch {
	case errors.As(err, &unsupported):
		return append(facts, Fact{"algorithm", unsupported.Algorithm})
	case err != nil:
		return facts
	}
	return append(facts, Fact{"algorithm", strings.TrimSpace(algorithm + " " + curve)})
}

// curveSupported is false only where the token names a curve that is not known here. What it does not name, or garbles, the key itself shows
// once it is carried out.
func curveSupported(key *token.Object) bool {
	algorithm, _, bits, err := pki.ECParams(key.Attributes.Bytes(token.CKAECParams))
	if err != nil {
		return !errors.As(err, new(*pki.UnsupportedError))
	}
	return algorithm == "EC" && bits > 0 || algorithm == "Ed25519"
}

// NamesFailedCall reports whether the reason names a call that failed. Whoever learns less because of it is to learn why.
func (r Reason) NamesFailedCall() bool {
	return slices.ContainsFunc(r.Evidence, func(f Fact) bool { return f.Name == "function" || f.Name == "answer" || f.Name == "answers" })
}
