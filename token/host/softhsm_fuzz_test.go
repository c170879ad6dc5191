package host

import (
	"strings"
	"testing"
)

// FuzzSoftHSMConfiguration reads whatever may be called softhsm2.conf: a directory is the last one named, or the usual one.
func FuzzSoftHSMConfiguration(f *testing.F) {
	for _, text := range []string{"", "directories.tokendir = /tokens\n", "# directories.tokendir = /no\nobjectstore.backend = file\n directories.tokendir=/a # b\n", "directories.tokendir\n=\n", "\xff\x00=\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		directory, err := tokenDirectoryIn(strings.NewReader(text))
		if err != nil {
			return
		}
		if strings.ContainsAny(directory, "#\n") || directory != strings.TrimSpace(directory) || directory != softHSMDirectory && !strings.Contains(text, directory) {
			t.Fatalf("%q of %q", directory, text)
		}
		again, err := tokenDirectoryIn(strings.NewReader(text + "\ndirectories.tokendir = /last"))
		if err != nil || again != "/last" {
			t.Fatalf("the last one named is %q, %v", again, err)
		}
	})
}
