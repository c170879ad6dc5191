package archive

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

const someFingerprint = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestBackupName(t *testing.T) {
	for _, row := range []struct{ label, want string }{
		{"alice", "alice"},
		{"Alice B_2", "Alice-B_2"},
		{"../../etc/passwd", "etc-passwd"},
		{".hidden", "hidden"},
		{"-rf", "rf"},
		{"con", "con"}, // con-0123… is no device, and there is no dot before it
		{"con.txt", "con-txt"},
		{"a\x00b\x1b[2Jc\u202ed", "a-b-2Jc-d"},
		{"Òscar 東京", "Òscar-東京"},
		{"\xff\xfe", "key"},
		{"a\xffb", "a-b"},
		{"", "key"},
		{"...", "key"},
		{"a--b", "a-b"},
		{"a -", "a"},
		{strings.Repeat("x", 300), strings.Repeat("x", 80)},
		{strings.Repeat("東", 100), strings.Repeat("東", 26)},
		{strings.Repeat("x", 79) + " y", strings.Repeat("x", 79)},
	} {
		if got := BackupName(row.label, someFingerprint); got != row.want+"-0123456789abcdef" {
			t.Errorf("%q becomes %q, not %q", row.label, got, row.want)
		}
	}
}

// FuzzBackupName: whatever the label, the name stays in its directory, can be told from others by its fingerprint, and has
// nothing in it that a shell, a terminal or another system's file names take amiss.
func FuzzBackupName(f *testing.F) {
	for _, seed := range []string{"alice", "../x", "\x00", "NUL", "a\u202eb", "\xff", strings.Repeat("ö", 200), "ǅ İ ß"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, label string) {
		name := BackupName(label, someFingerprint)
		if filepath.Base(name) != name || !filepath.IsLocal(name) || !utf8.ValidString(name) || len(name) > maxNamedLabel+1+namedFingerprint {
			t.Fatalf("%q becomes %q", label, name)
		}
		for _, r := range name {
			if r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				t.Fatalf("%q becomes %q", label, name)
			}
		}
		if strings.HasPrefix(name, "-") || namedFor(name) != someFingerprint[:namedFingerprint] {
			t.Fatalf("%q becomes %q", label, name)
		}
	})
}

// TestNamedAsBackup: a file is known by its ending, in any case, and a folder's name is none.
func TestNamedAsBackup(t *testing.T) {
	for _, row := range []struct {
		path, proposed string
		known          bool
	}{
		{"heidi.pfx", "heidi.pfx", true}, {"heidi.P12", "heidi.pfx", true}, {"heidi", "heidi.pfx", false}, {"heidi.zip", "heidi.pfx", false},
		{"dir.pfx/heidi", "dir.pfx/heidi.pfx", false}, {"heidi.pfx.old", "heidi.pfx.pfx", false},
	} {
		if known, proposed := NamedAsBackup(row.path), BackupNameFor(row.path); known != row.known || proposed != row.proposed {
			t.Errorf("%s: %v, %s", row.path, known, proposed)
		}
	}
}

// TestCheckName: a key never gets the name of a file that is passed on, nor a certificate that of a backup.
func TestCheckName(t *testing.T) {
	for _, row := range []struct {
		path    string
		content Content
		fault   FileFault
	}{
		{"heidi.pfx", ContentKey, ""},
		{"heidi.p12", ContentKey, ""},
		{"heidi", ContentKey, ""},
		{"heidi.cer.pfx", ContentKey, ""},
		{"heidi.cer", ContentKey, FileNamedCert},
		{"heidi.crt", ContentKey, FileNamedCert},
		{"heidi.pem", ContentKey, FileNamedCert},
		{"heidi.der", ContentKey, FileNamedCert},
		{"heidi.p7b", ContentKey, FileNamedCert},
		{"dir.pfx/heidi.CeR", ContentKey, FileNamedCert},
		{"-", ContentKey, FileNamedDash},
		{"./-", ContentKey, ""},
		{"heidi.cer", ContentCertificate, ""},
		{"heidi.pem", ContentCertificate, ""},
		{"heidi", ContentCertificate, ""},
		{"heidi.pfx", ContentCertificate, FileNamedBackup},
		{"heidi.P12", ContentCertificate, FileNamedBackup},
		{"-", ContentCertificate, FileNamedDash},
	} {
		var found *FileError
		if errors.As(CheckName(row.path, row.content), &found); (found != nil) != (row.fault != "") || found != nil && found.Fault != row.fault {
			t.Errorf("%s for a %s: %v, not %q", row.path, row.content, found, row.fault)
		}
	}
}
