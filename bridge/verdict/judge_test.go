package verdict

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
	"p11bridge/token/tokentest"
)

// judgeRow is an inventory and what is to be said of its identities, each "method mechanism: code {evidence}; …".
type judgeRow struct {
	name      string
	objects   []*token.Object
	inventory func(*token.Inventory)
	want      []string
}

const (
	yesByWrap = `wrap CKM_AES_KEY_WRAP_PAD: exportable-by-wrap {"CKA_SENSITIVE":true,"CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_KEY_WRAP_PAD"}`
	noWay     = `no: no-wrapping-mechanism {"CKA_SENSITIVE":true,"CKA_EXTRACTABLE":true,"mechanisms":%d}`
	lockedIn  = `no: key-not-extractable {"CKA_EXTRACTABLE":false}`
	bornHere  = lockedIn + `; key-generated-on-token {"CKA_LOCAL":true,"CKA_NEVER_EXTRACTABLE":true}`
	ofFamily  = `; token-family-%s {"family":"%s","manufacturer":"%s","model":"%s"}`
)

// byID is said of a pair that only CKA_ID links.
const byID = `; key-linked-by-id {"CKA_ID":"01"}`

// pair is a private key of a policy with its certificate.
func pair(policy tokentest.Values) []*token.Object { return certified(policy, nil) }

func certified(policy tokentest.Values, change func(*pki.Certificate)) []*token.Object {
	return []*token.Object{tokentest.PrivateKey("a", policy), tokentest.CertificateOf("a", change)}
}

func mechanisms(list ...token.Mechanism) func(*token.Inventory) {
	return func(i *token.Inventory) { i.Mechanisms = list }
}

func ofMake(manufacturer, model, firmware string) func(*token.Inventory) {
	return func(i *token.Inventory) {
		i.Token.Manufacturer, i.Token.Model, i.Token.FirmwareVersion = foreign.Text(manufacturer), foreign.Text(model), firmware
	}
}

func loggedOut(i *token.Inventory) { i.LoggedIn = false }

// edwards is a key of CKK_EC_EDWARDS that tells nothing of its curve.
var edwards = tokentest.Values{token.CKAKeyType: uint(token.CKKECEdwards)}

// sect283k1 is the CKA_EC_PARAMS of a curve over a binary field.
const sect283k1 = "\x06\x05\x2b\x81\x04\x00\x10"

// onCurve is a key of CKK_EC that names its curve.
func onCurve(params string) tokentest.Values {
	return tokentest.Values{token.CKAKeyType: uint(token.CKKEC), token.CKAECParams: []byte(params)}
}

func onEdwards(params string) tokentest.Values {
	return tokentest.Values{token.CKAECParams: []byte(params)}
}

func ofAlgorithm(algorithm string) func(*pki.Certificate) {
	return func(c *pki.Certificate) {
		c.PublicKey = pki.PublicKey{Algorithm: algorithm, SPKI: []byte("a key of " + algorithm)}
	}
}

// unprovenPair is a pair that only CKA_ID links, of any algorithm.
func unprovenPair(policy tokentest.Values, algorithm string) []*token.Object {
	return []*token.Object{tokentest.PrivateKey("", policy), tokentest.CertificateOf("a", ofAlgorithm(algorithm))}
}

func dated(notBefore, notAfter time.Time) func(*pki.Certificate) {
	return func(c *pki.Certificate) { c.NotBefore, c.NotAfter = notBefore, notAfter }
}

const day = 24 * time.Hour

func judgeRows() []judgeRow {
	return slices.Concat(policyRows, unknownRows, wayRows, originRows, typeRows, familyRows, certificateRows, loneRows, withheldRows)
}

// unreadable is a certificate that cannot be parsed.
var unreadable = &token.Object{Class: token.CKOCertificate, Attributes: tokentest.Answers(tokentest.Values{token.CKAID: []byte{1}}), CertificateProblem: "no DER"}

// policyRows are about the four policies.
var policyRows = []judgeRow{
	{"locked", pair(tokentest.Locked), nil, []string{bornHere}},
	{"wrappable", pair(tokentest.Wrappable), nil, []string{yesByWrap}},
	{"readable, and wrapping exposes it less", pair(tokentest.Readable), nil,
		[]string{`wrap CKM_AES_KEY_WRAP_PAD: exportable-by-wrap {"CKA_SENSITIVE":false,"CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_KEY_WRAP_PAD"}`}},
	{"readable without mechanisms", pair(tokentest.Readable), mechanisms(),
		[]string{`attributes : exportable-by-attributes {"CKA_SENSITIVE":false,"CKA_EXTRACTABLE":true}`}},
	{"neither sensitive nor extractable", pair(tokentest.Held), mechanisms(), []string{bornHere}},
}

// unknownRows are about what a token does not say, which is not false.
var unknownRows = []judgeRow{
	{"CKA_EXTRACTABLE refused", pair(tokentest.Locked.With(tokentest.Values{token.CKAExtractable: token.CKRAttributeTypeInvalid})), nil,
		[]string{`no: attributes-not-told {"CKA_EXTRACTABLE":"CKR_ATTRIBUTE_TYPE_INVALID","CKA_SENSITIVE":true}`}},
	{"CKA_EXTRACTABLE never asked for", pair(tokentest.Locked.With(tokentest.Values{token.CKAExtractable: nil})), nil,
		[]string{`no: attributes-not-told {"CKA_EXTRACTABLE":null,"CKA_SENSITIVE":true}`}},
	{"CKA_EXTRACTABLE of four bytes", pair(tokentest.Locked.With(tokentest.Values{token.CKAExtractable: []byte{1, 0, 0, 0}})), nil,
		[]string{`no: object-unreadable {"attribute":"CKA_EXTRACTABLE","function":"C_GetAttributeValue","CKR":"CKR_OK"}`}},
	{"CKA_EXTRACTABLE without a byte", pair(tokentest.Locked.With(tokentest.Values{token.CKAExtractable: []byte{}})), nil,
		[]string{`no: object-unreadable {"attribute":"CKA_EXTRACTABLE","function":"C_GetAttributeValue","CKR":"CKR_OK"}`}},
	{"CKA_EXTRACTABLE 0xFF is true", pair(tokentest.Wrappable.With(tokentest.Values{token.CKAExtractable: []byte{0xFF}})), nil, []string{yesByWrap}},
	{"CKA_SENSITIVE not told, and a way out", pair(tokentest.Wrappable.With(tokentest.Values{token.CKASensitive: token.CKRAttributeTypeInvalid})), nil,
		[]string{`wrap CKM_AES_KEY_WRAP_PAD: exportable-by-wrap {"CKA_SENSITIVE":"CKR_ATTRIBUTE_TYPE_INVALID","CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_KEY_WRAP_PAD"}`}},
	{"CKA_SENSITIVE not told is not read", pair(tokentest.Wrappable.With(tokentest.Values{token.CKASensitive: nil})), mechanisms(),
		[]string{`no: no-wrapping-mechanism {"CKA_SENSITIVE":null,"CKA_EXTRACTABLE":true,"mechanisms":0}`}},
	{"CKA_KEY_TYPE not told", pair(tokentest.Wrappable.With(tokentest.Values{token.CKAKeyType: nil})), nil,
		[]string{`no: attributes-not-told {"CKA_KEY_TYPE":null,"CKA_EXTRACTABLE":true,"CKA_SENSITIVE":true}`}},
	{"CKA_KEY_TYPE of one byte", pair(tokentest.Readable.With(tokentest.Values{token.CKAKeyType: []byte{0}})), nil,
		[]string{`no: attributes-not-told {"CKA_KEY_TYPE":null,"CKA_EXTRACTABLE":true,"CKA_SENSITIVE":false}`}},
	{"not extractable is final, whatever else is not told", pair(tokentest.Values{token.CKAExtractable: false}), nil, []string{lockedIn}},
}

// wayRows are about the ways out of a token.
var wayRows = []judgeRow{
	{"CKA_WRAP_WITH_TRUSTED", pair(tokentest.Wrappable.With(tokentest.Values{token.CKAWrapWithTrusted: true})), mechanisms(tokentest.Wraps(token.CKMAESCBCPad, token.CKMAESKeyWrapPad)...),
		[]string{`no: wrap-needs-trusted-key {"CKA_WRAP_WITH_TRUSTED":true}`}},
	{"CKA_WRAP_WITH_TRUSTED of a readable key", pair(tokentest.Readable.With(tokentest.Values{token.CKAWrapWithTrusted: true})), nil,
		[]string{`attributes : exportable-by-attributes {"CKA_SENSITIVE":false,"CKA_EXTRACTABLE":true}`}},
	{"CKA_WRAP_WITH_TRUSTED not told", pair(tokentest.Wrappable.With(tokentest.Values{token.CKAWrapWithTrusted: token.CKRAttributeTypeInvalid})), nil, []string{yesByWrap}},
	{"no mechanisms", pair(tokentest.Wrappable), mechanisms(), []string{fmt.Sprintf(noWay, 0)}},
	{"mechanisms that carry nothing", pair(tokentest.Wrappable), mechanisms(token.Mechanism{Type: 0x250}, token.Mechanism{Type: 0x1082, Wrap: true}), []string{fmt.Sprintf(noWay, 2)}},
	{"CKM_AES_CBC_PAD without CKF_WRAP", pair(tokentest.Wrappable), mechanisms(token.Mechanism{Type: token.CKMAESCBCPad, Unwrap: true}), []string{fmt.Sprintf(noWay, 1)}},
	{"CKM_AES_CBC_PAD without CKF_WRAP beside a wrap", pair(tokentest.Wrappable), mechanisms(append(tokentest.Wraps(token.CKMAESKeyWrapPad), token.Mechanism{Type: token.CKMAESCBCPad})...), []string{yesByWrap}},
	{"CKM_AES_CBC_PAD with CKF_WRAP", pair(tokentest.Wrappable), mechanisms(tokentest.Wraps(token.CKMAESKeyWrapPad, token.CKMAESCBCPad)...),
		[]string{`shroud CKM_AES_CBC_PAD: exportable-by-shroud {"CKA_SENSITIVE":true,"CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_CBC_PAD"}`}},
	{"CKM_AES_CBC_PAD for a readable key", pair(tokentest.Readable), mechanisms(tokentest.Wraps(token.CKMAESCBCPad)...),
		[]string{`shroud CKM_AES_CBC_PAD: exportable-by-shroud {"CKA_SENSITIVE":false,"CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_CBC_PAD"}`}},
	{"CKM_AES_CBC_PAD does not open a locked key", pair(tokentest.Locked), mechanisms(tokentest.Wraps(token.CKMAESCBCPad)...), []string{bornHere}},
	{"a wrap through RSA comes last", pair(tokentest.Wrappable), mechanisms(tokentest.Wraps(token.CKMRSAAESKeyWrap, token.CKMAESKeyWrap, token.CKMAESKeyWrapKWP)...),
		[]string{`wrap CKM_AES_KEY_WRAP_KWP: exportable-by-wrap {"CKA_SENSITIVE":true,"CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_KEY_WRAP_KWP"}`}},
	{"a wrap through RSA", pair(tokentest.Wrappable), mechanisms(tokentest.Wraps(token.CKMRSAAESKeyWrap)...),
		[]string{`wrap CKM_RSA_AES_KEY_WRAP: exportable-by-wrap {"CKA_SENSITIVE":true,"CKA_EXTRACTABLE":true,"mechanism":"CKM_RSA_AES_KEY_WRAP"}`}},
}

// originRows are about where a key comes from.
var originRows = []judgeRow{
	{"imported and then locked", pair(tokentest.Locked.With(tokentest.Values{token.CKALocal: false, token.CKANeverExtractable: false})), nil,
		[]string{lockedIn + `; original-may-exist {"CKA_NEVER_EXTRACTABLE":false,"CKA_LOCAL":false}`}},
	{"generated extractable, and then locked", pair(tokentest.Locked.With(tokentest.Values{token.CKANeverExtractable: false})), nil,
		[]string{lockedIn + `; original-may-exist {"CKA_NEVER_EXTRACTABLE":false,"CKA_LOCAL":true}`}},
	{"CKA_LOCAL=false alone proves nothing", pair(tokentest.Locked.With(tokentest.Values{token.CKALocal: false})), nil, []string{lockedIn}},
	{"the origin is not told", pair(tokentest.Locked.With(tokentest.Values{token.CKALocal: nil, token.CKANeverExtractable: token.CKRAttributeTypeInvalid})), nil, []string{lockedIn}},
	{"CKA_LOCAL alone", pair(tokentest.Locked.With(tokentest.Values{token.CKANeverExtractable: nil})), nil,
		[]string{lockedIn + `; key-generated-on-token {"CKA_LOCAL":true,"CKA_NEVER_EXTRACTABLE":null}`}},
}

// typeRows are about the types of keys.
var typeRows = []judgeRow{
	{"Ed25519", unprovenPair(tokentest.Wrappable.With(edwards), "Ed25519"), nil, []string{yesByWrap + byID}},
	{"Ed448", unprovenPair(tokentest.Wrappable.With(edwards), "Ed448"), nil, []string{`no: key-type-unsupported {"CKA_KEY_TYPE":"CKK_EC_EDWARDS"}` + byID}},
	{"RSA", unprovenPair(tokentest.Wrappable.With(tokentest.Values{token.CKAKeyType: uint(token.CKKRSA)}), "RSA"), nil, []string{yesByWrap + byID}},
	{"X25519", unprovenPair(tokentest.Wrappable.With(tokentest.Values{token.CKAKeyType: uint(0x41)}), "X25519"), nil, []string{`no: key-type-unsupported {"CKA_KEY_TYPE":"CKK_EC_MONTGOMERY"}` + byID}},
	{"DSA", unprovenPair(tokentest.Readable.With(tokentest.Values{token.CKAKeyType: uint(1)}), "DSA"), nil, []string{`no: key-type-unsupported {"CKA_KEY_TYPE":"CKK_DSA"}` + byID}},
	{"a curve that is not known", []*token.Object{tokentest.PrivateKey("", tokentest.Wrappable.With(onCurve(sect283k1)))}, nil, []string{`no: key-type-unsupported {"CKA_KEY_TYPE":"CKK_EC","algorithm":"EC 1.3.132.0.16"}` + `; key-without-certificate {"CKA_ID":"01"}`}},
	{"a curve by a name that is not known", []*token.Object{tokentest.PrivateKey("", tokentest.Wrappable.With(onCurve("\x13\x03abc")))}, nil, []string{`no: key-type-unsupported {"CKA_KEY_TYPE":"CKK_EC","algorithm":"abc"}` + `; key-without-certificate {"CKA_ID":"01"}`}},
	{"a curve that is garbled", []*token.Object{tokentest.PrivateKey("", tokentest.Wrappable.With(onCurve("\x06\x05")))}, nil, []string{yesByWrap + `; key-without-certificate {"CKA_ID":"01"}`}},
	{"a curve that is known", []*token.Object{tokentest.PrivateKey("", tokentest.Wrappable.With(onCurve("\x06\x05\x2b\x81\x04\x00\x0a")))}, nil, []string{yesByWrap + `; key-without-certificate {"CKA_ID":"01"}`}},
	{"Ed448 by its curve alone", []*token.Object{tokentest.PrivateKey("", tokentest.Wrappable.With(edwards).With(onEdwards("\x06\x03\x2b\x65\x71")))}, nil,
		[]string{`no: key-type-unsupported {"CKA_KEY_TYPE":"CKK_EC_EDWARDS","algorithm":"Ed448"}; key-without-certificate {"CKA_ID":"01"}`}},
	{"Ed25519 by its curve alone", []*token.Object{tokentest.PrivateKey("", tokentest.Wrappable.With(edwards).With(onEdwards("\x13\x0cedwards25519")))}, nil,
		[]string{yesByWrap + `; key-without-certificate {"CKA_ID":"01"}`}},
	{"ML-KEM", unprovenPair(tokentest.Wrappable.With(tokentest.Values{token.CKAKeyType: uint(0x49)}), "ML-KEM"), nil, []string{`no: key-type-unsupported {"CKA_KEY_TYPE":"CKK_ML_KEM"}` + byID}},
	{"GOST R 34.10", unprovenPair(tokentest.Wrappable.With(tokentest.Values{token.CKAKeyType: uint(0x30)}), "GOST"), nil, []string{`no: key-type-unsupported {"CKA_KEY_TYPE":"CKK_GOSTR3410"}` + byID}},
	{"a vendor's own", unprovenPair(tokentest.Readable.With(tokentest.Values{token.CKAKeyType: uint(0x80000001)}), ""), nil, []string{`no: key-type-unsupported {"CKA_KEY_TYPE":"CKK_0x80000001"}` + byID}},
}

// familyRows are about families of tokens and what they say that is not so.
var familyRows = []judgeRow{
	{"SoftHSM 2.6 will not wrap Ed25519", unprovenPair(tokentest.Wrappable.With(edwards), "Ed25519"), ofMake("SoftHSM project", "SoftHSM v2", "2.6"),
		[]string{`no: wrap-refused {"CKA_KEY_TYPE":"CKK_EC_EDWARDS","model":"SoftHSM v2","mechanism":"CKM_AES_KEY_WRAP_PAD"}` +
			fmt.Sprintf(ofFamily, "backup", "softhsm", "SoftHSM project", "SoftHSM v2") + byID}},
	{"SoftHSM 2.6 lets a readable Ed25519 be read", unprovenPair(tokentest.Readable.With(edwards), "Ed25519"), ofMake("SoftHSM project", "SoftHSM v2", "2.6"),
		[]string{`attributes : exportable-by-attributes {"CKA_SENSITIVE":false,"CKA_EXTRACTABLE":true}` + byID}},
	{"another SoftHSM may wrap it", unprovenPair(tokentest.Wrappable.With(edwards), "Ed25519"), ofMake("SoftHSM project", "SoftHSM v2", "2.7"), []string{yesByWrap + byID}},
	{"openCryptoki stores EC keys that it knows no mechanism for, and will not wrap them", pair(tokentest.Wrappable.With(tokentest.Values{token.CKAKeyType: uint(token.CKKEC)})), func(i *token.Inventory) {
		i.Module.Manufacturer, i.Token.Model = "IBM", "IBM SoftTok"
		i.Mechanisms = []token.Mechanism{{Type: token.CKMAESCBCPad, Wrap: true}}
	}, []string{`no: wrap-refused {"CKA_KEY_TYPE":"CKK_EC","model":"IBM SoftTok","mechanism":"CKM_AES_CBC_PAD"}` + fmt.Sprintf(ofFamily, "backup", "opencryptoki", "Nobody", "IBM SoftTok")}},
	{"openCryptoki wraps EC keys where it knows them", pair(tokentest.Wrappable.With(tokentest.Values{token.CKAKeyType: uint(token.CKKEC)})), func(i *token.Inventory) {
		i.Module.Manufacturer = "IBM"
		i.Mechanisms = []token.Mechanism{{Type: token.CKMAESCBCPad, Wrap: true}, {Type: 0x1041, Sign: true}}
	}, []string{`shroud CKM_AES_CBC_PAD: exportable-by-shroud {"CKA_SENSITIVE":true,"CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_CBC_PAD"}`}},
	{"SoftHSM wraps the others", pair(tokentest.Wrappable), ofMake("SoftHSM project", "SoftHSM v2", "2.6"), []string{yesByWrap}},
	{"NSS says CKA_LOCAL=false of what it generated", pair(tokentest.Locked.With(tokentest.Values{token.CKALocal: false, token.CKANeverExtractable: nil})), ofMake("Mozilla Foundation", "NSS 3", "0.0"),
		[]string{lockedIn + fmt.Sprintf(ofFamily, "backup", "nss", "Mozilla Foundation", "NSS 3")}},
	{"a family without a backup", pair(tokentest.Locked), ofMake("piv_II", "PKCS#15 emulated", ""),
		[]string{lockedIn + `; origin-unknown {"CKA_LOCAL":true,"CKA_NEVER_EXTRACTABLE":true}` + fmt.Sprintf(ofFamily, "no-backup", "piv", "piv_II", "PKCS#15 emulated")}},
	{"OpenSC says of every emulated key that it was made there", pair(tokentest.Locked), func(i *token.Inventory) { i.Module.Manufacturer, i.Token.Model = "OpenSC Project", "PKCS#15 emulated" },
		[]string{lockedIn + `; origin-unknown {"CKA_LOCAL":true,"CKA_NEVER_EXTRACTABLE":true}`}},
	{"sc-hsm-embedded says of every key that it was made there", pair(tokentest.Locked), func(i *token.Inventory) { i.Module.Manufacturer = "CardContact (www.cardcontact.de)" },
		[]string{lockedIn + `; origin-unknown {"CKA_LOCAL":true,"CKA_NEVER_EXTRACTABLE":true}`}},
	{"ykcs11 says of imported keys that they never left", pair(tokentest.Locked.With(tokentest.Values{token.CKALocal: false})), func(i *token.Inventory) {
		i.Module.Manufacturer, i.Module.Description = "Yubico (www.yubico.com)", "PKCS#11 PIV Library (SP-800-73)"
	}, []string{lockedIn + `; origin-unknown {"CKA_LOCAL":false,"CKA_NEVER_EXTRACTABLE":true}`}},
	{"ykcs11 knows what it generated", pair(tokentest.Locked), func(i *token.Inventory) {
		i.Module.Manufacturer, i.Module.Description = "Yubico (www.yubico.com)", "PKCS#11 PIV Library (SP-800-73)"
	}, []string{bornHere}},
	{"openCryptoki knows what it generated", pair(tokentest.Locked), func(i *token.Inventory) { i.Module.Manufacturer, i.Module.Description = "IBM", "openCryptoki" },
		[]string{bornHere + fmt.Sprintf(ofFamily, "backup", "opencryptoki", "Nobody", "None")}},
	{"openCryptoki behind a proxy", pair(tokentest.Locked.With(tokentest.Values{token.CKALocal: false})), ofMake("IBM", "Soft", ""),
		[]string{lockedIn + `; origin-unknown {"CKA_LOCAL":false,"CKA_NEVER_EXTRACTABLE":true}` + fmt.Sprintf(ofFamily, "backup", "opencryptoki", "IBM", "Soft")}},
	{"OpenSC knows it of a card with PKCS#15", pair(tokentest.Locked), func(i *token.Inventory) { i.Module.Manufacturer, i.Token.Model = "OpenSC Project", "PKCS#15" }, []string{bornHere}},
	{"openCryptoki says of imported keys that they never left", pair(tokentest.Locked.With(tokentest.Values{token.CKALocal: false})), func(i *token.Inventory) { i.Module.Manufacturer, i.Module.Description = "IBM", "openCryptoki" },
		[]string{lockedIn + `; origin-unknown {"CKA_LOCAL":false,"CKA_NEVER_EXTRACTABLE":true}` + fmt.Sprintf(ofFamily, "backup", "opencryptoki", "Nobody", "None")}},
	{"all flags false at once say nothing", pair(tokentest.Values{token.CKAKeyType: uint(token.CKKEC), token.CKASensitive: false, token.CKAExtractable: false, token.CKAAlwaysSensitive: false, token.CKANeverExtractable: false, token.CKALocal: false}), nil,
		[]string{lockedIn + `; origin-unknown {"CKA_LOCAL":false,"CKA_NEVER_EXTRACTABLE":false}`}},
	{"a TPM that calls keys extractable and wraps nothing", pair(tokentest.Wrappable), func(i *token.Inventory) {
		i.Module.Description, i.Mechanisms = "TPM2.0 Cryptoki", nil
	}, []string{fmt.Sprintf(noWay, 0) + fmt.Sprintf(ofFamily, "no-backup", "tpm", "Nobody", "None")}},
	{"the family of a trusted wrap", pair(tokentest.Wrappable.With(tokentest.Values{token.CKAWrapWithTrusted: true})), func(i *token.Inventory) { i.Module.Description = "CloudHSM PKCS#11" },
		[]string{`no: wrap-needs-trusted-key {"CKA_WRAP_WITH_TRUSTED":true}` + fmt.Sprintf(ofFamily, "backup", "cloudhsm", "Nobody", "None")}},
	{"a family says nothing of a key that can leave", pair(tokentest.Wrappable), ofMake("piv_II", "", ""), []string{yesByWrap}},
}

// certificateRows are about certificates.
var certificateRows = []judgeRow{
	{"expired", certified(tokentest.Wrappable, dated(tokentest.Now.Add(-400*day), tokentest.Now.Add(-time.Second))), nil,
		[]string{yesByWrap + `; certificate-expired {"not_after":"2026-06-15T11:59:59Z"}`}},
	{"in its last second", certified(tokentest.Wrappable, dated(tokentest.Now.Add(-400*day), tokentest.Now)), nil, []string{yesByWrap}},
	{"not yet valid", certified(tokentest.Locked, dated(tokentest.Now.Add(time.Second), tokentest.Now.Add(day))), nil,
		[]string{bornHere + `; certificate-not-yet-valid {"not_before":"2026-06-15T12:00:01Z"}`}},
	{"in another zone", certified(tokentest.Wrappable, dated(tokentest.Now.Add(-400*day), tokentest.Now.Add(-time.Second).In(time.FixedZone("", 3600)))), nil,
		[]string{yesByWrap + `; certificate-expired {"not_after":"2026-06-15T11:59:59Z"}`}},
	{"a CA", certified(tokentest.Locked, func(c *pki.Certificate) { c.IsCA = true }), nil, []string{bornHere + `; ca-key {"is_ca":true}`}},
	{"expired before it began", certified(tokentest.Wrappable, dated(tokentest.Now.Add(day), tokentest.Now.Add(-day))), nil,
		[]string{yesByWrap + `; certificate-expired {"not_after":"2026-06-14T12:00:00Z"}; certificate-not-yet-valid {"not_before":"2026-06-16T12:00:00Z"}`}},
	{"29 days old, and the key is locked in", certified(tokentest.Locked.With(tokentest.Values{token.CKALocal: false}), dated(tokentest.Now.Add(-30*day+time.Second), tokentest.Now.Add(day))), nil,
		[]string{lockedIn + `; certificate-recent {"not_before":"2026-05-16T12:00:01Z"}`}},
	{"29 days old, and the key was made on the token", certified(tokentest.Locked, dated(tokentest.Now.Add(-29*day), tokentest.Now.Add(day))), nil, []string{bornHere}},
	{"begun this very second", certified(tokentest.Locked.With(tokentest.Values{token.CKALocal: false}), dated(tokentest.Now, tokentest.Now.Add(day))), nil, []string{lockedIn + `; certificate-recent {"not_before":"2026-06-15T12:00:00Z"}`}},
	{"30 days old", certified(tokentest.Locked, dated(tokentest.Now.Add(-30*day), tokentest.Now.Add(day))), nil, []string{bornHere}},
	{"29 days old, and the key can leave", certified(tokentest.Wrappable, dated(tokentest.Now.Add(-29*day), tokentest.Now.Add(day))), nil, []string{yesByWrap}},
	{"young, and its key is missing", []*token.Object{tokentest.CertificateOf("a", dated(tokentest.Now.Add(-day), tokentest.Now.Add(day)))}, nil,
		[]string{`no: certificate-without-key {"logged_in":true}; certificate-recent {"not_before":"2026-06-14T12:00:00Z"}`}},
	{"young, and its key is hidden", []*token.Object{tokentest.CertificateOf("a", dated(tokentest.Now.Add(-day), tokentest.Now.Add(day)))}, loggedOut,
		[]string{`no: keys-hidden-until-login {"logged_in":false,"CKF_LOGIN_REQUIRED":true}`}},
	{"unreadable", []*token.Object{unreadable}, nil, []string{`no: certificate-unreadable {"problem":"no DER"}; certificate-without-key {"logged_in":true}`}},
	{"unreadable, and its key is hidden", []*token.Object{unreadable}, loggedOut, []string{`no: certificate-unreadable {"problem":"no DER"}; keys-hidden-until-login {"logged_in":false,"CKF_LOGIN_REQUIRED":true}`}},
}

// loneRows are about parts that stand alone.
var loneRows = []judgeRow{
	{"a key without certificate", []*token.Object{tokentest.PrivateKey("a", tokentest.Wrappable)}, nil, []string{yesByWrap + `; key-without-certificate {"CKA_ID":"01"}`}},
	{"a key without certificate or CKA_ID", []*token.Object{tokentest.PrivateKey("a", tokentest.Locked.With(tokentest.Values{token.CKAID: nil}))}, nil,
		[]string{bornHere + `; key-without-certificate {"CKA_ID":""}`}},
	{"an issuer's certificate", []*token.Object{tokentest.CertificateOf("a", func(c *pki.Certificate) { c.IsCA, c.NotBefore = true, tokentest.Now.Add(-day) })}, nil, []string{`no: issuer-certificate {"is_ca":true}`}},
	{"an issuer's certificate by its key usage", []*token.Object{tokentest.CertificateOf("a", func(c *pki.Certificate) { c.KeyUsage, c.NotBefore = []string{"keyCertSign"}, tokentest.Now.Add(-day) })}, nil, []string{`no: issuer-certificate {"is_ca":false}`}},
	{"a root without extensions beside what it has issued", append(pair(tokentest.Wrappable), tokentest.CertificateOf("b", func(c *pki.Certificate) { c.Subject, c.Issuer = "CN=issuer", "CN=issuer" })), nil, []string{yesByWrap, `no: issuer-certificate {"is_ca":false}`}},
	{"a self-signed certificate that has issued none", []*token.Object{tokentest.CertificateOf("a", func(c *pki.Certificate) { c.Subject, c.Issuer = "CN=own", "CN=own" })}, nil, []string{`no: certificate-without-key {"logged_in":true}`}},
	{"a certificate beside a key that could not be read", []*token.Object{tokentest.CertificateOf("a", nil), tokentest.PrivateKey("b", tokentest.Locked.With(tokentest.Values{token.CKAID: token.CKRGeneralError}))}, nil, []string{
		`no: object-unreadable {"attribute":"CKA_ID","function":"C_GetAttributeValue","CKR":"CKR_GENERAL_ERROR"}`,
		`no: object-unreadable {"attribute":"CKA_ID","function":"C_GetAttributeValue","CKR":"CKR_GENERAL_ERROR"}`,
	}},
	{"a certificate on a token of which a file could not be read", []*token.Object{tokentest.CertificateOf("a", nil)}, func(i *token.Inventory) { i.PassedOver = "/t/a.object" }, []string{`no: token-file-unreadable {"path":"/t/a.object"}`}},
	{"a certificate without key", []*token.Object{tokentest.CertificateOf("a", nil)}, nil, []string{`no: certificate-without-key {"logged_in":true}`}},
	{"a certificate on a token that needs no login", []*token.Object{tokentest.CertificateOf("a", nil)},
		func(i *token.Inventory) { i.LoggedIn, i.Token.Flags = false, token.CKFTokenInitialized }, []string{`no: certificate-without-key {"logged_in":false}`}},
	{"a public key alone", []*token.Object{{Class: token.CKOPublicKey, Attributes: tokentest.Answers(tokentest.Values{token.CKAKeyType: uint(token.CKKEC)})}}, nil,
		[]string{`no: public-key-alone {"logged_in":true}`}},
	{"a public key before the login", []*token.Object{{Class: token.CKOPublicKey, Attributes: tokentest.Answers(tokentest.Values{token.CKAKeyType: uint(token.CKKEC)})}}, loggedOut,
		[]string{`no: keys-hidden-until-login {"logged_in":false,"CKF_LOGIN_REQUIRED":true}`}},
	{"a certificate before the login", []*token.Object{tokentest.CertificateOf("a", nil)}, loggedOut,
		[]string{`no: keys-hidden-until-login {"logged_in":false,"CKF_LOGIN_REQUIRED":true}`}},
	{"a key that shows before the login is judged", pair(tokentest.Wrappable), loggedOut, []string{yesByWrap}},
	{"one CKA_ID, two keys", []*token.Object{tokentest.PrivateKey("b", tokentest.Wrappable), tokentest.CertificateOf("a", nil)}, nil, []string{
		yesByWrap + `; key-without-certificate {"CKA_ID":"01"}`,
		fmt.Sprintf(`no: certificate-does-not-match-key {"CKA_ID":"01","certificate_key":"EC …%x","private_key":"EC …%x"}`, tail("a"), tail("b")),
	}},
	{"the issuer's certificate under the key's CKA_ID", append(pair(tokentest.Wrappable), tokentest.CertificateOf("b", func(c *pki.Certificate) { c.IsCA, c.Subject = true, "CN=issuer" })), nil, []string{yesByWrap, `no: issuer-certificate {"is_ca":true}`}},
	{"another authority's certificate under the key's CKA_ID", append(pair(tokentest.Wrappable), tokentest.CertificateOf("b", func(c *pki.Certificate) { c.IsCA, c.Subject = true, "CN=elsewhere" })), nil, []string{yesByWrap,
		fmt.Sprintf(`no: certificate-does-not-match-key {"CKA_ID":"01","certificate_key":"EC …%x","private_key":"EC …%x"}`, tail("b"), tail("a"))}},
	{"one CKA_ID, and a key that tells only its type", []*token.Object{tokentest.PrivateKey("", tokentest.Wrappable.With(tokentest.Values{token.CKAKeyType: uint(token.CKKRSA)})), tokentest.CertificateOf("a", nil)}, nil, []string{
		yesByWrap + `; key-without-certificate {"CKA_ID":"01"}`,
		fmt.Sprintf(`no: certificate-does-not-match-key {"CKA_ID":"01","certificate_key":"EC …%x","private_key":"CKK_RSA"}`, tail("a")),
	}},
	{"one CKA_ID, and two keys of which nothing is known", []*token.Object{
		tokentest.PrivateKey("", tokentest.Wrappable.With(tokentest.Values{token.CKAKeyType: nil})), tokentest.PrivateKey("", tokentest.Wrappable.With(tokentest.Values{token.CKAKeyType: nil})), tokentest.CertificateOf("a", nil),
	}, nil, []string{
		`no: attributes-not-told {"CKA_KEY_TYPE":null,"CKA_EXTRACTABLE":true,"CKA_SENSITIVE":true}; certificate-not-identified {"CKA_ID":"01"}`,
		`no: attributes-not-told {"CKA_KEY_TYPE":null,"CKA_EXTRACTABLE":true,"CKA_SENSITIVE":true}; certificate-not-identified {"CKA_ID":"01"}`,
		`no: key-not-identified {"CKA_ID":"01","CKA_LABEL":""}`,
	}},
	{"another CKA_ID, and a key that was not asked whose it is", []*token.Object{
		tokentest.PrivateKey("", tokentest.Wrappable.With(tokentest.Values{token.CKAKeyType: uint(token.CKKEC), token.CKAID: []byte{9}, token.CKAAlwaysAuthenticate: true})), tokentest.CertificateOf("a", nil),
	}, nil, []string{
		yesByWrap + `; certificate-not-identified {"CKA_ID":"09","CKA_ALWAYS_AUTHENTICATE":true}`,
		`no: key-not-identified {"CKA_ID":"09","CKA_LABEL":"","CKA_ALWAYS_AUTHENTICATE":true}`,
	}},
	{"an issuer's certificate, and a key that was not asked whose it is", []*token.Object{
		tokentest.PrivateKey("", tokentest.Wrappable.With(tokentest.Values{token.CKAKeyType: uint(token.CKKEC), token.CKAID: []byte{9}})), tokentest.CertificateOf("a", func(c *pki.Certificate) { c.IsCA = true }),
	}, nil, []string{yesByWrap + `; certificate-not-identified {"CKA_ID":"09"}`, `no: issuer-certificate {"is_ca":true}`}},
	{"a public key, and a key that was not asked whose it is", []*token.Object{
		tokentest.PrivateKey("", tokentest.Wrappable.With(tokentest.Values{token.CKAKeyType: uint(token.CKKEC), token.CKAID: []byte{9}})),
		{Class: token.CKOPublicKey, Attributes: tokentest.Answers(tokentest.Values{token.CKAKeyType: uint(token.CKKEC), token.CKAPublicKeyInfo: tokentest.PublicKey("a").SPKI})},
	}, nil, []string{yesByWrap + `; key-without-certificate {"CKA_ID":"09"}`, `no: key-not-identified {"CKA_ID":"09","CKA_LABEL":""}`}},
	{"an unreadable certificate beside a key with its CKA_ID", []*token.Object{tokentest.PrivateKey("a", tokentest.Wrappable), unreadable}, nil, []string{
		yesByWrap + `; key-without-certificate {"CKA_ID":"01"}`,
		`no: certificate-unreadable {"problem":"no DER"}; certificate-without-key {"logged_in":true}`,
	}},
}

func tail(name string) []byte { spki := tokentest.PublicKey(name).SPKI; return spki[len(spki)-8:] }

// sentence is a verdict in one line.
func sentence(v Verdict) string {
	text := "no: "
	switch {
	case v.Exportable:
		text = string(v.Method) + " " + v.Mechanism + ": "
	case v.ListedRefused:
		text = "not known: "
	}
	return text + Text(v.Reasons)
}

func (row judgeRow) verdicts() []Verdict {
	inventory := tokentest.InventoryOf(row.objects...)
	if row.inventory != nil {
		row.inventory(inventory)
	}
	var verdicts []Verdict
	for _, identity := range inventory.Identities() {
		verdicts = append(verdicts, Judge(inventory, identity, tokentest.Now))
	}
	return verdicts
}

func TestJudge(t *testing.T) {
	names := map[string]bool{}
	for _, row := range judgeRows() {
		if len(row.want) == 0 || names[row.name] {
			t.Errorf("the row %q asserts nothing, or is there twice", row.name)
		}
		names[row.name] = true
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for _, v := range row.verdicts() {
				got = append(got, sentence(v))
				checkVerdict(t, v)
			}
			if difference := cmp.Diff(row.want, got); difference != "" {
				t.Error(difference)
			}
		})
	}
}

// checkVerdict wants what is true of every verdict: it has a reason, the first one agrees with it, no reason is there twice,
// and the evidence is of the kind that the table says.
func checkVerdict(t *testing.T, v Verdict) {
	t.Helper()
	if len(v.Reasons) == 0 {
		t.Fatal("a verdict without a reason")
	}
	first, _ := Lookup(v.Reasons[0].Code)
	if v.Exportable != (first.Kind == Permits) || v.Exportable != (v.Method != "") || v.Mechanism != "" && !v.Exportable {
		t.Errorf("%+v does not agree with its first reason", v)
	}
	if v.Has(KeysHiddenUntilLogin) && (v.Known() || v.KeyAbsent()) {
		t.Errorf("%+v says something of a key that is hidden", v)
	}
	if v.KeyAbsent() && v.Exportable {
		t.Errorf("%+v lets a key leave that is not there", v)
	}
	seen := map[Code]bool{}
	for _, reason := range v.Reasons {
		if seen[reason.Code] {
			t.Errorf("%s stands there twice", reason.Code)
		}
		seen[reason.Code] = true
		if err := reason.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// TestUnreadableCertificateSpoilsTheVerdict has a key whose way out is open, beside a certificate that cannot be read: without
// it no copy could be proven.
func TestUnreadableCertificateSpoilsTheVerdict(t *testing.T) {
	key := tokentest.PrivateKey("a", tokentest.Wrappable)
	identity := token.Identity{PrivateKey: key, Certificate: &token.Certificate{Object: &token.Object{Class: token.CKOCertificate}, Problem: "cut off"}}
	got := sentence(Judge(tokentest.InventoryOf(key), identity, tokentest.Now))
	if want := `no: certificate-unreadable {"problem":"cut off"}`; got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
}
