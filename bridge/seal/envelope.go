package seal

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// mostRecipients bounds how many recipients of one envelope are read, and so how often a token is asked.
const mostRecipients = 1000

// envelope is a CMS EnvelopedData that was read.
type envelope struct {
	recipients []envelopeRecipient
	algorithm  asn1.ObjectIdentifier
	iv         []byte
	ciphertext []byte
}

// envelopeRecipient is a RecipientInfo. One that is no KeyTransRecipientInfo with an issuer and a serial number has no id.
type envelopeRecipient struct {
	id        []byte // the DER of IssuerAndSerialNumber
	options   crypto.DecrypterOpts
	encrypted []byte
}

// parseEnvelope reads a ContentInfo with an EnvelopedData in DER.
func parseEnvelope(der []byte) (*envelope, error) {
	bad := func(what string) error { return damaged("CMS: %s", what) }
	whole := cryptobyte.String(der)
	var info, explicit, enveloped, infos, content, algorithm cryptobyte.String
	var contentType, encrypted asn1.ObjectIdentifier
	switch {
	case !whole.ReadASN1(&info, cbasn1.SEQUENCE) || !whole.Empty() || !info.ReadASN1ObjectIdentifier(&contentType):
		return nil, bad("no ContentInfo")
	case !contentType.Equal(oidEnvelopedData):
		return nil, &OpenError{Fault: NotSealed, Err: fmt.Errorf("CMS content type %s", contentType)}
	}
	var version int
	var originator cryptobyte.String
	var hasOriginator bool
	e := &envelope{}
	var ciphertext cryptobyte.String
	if !info.ReadASN1(&explicit, cbasn1.Tag(0).ContextSpecific().Constructed()) || !explicit.ReadASN1(&enveloped, cbasn1.SEQUENCE) ||
		!enveloped.ReadASN1Integer(&version) ||
		!enveloped.ReadOptionalASN1(&originator, &hasOriginator, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!enveloped.ReadASN1(&infos, cbasn1.SET) || !enveloped.ReadASN1(&content, cbasn1.SEQUENCE) ||
		!content.ReadASN1ObjectIdentifier(&encrypted) || !content.ReadASN1(&algorithm, cbasn1.SEQUENCE) ||
		!algorithm.ReadASN1ObjectIdentifier(&e.algorithm) || !content.ReadASN1(&ciphertext, cbasn1.Tag(0).ContextSpecific()) {
		return nil, bad("not the fields of an EnvelopedData")
	}
	if !e.algorithm.Equal(oidAES256CBC) {
		return nil, &OpenError{Fault: Unsupported, Err: fmt.Errorf("content encryption %s", e.algorithm)}
	}
	var iv cryptobyte.String
	if !algorithm.ReadASN1(&iv, cbasn1.OCTET_STRING) || len(iv) != aes.BlockSize || len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 {
		return nil, bad("no content in AES-256-CBC")
	}
	e.iv, e.ciphertext = bytes.Clone(iv), bytes.Clone(ciphertext)
	for !infos.Empty() {
		var element cryptobyte.String
		var tag cbasn1.Tag
		if !infos.ReadAnyASN1Element(&element, &tag) || len(e.recipients) == mostRecipients {
			return nil, bad("no list of recipients")
		}
		r, err := parseTransport(element, tag)
		if err != nil {
			return nil, err
		}
		e.recipients = append(e.recipients, r)
	}
	if len(e.recipients) == 0 {
		return nil, bad("no recipient")
	}
	return e, nil
}

// parseTransport reads a KeyTransRecipientInfo. Other kinds of recipient are not looked into.
func parseTransport(element cryptobyte.String, tag cbasn1.Tag) (envelopeRecipient, error) {
	r := envelopeRecipient{}
	if tag != cbasn1.SEQUENCE {
		return r, nil
	}
	var info, id, algorithm, encrypted cryptobyte.String
	var version int
	var oid asn1.ObjectIdentifier
	var idTag cbasn1.Tag
	if !element.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1Integer(&version) || !info.ReadAnyASN1Element(&id, &idTag) ||
		!info.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) || !info.ReadASN1(&encrypted, cbasn1.OCTET_STRING) {
		return r, damaged("CMS: not the fields of a KeyTransRecipientInfo")
	}
	if idTag == cbasn1.SEQUENCE {
		r.id = bytes.Clone(id)
	}
	r.encrypted = bytes.Clone(encrypted)
	switch {
	case oid.Equal(oidRSA):
		//lint:ignore SA1019 for writers that know nothing else
		r.options = &rsa.PKCS1v15DecryptOptions{}
	case oid.Equal(oidOAEP):
		options, err := parseOAEP(algorithm)
		if err != nil {
			return r, err
		}
		r.options = options
	}
	return r, nil
}

// hashes are the digests of RSAES-OAEP by their identifier.
var hashes = map[string]crypto.Hash{
	"1.3.14.3.2.26": crypto.SHA1, "2.16.840.1.101.3.4.2.4": crypto.SHA224, "2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384, "2.16.840.1.101.3.4.2.3": crypto.SHA512,
}

// parseOAEP reads RSAES-OAEP-params (RFC 8017 section A.2.1). A label is not known here.
func parseOAEP(s cryptobyte.String) (*rsa.OAEPOptions, error) {
	options := &rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	if s.Empty() {
		return options, nil
	}
	var parameters, field, algorithm, inner cryptobyte.String
	var there bool
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1(&parameters, cbasn1.SEQUENCE) || !parameters.ReadOptionalASN1(&field, &there, cbasn1.Tag(0).ContextSpecific().Constructed()) {
		return nil, damaged("CMS: not the parameters of RSAES-OAEP")
	}
	if there {
		if !field.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) {
			return nil, damaged("CMS: not the digest of RSAES-OAEP")
		}
		options.Hash = hashes[oid.String()]
	}
	if !parameters.ReadOptionalASN1(&field, &there, cbasn1.Tag(1).ContextSpecific().Constructed()) {
		return nil, damaged("CMS: not the parameters of RSAES-OAEP")
	}
	if there {
		if !field.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) || !algorithm.ReadASN1(&inner, cbasn1.SEQUENCE) ||
			!inner.ReadASN1ObjectIdentifier(&oid) {
			return nil, damaged("CMS: not the mask generation function of RSAES-OAEP")
		}
		options.MGFHash = hashes[oid.String()]
	}
	if options.Hash == 0 || options.MGFHash == 0 || !parameters.Empty() {
		return nil, &OpenError{Fault: Unsupported, Err: errors.New("the parameters of RSAES-OAEP")}
	}
	return options, nil
}

// name is the certificate's issuer and serial number, as far as they can be read.
func (r envelopeRecipient) name() foreign.Text {
	s := cryptobyte.String(r.id)
	var id, issuer cryptobyte.String
	serial := new(big.Int)
	if !s.ReadASN1(&id, cbasn1.SEQUENCE) || !id.ReadASN1Element(&issuer, cbasn1.SEQUENCE) || !id.ReadASN1Integer(serial) {
		return ""
	}
	return foreign.Text(pki.NameText(issuer) + ", " + serial.Text(16))
}

// open decrypts the content with the key of a recipient. A key without a certificate is tried on every recipient.
func (e *envelope) open(key Key) ([]byte, error) {
	var refused error
	for _, r := range e.recipients {
		own := key.Certificate != nil && bytes.Equal(r.id, issuerAndSerial(key.Certificate))
		if r.options == nil || key.Certificate != nil && r.id != nil && !own {
			continue
		}
		contentKey, err := key.Decrypter.Decrypt(rand.Reader, r.encrypted, r.options)
		switch {
		case errors.As(err, new(*token.LoginError)):
			return nil, err
		case err != nil && own && errors.Is(err, rsa.ErrDecryption):
			return nil, &OpenError{Fault: Damaged, Err: err}
		case err != nil && own:
			return nil, &OpenError{Fault: NotDecrypted, Err: err}
		case err != nil:
			refused = err
			continue
		}
		clear, err := e.decrypt(contentKey)
		secret.Wipe(contentKey)
		if err == nil || own {
			return clear, err
		}
	}
	return nil, &OpenError{Fault: ForOthers, Err: refused}
}

func (e *envelope) decrypt(key []byte) ([]byte, error) {
	if len(key) != contentKeySize {
		return nil, damaged("CMS: a content key of %d bytes", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, damaged("CMS: %w", err)
	}
	clear := make([]byte, len(e.ciphertext))
	cipher.NewCBCDecrypter(block, e.iv).CryptBlocks(clear, e.ciphertext)
	padding := int(clear[len(clear)-1])
	if padding == 0 || padding > aes.BlockSize || !bytes.Equal(clear[len(clear)-padding:], bytes.Repeat([]byte{byte(padding)}, padding)) {
		secret.Wipe(clear)
		return nil, damaged("CMS: no padding")
	}
	return clear[:len(clear)-padding], nil
}
