package archive

import (
	"errors"
	"fmt"
)

// Proof says how a written file was shown to be a valid copy.
type Proof string

// The proofs.
const (
	// ProofIndependent: an implementation other than the one that wrote the file opened it, and its key is the certificate's.
	ProofIndependent Proof = "independent-reader"
	// ProofOwn: the same for a key that the independent reader does not know, with our own reader.
	ProofOwn Proof = "own-reader"
	// ProofToken: the password opens the file's MAC and certificates, and the token, given the key bag as it stands in the
	// file, made a signature with it that the certificate verifies. The key was in clear nowhere but on the token.
	ProofToken Proof = "token-signature"
	// ProofStructure: the password opens the file's MAC and certificates, and the key bag has its form. That the key in it
	// is the certificate's was not proven, because the token would not and nobody else was to see the key.
	ProofStructure Proof = "structure"
)

// OfKey reports whether the proof was of the key, and not of the file's structure alone. A proof of another name, as a damaged
// record may tell, is none.
func (p Proof) OfKey() bool { return p == ProofIndependent || p == ProofOwn || p == ProofToken }

// ErrNotProven means that the file as read back from disk is not the copy that was meant. It was removed.
var ErrNotProven = errors.New("the written file could not be proven to be a valid copy")

// NotProven is an ErrNotProven with what was found instead.
func NotProven(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrNotProven, fmt.Errorf(format, args...))
}
