package pfx

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
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

// digests are read. Written are SHA-1 and SHA-256. The block of SHA-3 is its rate (FIPS 202, table 3).
var digests = []digest{
	{"SHA-1", "1.3.14.3.2.26", "1.2.840.113549.2.7", sha1.New, 20, 64},
	{"SHA-224", "2.16.840.1.101.3.4.2.4", "1.2.840.113549.2.8", sha256.New224, 28, 64},
	{"SHA-256", "2.16.840.1.101.3.4.2.1", "1.2.840.113549.2.9", sha256.New, 32, 64},
	{"SHA-384", "2.16.840.1.101.3.4.2.2", "1.2.840.113549.2.10", sha512.New384, 48, 128},
	{"SHA-512", "2.16.840.1.101.3.4.2.3", "1.2.840.113549.2.11", sha512.New, 64, 128},
	{"SHA-512/224", "2.16.840.1.101.3.4.2.5", "1.2.840.113549.2.12", sha512.New512_224, 28, 128},
	{"SHA-512/256", "2.16.840.1.101.3.4.2.6", "1.2.840.113549.2.13", sha512.New512_256, 32, 128},
	{"SHA3-224", "2.16.840.1.101.3.4.2.7", "2.16.840.1.101.3.4.2.13", func() hash.Hash { return sha3.New224() }, 28, 144},
	{"SHA3-256", "2.16.840.1.101.3.4.2.8", "2.16.840.1.101.3.4.2.14", func() hash.Hash { return sha3.New256() }, 32, 136},
	{"SHA3-384", "2.16.840.1.101.3.4.2.9", "2.16.840.1.101.3.4.2.15", func() hash.Hash { return sha3.New384() }, 48, 104},
	{"SHA3-512", "2.16.840.1.101.3.4.2.10", "2.16.840.1.101.3.4.2.16", func() hash.Hash { return sha3.New512() }, 64, 72},
	{"MD5", "1.2.840.113549.2.5", "1.2.840.113549.2.6", md5.New, 16, 64},
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
