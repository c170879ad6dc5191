package bridge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"p11bridge/token"
	"p11bridge/token/pki"
)

// now is when all certificates here are judged.
var now = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// told is what a token answers for an object: bool, uint, string or []byte for a value, token.CKR for a refusal.
type told map[token.Attribute]any

func answers(of told) token.Attributes {
	attributes := token.Attributes{}
	for a, value := range of {
		var answer token.Answer
		switch value := value.(type) {
		case bool:
			answer.Value = []byte{0}
			if value {
				answer.Value[0] = 1
			}
		case uint:
			answer.Value = binary.NativeEndian.AppendUint64(nil, uint64(value))
		case string:
			answer.Value = []byte(value)
		case []byte:
			answer.Value = value
		case token.CKR:
			answer.Code = value
		default:
			panic(fmt.Sprintf("%s: %T", a, value))
		}
		attributes[a] = answer
	}
	return attributes
}

// with gives a copy with some answers changed; nil takes one away.
func (t told) with(more told) told {
	all := told{}
	for _, some := range []told{t, more} {
		for a, value := range some {
			if all[a] = value; value == nil {
				delete(all, a)
			}
		}
	}
	return all
}

// publicKeys are P-256 keys by name, made when they are first asked for.
var publicKeys = struct {
	sync.Mutex
	made map[string]pki.PublicKey
}{made: map[string]pki.PublicKey{}}

func publicKey(name string) pki.PublicKey {
	publicKeys.Lock()
	defer publicKeys.Unlock()
	if key, ok := publicKeys.made[name]; ok {
		return key
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err)
	}
	public, err := pki.ParsePublicKey(spki)
	if err != nil {
		panic(err)
	}
	publicKeys.made[name] = public
	return public
}

// locked and the others are the four policies, as a token tells them of a P-256 key of its own.
var (
	locked = told{token.CKAKeyType: uint(token.CKKEC), token.CKAID: []byte{1}, token.CKASensitive: true, token.CKAExtractable: false,
		token.CKALocal: true, token.CKANeverExtractable: true}
	wrappable = locked.with(told{token.CKAExtractable: true, token.CKANeverExtractable: false})
	readable  = wrappable.with(told{token.CKASensitive: false})
	held      = locked.with(told{token.CKASensitive: false})
)

// privateKey is a P-256 private key that tells its public half; name is the key's, an empty one tells none.
func privateKey(name string, policy told) *token.Object {
	if name != "" {
		policy = policy.with(told{token.CKAPublicKeyInfo: publicKey(name).SPKI})
	}
	return &token.Object{Class: token.CKOPrivateKey, Attributes: answers(policy)}
}

// certificateOf is a certificate that is a hundred days old and valid for as long, changed by change where that is not nil.
func certificateOf(name string, change func(*pki.Certificate)) *token.Object {
	c := &pki.Certificate{
		Subject: "CN=" + name, Issuer: "CN=issuer", Serial: "01", NotBefore: now.AddDate(0, 0, -100), NotAfter: now.AddDate(0, 0, 100),
		PublicKey: publicKey(name),
	}
	if change != nil {
		change(c)
	}
	return &token.Object{Class: token.CKOCertificate, Attributes: answers(told{token.CKAID: []byte{1}}), Certificate: c}
}

// wraps lists mechanisms that wrap.
func wraps(types ...token.CKM) []token.Mechanism {
	var list []token.Mechanism
	for _, t := range types {
		list = append(list, token.Mechanism{Type: t, Wrap: true})
	}
	return list
}

// inventoryOf is of a token of no known make, logged in, with CKM_AES_KEY_WRAP_PAD.
func inventoryOf(objects ...*token.Object) *token.Inventory {
	return &token.Inventory{
		Token:    token.Info{Label: "t", Manufacturer: "Nobody", Model: "None", Flags: token.CKFLoginRequired | token.CKFTokenInitialized | token.CKFUserPINInitialized},
		LoggedIn: true, Mechanisms: wraps(token.CKMAESKeyWrapPad), Objects: objects,
	}
}

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

// pair is a private key of a policy with its certificate.
func pair(policy told) []*token.Object { return certified(policy, nil) }

func certified(policy told, change func(*pki.Certificate)) []*token.Object {
	return []*token.Object{privateKey("a", policy), certificateOf("a", change)}
}

func mechanisms(list ...token.Mechanism) func(*token.Inventory) {
	return func(i *token.Inventory) { i.Mechanisms = list }
}

func ofMake(manufacturer, model, firmware string) func(*token.Inventory) {
	return func(i *token.Inventory) {
		i.Token.Manufacturer, i.Token.Model, i.Token.FirmwareVersion = manufacturer, model, firmware
	}
}

func loggedOut(i *token.Inventory) { i.LoggedIn = false }

// edwards is a key of CKK_EC_EDWARDS that tells nothing of its curve.
var edwards = told{token.CKAKeyType: uint(token.CKKECEdwards)}

func ofAlgorithm(algorithm string) func(*pki.Certificate) {
	return func(c *pki.Certificate) {
		c.PublicKey = pki.PublicKey{Algorithm: algorithm, SPKI: []byte("a key of " + algorithm)}
	}
}

// unprovenPair is a pair that only CKA_ID links, of any algorithm.
func unprovenPair(policy told, algorithm string) []*token.Object {
	return []*token.Object{privateKey("", policy), certificateOf("a", ofAlgorithm(algorithm))}
}

func dated(notBefore, notAfter time.Time) func(*pki.Certificate) {
	return func(c *pki.Certificate) { c.NotBefore, c.NotAfter = notBefore, notAfter }
}

const day = 24 * time.Hour

func judgeRows() []judgeRow {
	unreadable := &token.Object{Class: token.CKOCertificate, Attributes: answers(told{token.CKAID: []byte{1}}), CertificateProblem: "no DER"}
	return []judgeRow{
		// The four policies.
		{"locked", pair(locked), nil, []string{bornHere}},
		{"wrappable", pair(wrappable), nil, []string{yesByWrap}},
		{"readable, and wrapping exposes it less", pair(readable), nil,
			[]string{`wrap CKM_AES_KEY_WRAP_PAD: exportable-by-wrap {"CKA_SENSITIVE":false,"CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_KEY_WRAP_PAD"}`}},
		{"readable without mechanisms", pair(readable), mechanisms(),
			[]string{`attributes : exportable-by-attributes {"CKA_SENSITIVE":false,"CKA_EXTRACTABLE":true}`}},
		{"neither sensitive nor extractable", pair(held), mechanisms(), []string{bornHere}},

		// What a token does not tell is not false.
		{"CKA_EXTRACTABLE refused", pair(locked.with(told{token.CKAExtractable: token.CKRAttributeTypeInvalid})), nil,
			[]string{`no: attributes-not-told {"CKA_EXTRACTABLE":"CKR_ATTRIBUTE_TYPE_INVALID","CKA_SENSITIVE":true}`}},
		{"CKA_EXTRACTABLE never asked for", pair(locked.with(told{token.CKAExtractable: nil})), nil,
			[]string{`no: attributes-not-told {"CKA_EXTRACTABLE":null,"CKA_SENSITIVE":true}`}},
		{"CKA_EXTRACTABLE of four bytes", pair(locked.with(told{token.CKAExtractable: []byte{1, 0, 0, 0}})), nil,
			[]string{`no: attributes-not-told {"CKA_EXTRACTABLE":null,"CKA_SENSITIVE":true}`}},
		{"CKA_EXTRACTABLE without a byte", pair(locked.with(told{token.CKAExtractable: []byte{}})), nil,
			[]string{`no: attributes-not-told {"CKA_EXTRACTABLE":null,"CKA_SENSITIVE":true}`}},
		{"CKA_EXTRACTABLE 0xFF is true", pair(wrappable.with(told{token.CKAExtractable: []byte{0xFF}})), nil, []string{yesByWrap}},
		{"CKA_SENSITIVE not told, and a way out", pair(wrappable.with(told{token.CKASensitive: token.CKRAttributeTypeInvalid})), nil,
			[]string{`wrap CKM_AES_KEY_WRAP_PAD: exportable-by-wrap {"CKA_SENSITIVE":"CKR_ATTRIBUTE_TYPE_INVALID","CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_KEY_WRAP_PAD"}`}},
		{"CKA_SENSITIVE not told is not read", pair(wrappable.with(told{token.CKASensitive: nil})), mechanisms(),
			[]string{`no: no-wrapping-mechanism {"CKA_SENSITIVE":null,"CKA_EXTRACTABLE":true,"mechanisms":0}`}},
		{"CKA_KEY_TYPE not told", pair(wrappable.with(told{token.CKAKeyType: nil})), nil,
			[]string{`no: attributes-not-told {"CKA_KEY_TYPE":null,"CKA_EXTRACTABLE":true,"CKA_SENSITIVE":true}`}},
		{"CKA_KEY_TYPE of one byte", pair(readable.with(told{token.CKAKeyType: []byte{0}})), nil,
			[]string{`no: attributes-not-told {"CKA_KEY_TYPE":null,"CKA_EXTRACTABLE":true,"CKA_SENSITIVE":false}`}},
		{"not extractable is final, whatever else is not told", pair(told{token.CKAExtractable: false}), nil, []string{lockedIn}},

		// Ways out.
		{"CKA_WRAP_WITH_TRUSTED", pair(wrappable.with(told{token.CKAWrapWithTrusted: true})), mechanisms(wraps(token.CKMAESCBCPad, token.CKMAESKeyWrapPad)...),
			[]string{`no: wrap-needs-trusted-key {"CKA_WRAP_WITH_TRUSTED":true}`}},
		{"CKA_WRAP_WITH_TRUSTED of a readable key", pair(readable.with(told{token.CKAWrapWithTrusted: true})), nil,
			[]string{`attributes : exportable-by-attributes {"CKA_SENSITIVE":false,"CKA_EXTRACTABLE":true}`}},
		{"CKA_WRAP_WITH_TRUSTED not told", pair(wrappable.with(told{token.CKAWrapWithTrusted: token.CKRAttributeTypeInvalid})), nil, []string{yesByWrap}},
		{"no mechanisms", pair(wrappable), mechanisms(), []string{fmt.Sprintf(noWay, 0)}},
		{"mechanisms that carry nothing", pair(wrappable), mechanisms(token.Mechanism{Type: 0x250}, token.Mechanism{Type: 0x1082, Wrap: true}), []string{fmt.Sprintf(noWay, 2)}},
		{"CKM_AES_CBC_PAD without CKF_WRAP", pair(wrappable), mechanisms(token.Mechanism{Type: token.CKMAESCBCPad, Unwrap: true}), []string{fmt.Sprintf(noWay, 1)}},
		{"CKM_AES_CBC_PAD without CKF_WRAP beside a wrap", pair(wrappable), mechanisms(append(wraps(token.CKMAESKeyWrapPad), token.Mechanism{Type: token.CKMAESCBCPad})...), []string{yesByWrap}},
		{"CKM_AES_CBC_PAD with CKF_WRAP", pair(wrappable), mechanisms(wraps(token.CKMAESKeyWrapPad, token.CKMAESCBCPad)...),
			[]string{`shroud CKM_AES_CBC_PAD: exportable-by-shroud {"CKA_SENSITIVE":true,"CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_CBC_PAD"}`}},
		{"CKM_AES_CBC_PAD for a readable key", pair(readable), mechanisms(wraps(token.CKMAESCBCPad)...),
			[]string{`shroud CKM_AES_CBC_PAD: exportable-by-shroud {"CKA_SENSITIVE":false,"CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_CBC_PAD"}`}},
		{"CKM_AES_CBC_PAD does not open a locked key", pair(locked), mechanisms(wraps(token.CKMAESCBCPad)...), []string{bornHere}},
		{"a wrap through RSA comes last", pair(wrappable), mechanisms(wraps(token.CKMRSAAESKeyWrap, token.CKMAESKeyWrap, token.CKMAESKeyWrapKWP)...),
			[]string{`wrap CKM_AES_KEY_WRAP_KWP: exportable-by-wrap {"CKA_SENSITIVE":true,"CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_KEY_WRAP_KWP"}`}},
		{"a wrap through RSA", pair(wrappable), mechanisms(wraps(token.CKMRSAAESKeyWrap)...),
			[]string{`wrap CKM_RSA_AES_KEY_WRAP: exportable-by-wrap {"CKA_SENSITIVE":true,"CKA_EXTRACTABLE":true,"mechanism":"CKM_RSA_AES_KEY_WRAP"}`}},

		// Where the key comes from.
		{"imported and then locked", pair(locked.with(told{token.CKALocal: false, token.CKANeverExtractable: false})), nil,
			[]string{lockedIn + `; original-may-exist {"CKA_NEVER_EXTRACTABLE":false,"CKA_LOCAL":false}`}},
		{"generated extractable, and then locked", pair(locked.with(told{token.CKANeverExtractable: false})), nil,
			[]string{lockedIn + `; original-may-exist {"CKA_NEVER_EXTRACTABLE":false,"CKA_LOCAL":true}`}},
		{"CKA_LOCAL=false alone proves nothing", pair(locked.with(told{token.CKALocal: false})), nil, []string{lockedIn}},
		{"the origin is not told", pair(locked.with(told{token.CKALocal: nil, token.CKANeverExtractable: token.CKRAttributeTypeInvalid})), nil, []string{lockedIn}},
		{"CKA_LOCAL alone", pair(locked.with(told{token.CKANeverExtractable: nil})), nil,
			[]string{lockedIn + `; key-generated-on-token {"CKA_LOCAL":true,"CKA_NEVER_EXTRACTABLE":null}`}},

		// Key types.
		{"Ed25519", unprovenPair(wrappable.with(edwards), "Ed25519"), nil, []string{yesByWrap}},
		{"Ed448", unprovenPair(wrappable.with(edwards), "Ed448"), nil, []string{`no: key-type-unsupported {"CKA_KEY_TYPE":"CKK_EC_EDWARDS"}`}},
		{"RSA", unprovenPair(wrappable.with(told{token.CKAKeyType: uint(token.CKKRSA)}), "RSA"), nil, []string{yesByWrap}},
		{"X25519", unprovenPair(wrappable.with(told{token.CKAKeyType: uint(0x41)}), "X25519"), nil, []string{`no: key-type-unsupported {"CKA_KEY_TYPE":"CKK_EC_MONTGOMERY"}`}},
		{"DSA", unprovenPair(readable.with(told{token.CKAKeyType: uint(1)}), "DSA"), nil, []string{`no: key-type-unsupported {"CKA_KEY_TYPE":"CKK_DSA"}`}},
		{"a vendor's own", unprovenPair(readable.with(told{token.CKAKeyType: uint(0x80000001)}), ""), nil, []string{`no: key-type-unsupported {"CKA_KEY_TYPE":"CKK_0x80000001"}`}},

		// Families and their lies.
		{"SoftHSM 2.6 will not wrap Ed25519", unprovenPair(wrappable.with(edwards), "Ed25519"), ofMake("SoftHSM project", "SoftHSM v2", "2.6"),
			[]string{`no: wrap-refused {"CKA_KEY_TYPE":"CKK_EC_EDWARDS","model":"SoftHSM v2","mechanism":"CKM_AES_KEY_WRAP_PAD"}` +
				fmt.Sprintf(ofFamily, "backup", "softhsm", "SoftHSM project", "SoftHSM v2")}},
		{"SoftHSM 2.6 lets a readable Ed25519 be read", unprovenPair(readable.with(edwards), "Ed25519"), ofMake("SoftHSM project", "SoftHSM v2", "2.6"),
			[]string{`attributes : exportable-by-attributes {"CKA_SENSITIVE":false,"CKA_EXTRACTABLE":true}`}},
		{"another SoftHSM may wrap it", unprovenPair(wrappable.with(edwards), "Ed25519"), ofMake("SoftHSM project", "SoftHSM v2", "2.7"), []string{yesByWrap}},
		{"SoftHSM wraps the others", pair(wrappable), ofMake("SoftHSM project", "SoftHSM v2", "2.6"), []string{yesByWrap}},
		{"NSS says CKA_LOCAL=false of what it generated", pair(locked.with(told{token.CKALocal: false, token.CKANeverExtractable: nil})), ofMake("Mozilla Foundation", "NSS 3", "0.0"),
			[]string{lockedIn + fmt.Sprintf(ofFamily, "backup", "nss", "Mozilla Foundation", "NSS 3")}},
		{"a family without a backup", pair(locked), ofMake("piv_II", "PKCS#15 emulated", ""),
			[]string{bornHere + fmt.Sprintf(ofFamily, "no-backup", "yubikey", "piv_II", "PKCS#15 emulated")}},
		{"a TPM that calls keys extractable and wraps nothing", pair(wrappable), func(i *token.Inventory) {
			i.Module.Description, i.Mechanisms = "TPM2.0 Cryptoki", nil
		}, []string{fmt.Sprintf(noWay, 0) + fmt.Sprintf(ofFamily, "no-backup", "tpm", "Nobody", "None")}},
		{"the family of a trusted wrap", pair(wrappable.with(told{token.CKAWrapWithTrusted: true})), func(i *token.Inventory) { i.Module.Description = "CloudHSM PKCS#11" },
			[]string{`no: wrap-needs-trusted-key {"CKA_WRAP_WITH_TRUSTED":true}` + fmt.Sprintf(ofFamily, "backup", "cloudhsm", "Nobody", "None")}},
		{"a family says nothing of a key that can leave", pair(wrappable), ofMake("piv_II", "", ""), []string{yesByWrap}},

		// Certificates.
		{"expired", certified(wrappable, dated(now.Add(-400*day), now.Add(-time.Second))), nil,
			[]string{yesByWrap + `; certificate-expired {"not_after":"2026-06-15T11:59:59Z"}`}},
		{"in its last second", certified(wrappable, dated(now.Add(-400*day), now)), nil, []string{yesByWrap}},
		{"not yet valid", certified(locked, dated(now.Add(time.Second), now.Add(day))), nil,
			[]string{bornHere + `; certificate-not-yet-valid {"not_before":"2026-06-15T12:00:01Z"}`}},
		{"in another zone", certified(wrappable, dated(now.Add(-400*day), now.Add(-time.Second).In(time.FixedZone("", 3600)))), nil,
			[]string{yesByWrap + `; certificate-expired {"not_after":"2026-06-15T11:59:59Z"}`}},
		{"a CA", certified(locked, func(c *pki.Certificate) { c.IsCA = true }), nil, []string{bornHere + `; ca-key {"is_ca":true}`}},
		{"expired before it began", certified(wrappable, dated(now.Add(day), now.Add(-day))), nil,
			[]string{yesByWrap + `; certificate-expired {"not_after":"2026-06-14T12:00:00Z"}; certificate-not-yet-valid {"not_before":"2026-06-16T12:00:00Z"}`}},
		{"29 days old, and the key cannot leave", certified(locked, dated(now.Add(-30*day+time.Second), now.Add(day))), nil,
			[]string{bornHere + `; certificate-recent {"not_before":"2026-05-16T12:00:01Z"}`}},
		{"begun this very second", certified(locked, dated(now, now.Add(day))), nil, []string{bornHere + `; certificate-recent {"not_before":"2026-06-15T12:00:00Z"}`}},
		{"30 days old", certified(locked, dated(now.Add(-30*day), now.Add(day))), nil, []string{bornHere}},
		{"29 days old, and the key can leave", certified(wrappable, dated(now.Add(-29*day), now.Add(day))), nil, []string{yesByWrap}},
		{"young, and its key is missing", []*token.Object{certificateOf("a", dated(now.Add(-day), now.Add(day)))}, nil,
			[]string{`no: certificate-without-key {"logged_in":true}; certificate-recent {"not_before":"2026-06-14T12:00:00Z"}`}},
		{"young, and its key is hidden", []*token.Object{certificateOf("a", dated(now.Add(-day), now.Add(day)))}, loggedOut,
			[]string{`no: keys-hidden-until-login {"logged_in":false,"CKF_LOGIN_REQUIRED":true}`}},
		{"unreadable", []*token.Object{unreadable}, nil, []string{`no: certificate-unreadable {"problem":"no DER"}; certificate-without-key {"logged_in":true}`}},

		// Parts that stand alone.
		{"a key without certificate", []*token.Object{privateKey("a", wrappable)}, nil, []string{yesByWrap + `; key-without-certificate {"CKA_ID":"01"}`}},
		{"a key without certificate or CKA_ID", []*token.Object{privateKey("a", locked.with(told{token.CKAID: nil}))}, nil,
			[]string{bornHere + `; key-without-certificate {"CKA_ID":""}`}},
		{"a certificate without key", []*token.Object{certificateOf("a", nil)}, nil, []string{`no: certificate-without-key {"logged_in":true}`}},
		{"a certificate on a token that needs no login", []*token.Object{certificateOf("a", nil)},
			func(i *token.Inventory) { i.LoggedIn, i.Token.Flags = false, token.CKFTokenInitialized }, []string{`no: certificate-without-key {"logged_in":false}`}},
		{"a public key alone", []*token.Object{{Class: token.CKOPublicKey, Attributes: answers(told{token.CKAKeyType: uint(token.CKKEC)})}}, nil,
			[]string{`no: public-key-alone {"logged_in":true}`}},
		{"a public key before the login", []*token.Object{{Class: token.CKOPublicKey, Attributes: answers(told{token.CKAKeyType: uint(token.CKKEC)})}}, loggedOut,
			[]string{`no: keys-hidden-until-login {"logged_in":false,"CKF_LOGIN_REQUIRED":true}`}},
		{"a certificate before the login", []*token.Object{certificateOf("a", nil)}, loggedOut,
			[]string{`no: keys-hidden-until-login {"logged_in":false,"CKF_LOGIN_REQUIRED":true}`}},
		{"a key that shows before the login is judged", pair(wrappable), loggedOut, []string{yesByWrap}},
		{"one CKA_ID, two keys", []*token.Object{privateKey("b", wrappable), certificateOf("a", nil)}, nil, []string{
			yesByWrap + `; key-without-certificate {"CKA_ID":"01"}`,
			fmt.Sprintf(`no: certificate-does-not-match-key {"CKA_ID":"01","certificate_key":"EC …%x","private_key":"EC …%x"}`, tail("a"), tail("b")),
		}},
		{"one CKA_ID, and a key that tells only its type", []*token.Object{privateKey("", wrappable.with(told{token.CKAKeyType: uint(token.CKKRSA)})), certificateOf("a", nil)}, nil, []string{
			yesByWrap + `; key-without-certificate {"CKA_ID":"01"}`,
			fmt.Sprintf(`no: certificate-does-not-match-key {"CKA_ID":"01","certificate_key":"EC …%x","private_key":"CKK_RSA"}`, tail("a")),
		}},
		{"one CKA_ID, and two keys of which nothing is known", []*token.Object{
			privateKey("", wrappable.with(told{token.CKAKeyType: nil})), privateKey("", wrappable.with(told{token.CKAKeyType: nil})), certificateOf("a", nil),
		}, nil, []string{
			`no: attributes-not-told {"CKA_KEY_TYPE":null,"CKA_EXTRACTABLE":true,"CKA_SENSITIVE":true}; key-without-certificate {"CKA_ID":"01"}`,
			`no: attributes-not-told {"CKA_KEY_TYPE":null,"CKA_EXTRACTABLE":true,"CKA_SENSITIVE":true}; key-without-certificate {"CKA_ID":"01"}`,
			`no: certificate-without-key {"logged_in":true}`,
		}},
		{"an unreadable certificate beside a key with its CKA_ID", []*token.Object{privateKey("a", wrappable), unreadable}, nil, []string{
			yesByWrap + `; key-without-certificate {"CKA_ID":"01"}`,
			`no: certificate-unreadable {"problem":"no DER"}; certificate-without-key {"logged_in":true}`,
		}},
	}
}

func tail(name string) []byte { spki := publicKey(name).SPKI; return spki[len(spki)-8:] }

// sentence is a verdict in one line.
func sentence(v Verdict) string {
	text := "no: "
	if v.Exportable {
		text = string(v.Method) + " " + v.Mechanism + ": "
	}
	return text + reasonsText(v.Reasons)
}

func reasonsText(reasons []Reason) string {
	text := ""
	for i, reason := range reasons {
		if i > 0 {
			text += "; "
		}
		evidence, err := json.Marshal(reason.Evidence)
		if err != nil {
			panic(err)
		}
		text += string(reason.Code) + " " + string(evidence)
	}
	return text
}

func (row judgeRow) verdicts() []Verdict {
	inventory := inventoryOf(row.objects...)
	if row.inventory != nil {
		row.inventory(inventory)
	}
	var verdicts []Verdict
	for _, identity := range inventory.Identities() {
		verdicts = append(verdicts, Judge(inventory, identity, now))
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
	seen := map[Code]bool{}
	for _, reason := range v.Reasons {
		if seen[reason.Code] {
			t.Errorf("%s stands there twice", reason.Code)
		}
		seen[reason.Code] = true
		checkEvidence(t, reason)
	}
}

func checkEvidence(t *testing.T, reason Reason) {
	t.Helper()
	entry, known := Lookup(reason.Code)
	if !known {
		t.Errorf("%s is not in the table", reason.Code)
	}
	seen := map[string]bool{}
	for _, fact := range reason.Evidence {
		if !slices.Contains(entry.Evidence, fact.Name) {
			t.Errorf("%s: the table has no evidence %q", reason.Code, fact.Name)
		}
		if seen[fact.Name] {
			t.Errorf("%s: %q is given twice", reason.Code, fact.Name)
		}
		seen[fact.Name] = true
	}
}

// TestUnreadableCertificateSpoilsTheVerdict has a key whose way out is open, beside a certificate that cannot be read: without
// it no copy could be proven.
func TestUnreadableCertificateSpoilsTheVerdict(t *testing.T) {
	key := privateKey("a", wrappable)
	identity := token.Identity{PrivateKey: key, Certificate: &token.Certificate{Object: &token.Object{Class: token.CKOCertificate}, Problem: "cut off"}}
	got := sentence(Judge(inventoryOf(key), identity, now))
	if want := `no: certificate-unreadable {"problem":"cut off"}`; got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
}

func TestVerdictIsFinal(t *testing.T) {
	for _, row := range []struct {
		name string
		v    Verdict
		want bool
	}{
		{"exportable", Verdict{Exportable: true, Reasons: []Reason{because(ExportableByWrap)}}, false},
		{"no mechanism is listed", Verdict{Reasons: []Reason{because(NoWrappingMechanism), because(CAKey)}}, false},
		{"not extractable", Verdict{Reasons: []Reason{because(KeyNotExtractable)}}, true},
		{"something weighs more than the mechanism", Verdict{Reasons: []Reason{because(CertificateUnreadable), because(NoWrappingMechanism)}}, true},
		{"no reason", Verdict{}, true},
	} {
		if got := row.v.Final(); got != row.want {
			t.Errorf("%s: final is %v", row.name, got)
		}
	}
}

func TestRefusedKeepsEverythingButTheWayOut(t *testing.T) {
	v := Verdict{Exportable: true, Method: MethodWrap, Mechanism: "CKM_X", Reasons: []Reason{
		because(ExportableByWrap), because(WrapRefused, Fact{"model", "m"}), because(CAKey, Fact{"is_ca", true}),
	}}
	before := sentence(v)
	got := sentence(v.refused(because(WrapRefused, Fact{"answers", []string{"no"}})))
	if want := `no: wrap-refused {"answers":["no"],"model":"m"}; ca-key {"is_ca":true}`; got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
	if sentence(v) != before {
		t.Error("the first verdict was changed")
	}
}

// tokenRow is a token's flags and what stands in the way of a login.
type tokenRow struct {
	name  string
	flags token.Flags
	want  string
}

const usual = token.CKFTokenInitialized | token.CKFLoginRequired | token.CKFUserPINInitialized

func tokenRows() []tokenRow {
	return []tokenRow{
		{"nothing", usual, ""},
		{"not initialised", token.CKFLoginRequired | token.CKFUserPINLocked, `token-not-initialised {"CKF_TOKEN_INITIALIZED":false}`},
		{"no login", token.CKFTokenInitialized | token.CKFUserPINLocked, ""},
		{"no PIN", token.CKFTokenInitialized | token.CKFLoginRequired, `pin-not-set {"CKF_USER_PIN_INITIALIZED":false}`},
		{"locked", usual | token.CKFUserPINLocked | token.CKFUserPINFinalTry, `pin-locked {"CKF_USER_PIN_LOCKED":true}`},
		{"no PIN, and locked", token.CKFTokenInitialized | token.CKFLoginRequired | token.CKFUserPINLocked,
			`pin-not-set {"CKF_USER_PIN_INITIALIZED":false}; pin-locked {"CKF_USER_PIN_LOCKED":true}`},
		{"one attempt left", usual | token.CKFUserPINFinalTry | token.CKFUserPINCountLow, `pin-last-attempt {"CKF_USER_PIN_FINAL_TRY":true}`},
		{"to be changed", usual | token.CKFUserPINToBeChanged, `pin-must-change {"CKF_USER_PIN_TO_BE_CHANGED":true}`},
		{"keypad", usual | token.CKFProtectedAuthenticationPath, `pinpad-required {"CKF_PROTECTED_AUTHENTICATION_PATH":true}`},
		{"all at once", usual | token.CKFUserPINFinalTry | token.CKFUserPINToBeChanged | token.CKFProtectedAuthenticationPath,
			`pin-last-attempt {"CKF_USER_PIN_FINAL_TRY":true}; pin-must-change {"CKF_USER_PIN_TO_BE_CHANGED":true}; pinpad-required {"CKF_PROTECTED_AUTHENTICATION_PATH":true}`},
	}
}

func TestJudgeToken(t *testing.T) {
	for _, row := range tokenRows() {
		t.Run(row.name, func(t *testing.T) {
			reasons := JudgeToken(&token.Info{Flags: row.flags})
			if got := reasonsText(reasons); got != row.want {
				t.Errorf("%s\nnot\n%s", got, row.want)
			}
			for _, reason := range reasons {
				checkEvidence(t, reason)
			}
		})
	}
}

func TestJudgeInventory(t *testing.T) {
	hidden := `keys-hidden-until-login {"logged_in":false,"CKF_LOGIN_REQUIRED":true}`
	for _, row := range []struct {
		name     string
		flags    token.Flags
		loggedIn bool
		want     string
	}{
		{"logged in", usual, true, ""},
		{"not logged in", usual, false, hidden},
		{"not logged in, and the PIN is locked", usual | token.CKFUserPINLocked, false, hidden + `; pin-locked {"CKF_USER_PIN_LOCKED":true}`},
		{"no login needed", token.CKFTokenInitialized, false, ""},
	} {
		got := reasonsText(JudgeInventory(&token.Inventory{Token: token.Info{Flags: row.flags}, LoggedIn: row.loggedIn}))
		if got != row.want {
			t.Errorf("%s: %s\nnot\n%s", row.name, got, row.want)
		}
	}
}
