package pfx

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
)

// digest is a hash function as RFC 7292 (MACs) and RFC 8018 (PRFs) name it.
type digest struct {
	name    string
	oid     string
	hmacOID string
	new     func() hash.Hash
	size    int
	block   int
}

var digests = []digest{
	{"SHA-1", "1.3.14.3.2.26", "1.2.840.113549.2.7", sha1.New, 20, 64},
	{"SHA-224", "2.16.840.1.101.3.4.2.4", "1.2.840.113549.2.8", sha256.New224, 28, 64},
	{"SHA-256", "2.16.840.1.101.3.4.2.1", "1.2.840.113549.2.9", sha256.New, 32, 64},
	{"SHA-384", "2.16.840.1.101.3.4.2.2", "1.2.840.113549.2.10", sha512.New384, 48, 128},
	{"SHA-512", "2.16.840.1.101.3.4.2.3", "1.2.840.113549.2.11", sha512.New, 64, 128},
}

func digestNamed(name string) *digest {
	return findDigest(func(d *digest) bool { return d.name == name })
}

func digestByOID(oid string) *digest { return findDigest(func(d *digest) bool { return d.oid == oid }) }

func digestByHMAC(oid string) *digest {
	return findDigest(func(d *digest) bool { return d.hmacOID == oid })
}

func findDigest(fits func(*digest) bool) *digest {
	for i := range digests {
		if fits(&digests[i]) {
			return &digests[i]
		}
	}
	return nil
}
