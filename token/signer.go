package token

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ThalesIgnite/crypto11"
	"github.com/miekg/pkcs11"

	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// SignedBy says whose code turned a digest into a signature on the token.
type SignedBy string

// The two signers.
const (
	SignedByCrypto11 SignedBy = "crypto11"
	SignedByOwn      SignedBy = "p11bridge"
)

// Signer is a private key on the token as a crypto.MessageSigner.
type Signer struct {
	crypto.Signer
	By SignedBy
}

// SignMessage implements crypto.MessageSigner.
func (s Signer) SignMessage(random io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return crypto.SignMessage(s.Signer, random, message, opts)
}

// Signers lists the ways to sign with a private key, the preferred one first: crypto11 where ShareWithCrypto11 opened it, the key signs
// for our own glue and crypto11 finds exactly this key, then our own over C_Sign. public is the key's public half. Session.Authenticate gives the PIN
// once more for a key with CKA_ALWAYS_AUTHENTICATE. A signature is to be verified by whoever asked for it: crypto11 pairs keys
// by CKA_ID.
func (s *Session) Signers(key *Object, public pki.PublicKey) []Signer {
	own := Signer{&tokenSigner{session: s, key: key, public: public}, SignedByOwn}
	found, err := s.crypto11Signer(key, public)
	if err != nil || found == nil { // whatever crypto11 cannot do, C_Sign may; it names the call where the connection is lost
		return []Signer{own}
	}
	return []Signer{{found, SignedByCrypto11}, own}
}

// tokenSigner signs by C_SignInit and C_Sign.
type tokenSigner struct {
	session *Session
	key     *Object
	public  pki.PublicKey
}

// Public is the key as crypto/x509 has it, or a pki.PublicKey where crypto/x509 does not know such keys.
func (t *tokenSigner) Public() crypto.PublicKey {
	if key, err := x509.ParsePKIXPublicKey(t.public.SPKI); err == nil {
		return key
	}
	return t.public
}

// errMessageOnly means that a digest was given in the place of its message.
var errMessageOnly = errors.New("whole messages are signed here, and no digests")

// Sign implements crypto.Signer, and refuses: see SignMessage.
func (t *tokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errMessageOnly
}

// SignMessage implements crypto.MessageSigner, in the first way that the token knows (Session.Sign) with the digest of opts. The
// scheme is the one that the key calls for, or RSASSA-PSS for *rsa.PSSOptions. A signature of ECDSA is DER.
func (t *tokenSigner) SignMessage(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	algorithm := t.public.Algorithm
	if _, pss := opts.(*rsa.PSSOptions); pss && algorithm == "RSA" {
		algorithm = "RSA-PSS"
	}
	scheme := pki.SchemeOf(algorithm, opts.HashFunc())
	if scheme == "" {
		return nil, &pki.UnsupportedError{Algorithm: t.public.Algorithm + " with " + opts.HashFunc().String()}
	}
	signature, _, err := t.session.signAs(t.key, t.public, message, scheme)
	if err == nil && t.public.Algorithm == "EC" {
		return pki.ECDSASignature(signature)
	}
	return signature, err
}

// ShareWithCrypto11 lets crypto11 initialise the module in our place, so that Signers can use it. It must be called before
// a session is opened; the module's Close closes crypto11 as well. Where crypto11 cannot be used with this token the module
// goes on as it was: with an initialisation string, which crypto11 cannot pass on, on a token for too few sessions, on
// which it panics, or on one that is write-protected, since it opens a read-write session. The error means that the module
// can no longer be used.
func (slot Slot) ShareWithCrypto11(ctx context.Context) error {
	m := slot.module
	if slot.Token == nil || !m.ours || m.crypto11 != nil || m.Library.InitString != "" || !roomForCrypto11(slot.Token) {
		return nil
	}
	if _, err := m.askFunctionList(); err != nil { // crypto11 uses the list without a look at the answer
		return nil //nolint:nilerror // the module goes on as it was
	}
	if err := m.call("C_Finalize", "", m.functions.Finalize); err != nil {
		return err
	}
	m.ours = false
	number := int(slot.ID)
	err := m.crypto11Call("crypto11 Configure", fmt.Sprintf("slot %d", slot.ID), func() (err error) {
		m.crypto11, err = crypto11.Configure(&crypto11.Config{Path: m.Library.Path, SlotNumber: &number, MaxSessions: 2, LoginNotSupported: true})
		return err
	})
	if err != nil {
		m.crypto11 = nil
	}
	if err := m.initialize(); err != nil { // CKR_CRYPTOKI_ALREADY_INITIALIZED counts as success
		return err
	}
	return slot.stillThere(ctx)
}

// crypto11Calls are the calls that each function of crypto11 makes: which of them it is in, nobody knows.
var crypto11Calls = map[string]string{
	"crypto11 Configure":   "C_GetFunctionList, C_Initialize, C_GetSlotList, C_GetTokenInfo, C_OpenSession",
	"crypto11 FindKeyPair": "C_OpenSession, C_FindObjectsInit, C_FindObjects, C_FindObjectsFinal, C_GetAttributeValue",
	"crypto11 Sign":        "C_OpenSession, C_SignInit, C_Sign",
	"crypto11 Close":       "C_CloseSession, C_CloseAllSessions, C_Finalize",
}

// WithCalls is a function as an Observer is told of it, with the calls that it may be in where it is one of crypto11's.
func WithCalls(function string) string {
	if calls, several := crypto11Calls[function]; several {
		return function + " (" + calls + ")"
	}
	return function
}

// stillThere makes sure that the slot holds the same token after the module was initialised anew.
func (slot Slot) stillThere(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	info, err := slot.module.tokenInfo(slot.ID)
	if err != nil {
		return err
	}
	if info.Label != slot.Token.Label || info.Serial != slot.Token.Serial {
		return &Error{Function: "C_GetTokenInfo", Code: CKRTokenNotPresent}
	}
	return nil
}

// roomForCrypto11 reports whether a token takes two read-write sessions besides ours.
func roomForCrypto11(info *Info) bool {
	enough := func(n Count) bool { return n == 0 || n == Unknown || n >= 3 }
	return enough(info.MaxSessions) && enough(info.MaxRWSessions) && !info.Flags.Has(CKFWriteProtected)
}

// closeCrypto11 ends crypto11, which finalises the module.
func (m *Module) closeCrypto11() error {
	if m.crypto11 == nil {
		return nil
	}
	closing := m.crypto11
	m.crypto11 = nil
	return m.crypto11Call("crypto11 Close", "", closing.Close)
}

// crypto11Call is call for what crypto11 does with several C_* calls. Its errors hide the return value behind words.
func (m *Module) crypto11Call(function, detail string, f func() error) error {
	return m.call(function, detail, func() error {
		var err error
		secret.Outside(func() { err = f() })
		for cause := err; cause != nil; {
			if code, ok := cause.(pkcs11.Error); ok {
				return code
			}
			wrapped, ok := cause.(interface{ Cause() error })
			if !ok {
				break
			}
			cause = wrapped.Cause()
		}
		return err
	})
}

// crypto11Signer finds the key with crypto11 by its exact CKA_ID. It is nil where crypto11 does not know such keys, or
// finds another one than the one whose public half we read.
func (s *Session) crypto11Signer(key *Object, public pki.PublicKey) (crypto.Signer, error) {
	nist := public.Algorithm == "EC" && slices.Contains([]string{"P-256", "P-384", "P-521"}, public.Curve)
	if s.module.crypto11 == nil || len(key.ID()) == 0 || public.Algorithm != "RSA" && !nist ||
		key.Attributes.Bool(CKAAlwaysAuthenticate) == True {
		return nil, nil //nolint:nilnil // the caller takes the other signer
	}
	// Our own glue asks first, with the room that it offers in mind: a module that claims more than it writes does not get to a binding
	// that would read so far.
	if _, err := s.challengeToSign(key, public); err != nil {
		return nil, err
	}
	var pair crypto11.Signer
	err := s.module.crypto11Call("crypto11 FindKeyPair", "", func() (err error) {
		pair, err = s.module.crypto11.FindKeyPair(key.ID(), nil)
		return err
	})
	if err != nil || pair == nil {
		return nil, err
	}
	spki, err := marshalPublicKey(pair.Public())
	if err != nil || !bytes.Equal(spki, public.SPKI) {
		return nil, err
	}
	return &crypto11Signer{pair, s.module, longestSignature(public)}, nil
}

func marshalPublicKey(key crypto.PublicKey) ([]byte, error) {
	switch key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey:
		spki, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			return nil, fmt.Errorf("crypto11's public key: %w", err)
		}
		return spki, nil
	}
	return nil, fmt.Errorf("crypto11's public key is a %T", key)
}

// crypto11Signer has the observer watch crypto11's calls, and bounds what they give.
type crypto11Signer struct {
	crypto.Signer
	module *Module
	most   int // the length of the longest signature of the key, in bytes
}

// Sign implements crypto.Signer. The binding that crypto11 calls by believes the length that a module answers, and reads that far
// beyond what was written: what is longer than a signature of the key can be is wiped and is an *AnswerError.
func (c *crypto11Signer) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	err = c.module.crypto11Call("crypto11 Sign", opts.HashFunc().String(), func() (err error) {
		if signature, err = c.Signer.Sign(random, digest, opts); err == nil && len(signature) > c.most {
			err = &AnswerError{Function: "C_Sign", Fault: AnswerSignature, Err: fmt.Errorf("%d bytes are no signature of this key, which has %d at the most", len(signature), c.most)}
		}
		return err
	})
	if err != nil {
		secret.Wipe(signature)
		return nil, err
	}
	return signature, nil
}

// longestSignature is the length of the longest signature of an RSA or EC key, of the latter as DER.
func longestSignature(public pki.PublicKey) int {
	octets := (public.Bits + 7) / 8
	if public.Algorithm == "EC" {
		const headers = 3 + 2*3 // of the SEQUENCE, and of each INTEGER with an octet for its sign
		return headers + 2*octets
	}
	return octets
}
