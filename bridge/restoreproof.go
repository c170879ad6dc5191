package bridge

import (
	"bytes"
	"errors"

	"p11bridge/token"
	"p11bridge/token/pki"
)

// RestoreProof is what was shown of a key that is on a token again.
type RestoreProof string

// The proofs. A signature needs the whole of an EC or Edwards key, but not of an RSA key: what the Chinese remainder theorem uses can
// be sound while d is not, and the reverse.
const (
	RestoreProofNone       RestoreProof = "none"
	RestoreProofSignature  RestoreProof = "signature"  // the token signed, and the certificate verified the signature
	RestoreProofComparison RestoreProof = "comparison" // the same, and the token holds every number of the key as the file does
)

// wholeKey shows that the token, which opened the file's key bag itself, took every number of an RSA key. The bag is unwrapped once
// more, into a session object that may be wrapped as the key on the token may not, and that one is wrapped under the file's own key
// and IV: CKM_AES_CBC_PAD is deterministic, so that equal ciphertexts are equal keys, and none is decrypted here. It is false where
// the ciphertexts differ. A token that does not wrap leaves the signature as the proof, and so does a key that the file restricts to
// RSASSA-PSS, which tokens write otherwise. The error is one that ends everything.
func (r RestoreRequest) wholeKey(in *entered, kek []byte) (whole bool, err error) {
	if own, known := token.PublicKeyOf(in.key); known && own.Differs(in.template.Public) {
		return false, nil
	}
	if in.template.Public.Algorithm != "RSA" {
		return true, nil
	}
	twin, err := r.Session.Unshroud(kek, r.Copy.shrouding.IV, r.Copy.ciphertext, token.KeyTemplate{
		Public: in.template.Public, Extractable: true, Usage: token.Usage{Sign: true},
	})
	if twin != nil {
		defer func() {
			if discarded := r.Session.Discard(twin); err == nil {
				err = discarded
			}
		}()
	}
	var refused *token.WrapError
	var unsupported *pki.UnsupportedError
	if err != nil {
		if _, refused := refusal(err); refused || errors.As(err, &unsupported) {
			return true, nil
		}
		return false, err
	}
	ciphertext, err := r.Session.Shroud(twin, kek, r.Copy.shrouding.IV)
	switch {
	case errors.As(err, &refused):
		return true, nil
	case err != nil:
		return false, err
	case !bytes.Equal(ciphertext, r.Copy.ciphertext):
		return false, nil
	}
	in.proof = RestoreProofComparison
	return true, nil
}
