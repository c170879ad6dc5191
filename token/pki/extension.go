package pki

import (
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// purposeNames are extended key usages by the names that their specifications give them.
var purposeNames = map[string]string{
	"2.5.29.37.0":             "anyExtendedKeyUsage",
	"1.3.6.1.5.5.7.3.1":       "serverAuth",
	"1.3.6.1.5.5.7.3.2":       "clientAuth",
	"1.3.6.1.5.5.7.3.3":       "codeSigning",
	"1.3.6.1.5.5.7.3.4":       "emailProtection",
	"1.3.6.1.5.5.7.3.5":       "ipsecEndSystem",
	"1.3.6.1.5.5.7.3.6":       "ipsecTunnel",
	"1.3.6.1.5.5.7.3.7":       "ipsecUser",
	"1.3.6.1.5.5.7.3.8":       "timeStamping",
	"1.3.6.1.5.5.7.3.9":       "OCSPSigning",
	"1.3.6.1.5.5.7.3.17":      "ipsecIKE",
	"1.3.6.1.5.5.7.3.21":      "secureShellClient",
	"1.3.6.1.5.5.7.3.22":      "secureShellServer",
	"1.3.6.1.5.5.7.3.36":      "documentSigning",
	"1.3.6.1.5.2.3.4":         "pkinitClientAuth",
	"1.3.6.1.5.2.3.5":         "pkinitKdc",
	"1.3.6.1.4.1.311.20.2.2":  "smartcardLogon",
	"1.3.6.1.4.1.311.20.2.1":  "certificateRequestAgent",
	"1.3.6.1.4.1.311.10.3.4":  "encryptedFileSystem",
	"1.3.6.1.4.1.311.10.3.11": "keyRecovery",
	"1.3.6.1.4.1.311.10.3.12": "msDocumentSigning",
	"1.3.6.1.4.1.311.21.5":    "keyArchival",
	"1.3.6.1.4.1.311.21.6":    "keyRecoveryAgent",
	"2.16.840.1.101.3.6.8":    "pivCardAuth",
}

// keyUsageNames are the bits of keyUsage from the first on.
var keyUsageNames = []string{
	"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign",
	"encipherOnly", "decipherOnly",
}

// readExtensions reads what stands behind the SubjectPublicKeyInfo: unique identifiers, then extensions. It returns false if
// that is not a list of extensions; one that cannot be read is only noted.
func (c *Certificate) readExtensions(s cryptobyte.String) bool {
	var outer, list cryptobyte.String
	var there bool
	if !s.SkipOptionalASN1(cbasn1.Tag(1).ContextSpecific()) || !s.SkipOptionalASN1(cbasn1.Tag(2).ContextSpecific()) ||
		!s.ReadOptionalASN1(&outer, &there, cbasn1.Tag(3).ContextSpecific().Constructed()) {
		return false
	}
	if !there {
		return true
	}
	if !outer.ReadASN1(&list, cbasn1.SEQUENCE) {
		return false
	}
	seen := map[string]bool{}
	for !list.Empty() {
		var extension, value cryptobyte.String
		if !list.ReadASN1(&extension, cbasn1.SEQUENCE) {
			return false
		}
		oid, ok := readOID(&extension)
		if !ok || !extension.SkipOptionalASN1(cbasn1.BOOLEAN) || !extension.ReadASN1(&value, cbasn1.OCTET_STRING) {
			return false
		}
		if seen[oid] {
			continue
		}
		seen[oid] = true
		if !c.readExtension(oid, value) {
			c.Unreadable = append(c.Unreadable, oid)
		}
	}
	return true
}

// readExtension fills in one extension (RFC 5280 section 4.2.1). Those without a field here read as fine.
func (c *Certificate) readExtension(oid string, value cryptobyte.String) bool {
	switch oid {
	case "2.5.29.14":
		var id cryptobyte.String
		if !value.ReadASN1(&id, cbasn1.OCTET_STRING) {
			return false
		}
		c.SubjectKeyID = slices.Clip(id)
	case "2.5.29.15":
		return c.readKeyUsage(value)
	case "2.5.29.17":
		c.RawSAN = slices.Clip(value)
	case "2.5.29.19":
		var content, ca cryptobyte.String
		var there bool
		if !value.ReadASN1(&content, cbasn1.SEQUENCE) || !content.ReadOptionalASN1(&ca, &there, cbasn1.BOOLEAN) || there && len(ca) != 1 {
			return false
		}
		c.IsCA = there && ca[0] != 0 // BER's true is any octet but zero
	case "2.5.29.35":
		var content, id cryptobyte.String
		var there bool
		if !value.ReadASN1(&content, cbasn1.SEQUENCE) ||
			!content.ReadOptionalASN1(&id, &there, cbasn1.Tag(0).ContextSpecific()) {
			return false
		}
		if there {
			c.AuthorityKeyID = slices.Clip(id)
		}
	case "2.5.29.37":
		c.HasEKU = true
		return c.readPurposes(value)
	}
	return true
}

func (c *Certificate) readKeyUsage(value cryptobyte.String) bool {
	var bits asn1.BitString
	if !value.ReadASN1BitString(&bits) {
		return false
	}
	for i, name := range keyUsageNames {
		if bits.At(i) == 1 {
			c.KeyUsage = append(c.KeyUsage, name)
		}
	}
	return true
}

func (c *Certificate) readPurposes(value cryptobyte.String) bool {
	var list cryptobyte.String
	if !value.ReadASN1(&list, cbasn1.SEQUENCE) {
		return false
	}
	seen := map[string]bool{}
	for !list.Empty() {
		oid, ok := readOID(&list)
		if !ok {
			return false
		}
		name, ok := purposeNames[oid]
		if !ok {
			name = oid
		}
		if !seen[name] {
			seen[name] = true
			c.Purposes = append(c.Purposes, name)
		}
	}
	return true
}
