package bridge

import (
	"errors"
	"slices"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// ExportResult says what was written and how it was proven.
type ExportResult struct {
	File          string
	SHA256        string // of the file, hexadecimal
	Method        verdict.Method
	Mechanism     string
	Profile       pfx.Profile
	Iterations    int
	Certificate   *pki.Certificate
	ChainLength   int // certificates beside the key's own
	ChainComplete bool
	FriendlyName  foreign.Text
	Proof         archive.Proof
	KeyDeleted    bool                    // the private key is no longer on the token
	Record        string                  // where a single export with Sealing wrote it
	SealedFile    string                  // where the sealed password stands; empty where the password was given
	Sealed        *archive.SealedPassword // nil where the password was given
	Notices       []verdict.Reason
}

// Verified reports whether the key in the file was proven to be the certificate's.
func (r *ExportResult) Verified() bool { return r.Proof.OfKey() }

// AllNotices are the notices of the verdict on the key, and those of the export. What the proof has settled is no notice any more: whose
// certificate it is.
func (r *ExportResult) AllNotices(judged verdict.Verdict) []verdict.Reason {
	notices := slices.DeleteFunc(judged.Notices(), func(reason verdict.Reason) bool {
		return r.Verified() && (reason.Code == verdict.KeyLinkedByID || reason.Code == verdict.CertificateNotIdentified)
	})
	return append(notices, r.Notices...)
}

// Settled reports whether nothing about the file is left to be looked after: its key is proven, and it is certain to be on disk
// under the name that was wanted.
func (r *ExportResult) Settled() bool {
	return r.Verified() && !slices.ContainsFunc(r.Notices, func(reason verdict.Reason) bool {
		return reason.Code == verdict.FileNotCertain || reason.Code == verdict.FilePutBack
	})
}

func (r *ExportResult) notice(code verdict.Code, path string, problem error) {
	r.Notices = append(r.Notices, verdict.Because(code, verdict.Fact{Name: "file", Value: path}, verdict.Fact{Name: "problem", Value: problem.Error()}))
}

// noticed puts a file that is placed and not certain to be on disk among the result's notices. It is nil for every other error.
func noticed(result *ExportResult, err error) *archive.SavedError {
	var saved *archive.SavedError
	if !errors.As(err, &saved) || saved.Fault != archive.SavedUncertain {
		return nil
	}
	result.notice(verdict.FileNotCertain, saved.Path, saved.Err)
	return saved
}

// standsOn notes that the only copy of a key stands where it may not last.
func (r *ExportResult) standsOn(medium archive.Medium) {
	if medium != "" {
		r.Notices = append(r.Notices, verdict.Because(verdict.FileMayNotLast, verdict.Fact{Name: "file_system", Value: string(medium)}))
	}
}
