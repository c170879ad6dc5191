package token

import (
	"crypto"
	_ "crypto/sha1"   // the digests of hashings
	_ "crypto/sha256" // likewise
	_ "crypto/sha512" // likewise
	"errors"
	"slices"

	"github.com/miekg/pkcs11"

	"p11bridge/token/cryptoki"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// signing is one way to have a token sign a message: what C_SignInit and C_Sign are given, and what comes of it.
type signing struct {
	mechanism uint
	parameter []byte
	data      []byte
	scheme    pki.Scheme
	rare      bool // only where the token lists it
}

// hashing is a digest, and the mechanisms that sign with it (PKCS#11 v3.1 §6.1 for RSA, §6.3.13 for ECDSA).
type hashing struct {
	hash              crypto.Hash
	pkcs1, pss, ecdsa uint
	mechanism, mgf    uint   // CKM_… and CKG_MGF1_… of the digest itself, for CK_RSA_PKCS_PSS_PARAMS
	info              []byte // what PKCS#1 v1.5 puts before the digest (RFC 8017 §9.2)
}

// hashings are the digests that a challenge may be signed with: the usual one, then those that a key may be restricted to. SHA-1
// comes last: it does for a challenge that nobody could choose, and for nothing else.
var hashings = []hashing{
	{crypto.SHA256, pkcs11.CKM_SHA256_RSA_PKCS, pkcs11.CKM_SHA256_RSA_PKCS_PSS, pkcs11.CKM_ECDSA_SHA256, pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256, digestInfo(1, 32)},
	{crypto.SHA384, pkcs11.CKM_SHA384_RSA_PKCS, pkcs11.CKM_SHA384_RSA_PKCS_PSS, pkcs11.CKM_ECDSA_SHA384, pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384, digestInfo(2, 48)},
	{crypto.SHA512, pkcs11.CKM_SHA512_RSA_PKCS, pkcs11.CKM_SHA512_RSA_PKCS_PSS, pkcs11.CKM_ECDSA_SHA512, pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512, digestInfo(3, 64)},
	{crypto.SHA1, pkcs11.CKM_SHA1_RSA_PKCS, pkcs11.CKM_SHA1_RSA_PKCS_PSS, pkcs11.CKM_ECDSA_SHA1, pkcs11.CKM_SHA_1, pkcs11.CKG_MGF1_SHA1, sha1DigestInfo},
}

// digestInfo is what stands before a digest of the SHA-2 family, by the last number of its object identifier and its length.
func digestInfo(number, length byte) []byte {
	return []byte{0x30, 0x11 + length, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, number, 0x05, 0x00, 0x04, length}
}

var sha1DigestInfo = []byte{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14}

// hashingOf finds a digest.
func hashingOf(hash crypto.Hash) (hashing, bool) {
	i := slices.IndexFunc(hashings, func(h hashing) bool { return h.hash == hash })
	if i < 0 {
		return hashing{}, false
	}
	return hashings[i], true
}

func (h hashing) digest(message []byte) []byte {
	d := h.hash.New()
	d.Write(message)
	return d.Sum(nil)
}

// withPKCS1, withPSS and withECDSA are the two ways to sign with a digest: the token makes it, or is given it.
func (h hashing) withPKCS1(message []byte) []signing {
	scheme := pki.SchemeOf("RSA", h.hash)
	return []signing{
		{mechanism: h.pkcs1, data: message, scheme: scheme},
		{mechanism: pkcs11.CKM_RSA_PKCS, data: append(slices.Clone(h.info), h.digest(message)...), scheme: scheme},
	}
}

func (h hashing) withPSS(message []byte) []signing {
	parameter, scheme := pkcs11.NewPSSParams(h.mechanism, h.mgf, uint(h.hash.Size())), pki.SchemeOf("RSA-PSS", h.hash)
	return []signing{
		{mechanism: h.pss, parameter: parameter, data: message, scheme: scheme},
		{mechanism: pkcs11.CKM_RSA_PKCS_PSS, parameter: parameter, data: h.digest(message), scheme: scheme},
	}
}

func (h hashing) withECDSA(message []byte) []signing {
	scheme := pki.SchemeOf("EC", h.hash)
	return []signing{
		{mechanism: h.ecdsa, data: message, scheme: scheme},
		{mechanism: pkcs11.CKM_ECDSA, data: h.digest(message), scheme: scheme},
	}
}

// signings lists the ways to sign a message with the private half of a public key, those first whose mechanism the token lists
// for signing (PKCS#11 v3.1 §6.1 for RSA, §6.3.12 and §6.3.13 for ECDSA, §6.3.16 for EdDSA). The usual ones are tried all the same,
// since remoting hides mechanisms.
func signings(public pki.PublicKey, message []byte, listed []Mechanism) ([]signing, error) {
	hash, err := public.SignatureHash()
	usual, known := hashingOf(hash)
	if err != nil || !known { // the token does not know of the restriction
		usual = hashings[0]
	}
	others := func(with func(hashing, []byte) []signing) []signing { // the token hashes: a key that it gives a digest to takes the usual one
		var ways []signing
		for _, h := range hashings {
			if h.hash != usual.hash {
				ways = append(ways, rare(with(h, message)[:1])...)
			}
		}
		return ways
	}
	var ways []signing
	switch public.Algorithm {
	case "RSA":
		ways = slices.Concat(usual.withPKCS1(message), rare(usual.withPSS(message)), others(hashing.withPKCS1), others(hashing.withPSS))
		if block, err := public.PKCS1Block(usual.digest(message)); err == nil {
			ways = append(ways, signing{mechanism: pkcs11.CKM_RSA_X_509, data: block, scheme: pki.RSAPKCS1SHA256, rare: true})
		}
	case "RSA-PSS":
		ways = slices.Concat(usual.withPSS(message), others(hashing.withPSS), rare(usual.withPKCS1(message)), others(hashing.withPKCS1))
	case "EC":
		ways = append(usual.withECDSA(message), others(hashing.withECDSA)...)
		ways[0], ways[1] = ways[1], ways[0] // every token that knows EC knows CKM_ECDSA
	case "Ed25519":
		ways = []signing{{mechanism: ckmEdDSA, data: message, scheme: pki.Ed25519}}
	default:
		return nil, &pki.UnsupportedError{Algorithm: public.Algorithm}
	}
	return inOrder(ways, listed), nil
}

// inOrder puts what the token lists first, and leaves out what is rare and not listed.
func inOrder(ways []signing, listed []Mechanism) []signing {
	var first, then []signing
	for _, way := range ways {
		switch {
		case listsFor(way, listed):
			first = append(first, way)
		case !way.rare:
			then = append(then, way)
		}
	}
	return append(first, then...)
}

func listsFor(way signing, listed []Mechanism) bool {
	return slices.ContainsFunc(listed, func(m Mechanism) bool { return m.Type == CKM(way.mechanism) && m.Sign })
}

func rare(ways []signing) []signing {
	for i := range ways {
		ways[i].rare = true
	}
	return ways
}

// Sign makes a signature over message with the private key, in the first way that the token knows: RSASSA-PKCS1-v1_5 or
// RSASSA-PSS, ECDSA (r || s), or Ed25519; with SHA-256 unless the public key or the token wants another digest. A key with CKA_ALWAYS_AUTHENTICATE is given the
// PIN by Session.Authenticate. The error is a *CannotShowError where the token knows none of the ways, a
// *pki.UnsupportedError for other kinds of key, or comes from the token.
func (s *Session) Sign(key *Object, public pki.PublicKey, message []byte) ([]byte, pki.Scheme, error) {
	return s.signAs(key, public, message, "")
}

// signAs is Sign for one scheme, any for an empty one.
func (s *Session) signAs(key *Object, public pki.PublicKey, message []byte, scheme pki.Scheme) ([]byte, pki.Scheme, error) {
	ways, err := signings(public, message, s.module.listedFor(s.Slot.ID))
	if err != nil {
		return nil, "", err
	}
	cannot := &CannotShowError{}
	for _, way := range ways {
		if scheme != "" && way.scheme != scheme {
			continue
		}
		signature, err := s.signWith(key, way)
		var answer *Error
		switch {
		case err == nil:
			return signature, way.scheme, nil
		case !errors.As(err, &answer) || !answer.Judges():
			return nil, "", err
		}
		cannot = cannot.with(CKM(way.mechanism), answer)
	}
	return nil, "", cannot
}

// signWith makes one signature.
func (s *Session) signWith(key *Object, way signing) (signature []byte, err error) {
	err = s.use(key, "C_SignInit", "C_Sign", CKM(way.mechanism),
		func() error {
			return s.module.functions.SignInit(s.handle, cryptoki.Mechanism{Type: way.mechanism, Parameter: way.parameter}, key.handle)
		},
		func() (err error) { signature, err = s.module.functions.Sign(s.handle, way.data); return err })
	return signature, err
}

// use makes the two calls that use a private key. A key with CKA_ALWAYS_AUTHENTICATE wants the PIN between them (PKCS#11 v3.1
// §4.9, §5.6.8): one attempt, whose failure is a *LoginError.
func (s *Session) use(key *Object, begins, ends string, mechanism CKM, begin, end func() error) error {
	err := s.call(begins, mechanism.String(), begin)
	if code, known := CodeOf(err); known && code == pkcs11.CKR_OPERATION_ACTIVE { // a use that failed before has not ended there
		if err := s.call(ends, mechanism.String(), end); err != nil {
			return err
		}
		err = s.call(begins, mechanism.String(), begin)
	}
	if err != nil {
		return err
	}
	var passed error // a login that the token knows nothing of
	if s.Authenticate != nil && s.wantsPIN(key) {
		if passed, err = s.loginAgain(); err != nil {
			return err
		}
	}
	err = s.call(ends, mechanism.String(), end)
	if code, known := CodeOf(err); known && code == pkcs11.CKR_USER_NOT_LOGGED_IN && passed != nil {
		return s.loginFailure(passed)
	}
	return err
}

// loginAgain gives the PIN once more. A token that takes CKA_ALWAYS_AUTHENTICATE and knows no context login says so, which is passed
// over: it mostly does not ask for the PIN either.
func (s *Session) loginAgain() (passed, err error) {
	var pin *secret.Text
	secret.Outside(func() { pin, err = s.Authenticate() }) // whoever is asked may call C code
	if err != nil {
		return nil, err
	}
	err = s.call("C_Login", "CKU_CONTEXT_SPECIFIC", func() error {
		return s.module.functions.Login(s.handle, pkcs11.CKU_CONTEXT_SPECIFIC, pin.Bytes())
	})
	switch code, _ := CodeOf(err); {
	case code == pkcs11.CKR_USER_TYPE_INVALID, code == pkcs11.CKR_USER_ALREADY_LOGGED_IN:
		return err, nil
	case err != nil:
		return nil, s.loginFailure(err)
	}
	return nil, nil
}
