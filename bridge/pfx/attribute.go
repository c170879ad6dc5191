package pfx

import (
	"bytes"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// attributes are the PKCS12Attributes of one bag (RFC 7292, section 4.2).
type attributes struct {
	friendlyName string
	localKeyID   []byte
	others       []Attribute
}

var tagBMPString = asn1.Tag(30)

// readAttributes reads the SET OF attributes. A friendlyName or a localKeyID that is malformed, or a second one, is
// kept among the others: a broken label must not keep anybody from a backup.
func readAttributes(set cryptobyte.String, t *bagCount) (attributes, error) {
	const where = "bag attributes"
	var result attributes
	for !set.Empty() {
		if err := t.add(0, 1); err != nil {
			return result, err
		}
		var sequence, values cryptobyte.String
		if !set.ReadASN1(&sequence, asn1.SEQUENCE) {
			return result, damaged(where)
		}
		oid, ok := readOID(&sequence)
		if !ok || !sequence.ReadASN1(&values, asn1.SET) || !sequence.Empty() {
			return result, damaged(where)
		}
		var value cryptobyte.String
		reader := values
		switch {
		case oid == oidFriendlyName && result.friendlyName == "" && reader.ReadASN1(&value, tagBMPString) && reader.Empty():
			if name, ok := decodeBMP(value); ok && name != "" {
				result.friendlyName = name
				continue
			}
		case oid == oidLocalKeyID && result.localKeyID == nil && reader.ReadASN1(&value, asn1.OCTET_STRING) &&
			reader.Empty() && len(value) > 0:
			result.localKeyID = bytes.Clone(value)
			continue
		}
		result.others = append(result.others, Attribute{OID: oid, Values: bytes.Clone(values)})
	}
	return result, nil
}

// checkAttributes refuses values that would spoil the bag they are written into.
func checkAttributes(others []Attribute) error {
	for _, other := range others {
		set := append(appendLength([]byte{0x31}, len(other.Values)), other.Values...)
		if _, end, wasDER, err := toDER(set, "attribute "+other.OID); err != nil || !wasDER || end != len(set) {
			return &DamagedError{Where: "attribute " + other.OID, Err: err}
		}
	}
	return nil
}

// addAttributes writes the SET OF attributes in the order of DER, or nothing where there is none.
func addAttributes(b *cryptobyte.Builder, a attributes) {
	var encoded [][]byte
	add := func(oid string, values func(*cryptobyte.Builder)) {
		var one cryptobyte.Builder
		one.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addOID(b, oid)
			b.AddASN1(asn1.SET, values)
		})
		der, err := one.Bytes()
		if err != nil {
			b.SetError(err)
		}
		encoded = append(encoded, der)
	}
	if a.friendlyName != "" {
		add(oidFriendlyName, func(b *cryptobyte.Builder) {
			b.AddASN1(tagBMPString, func(b *cryptobyte.Builder) { b.AddBytes(encodeBMP(a.friendlyName)) })
		})
	}
	if len(a.localKeyID) > 0 {
		add(oidLocalKeyID, func(b *cryptobyte.Builder) { b.AddASN1OctetString(a.localKeyID) })
	}
	for _, other := range a.others {
		add(other.OID, func(b *cryptobyte.Builder) { b.AddBytes(other.Values) })
	}
	if len(encoded) == 0 {
		return
	}
	slices.SortFunc(encoded, bytes.Compare)
	b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
		for _, der := range encoded {
			b.AddBytes(der)
		}
	})
}
