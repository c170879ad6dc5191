package pki

// Point is the public point of an EC or Edwards key as the SubjectPublicKeyInfo holds it: for EC uncompressed
// (SEC 1 section 2.3.3), for Edwards curves the 32 or 57 octets of RFC 8032. It is what PKCS#11 wraps in an OCTET STRING as
// CKA_EC_POINT. The errors are *UnsupportedError for other keys and *MalformedError.
func (k PublicKey) Point() ([]byte, error) {
	switch k.Algorithm {
	case "EC", "Ed25519", "Ed448":
		return k.keyBits()
	}
	return nil, &UnsupportedError{Algorithm: k.Algorithm}
}
