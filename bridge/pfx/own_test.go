package pfx

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var writeOwn = flag.Bool("write-own", false, "write testdata/own anew, from testdata/foreign/openssl-default.p12")

// ownFiles are written once and kept: a later version must read what an earlier one wrote, byte for byte. Those named two-keys are of the time
// when certificates and keys had a salt each.
func TestOwnFilesStayReadable(t *testing.T) {
	source := foreignFile{name: "openssl-default"}
	contents := decode(t, source.read(t), source.password())
	for i, profile := range knownProfiles {
		path := filepath.Join("testdata", "own", string(profile)+".p12")
		file, err := Encode(context.Background(), seeded(byte(i)), *contents, []byte("test"), Options{Profile: profile, Iterations: testIterations})
		must(t, err)
		if *writeOwn {
			must(t, os.WriteFile(path, file, 0o644))
		}
		kept, err := os.ReadFile(path)
		must(t, err)
		if string(kept) != string(file) {
			t.Errorf("%s: the same contents are written in another way", profile)
		}
	}
	all, err := filepath.Glob("testdata/own/*.p12")
	must(t, err)
	for _, path := range all {
		kept, err := os.ReadFile(path)
		must(t, err)
		profile, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".p12"), "-")
		if got := decode(t, kept, "test"); names(got) != "a näme/a näme|" || string(got.Facts.Profile) != profile {
			t.Errorf("%s: %+v", path, got.Facts)
		}
	}
	if len(all) != len(knownProfiles)+2 {
		t.Errorf("%d files", len(all))
	}
}
