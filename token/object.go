package token

import (
	"fmt"

	"github.com/miekg/pkcs11"

	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// Class is an object's class (PKCS#11 v3.1 §4.1, CK_OBJECT_CLASS).
type Class uint

// The object classes told apart. Zero is CKO_DATA, never "unset".
const (
	CKOData        = Class(pkcs11.CKO_DATA)
	CKOCertificate = Class(pkcs11.CKO_CERTIFICATE)
	CKOPublicKey   = Class(pkcs11.CKO_PUBLIC_KEY)
	CKOPrivateKey  = Class(pkcs11.CKO_PRIVATE_KEY)
	CKOSecretKey   = Class(pkcs11.CKO_SECRET_KEY)
)

var classNames = map[Class]string{
	CKOData: "CKO_DATA", CKOCertificate: "CKO_CERTIFICATE", CKOPublicKey: "CKO_PUBLIC_KEY", CKOPrivateKey: "CKO_PRIVATE_KEY",
	CKOSecretKey: "CKO_SECRET_KEY", pkcs11.CKO_HW_FEATURE: "CKO_HW_FEATURE", pkcs11.CKO_DOMAIN_PARAMETERS: "CKO_DOMAIN_PARAMETERS",
	pkcs11.CKO_MECHANISM: "CKO_MECHANISM", 0x00000008: "CKO_OTP_KEY", 0x00000009: "CKO_PROFILE", 0x0000000A: "CKO_VALIDATION", 0x0000000B: "CKO_TRUST", 0xCE534351: "CKO_NSS_CRL", 0xCE534352: "CKO_NSS_SMIME",
	0xCE534353: "CKO_NSS_TRUST", 0xCE534354: "CKO_NSS_BUILTIN_ROOT_LIST",
}

// String gives the specification's name, or the number.
func (c Class) String() string {
	if name, ok := classNames[c]; ok {
		return name
	}
	return fmt.Sprintf("CKO_0x%08X", uint(c))
}

// MarshalText writes the name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// KeyType is a key object's CKA_KEY_TYPE (PKCS#11 v3.1, CK_KEY_TYPE).
type KeyType uint

// The key types told apart. Zero is CKK_RSA, never "unset".
const (
	CKKRSA       = KeyType(pkcs11.CKK_RSA)
	CKKEC        = KeyType(pkcs11.CKK_EC)
	CKKAES       = KeyType(pkcs11.CKK_AES)
	CKKECEdwards = KeyType(0x40) // PKCS#11 v3.0; the binding has no name for it
)

var keyTypeNames = map[KeyType]string{
	CKKRSA: "CKK_RSA", pkcs11.CKK_DSA: "CKK_DSA", pkcs11.CKK_DH: "CKK_DH", CKKEC: "CKK_EC", pkcs11.CKK_GENERIC_SECRET: "CKK_GENERIC_SECRET",
	pkcs11.CKK_DES: "CKK_DES", pkcs11.CKK_DES2: "CKK_DES2", pkcs11.CKK_DES3: "CKK_DES3", CKKAES: "CKK_AES",
	CKKECEdwards: "CKK_EC_EDWARDS", 0x41: "CKK_EC_MONTGOMERY", pkcs11.CKK_GOSTR3410: "CKK_GOSTR3410",
	0x46: "CKK_HSS", 0x47: "CKK_XMSS", 0x48: "CKK_XMSSMT", 0x49: "CKK_ML_KEM", 0x4A: "CKK_ML_DSA", 0x4B: "CKK_SLH_DSA", // PKCS#11 v3.2
	pkcs11.CKK_SHA256_HMAC: "CKK_SHA256_HMAC", pkcs11.CKK_X9_42_DH: "CKK_X9_42_DH",
}

// String gives the specification's name, or the number.
func (k KeyType) String() string {
	if name, ok := keyTypeNames[k]; ok {
		return name
	}
	return fmt.Sprintf("CKK_0x%08X", uint(k))
}

// Object is one enumerated object with what the token told of it. Its handle is good only in the run that found it.
type Object struct {
	Class      Class      `json:"class"`
	Attributes Attributes `json:"attributes"`

	// Certificate is what CKA_VALUE of a certificate object holds, CertificateProblem why it could not be read.
	Certificate        *pki.Certificate `json:"certificate,omitempty"`
	CertificateProblem string           `json:"certificate_problem,omitempty"`

	// ProvenPublicKey is the SubjectPublicKeyInfo of the certificate or public key object that verified a signature made
	// with this private key, or fits what it agreed on. Only keys that do not tell their public half are asked for one.
	ProvenPublicKey []byte `json:"proven_public_key,omitempty"`
	// RefutedPublicKeys are the SubjectPublicKeyInfos of those with its CKA_ID that did not verify it.
	RefutedPublicKeys [][]byte `json:"refuted_public_keys,omitempty"`
	// Answered tells that it answered a challenge, which was held against every certificate and public key on the token.
	Answered bool `json:"answered_challenge,omitempty"`
	// NoChallenge is why the key could not be challenged, for example "C_SignInit: CKR_GENERAL_ERROR".
	NoChallenge string `json:"no_challenge,omitempty"`

	answer response // what it made of a challenge in this run
	ownKey *ownKey  // what is known of a key object's public key, where it was read from a token
	handle pkcs11.ObjectHandle
}

// Label is CKA_LABEL. It is untrusted: it may hold control characters.
func (o *Object) Label() foreign.Text { return foreign.Text(o.Attributes.Text(CKALabel)) }

// ID is CKA_ID, empty where the token told none.
func (o *Object) ID() []byte { return o.Attributes.Bytes(CKAID) }

// KeyType is CKA_KEY_TYPE; it is false where the object has none or the token did not tell.
func (o *Object) KeyType() (KeyType, bool) {
	n, ok := o.Attributes.Ulong(CKAKeyType)
	return KeyType(n), ok
}

// ownKey is what is known of a key object's public key.
type ownKey struct {
	public pki.PublicKey
	known  bool
}

// unknownKey is the ownKey of all objects of which nothing is known.
var unknownKey = &ownKey{}

// own is what is known of the object's public key.
func (o *Object) own() *ownKey {
	if o.ownKey != nil {
		return o.ownKey
	}
	if public, known := readPublicKey(o); known {
		return &ownKey{public.Sharing(o.ProvenPublicKey), known}
	}
	return unknownKey
}

// readPublicKey keeps what is known of the object's public key, until it is called again.
func (o *Object) readPublicKey() {
	o.ownKey = nil
	o.ownKey = o.own()
}

// parse reads the certificate of a certificate object and the public key of a key object.
func (o *Object) parse() {
	if o.Class == CKOPrivateKey || o.Class == CKOPublicKey {
		o.readPublicKey()
	}
	if o.Class != CKOCertificate {
		return
	}
	if kind, known := o.Attributes.Ulong(CKACertificateType); known && kind != certificateTypeX509 {
		o.CertificateProblem = fmt.Sprintf("certificate type %d is not X.509", kind)
		return
	}
	certificate, err := pki.ParseSharedCertificate(o.Attributes.Bytes(CKAValue))
	if err != nil {
		o.CertificateProblem = err.Error()
		return
	}
	o.Certificate = certificate
}
