package report

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
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
	read := func(t testing.TB, documents ...[]byte) (*reader, *fleet.Report) {
		r := &reader{fleet: fleet.New(now.AddDate(0, 0, 30)), now: now}
		for _, document := range documents {
			r.readAll(t.Context(), "-", bytes.NewReader(document))
		}
		return r, r.fleet.Report(now.AddDate(0, 0, -7))
	}
	if r, sum := read(f, other); r.documents != 1 || sum.NeedsAttention() {
		f.Fatalf("%+v, %+v", r, sum)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, alone := read(t, text)
		if r.documents+r.leftOut == 0 {
			t.Fatal("it is neither in the report nor named")
		}
		sameDocuments(t, text)
		for _, order := range [][][]byte{{text, other}, {other, text}} {
			_, both := read(t, order...)
			if alone.NeedsAttention() && !both.NeedsAttention() || both.Tokens != alone.Tokens+1 || both.Keys != alone.Keys+1 {
				t.Fatalf("alone: %+v\nbeside another: %+v", alone, both)
			}
		}
	})
}

// sameDocuments holds the stream against encoding/json: where that reads objects alone to the end, the documents are the same.
func sameDocuments(t *testing.T, text []byte) {
	t.Helper()
	decoder, documents := json.NewDecoder(bytes.NewReader(text)), newStream(iotest.OneByteReader(bytes.NewReader(text)), len(text))
	var wanted []string
	for {
		var document json.RawMessage
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			break
		} else if err != nil || document[0] != '{' || bytes.Count(document, []byte("["))+bytes.Count(document, []byte("{")) > deepest {
			return
		}
		wanted = append(wanted, string(document))
	}
	for _, document := range wanted {
		if got, problem, err := documents.next(t.Context()); err != nil || problem != "" || string(got) != document {
			t.Fatalf("%q, %q, %v, and not %q", got, problem, err, document)
		}
	}
	if got, problem, err := documents.next(t.Context()); !errors.Is(err, io.EOF) {
		t.Fatalf("behind them: %q, %q, %v", got, problem, err)
	}
}
