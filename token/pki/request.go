package pki

import (
	"bytes"
	"crypto"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The extensions that a new certificate is asked to have as the old one had them (RFC 5280 section 4.2.1).
const (
	oidKeyUsage         = "2.5.29.15"
	oidSubjectAltName   = "2.5.29.17"
	oidBasicConstraints = "2.5.29.19"
	oidExtKeyUsage      = "2.5.29.37"
	oidExtensionRequest = "1.2.840.113549.1.9.14" // RFC 2985 section 5.4.2
)

// RequestExtensions are the certificate's own subjectAltName, keyUsage and extKeyUsage, and a CA's basicConstraints, each
// a DER Extension as it stands in the certificate. One that stands there twice counts once.
func (c *Certificate) RequestExtensions() [][]byte {
	wanted := []string{oidSubjectAltName, oidKeyUsage, oidExtKeyUsage}
	if c.IsCA {
		wanted = append(wanted, oidBasicConstraints)
	}
	found := map[string][]byte{}
	for _, element := range c.extensionElements() {
		s := cryptobyte.String(element)
		var extension cryptobyte.String
		if !s.ReadASN1(&extension, cbasn1.SEQUENCE) {
			continue
		}
		if oid, ok := readOID(&extension); ok && found[oid] == nil {
			found[oid] = element
		}
	}
	var extensions [][]byte
	for _, oid := range wanted {
		if found[oid] != nil {
			extensions = append(extensions, found[oid])
		}
	}
	return extensions
}

// extensionElements lists the extensions, each a whole element, as far as the list can be read.
func (c *Certificate) extensionElements() [][]byte {
	parts, err := splitCertificate(c.Raw)
	if err != nil {
		return nil
	}
	var content, outer, list cryptobyte.String
	if !parts.tbs.ReadASN1(&content, cbasn1.SEQUENCE) {
		return nil
	}
	for !content.Empty() && !content.PeekASN1Tag(cbasn1.Tag(3).ContextSpecific().Constructed()) {
		var skipped cryptobyte.String
		var tag cbasn1.Tag
		if !content.ReadAnyASN1Element(&skipped, &tag) {
			return nil
		}
	}
	if !content.ReadASN1(&outer, cbasn1.Tag(3).ContextSpecific().Constructed()) || !outer.ReadASN1(&list, cbasn1.SEQUENCE) {
		return nil
	}
	return elements(list)
}

func elements(list cryptobyte.String) [][]byte {
	var found [][]byte
	for !list.Empty() {
		var element cryptobyte.String
		if !list.ReadASN1Element(&element, cbasn1.SEQUENCE) {
			break
		}
		found = append(found, bytes.Clone(element))
	}
	return found
}

// SubjectAltNameExtension wraps DER GeneralNames as an Extension. It is critical where the subject is empty (RFC 5280
// section 4.2.1.6).
func SubjectAltNameExtension(names []byte, critical bool) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oidSubjectAltName)
		if critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1OctetString(names)
	})
	return b.Bytes()
}

// IsSubjectAltName reports whether a DER Extension is a subjectAltName.
func IsSubjectAltName(extension []byte) bool {
	s := cryptobyte.String(extension)
	var content cryptobyte.String
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) {
		return false
	}
	oid, ok := readOID(&content)
	return ok && oid == oidSubjectAltName
}

// RequestInfo is the CertificationRequestInfo of a PKCS#10 request (RFC 2986 section 4.1): what is signed. subject is a DER
// Name, extensions are DER Extensions. A key that is restricted to RSASSA-PSS keeps its restriction.
func RequestInfo(subject []byte, key PublicKey, extensions [][]byte) ([]byte, error) {
	if len(subject) == 0 || len(key.SPKI) == 0 {
		return nil, malformed("certificate request", "no subject or no key")
	}
	spki, err := key.Restricted()
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddBytes(subject)
		b.AddBytes(spki)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			if len(extensions) > 0 {
				addExtensionRequest(b, extensions)
			}
		})
	})
	return b.Bytes()
}

func addExtensionRequest(b *cryptobyte.Builder, extensions [][]byte) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oidExtensionRequest)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, extension := range extensions {
					b.AddBytes(extension)
				}
			})
		})
	})
}

// addSignatureAlgorithm writes the content of a scheme's AlgorithmIdentifier (RFC 4055, RFC 5758 section 3.2, RFC 8410 section 3).
func addSignatureAlgorithm(b *cryptobyte.Builder, algorithm string, hash crypto.Hash) {
	switch algorithm {
	case "Ed25519":
		addOID(b, "1.3.101.112")
		return
	case "RSA-PSS":
		addPSSAlgorithm(b, hash)
		return
	}
	for oid, of := range signatureHashes {
		if of.key == algorithm && of.hash == hash {
			addOID(b, oid)
		}
	}
	if algorithm == "RSA" {
		b.AddBytes(derNull)
	}
}

// addPSSAlgorithm writes RSASSA-PSS with a digest in both places and a salt of its length (RFC 4055 section 3.1).
func addPSSAlgorithm(b *cryptobyte.Builder, hash crypto.Hash) {
	addHash := func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addOID(b, hashOIDs[hash]); b.AddBytes(derNull) })
	}
	explicit := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	addOID(b, oidRSAPSS)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if hash == crypto.SHA1 { // the default in all places, which DER leaves out
			return
		}
		b.AddASN1(explicit(0), addHash)
		b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addOID(b, "1.2.840.113549.1.1.8"); addHash(b) })
		})
		b.AddASN1(explicit(2), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(hash.Size())) })
	})
}

// AssembleRequest puts a CertificationRequestInfo and its signature together to a PKCS#10 request. The signature is
// written as X.509 wants it, for ECDSA a DER SEQUENCE (ECDSASignature makes one). The error is an *UnsupportedError for
// another scheme.
func AssembleRequest(info []byte, scheme Scheme, signature []byte) ([]byte, error) {
	algorithm, hash := scheme.algorithmAndHash()
	if algorithm == "" {
		return nil, &UnsupportedError{Algorithm: string(scheme)}
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(info)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addSignatureAlgorithm(b, algorithm, hash) })
		b.AddASN1BitString(signature)
	})
	return b.Bytes()
}

// ECDSASignature turns r || s, as PKCS#11 writes an ECDSA signature, into ECDSA-Sig-Value (RFC 3279 section 2.2.3). The
// error is ErrSignature where it is not two halves.
func ECDSASignature(raw []byte) ([]byte, error) {
	half := len(raw) / 2
	if half == 0 || len(raw)%2 != 0 {
		return nil, ErrSignature
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, part := range [][]byte{raw[:half], raw[half:]} {
			part = bytes.TrimLeft(part, "\x00")
			b.AddASN1(cbasn1.INTEGER, func(b *cryptobyte.Builder) {
				if len(part) == 0 || part[0]&0x80 != 0 {
					b.AddUint8(0)
				}
				b.AddBytes(part)
			})
		}
	})
	return b.Bytes()
}

// Request is a PKCS#10 certificate request (RFC 2986) as it was read back.
type Request struct {
	Raw        []byte
	RawSubject []byte
	PublicKey  PublicKey
	Extensions [][]byte // those asked for, each a DER Extension
}

// ParseRequest reads one DER PKCS#10 request. It checks no signature. The error is a *MalformedError or an
// *UnsupportedError.
func ParseRequest(der []byte) (*Request, error) {
	parts, err := splitCertificate(der) // the same outer structure: content, algorithm, signature
	if err != nil || len(parts.raw) != len(der) {
		return nil, malformed("certificate request", "not a signed SEQUENCE")
	}
	r := &Request{Raw: bytes.Clone(parts.raw)}
	var content, subject, spki, attributes cryptobyte.String
	var version int
	if !parts.tbs.ReadASN1(&content, cbasn1.SEQUENCE) || !content.ReadASN1Integer(&version) || version != 0 ||
		!content.ReadASN1Element(&subject, cbasn1.SEQUENCE) || !content.ReadASN1Element(&spki, cbasn1.SEQUENCE) ||
		!content.ReadASN1(&attributes, cbasn1.Tag(0).ContextSpecific().Constructed()) || !content.Empty() {
		return nil, malformed("certificate request", "not the fields of a CertificationRequestInfo")
	}
	r.RawSubject = bytes.Clone(subject)
	if r.PublicKey, err = ParsePublicKey(spki); err != nil {
		return nil, err
	}
	for !attributes.Empty() {
		var attribute, values, list cryptobyte.String
		if !attributes.ReadASN1(&attribute, cbasn1.SEQUENCE) {
			return nil, malformed("certificate request", "broken attributes")
		}
		if oid, ok := readOID(&attribute); !ok || oid != oidExtensionRequest {
			continue
		}
		if !attribute.ReadASN1(&values, cbasn1.SET) || !values.ReadASN1(&list, cbasn1.SEQUENCE) {
			return nil, malformed("certificate request", "broken extensions")
		}
		r.Extensions = append(r.Extensions, elements(list)...)
	}
	return r, nil
}

// SignedBy checks the request's signature with a key. The error is ErrSignature where that key did not sign it,
// *UnsupportedError or *MalformedError where nobody can tell here.
func (r *Request) SignedBy(k PublicKey) error { return (&Certificate{Raw: r.Raw}).signedBy(k) }

// KeyID is what CKA_ID of a key customarily is: the SHA-1 of the key's own bits, as in method 1 of RFC 5280 section
// 4.2.1.2. It is nil for no key.
func (k PublicKey) KeyID() []byte {
	bits, err := k.keyBits()
	if err != nil {
		return nil
	}
	return digest(crypto.SHA1, bits)
}

// CommonName is the last common name of a DER Name (RFC 5280 section 4.1.2.4), as it stands there. It is untrusted, and
// empty where there is none.
func CommonName(raw []byte) string {
	name, _ := parseName(raw)
	for _, rdn := range slices.Backward(name) {
		for _, attribute := range rdn {
			if attribute.oid == "2.5.4.3" && attribute.isText {
				return attribute.text
			}
		}
	}
	return ""
}
