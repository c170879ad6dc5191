package bridge

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"p11bridge/bridge/pfx"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
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

// Prover says who proves a key that the token shrouded.
type Prover string

// The provers.
const (
	ProverToken Prover = "token" // the key stays out of this process
	ProverHost  Prover = "host"  // the file is decrypted here
)

// ErrNotProven means that the file as read back from disk is not the copy that was meant. It was removed.
var ErrNotProven = errors.New("the written file could not be proven to be a valid copy")

func notProven(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrNotProven, fmt.Errorf(format, args...))
}

// prove reads the draft back from disk and shows that it is a valid copy: every byte is there, the password fits, the key
// is the certificate's, no certificate is missing. A file whose key the token shrouded is proven by the token.
func (r ExportRequest) prove(ctx context.Context, d *draft, encoded []byte, c *cargo, receipt *Receipt, chain []*pki.Certificate) error {
	file, err := d.readBack()
	if err != nil {
		return err
	}
	if !bytes.Equal(file, encoded) {
		return notProven("what is on disk is not what was written")
	}
	digest := sha256.Sum256(file)
	receipt.SHA256 = hex.EncodeToString(digest[:])
	facts, err := pfx.Inspect(file)
	if err != nil {
		return notProven("%w", err)
	}
	receipt.Iterations = facts.Iterations
	expected := [][]byte{receipt.Certificate.Raw}
	for _, above := range chain {
		expected = append(expected, above.Raw)
	}
	if c.shrouded != nil && r.Prover != ProverHost {
		return r.proveShrouded(ctx, file, receipt, expected)
	}
	receipt.Proof = ProofIndependent
	pkcs8, found, err := pfx.ReadEncoded(file, r.Password.Bytes())
	if errors.Is(err, pfx.ErrIndependentReaderCannot) {
		receipt.Proof = ProofOwn
		pkcs8, found, err = readOwn(ctx, file, r.Password)
	}
	if err != nil {
		return notProven("%w", err)
	}
	defer secret.Wipe(pkcs8)
	key, err := pki.ParsePrivateKey(pkcs8)
	if err != nil {
		return notProven("%w", err)
	}
	defer key.Wipe()
	switch {
	case !key.Public.Equal(receipt.Certificate.PublicKey):
		return notProven("the key is not the certificate's")
	case !equalAll(found, expected):
		return notProven("%d certificates instead of %d", len(found), len(expected))
	}
	return nil
}

// proveShrouded opens everything in the file but the key bag, and has the token prove that one.
func (r ExportRequest) proveShrouded(ctx context.Context, file []byte, receipt *Receipt, expected [][]byte) error {
	contents, err := pfx.Decode(ctx, file, r.Password.Bytes(), pfx.DecodeOptions{KeepShrouded: true})
	if err != nil {
		return notProven("%w", err)
	}
	defer contents.Wipe()
	if len(contents.Keys) != 1 || contents.Keys[0].Shrouded == nil {
		return notProven("not one shrouded key")
	}
	if found := certificatesOf(contents); !equalAll(found, expected) {
		return notProven("%d certificates instead of %d", len(found), len(expected))
	}
	shrouding, ciphertext, err := pfx.ParseShrouded(contents.Keys[0].Shrouded)
	if err != nil {
		return notProven("%w", err)
	}
	kek, err := shrouding.Key(ctx, r.Password.Bytes())
	if err != nil {
		return notProven("%w", err)
	}
	defer clear(kek)
	receipt.Proof = ProofToken
	err = r.tokenProof(kek, shrouding.IV, ciphertext, receipt.Certificate.PublicKey)
	var unable *methodFailure
	if errors.As(err, &unable) && r.RequireShroud && r.Prover == "" {
		receipt.Proof = ProofStructure
		return nil
	}
	return err
}

// tokenProof has the token unwrap the key bag into a session object and sign a fresh challenge with it. A signature needs
// the whole of an EC or Edwards key, but not of an RSA key: what the Chinese remainder theorem uses can be sound while d is
// not, and the reverse. So the token also compares an RSA key with the one that left it. A token that does not do such a
// thing is a *methodFailure; every other answer, and a key that is not the certificate's, is ErrNotProven.
func (r ExportRequest) tokenProof(kek, iv, ciphertext []byte, public pki.PublicKey) (err error) {
	template := token.KeyTemplate{Public: public, Usage: token.Usage{Sign: true}}
	err = r.withUnshrouded(kek, iv, ciphertext, template, func(key *token.Object) error {
		err := proveHeld(r.Session, key, public)
		if errors.Is(err, errOtherKey) {
			return notProven("the token with the key from the file: %w", err)
		}
		return unableToProve(err)
	})
	if err != nil || public.Algorithm != "RSA" && public.Algorithm != "RSA-PSS" {
		return err
	}
	// The twin is extractable as the original is, and ends with this comparison.
	template.Extractable = true
	return r.withUnshrouded(kek, iv, ciphertext, template, r.compare)
}

// compare has the token wrap the original key and the one from the file under one fresh key and IV. CKM_AES_CBC_PAD is
// deterministic: equal ciphertexts are equal keys, and neither is decrypted here.
func (r ExportRequest) compare(twin *token.Object) error {
	fresh := make([]byte, 32+16)
	if _, err := rand.Read(fresh); err != nil {
		return fmt.Errorf("make a one-time key: %w", err)
	}
	defer clear(fresh)
	var ciphertexts [2][]byte
	for i, key := range []*token.Object{r.Identity.PrivateKey, twin} {
		var err error
		if ciphertexts[i], err = r.Session.Shroud(key, fresh[:32], fresh[32:]); err != nil {
			return &methodFailure{method: MethodShroud, answers: []string{"proof on the token: " + err.Error()}, err: err}
		}
	}
	if !bytes.Equal(ciphertexts[0], ciphertexts[1]) {
		return notProven("the key from the file is not the key on the token")
	}
	return nil
}

// withUnshrouded has the token unwrap the key bag into a session object for the time of work.
func (r ExportRequest) withUnshrouded(kek, iv, ciphertext []byte, template token.KeyTemplate, work func(*token.Object) error) (err error) {
	key, err := r.Session.Unshroud(kek, iv, ciphertext, template)
	if key != nil {
		defer func() {
			if destroyed := r.Session.Destroy(key); err == nil {
				err = destroyed
			}
		}()
	}
	if err != nil {
		return unableToProve(err)
	}
	return work(key)
}

// unableToProve tells a token that does not unwrap or sign from one that does, and fails on this file.
func unableToProve(err error) error {
	if err == nil {
		return nil
	}
	code, told := token.CodeOf(err)
	var unsupported *pki.UnsupportedError
	switch {
	case errors.As(err, &unsupported), told && token.DoesNotDo(code):
		return &methodFailure{method: MethodShroud, answers: []string{"proof on the token: " + err.Error()}, err: err}
	case told && !token.Lost(err):
		return notProven("the token with the key from the file: %w", err)
	}
	return err
}

func readOwn(ctx context.Context, file []byte, password *secret.Text) (pkcs8 []byte, certificates [][]byte, err error) {
	contents, err := pfx.Decode(ctx, file, password.Bytes(), pfx.DecodeOptions{})
	if err != nil {
		return nil, nil, err
	}
	if len(contents.Keys) != 1 {
		contents.Wipe()
		return nil, nil, fmt.Errorf("%d keys instead of one", len(contents.Keys))
	}
	return contents.Keys[0].PKCS8, certificatesOf(contents), nil
}

func certificatesOf(contents *pfx.Contents) [][]byte {
	var certificates [][]byte
	for _, c := range contents.Certificates {
		certificates = append(certificates, c.DER)
	}
	return certificates
}

func equalAll(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}
