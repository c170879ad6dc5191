package bridge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// Prover says who proves a key that the token shrouded.
type Prover string

// The provers.
const (
	ProverToken Prover = "token" // the key stays out of this process
	ProverHost  Prover = "host"  // the file is decrypted here
)

// prove reads the draft back from disk and shows that it is a valid copy: every byte is there, the password fits, the key
// is the certificate's, no certificate is missing. A file whose key the token shrouded is proven by the token.
func (r ExportRequest) prove(ctx context.Context, made *provenFile, derived *pfx.Derived) error {
	file, err := made.draft.ReadBack()
	if err != nil {
		return err
	}
	if !bytes.Equal(file, made.encoded) {
		return archive.NotProven("what is on disk is not what was written")
	}
	return r.proveFile(ctx, file, made, made.result, derived)
}

// proveFile is prove for what was read from disk. derived is what it was written with; without it, nil, the proof takes one derivation more.
func (r ExportRequest) proveFile(ctx context.Context, file []byte, made *provenFile, result *ExportResult, derived *pfx.Derived) error {
	digest := sha256.Sum256(file)
	result.SHA256 = hex.EncodeToString(digest[:])
	facts, err := pfx.Inspect(file)
	if err != nil {
		return archive.NotProven("%w", err)
	}
	result.Iterations = facts.Iterations
	expected := [][]byte{result.Certificate.Raw}
	for _, above := range made.chain {
		expected = append(expected, above.Raw)
	}
	if made.shrouded != nil && r.Prover != ProverHost {
		return r.proveShrouded(ctx, file, made.shrouded, result, expected)
	}
	result.Proof = archive.ProofIndependent
	pkcs8, found, err := readEncoded(ctx, file, r.Password, derived)
	if errors.Is(err, pfx.ErrIndependentReaderCannot) {
		result.Proof = archive.ProofOwn
		pkcs8, found, err = readOwn(ctx, file, r.Password)
	}
	if ctx.Err() != nil {
		secret.Wipe(pkcs8)
		return context.Cause(ctx)
	}
	if err != nil {
		return archive.NotProven("%w", err)
	}
	defer secret.Wipe(pkcs8)
	key, err := pki.ParsePrivateKey(pkcs8)
	if err != nil {
		return archive.NotProven("%w", err)
	}
	defer key.Wipe()
	switch {
	case !key.Public.Equal(result.Certificate.PublicKey):
		return archive.NotProven("the key is not the certificate's")
	case !equalAll(found, expected):
		return archive.NotProven("%d certificates instead of %d", len(found), len(expected))
	}
	return nil
}

// proveShrouded opens everything in the file but the key bag, and has the token prove that one, under the key that the reader derives.
func (r ExportRequest) proveShrouded(ctx context.Context, file, written []byte, result *ExportResult, expected [][]byte) error {
	shrouding, ciphertext, err := pfx.ParseShrouded(written)
	if err != nil {
		return archive.NotProven("%w", err)
	}
	contents, err := pfx.Decode(ctx, file, r.Password.Bytes(), pfx.DecodeOptions{KeepShrouded: true})
	if err != nil {
		return archive.NotProven("%w", err)
	}
	defer contents.Wipe()
	if len(contents.Keys) != 1 || !bytes.Equal(contents.Keys[0].Shrouded, written) {
		return archive.NotProven("not the one key bag that the token made")
	}
	if found := certificatesOf(contents); !equalAll(found, expected) {
		return archive.NotProven("%d certificates instead of %d", len(found), len(expected))
	}
	kek, err := bagKey(ctx, shrouding, r.Password, contents.Keys[0].Derived)
	defer clear(kek)
	if err != nil {
		return archive.NotProven("%w", err)
	}
	result.Proof = archive.ProofToken
	public := result.Certificate.PublicKey
	err = r.tokenProof(ctx, kek, shrouding.IV, ciphertext, public)
	var unable *methodFailure
	if !errors.As(err, &unable) || !r.RequireShroud || r.Prover != "" {
		return err
	}
	if !r.cannotProve(ctx, unable, public) {
		return archive.NotProven("the token with the key from the file: %w", unable.err)
	}
	result.Notices = append(result.Notices, verdict.Because(verdict.TokenCouldNotProve, verdict.Fact{Name: "answers", Value: unable.answers}))
	result.Proof = archive.ProofStructure
	return nil
}

// bagKey is the key of a key bag: a copy of the one that the reader derived for another part of the file, or derived here. The caller wipes
// it.
func bagKey(ctx context.Context, shrouding pfx.Shrouding, password *secret.Text, derived *pfx.Derived) ([]byte, error) {
	if derived != nil {
		return bytes.Clone(derived.Key()), nil
	}
	return shrouding.Key(ctx, password.Bytes())
}

// readEncoded is the independent reader, which knows no context: when the context ends, its result is wiped unseen.
func readEncoded(ctx context.Context, file []byte, password *secret.Text, derived *pfx.Derived) (pkcs8 []byte, certificates [][]byte, err error) {
	type result struct {
		pkcs8        []byte
		certificates [][]byte
		err          error
	}
	results, verified := make(chan result, 1), make(chan error, 1)
	read := pfx.ReadEncoded
	if pfx.MACApart(file) { // and apart from Forget
		read = pfx.ReadVerified
		known := bytes.Clone(password.Bytes())
		go func() {
			defer clear(known)
			verified <- pfx.VerifyMAC(file, known)
		}()
	} else {
		verified <- nil
	}
	known, own := bytes.Clone(password.Bytes()), derived.Clone()
	go func() {
		secret.Forget(func() { // not inherited from whoever started this
			defer own.Wipe()
			defer clear(known)
			pkcs8, certificates, err := read(file, known, own)
			if macErr := <-verified; macErr != nil {
				clear(pkcs8)
				pkcs8, err = nil, macErr
			}
			if ctx.Err() != nil {
				clear(pkcs8)
			}
			results <- result{pkcs8, certificates, err}
		})
	}()
	select {
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	case r := <-results:
		return r.pkcs8, r.certificates, r.err
	}
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
