package token

import (
	"encoding/asn1"
	"fmt"

	"p11bridge/token/pki"
)

// CurveParams is the DER that CKA_EC_PARAMS wants for a curve (PKCS#11 v3.1 §6.3.3; RFC 5480 §2.1.1.1). Ed25519 is
// written as the PrintableString that SoftHSM 2.6 needs and others understand.
func CurveParams(curve string) ([]byte, error) {
	named := map[string]asn1.ObjectIdentifier{"P-256": {1, 2, 840, 10045, 3, 1, 7}, "P-384": {1, 3, 132, 0, 34}, "P-521": {1, 3, 132, 0, 35}}
	if curve == "Ed25519" {
		return append([]byte{0x13, 12}, "edwards25519"...), nil
	}
	oid, known := named[curve]
	if !known {
		return nil, &pki.UnsupportedError{Algorithm: curve}
	}
	params, err := asn1.Marshal(oid)
	if err != nil {
		return nil, fmt.Errorf("curve parameters: %w", err)
	}
	return params, nil
}
