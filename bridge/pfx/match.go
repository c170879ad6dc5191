package pfx

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// ErrMismatch means that a key and a certificate bear the same localKeyID and have different public keys.
var ErrMismatch = errors.New("pfx: key and certificate have the same local key id but different public keys")

// ErrNotCompared means that a certificate could be the key's, and that their public keys could not be compared.
var ErrNotCompared = errors.New("pfx: public keys of key and certificate could not be compared")

// LinkedBy says what holds a key and its certificate together.
type LinkedBy string

// The links, from proof to none.
const (
	// LinkedByPublicKey is the proof: the certificate certifies the key's public key.
	LinkedByPublicKey LinkedBy = "public-key"
	// LinkedByLocalKeyID is what the file says; the public key could not be compared, or contradicts it.
	LinkedByLocalKeyID LinkedBy = "local-key-id"
	// LinkedByNothing means that the key has no certificate here.
	LinkedByNothing LinkedBy = "none"
)

// Pair is a key with its certificate.
type Pair struct {
	// Key is an index into Contents.Keys, Certificate one into Contents.Certificates, or -1.
	Key, Certificate int
	LinkedBy         LinkedBy
	// Also are further certificates of the same public key, as they remain after a renewal. Where the public key was not compared, they are the
	// further ones of the same localKeyID.
	Also []int
	// Err says why the public key does not prove the link: ErrMismatch, or why it could not be told. It is nil where
	// it does, and for a shrouded key, whose public key nobody can tell.
	Err error
}

// Comparison is what is known of a key and the certificates of its file, which are named by their indices in ascending order. A certificate that
// is in neither list is certainly one of another key.
type Comparison struct {
	Certified []int // certainly of this key
	Unknown   []int // it could not be told
}

// Comparer compares a private key (a PrivateKeyInfo) with all certificates of the contents at once, so that this package needs no key
// parsing, and that a file with thousands of keys costs no more than each of them. The error says why the key cannot be compared.
type Comparer func(pkcs8 []byte) (Comparison, error)

// Match finds the certificate of every key: one with the key's public key, and among several the one with its
// localKeyID; else one with its localKeyID alone. Shrouded keys are not compared.
func Match(contents *Contents, comparer Comparer) []Pair {
	pairs := make([]Pair, 0, len(contents.Keys))
	for i, key := range contents.Keys {
		pairs = append(pairs, match(contents.Certificates, i, key, comparer))
	}
	return pairs
}

func match(certificates []Certificate, index int, key Key, comparer Comparer) Pair {
	pair := Pair{Key: index, Certificate: -1, LinkedBy: LinkedByNothing}
	var compared Comparison
	if key.PKCS8 != nil {
		var err error
		if compared, err = comparer(key.PKCS8); err != nil {
			pair.Err = fmt.Errorf("pfx: public key of key %d: %w", index, err)
		}
	}
	named := func(c Certificate) bool { return len(key.LocalKeyID) > 0 && bytes.Equal(c.LocalKeyID, key.LocalKeyID) }
	if len(compared.Certified) > 0 {
		var same, others []int
		for _, i := range compared.Certified {
			if named(certificates[i]) {
				same = append(same, i)
			} else {
				others = append(others, i)
			}
		}
		slices.Reverse(same)
		same = append(same, others...)
		pair.Certificate, pair.Also, pair.LinkedBy = same[0], same[1:], LinkedByPublicKey
		return pair
	}
	// A file that was opened and could not be compared says so; a key that stays shrouded is compared by nobody.
	if pair.Err == nil && len(compared.Unknown) > 0 {
		pair.Err = ErrNotCompared
	}
	for i, c := range certificates {
		switch {
		case !named(c):
		case pair.Certificate >= 0:
			pair.Also = append(pair.Also, i)
		default:
			pair.Certificate, pair.LinkedBy = i, LinkedByLocalKeyID
			if pair.Err == nil && key.PKCS8 != nil {
				pair.Err = ErrMismatch
			}
		}
	}
	return pair
}
