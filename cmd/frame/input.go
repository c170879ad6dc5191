package frame

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"p11bridge/bridge"
	"p11bridge/bridge/pfx"
	"p11bridge/bridge/seal"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// inputError is a file that could not be read, or that is not what was asked for.
type inputError struct {
	path string
	err  error
}

// Error names the file.
func (e *inputError) Error() string { return fmt.Sprintf("read %s: %v", e.path, e.err) }

// Unwrap gives the cause.
func (e *inputError) Unwrap() error { return e.err }

// noCertificateError means that a file holds no certificate that can be read, and what it holds instead.
type noCertificateError struct{ holds string }

// What stands in a file in place of a certificate.
const (
	holdsPFX        = "pfx"
	holdsPrivateKey = "private-key"
	holdsRequest    = "request"
	holdsUnread     = "unread"
	holdsOther      = "other"
)

// Error names it.
func (e *noCertificateError) Error() string { return "no certificate in PEM or DER: " + e.holds }

// describeInput has the words for a file that is read: what is wrong with it, and where the right one may be.
func describeInput(a *App, e *inputError) Failure {
	f := Failure{ID: "error.input", Args: messages.Args{"Path": foreign.Text(e.path), "Problem": messages.Own(a.sourceProblem(e.err))}, Code: ExitFailed}
	remedy := "remedy.input.other"
	var none *noCertificateError
	var key *seal.IdentityError
	switch {
	case errors.As(e.err, &key):
		remedy = "remedy.input.unseal"
		f.Args["Problem"] = messages.Own(a.Text("problem.unseal."+string(key.Fault), nil))
	case errors.As(e.err, &none):
		remedy = "remedy.input.holds-" + none.holds
		f.Args["Problem"] = messages.Own(a.Text("problem.no-certificate", nil))
	case errors.Is(e.err, fs.ErrNotExist):
		remedy = "remedy.input.missing"
		f.Candidates = nearFiles(e.path)
		if other := otherPath(e.path); other != "" {
			remedy = other
		}
	case errors.Is(e.err, syscall.EISDIR):
		remedy = "error.file.directory.remedy"
		if a.command != nil && a.command.Flags().Lookup("dir") != nil { // all that is in it
			f.Candidates = []string{"--dir " + terminal.ShellWord(e.path)}
		}
	}
	f.More = strings.TrimSpace(a.didYouMean(f.Candidates) + "\n" + a.Text(remedy, f.Args))
	return f
}

// nearFiles are the files beside a path that is not there whose names are near to its.
func nearFiles(path string) []string {
	if plain, is := strings.CutPrefix(path, "file:"); is { // as a source of secrets is written
		if _, err := os.Stat(plain); err == nil {
			return []string{plain}
		}
	}
	directory, name := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(directory + "."))
	if err != nil { // then no name is near
		return nil
	}
	var names []string
	for _, entry := range entries {
		if entry.Name() != name { // it is there, and is a link to a file that is not
			names = append(names, entry.Name())
		}
	}
	near := nearest(name, names)
	for i := range near {
		near[i] = directory + near[i]
	}
	return near
}

// ReadInput reads a file as far as any PFX or certificate goes, and one byte more, so that the reader sees that it is too
// large without taking it all in.
func ReadInput(path string) ([]byte, error) { return ReadLimited(path, bridge.MaxFileSize) }

// ReadLimited reads a file, and of one that is longer than limit one byte more.
func ReadLimited(path string, limit int64) ([]byte, error) {
	contents, _, err := readFile(path, limit, pipePatience)
	if err != nil {
		return nil, &inputError{path, withoutPath(err)}
	}
	return contents, nil
}

// ReadCertificates reads the certificates of a file: in PEM any number, in DER one, or a PKCS #7 in either of the two.
func ReadCertificates(path string) ([]*pki.Certificate, error) {
	contents, err := ReadInput(path)
	if err != nil {
		return nil, err
	}
	var certificates []*pki.Certificate
	for rest := contents; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if !slices.Contains(certificateBlocks, block.Type) {
			continue
		}
		more, err := bridge.CertificatesIn(block.Bytes)
		if err != nil {
			return nil, &inputError{path, err}
		}
		certificates = append(certificates, more...)
	}
	if len(certificates) > 0 {
		return certificates, nil
	}
	if certificates, err = bridge.CertificatesIn(contents); err != nil {
		return nil, &inputError{path, &noCertificateError{heldInstead(contents)}}
	}
	return certificates, nil
}

// certificateBlocks are the labels of PEM (RFC 7468) behind which certificates stand. Programs mix them up.
var certificateBlocks = []string{"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "PKCS7", "PKCS #7 SIGNED DATA", "CMS"}

// heldInstead says what a file without a certificate holds.
func heldInstead(contents []byte) string {
	kind := pfx.Recognise(contents)
	switch {
	case pfx.LooksLikePFX(contents):
		return holdsPFX
	case kind.Name == "PKCS #10":
		return holdsRequest
	case kind.Key == pfx.KeyInClear, kind.Key == pfx.KeyEncrypted:
		return holdsPrivateKey
	case kind.Certificates: // in an encoding that is not read here
		return holdsUnread
	}
	return holdsOther
}
