package archive

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
)

func someRecord() *Record {
	yes, mechanism := true, "CKM_AES_KEY_WRAP_PAD"
	return &Record{
		Schema: RecordSchema, File: "alice-0123456789abcdef.pfx", SHA256: someFingerprint, Created: "2026-01-02T03:04:05Z",
		Token: RecordToken{"a\u202etoken", "1", "m", "v"}, ID: "0a1b", Label: "evil\x1b[2J\u202e 東 𝄞", Usage: RecordUsage{Sign: &yes},
		Certificate: RecordCertificate{
			SHA256: someFingerprint, Subject: "CN=alice", Issuer: "CN=ca", Serial: "01", NotBefore: "2026-01-01T00:00:00Z", NotAfter: "2027-01-01T00:00:00Z",
		},
		PublicKeySHA256: someFingerprint, Method: verdict.MethodWrap, Mechanism: &mechanism, Profile: pfx.Modern, Iterations: 1, Proof: ProofIndependent,
	}
}

func TestRecordReadsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alice-0123456789abcdef.json")
	written := someRecord()
	if err := written.Write(Target{Path: path}); err != nil {
		t.Fatal(err)
	}
	read, err := ReadRecord(path)
	if err != nil || !reflect.DeepEqual(written, read) {
		t.Errorf("%+v came back as %+v: %v", written, read, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range text {
		if b != '\n' && (b < ' ' || b > '~') {
			t.Fatalf("byte %#x stands in %s", b, text)
		}
	}
}

// TestRecordIsRefused: a record is believed only as a whole, and never leads out of its directory.
func TestRecordIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record.json")
	if err := someRecord().Write(Target{Path: path}); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, old, new string }{
		{"another schema", "p11bridge.record/1", "p11bridge.list/1"},
		{"a later version", "p11bridge.record/1", "p11bridge.record/2"},
		{"a path", `"alice-0123456789abcdef.pfx"`, `"../alice.pfx"`},
		{"an absolute path", `"alice-0123456789abcdef.pfx"`, `"/etc/passwd"`},
		{"a hidden file", `"alice-0123456789abcdef.pfx"`, `".alice"`},
		{"no file", `"alice-0123456789abcdef.pfx"`, `""`},
		{"another system's path", `"alice-0123456789abcdef.pfx"`, `"..\\alice.pfx"`},
		{"a short fingerprint", someFingerprint, "0123"},
		{"a fingerprint in capitals", someFingerprint, strings.ToUpper(someFingerprint)},
		{"a time", "2026-01-02T03:04:05Z", "yesterday"},
		{"an id", `"0a1b"`, `"xyz"`},
		{"a type", `"iterations": 1`, `"iterations": "1"`},
		{"half of it", string(good[len(good)/2:]), ""},
	} {
		text := strings.Replace(string(good), row.old, row.new, 1)
		if text == string(good) {
			t.Fatalf("%s: nothing was changed", row.name)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var problem *RecordError
		if _, err := ReadRecord(path); !errors.As(err, &problem) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	if err := os.WriteFile(path, make([]byte, maxRecord+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRecord(path); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a large one: %v", err)
	}
}
