package pfx

import (
	"bytes"
	"encoding/pem"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// KeyState says whether a file that is no PFX holds a private key.
type KeyState int

// The states.
const (
	NoKey        KeyState = iota // none that is known
	KeyInClear                   // for everybody who can read the file
	KeyEncrypted                 // under a password
	KeyStore                     // in a store of Java, which holds keys and certificates under passwords
)

// Kind says what a file is that is not a PFX.
type Kind struct {
	// Name is the format by the name of its specification or its program; empty where it is not known.
	Name string
	Key  KeyState
	// Certificates means that the format is for certificates.
	Certificates bool
	// PEM means that it stands as text in blocks.
	PEM bool
}

// Format is the name, with PEM behind it where the file is in PEM; empty where nothing is known.
func (k Kind) Format() string {
	if k.PEM && k.Name != "PEM" {
		return k.Name + " PEM"
	}
	return k.Name
}

// Recognise looks at the beginning of a file that is not a PFX, or at the labels of its PEM blocks, and says what it is. It
// checks nothing: a file that begins as a Java key store may be damaged.
func Recognise(file []byte) Kind {
	for _, row := range magics {
		if bytes.HasPrefix(file, []byte(row.magic)) {
			kind := row.kind
			if row.magic == pvkMagic && len(file) >= 16 && bytes.Equal(file[12:16], make([]byte, 4)) {
				kind.Key = KeyInClear
			}
			return kind
		}
	}
	text := plainText(file)
	if kind, is := recogniseText(text); is {
		return kind
	}
	if decoded, armour := removeBase64(text); armour != NoArmour {
		return recogniseDER(decoded)
	}
	return recogniseDER(file)
}

// pvkMagic begins a private key of Microsoft's makecert. Its fourth number is not 0 where the key is encrypted.
const pvkMagic = "\x1e\xf1\xb5\xb0"

// magics are what files begin with.
var magics = []struct {
	magic string
	kind  Kind
}{
	{"\xfe\xed\xfe\xed", Kind{Name: "JKS", Key: KeyStore}},
	{"\xce\xce\xce\xce", Kind{Name: "JCEKS", Key: KeyStore}},
	{"SQLite format 3\x00", Kind{Name: "SQLite"}},
	{"PK\x03\x04", Kind{Name: "ZIP"}},
	{"\x1f\x8b", Kind{Name: "gzip"}},
	{"%PDF-", Kind{Name: "PDF"}},
	{"7z\xbc\xaf\x27\x1c", Kind{Name: "7z"}},
	{"Rar!\x1a\x07", Kind{Name: "RAR"}},
	{"\xfd7zXZ\x00", Kind{Name: "xz"}},
	{"BZh", Kind{Name: "bzip2"}},
	{"\x28\xb5\x2f\xfd", Kind{Name: "Zstandard"}},
	{"MSCF", Kind{Name: "CAB"}},
	{"\x03\xd9\xa2\x9a", Kind{Name: "KeePass"}},
	{"kych", Kind{Name: "keychain of macOS"}},
	{"<!DOCTYPE html", Kind{Name: "HTML"}},
	{"version https://git-lfs.github.com/", Kind{Name: "pointer of Git LFS"}},
	{pvkMagic, Kind{Name: "PVK", Key: KeyEncrypted}},
	{"age-encryption.org/", Kind{Name: "age"}},
}

// labels are those of PEM (RFC 7468) and of what looks like it.
var labels = map[string]Kind{
	"PRIVATE KEY":                {Name: "PKCS #8", Key: KeyInClear},
	"ENCRYPTED PRIVATE KEY":      {Name: "PKCS #8, encrypted", Key: KeyEncrypted},
	"RSA PRIVATE KEY":            {Name: "PKCS #1", Key: KeyInClear},
	"EC PRIVATE KEY":             {Name: "EC private key (RFC 5915)", Key: KeyInClear},
	"DSA PRIVATE KEY":            {Name: "DSA private key", Key: KeyInClear},
	"OPENSSH PRIVATE KEY":        {Name: "OpenSSH private key", Key: KeyInClear},
	"SSH2 ENCRYPTED PRIVATE KEY": {Name: "SSH2 private key", Key: KeyEncrypted},
	"PGP PRIVATE KEY BLOCK":      {Name: "OpenPGP private key", Key: KeyEncrypted},
	"PGP MESSAGE":                {Name: "OpenPGP message"},
	"AGE ENCRYPTED FILE":         {Name: "age"},
	"CERTIFICATE":                {Name: "X.509", Certificates: true},
	"X509 CERTIFICATE":           {Name: "X.509", Certificates: true},
	"TRUSTED CERTIFICATE":        {Name: "X.509", Certificates: true},
	"PKCS7":                      {Name: "PKCS #7", Certificates: true},
	"PKCS #7 SIGNED DATA":        {Name: "PKCS #7", Certificates: true},
	"CMS":                        {Name: "PKCS #7", Certificates: true},
	"CERTIFICATE REQUEST":        {Name: "PKCS #10"},
	"NEW CERTIFICATE REQUEST":    {Name: "PKCS #10"},
	"X509 CRL":                   {Name: "X.509 CRL"},
	"PUBLIC KEY":                 {Name: "public key"},
	"RSA PUBLIC KEY":             {Name: "public key"},
	"PKCS12":                     {Name: "PKCS #12, not readable,"},
	"PFX":                        {Name: "PKCS #12, not readable,"},
}

// recogniseText goes by the PEM block that says most: a key, then a certificate, then anything.
func recogniseText(text []byte) (Kind, bool) {
	if rest, is := bytes.CutPrefix(text, []byte("PuTTY-User-Key-File-")); is {
		state := KeyEncrypted
		if bytes.Contains(rest, []byte("Encryption: none")) {
			state = KeyInClear
		}
		return Kind{Name: "PuTTY private key", Key: state}, true
	}
	found, is := Kind{}, false
	for _, part := range bytes.Split(text, pemBegin)[1:] {
		label, body, ok := bytes.Cut(part, []byte("-----"))
		kind, known := labels[string(label)]
		if !ok {
			continue
		}
		if !known {
			kind = Kind{Name: "PEM"}
		}
		kind.PEM = true
		if kind.Key == KeyInClear && encryptedPEM(string(label), body) {
			kind.Key = KeyEncrypted
		}
		switch {
		case !is, found.Key == NoKey && kind.Key != NoKey, found.Key == NoKey && !found.Certificates && kind.Certificates:
			certificates := found.Certificates || kind.Certificates
			found, is = kind, true
			found.Certificates = certificates
		default:
			found.Certificates = found.Certificates || kind.Certificates
		}
	}
	return found, is
}

// encryptedPEM reports whether a key under a label of clear keys is encrypted all the same (RFC 1421, section 4.6.1.1, and
// openssh-key-v1).
func encryptedPEM(label string, body []byte) bool {
	if label != "OPENSSH PRIVATE KEY" {
		start := body[:min(len(body), 200)]
		return bytes.Contains(start, []byte("Proc-Type: 4,ENCRYPTED"))
	}
	block, _ := pem.Decode(append([]byte("-----BEGIN "+label+"-----"), body...))
	return block != nil && !strings.HasPrefix(string(block.Bytes), "openssh-key-v1\x00\x00\x00\x00\x04none")
}

// recogniseDER goes by the first members of the outer SEQUENCE.
func recogniseDER(file []byte) Kind {
	der, _, _, err := toDER(file, "file")
	if err != nil {
		return Kind{}
	}
	outer := cryptobyte.String(der)
	var content, first cryptobyte.String
	if !outer.ReadASN1(&content, asn1.SEQUENCE) {
		return Kind{}
	}
	rest := content
	if oid, ok := readOID(&rest); ok {
		switch oid {
		case oidSignedData:
			return Kind{Name: "PKCS #7", Certificates: true}
		case oidData, oidEnvelopedData, oidEncryptedData:
			return Kind{Name: "PKCS #7"}
		}
		return Kind{}
	}
	rest = content
	if rest.ReadASN1(&first, asn1.SEQUENCE) {
		return recogniseSigned(first, rest)
	}
	return recogniseKey(content)
}

// recogniseSigned tells apart an encrypted key and what is signed: certificates, requests, revocation lists.
func recogniseSigned(first, rest cryptobyte.String) Kind {
	inner := first
	if _, ok := readOID(&inner); ok {
		algorithm := rest
		var bits cryptobyte.String
		switch {
		case algorithm.ReadASN1(&bits, asn1.OCTET_STRING) && algorithm.Empty():
			return Kind{Name: "PKCS #8, encrypted", Key: KeyEncrypted}
		case rest.ReadASN1(&bits, asn1.BIT_STRING) && rest.Empty():
			return Kind{Name: "public key"}
		}
		return Kind{}
	}
	if !rest.SkipASN1(asn1.SEQUENCE) || !rest.SkipASN1(asn1.BIT_STRING) {
		return Kind{}
	}
	switch {
	case first.PeekASN1Tag(tagExplicit0):
		return Kind{Name: "X.509", Certificates: true}
	case !first.SkipOptionalASN1(asn1.INTEGER) || !first.SkipASN1(asn1.SEQUENCE) || !first.SkipASN1(asn1.SEQUENCE):
		return Kind{}
	case first.PeekASN1Tag(asn1.UTCTime) || first.PeekASN1Tag(asn1.GeneralizedTime):
		return Kind{Name: "X.509 CRL"}
	case first.PeekASN1Tag(tagExplicit0) || first.Empty():
		return Kind{Name: "PKCS #10"}
	case first.PeekASN1Tag(asn1.SEQUENCE):
		return Kind{Name: "X.509", Certificates: true}
	}
	return Kind{}
}

// recogniseKey is for keys in clear, which begin with a version.
func recogniseKey(content cryptobyte.String) Kind {
	var version int64
	if !content.ReadASN1Integer(&version) {
		return Kind{}
	}
	switch {
	case content.PeekASN1Tag(asn1.SEQUENCE):
		if _, ok := readAlgorithm(&content); ok && content.PeekASN1Tag(asn1.OCTET_STRING) {
			return Kind{Name: "PKCS #8", Key: KeyInClear}
		}
	case content.PeekASN1Tag(asn1.OCTET_STRING):
		return Kind{Name: "EC private key (RFC 5915)", Key: KeyInClear}
	case content.PeekASN1Tag(asn1.INTEGER):
		integers := 1
		for content.SkipASN1(asn1.INTEGER) {
			integers++
		}
		switch integers {
		case 9:
			return Kind{Name: "PKCS #1", Key: KeyInClear}
		case 6:
			return Kind{Name: "DSA private key", Key: KeyInClear}
		}
	}
	return Kind{}
}
