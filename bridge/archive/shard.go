package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"p11bridge/token"
)

// Shard is one of several equal shares of all keys, so that as many workers can divide the work without a word between them. The zero
// value is the whole.
//
// A key belongs to a share by the SHA-256 of its public key alone: not by its token, its name, or what else is there. The shares divide
// the values of that digest into Of ranges of the same length, in their order.
type Shard struct {
	Number int // from 1
	Of     int
}

// MostShards is the largest number of shares.
const MostShards = 1 << 16

// ShardError means that a text is no share.
type ShardError struct{ Given string }

// Error repeats the text.
func (e *ShardError) Error() string {
	return fmt.Sprintf("%q is no share: I/N, with I from 1 to N", e.Given)
}

// ParseShard reads I/N, with 1 ≤ I ≤ N ≤ MostShards. The error is a *ShardError.
func ParseShard(text string) (Shard, error) {
	first, last, _ := strings.Cut(text, "/")
	number, of := shardNumber(first), shardNumber(last)
	if number < 1 || number > of || of > MostShards {
		return Shard{}, &ShardError{text}
	}
	return Shard{Number: number, Of: of}, nil
}

// shardNumber reads a number that is written in the one usual way, and gives 0 for any other text.
func shardNumber(text string) int {
	number, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(number) != text {
		return 0
	}
	return number
}

// String is I/N, empty for the whole.
func (s Shard) String() string {
	if s.Whole() {
		return ""
	}
	return strconv.Itoa(s.Number) + "/" + strconv.Itoa(s.Of)
}

// Whole reports whether nothing is divided.
func (s Shard) Whole() bool { return s == Shard{} }

// shardBits is the size of the values that are divided: as many as the offsets of a file have.
const shardBits = 62

// bounds is the range of the share's values, without its end.
func (s Shard) bounds() (first, end int64) {
	if s.Whole() {
		return 0, 1 << shardBits
	}
	return firstOf(s.Number-1, s.Of), firstOf(s.Number, s.Of)
}

// firstOf is the first value that is not below part of all.
func firstOf(part, of int) int64 {
	high, low := bits.Mul64(uint64(part), 1<<shardBits)
	quotient, rest := bits.Div64(high, low, uint64(of))
	if rest > 0 {
		quotient++
	}
	return int64(quotient)
}

// holds reports whether a digest falls into the share.
func (s Shard) holds(digest [sha256.Size]byte) bool {
	value := int64(binary.BigEndian.Uint64(digest[:]) >> (64 - shardBits))
	first, end := s.bounds()
	return first <= value && value < end
}

// Holds reports whether an identity is in the share. It goes by the public key of the certificate, by which its files are named as well, so
// that all who would write the same file are in the same share. An identity without one goes by the key that is told, and one of which
// nothing is told by its CKA_ID and label.
func (s Shard) Holds(identity token.Identity) bool {
	switch certificate := parsedCertificate(identity); {
	case certificate != nil:
		return s.holds(sha256.Sum256(certificate.PublicKey.SPKI))
	case len(identity.Public.SPKI) > 0:
		return s.holds(sha256.Sum256(identity.Public.SPKI))
	}
	named := sha256.New()
	for _, o := range identity.Objects() {
		fmt.Fprintf(named, "%s %x %q ", o.Class, o.ID(), string(o.Label()))
	}
	return s.holds([sha256.Size]byte(named.Sum(nil)))
}

// HoldsBackup reports whether the key of a backup is in the share.
func (s Shard) HoldsBackup(b *Backup) bool {
	digest, err := hex.DecodeString(b.Record.PublicKeySHA256)
	if err != nil || len(digest) != sha256.Size { // no record that was read has such a one
		return s.HoldsFile(b.RecordPath)
	}
	return s.holds([sha256.Size]byte(digest))
}

// Only is the archive with those files alone that are in the share: a backup goes by its record, what has none by its name.
func (a *Archive) Only(shard Shard) *Archive {
	only := &Archive{Directory: a.Directory, Unreadable: shard.unreadable(a.Unreadable)}
	for _, b := range a.Backups {
		if shard.HoldsBackup(&b) {
			only.Backups = append(only.Backups, b)
		}
	}
	only.Unrecorded = shard.files(a.Unrecorded)
	return only
}

func (s Shard) files(paths []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return !s.HoldsFile(path) })
}

func (s Shard) unreadable(records []UnreadableRecord) []UnreadableRecord {
	return slices.DeleteFunc(slices.Clone(records), func(r UnreadableRecord) bool { return !s.HoldsFile(r.Path) })
}

// HoldsFile reports whether a file of which nothing but its name is known is in the share.
func (s Shard) HoldsFile(path string) bool {
	return s.holds(sha256.Sum256([]byte(filepath.Base(path))))
}
