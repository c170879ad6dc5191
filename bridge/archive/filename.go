package archive

import (
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxNamedLabel bounds, in bytes, what a label gives to a file name. With the fingerprint and the longest ending the name
	// stays below the 143 bytes that some encrypting file systems allow.
	maxNamedLabel = 80
	// namedFingerprint is how many hexadecimal digits of a certificate's SHA-256 stand in the names of its backup.
	namedFingerprint = 16

	BackupExtension = ".pfx"
	RecordExtension = ".json"
)

// BackupName is the name, without ending, of the files that hold an identity's backup: what is left of its label, and the
// first 64 bits of its certificate's fingerprint. So it does not begin with '-' and is not empty, and two labels that become
// the same, or that differ in case only, are told apart by the fingerprint.
func BackupName(label, certificateSHA256 string) string {
	text := LabelName(label)
	if text == "" {
		text = "key"
	}
	return text + "-" + shortFingerprint(certificateSHA256)
}

// LabelName is what a label gives to a file name. Labels come from tokens and may hold anything; what is left of one are
// letters and digits of any script, '_' and single '-'. So a name has no separator, no control character, no dot, neither begins
// nor ends with '-', and is bounded in length; it may be empty.
func LabelName(label string) string {
	var name strings.Builder
	gap := false
	for _, r := range label {
		if r == utf8.RuneError || r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			gap = true
			continue
		}
		if gap && name.Len() > 0 {
			name.WriteByte('-')
		}
		gap = false
		if name.Len()+utf8.RuneLen(r) > maxNamedLabel {
			break
		}
		name.WriteRune(r)
	}
	return strings.TrimRight(name.String(), "-")
}

func shortFingerprint(sha256 string) string { return sha256[:min(len(sha256), namedFingerprint)] }

// namedFor gives the fingerprint that a name without ending carries, empty where it carries none.
func namedFor(name string) string {
	i := strings.LastIndexByte(name, '-')
	fingerprint := name[i+1:]
	if i < 1 || len(fingerprint) != namedFingerprint || strings.Trim(fingerprint, "0123456789abcdef") != "" {
		return ""
	}
	return fingerprint
}

// Content is what a file holds, as far as its name has to fit.
type Content string

// The contents whose names must not be mixed up.
const (
	ContentKey         Content = "key"         // a private key with its certificate
	ContentCertificate Content = "certificate" // a certificate alone
)

// certificateExtensions are those of files that hold certificates and are passed on freely; backupExtensions those of files that
// hold private keys.
var (
	certificateExtensions = []string{".cer", ".cert", ".crt", ".der", ".p7b", ".p7c", ".pem"}
	backupExtensions      = []string{BackupExtension, ".p12"}
)

// standardStreams are what people name for what a program prints.
var standardStreams = []string{"/dev/stdout", "/dev/stderr", "/dev/tty", "/proc/self/fd/1"}

// NamedAsBackup reports whether a file has one of the endings by which programs know a PFX file, .pfx or .p12, in any case.
func NamedAsBackup(path string) bool {
	return slices.Contains(backupExtensions, strings.ToLower(filepath.Ext(path)))
}

// BackupNameFor is the path with the ending of a backup in the place of its own.
func BackupNameFor(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + BackupExtension
}

// CheckName refuses a name that says something else than what the file will hold: people mail a .cer around and keep a .pfx safe.
// The error is a *FileError.
func CheckName(path string, content Content) error {
	extension := strings.ToLower(filepath.Ext(path))
	switch {
	case path == "-" || slices.Contains(standardStreams, path) || strings.HasPrefix(path, "/dev/fd/"):
		return &FileError{Path: path, Fault: FileNamedDash}
	case content == ContentKey && slices.Contains(certificateExtensions, extension):
		return &FileError{Path: path, Fault: FileNamedCert}
	case content == ContentCertificate && NamedAsBackup(path):
		return &FileError{Path: path, Fault: FileNamedBackup}
	}
	return nil
}
