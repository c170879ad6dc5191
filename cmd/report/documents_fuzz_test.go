package report

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"p11bridge/bridge/fleet"
)

// FuzzReadDocuments reads whatever somebody may send as the documents of many machines. Each is in the report or named as unread,
// and what needs attention still does when a sound document of another token stands before or behind it.
func FuzzReadDocuments(f *testing.F) {
	const status = `{"schema":"p11bridge.status/1","created":"2026-05-01T12:00:00Z","directory":"b","tokens":[{"uri":"pkcs11:token=%[1]s;serial=%[1]s","label":"a","serial":"%[1]s","reasons":[%[2]s]}],` +
		`"keys":[{"uri":"pkcs11:token=%[1]s;serial=%[1]s;object=k;type=private","label":"k","id":"01","state":"%[3]s","reasons":[],"certificate":{"subject":"CN=k","sha256":"00","not_after":"2036-05-01T12:00:00Z"}}],` +
		`"gone":[%[4]s],"unreadable":[%[5]s]}`
	const hidden, spoiled = `{"code":"keys-hidden-until-login"}`, `{"file_state":"missing","label":"k","token":{"label":"x","serial":"7"}}`
	for _, seed := range []string{
		fmt.Sprintf(status, "1", "", "up-to-date", "", ""), fmt.Sprintf(status, "0", "", "never-made", "", ""), fmt.Sprintf(status, "1", hidden, "unknown", "", ""),
		fmt.Sprintf(status, "1", "", "key-gone", spoiled, ""), fmt.Sprintf(status, "1", "", "up-to-date", "", `{"record":"a.json"}`),
		fmt.Sprintf(status, "1", "", "up-to-date", "", "") + "\n" + fmt.Sprintf(status, "1", "", "file-changed", "", ""),
		`{"schema":"p11bridge.snapshot/1","created":"2026-01-01T00:00:00Z","redacted":false,"tokens":[]}`, `{"schema":"p11bridge.status/2"}`, `[]`, `{}{`, ``,
	} {
		f.Add([]byte(seed))
	}
	other := []byte(fmt.Sprintf(status, rand.Text(), "", "up-to-date", "", ""))
	now := time.Date(2026, 5, 1, 13, 0, 0, 0, time.UTC)
	read := func(documents ...[]byte) (*reader, *fleet.Report) {
		r := &reader{fleet: fleet.New(now.AddDate(0, 0, 30)), now: now}
		for _, document := range documents {
			r.readAll("-", bytes.NewReader(document))
		}
		return r, r.fleet.Report(now.AddDate(0, 0, -7))
	}
	if r, sum := read(other); r.documents != 1 || sum.NeedsAttention() {
		f.Fatalf("%+v, %+v", r, sum)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, alone := read(text)
		if r.documents+len(r.unread) == 0 {
			t.Fatal("it is neither in the report nor named")
		}
		for _, order := range [][][]byte{{text, other}, {other, text}} {
			_, both := read(order...)
			if alone.NeedsAttention() && !both.NeedsAttention() || both.Tokens != alone.Tokens+1 || both.Keys != alone.Keys+1 {
				t.Fatalf("alone: %+v\nbeside another: %+v", alone, both)
			}
		}
	})
}
