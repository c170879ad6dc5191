package bridge

import (
	"errors"
	"testing"

	"p11bridge/bridge/archive"
	"p11bridge/token"
	"p11bridge/token/pki"
)

// TestTakeName: two certificates whose fingerprints begin alike do not get one file.
func TestTakeName(t *testing.T) {
	item := func(name, certificate string) *Item {
		return &Item{Name: name, Outcome: Pending, Identity: token.Identity{Certificate: &token.Certificate{Parsed: &pki.Certificate{Fingerprint: certificate}}}}
	}
	taken := map[string]string{}
	for _, row := range []struct {
		item *Item
		want Outcome
	}{
		{item("anna-0123456789abcdef", "one"), Pending},
		{item("anna-0123456789abcdef", "one"), Pending}, // a copy of the same key
		{item("anna-0123456789abcdef", "two"), Failed},
		{item("Anna-0123456789abcdef", "three"), Failed}, // one file where the case of letters does not count
		{item("anna-0123456789abcdee", "two"), Pending},
	} {
		if row.item.takeName(taken, "d"); row.item.Outcome != row.want || (row.item.Err != nil) != (row.want == Failed) {
			t.Errorf("%s: %s, %v", row.item.Name, row.item.Outcome, row.item.Err)
		}
		var fault *archive.FileError
		if errors.As(row.item.Err, &fault) && fault.Fault != archive.FileNameTaken {
			t.Errorf("%s: %v, though no file is there", row.item.Name, row.item.Err)
		}
	}
}
