package pki

import (
	"crypto"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// signatureHashes are the certificate signature algorithms of RSA PKCS#1 v1.5 and ECDSA (RFC 8017, RFC 5758) by their digest.
// MD5 and older are not here: such a signature proves nothing, so it counts as one that cannot be checked.
var signatureHashes = map[string]struct {
	key  string
	hash crypto.Hash
}{
	"1.2.840.113549.1.1.5":  {"RSA", crypto.SHA1},
	"1.2.840.113549.1.1.14": {"RSA", crypto.SHA224},
	"1.2.840.113549.1.1.11": {"RSA", crypto.SHA256},
	"1.2.840.113549.1.1.12": {"RSA", crypto.SHA384},
	"1.2.840.113549.1.1.13": {"RSA", crypto.SHA512},
	"1.2.840.10045.4.1":     {"EC", crypto.SHA1},
	"1.2.840.10045.4.3.1":   {"EC", crypto.SHA224},
	"1.2.840.10045.4.3.2":   {"EC", crypto.SHA256},
	"1.2.840.10045.4.3.3":   {"EC", crypto.SHA384},
	"1.2.840.10045.4.3.4":   {"EC", crypto.SHA512},
}

// signedBy checks the signature on c with k. ErrSignature means that k did not sign it; *UnsupportedError or
// *MalformedError that nobody can tell here.
func (c *Certificate) signedBy(k PublicKey) error {
	parts, err := splitCertificate(c.Raw)
	if err != nil {
		return err
	}
	var algorithm algorithmIdentifier
	var signature []byte
	if !readAlgorithm(&parts.algorithm, &algorithm) || !parts.signature.ReadASN1BitStringAsBytes(&signature) {
		return malformed("certificate", "no signature that can be read")
	}
	oid := algorithm.oid
	switch known, ok := signatureHashes[oid]; {
	case ok && k.Algorithm != known.key, oid == oidRSAPSS && k.Algorithm != "RSA" && k.Algorithm != "RSA-PSS":
		if k.Algorithm == "" {
			return &UnsupportedError{Algorithm: oid}
		}
		return ErrSignature // a key of another algorithm
	case ok && known.key == "RSA":
		return k.verifyPKCS1(known.hash, digest(known.hash, parts.tbs), signature)
	case ok:
		r, s := new(big.Int), new(big.Int)
		if !readECDSASignature(signature, r, s) {
			return ErrSignature
		}
		return k.verifyECDSA(digest(known.hash, parts.tbs), r, s)
	case oid == oidRSAPSS:
		hash, _, ok := pssParameters(algorithm.parameters)
		if !ok {
			return &UnsupportedError{Algorithm: "RSASSA-PSS with these parameters"}
		}
		return k.verifyPSS(hash, digest(hash, parts.tbs), signature)
	case oid == "1.3.101.112" && k.Algorithm == "Ed25519":
		return k.verifyEd25519(parts.tbs, signature)
	}
	return &UnsupportedError{Algorithm: oid}
}

func digest(hash crypto.Hash, message []byte) []byte {
	h := hash.New()
	h.Write(message)
	return h.Sum(nil)
}

// readECDSASignature reads ECDSA-Sig-Value (RFC 3279 section 2.2.3).
func readECDSASignature(signature []byte, r, s *big.Int) bool {
	in := cryptobyte.String(signature)
	var content cryptobyte.String
	return in.ReadASN1(&content, cbasn1.SEQUENCE) && in.Empty() && content.ReadASN1Integer(r) &&
		content.ReadASN1Integer(s) && content.Empty()
}

// pssParameters reads RSASSA-PSS-params (RFC 4055 section 3.1). The digest must be the same in both of its places. salt is the
// length of the salt in octets: of a signature the one that it has, of a key the shortest one that it may have.
func pssParameters(parameters []byte) (hash crypto.Hash, salt int, ok bool) {
	s := cryptobyte.String(parameters)
	var content, field, mgf, saltField cryptobyte.String
	var hasHash, hasMGF, hasSalt bool
	salt = crypto.SHA1.Size()
	hashID, mgfID, mgfHash := algorithmIdentifier{oid: hashOIDs[crypto.SHA1]}, algorithmIdentifier{}, algorithmIdentifier{oid: hashOIDs[crypto.SHA1]}
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) ||
		!content.ReadOptionalASN1(&field, &hasHash, cbasn1.Tag(0).ContextSpecific().Constructed()) || hasHash && !readAlgorithm(&field, &hashID) ||
		!content.ReadOptionalASN1(&mgf, &hasMGF, cbasn1.Tag(1).ContextSpecific().Constructed()) || hasMGF && !readAlgorithm(&mgf, &mgfID) ||
		!content.ReadOptionalASN1(&saltField, &hasSalt, cbasn1.Tag(2).ContextSpecific().Constructed()) || hasSalt && !saltField.ReadASN1Integer(&salt) {
		return 0, 0, false
	}
	if inner := cryptobyte.String(mgfID.parameters); hasMGF && !readAlgorithm(&inner, &mgfHash) {
		return 0, 0, false
	}
	for hash, oid := range hashOIDs {
		if oid == hashID.oid && oid == mgfHash.oid {
			return hash, salt, true
		}
	}
	return 0, 0, false
}

// SignatureHash is the digest that the key's signatures for a certificate are made with: SHA-256, unless its restriction to RSASSA-PSS demands
// another one (RFC 4055 section 3.3), and none for Ed25519. The error is an *UnsupportedError for a restriction that cannot be kept here:
// two different digests, or a salt that is longer than the digest.
func (k PublicKey) SignatureHash() (crypto.Hash, error) {
	if k.Algorithm == "Ed25519" {
		return 0, nil
	}
	restriction, algorithm := cryptobyte.String(k.Restriction), algorithmIdentifier{}
	if len(k.Restriction) == 0 || readAlgorithm(&restriction, &algorithm) && algorithm.absent() {
		return crypto.SHA256, nil
	}
	hash, salt, ok := pssParameters(algorithm.parameters)
	if !ok || salt > hash.Size() {
		return 0, &UnsupportedError{Algorithm: "RSASSA-PSS with these parameters"}
	}
	return hash, nil
}

// refuted reports whether it is certain that issuer did not sign child.
func refuted(issuer, child *Certificate) bool {
	return errors.Is(child.signedBy(issuer.PublicKey), ErrSignature)
}
