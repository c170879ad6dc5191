package fleet

import (
	"fmt"
	"testing"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func day(n int) time.Time { return noon.AddDate(0, 0, n) }

// statement is a document of one key.
func statement(uri string, at int, backups bool, state archive.BackupState, ends int) Statement {
	return Statement{URI: uri, Serial: "1" + uri, At: day(at), Source: fmt.Sprintf("%s-%d.json", uri, at), Backups: backups, Keys: []Key{{URI: uri + ";object=a", State: state, NotAfter: day(ends)}}}
}

func TestReport(t *testing.T) {
	for _, row := range []struct {
		name      string
		documents []Statement
		want      string
	}{
		{"nothing", nil, "0 tokens, 0 keys: 0 cannot leave, 0 need a backup, 0 not known, 0 end, 0 silent"},
		{"all is well", []Statement{statement("a", 0, true, archive.StateUpToDate, 400)}, "1 tokens, 1 keys: 0 cannot leave, 0 need a backup, 0 not known, 0 end, 0 silent"},
		{"the newest counts", []Statement{statement("a", 0, true, archive.StateUpToDate, 400), statement("a", -1, true, archive.StateNever, 400)}, "1 tokens, 1 keys: 0 cannot leave, 0 need a backup, 0 not known, 0 end, 0 silent"},
		{"in any order", []Statement{statement("a", -1, true, archive.StateNever, 400), statement("a", 0, true, archive.StateUpToDate, 400)}, "1 tokens, 1 keys: 0 cannot leave, 0 need a backup, 0 not known, 0 end, 0 silent"},
		{"a newer snapshot knows nothing of backups", []Statement{statement("a", -9, true, archive.StateNever, 400), statement("a", 0, false, "", 400)}, "1 tokens, 1 keys: 0 cannot leave, 1 need a backup, 0 not known, 0 end, 1 silent"},
		{"a snapshot alone", []Statement{statement("a", 0, false, archive.StateCannotLeave, 400)}, "1 tokens, 1 keys: 1 cannot leave, 0 need a backup, 0 not known, 0 end, 0 silent"},
		{"a key that is up to date and ends", []Statement{statement("a", 0, true, archive.StateUpToDate, 20)}, "1 tokens, 1 keys: 0 cannot leave, 0 need a backup, 0 not known, 1 end, 0 silent"},
		{"two tokens", []Statement{statement("a", 0, true, archive.StateMissing, 400), statement("b", 0, true, archive.StateUnknown, 400)}, "2 tokens, 2 keys: 0 cannot leave, 1 need a backup, 1 not known, 0 end, 0 silent"},
		{"silent", []Statement{statement("a", -8, true, archive.StateUpToDate, 400), statement("b", 0, true, archive.StateUpToDate, 400)}, "2 tokens, 2 keys: 0 cannot leave, 0 need a backup, 0 not known, 0 end, 1 silent"},
	} {
		f := New(day(30))
		for _, document := range row.documents {
			f.Add(document)
		}
		r := f.Report(day(-7))
		got := fmt.Sprintf("%d tokens, %d keys: %d cannot leave, %d need a backup, %d not known, %d end, %d silent", r.Tokens, r.Keys, len(r.CannotLeave), len(r.NeedsBackup), len(r.NotKnown), len(r.Ends), len(r.Silent))
		if got != row.want {
			t.Errorf("%s: %s, not %s", row.name, got, row.want)
		}
	}
}

// TestOrder: what ends first, and who was silent longest, come first.
func TestOrder(t *testing.T) {
	f := New(day(30))
	f.Add(statement("a", -20, true, archive.StateUpToDate, 9))
	f.Add(statement("b", -30, true, archive.StateUpToDate, 3))
	r := f.Report(day(-7))
	if r.Ends[0].Token.URI != "b" || r.Silent[0].URI != "b" || len(r.Silent[0].Keys) != 0 {
		t.Errorf("%+v, %+v", r.Ends, r.Silent)
	}
}

// TestTokensAlike: documents of tokens whose serial numbers tell nothing do not take each other's place, but a key that is known does.
func TestTokensAlike(t *testing.T) {
	of := func(source string, at int, certificate string, state archive.BackupState) Statement {
		return Statement{
			URI: "nss", Serial: "0000000000000000", At: day(at), Source: source, Backups: true,
			Keys: []Key{{URI: "nss;object=a", Certificate: certificate, State: state, NotAfter: day(400)}},
		}
	}
	for _, row := range []struct {
		name      string
		documents []Statement
		needs     int
	}{
		{"two machines", []Statement{of("a.json", -1, "1", archive.StateNever), of("b.json", 0, "2", archive.StateUpToDate)}, 1},
		{"in the other order", []Statement{of("b.json", 0, "2", archive.StateUpToDate), of("a.json", -1, "1", archive.StateNever)}, 1},
		{"in one file", []Statement{of("-", -1, "1", archive.StateNever), of("-", 0, "2", archive.StateUpToDate)}, 1},
		{"one key", []Statement{of("a-old.json", -1, "1", archive.StateNever), of("a.json", 0, "1", archive.StateUpToDate)}, 0},
		{"without certificates", []Statement{of("a.json", -1, "", archive.StateNever), of("b.json", 0, "", archive.StateUpToDate)}, 1},
	} {
		f := New(day(30))
		for _, document := range row.documents {
			f.Add(document)
		}
		if r := f.Report(day(-7)); len(r.NeedsBackup) != row.needs || len(r.Silent) > 0 || r.NeedsAttention() != (row.needs > 0) {
			t.Errorf("%s: %+v", row.name, r)
		}
	}
}

// TestNothingKnown: a report says of no key more than a document did.
func TestNothingKnown(t *testing.T) {
	hidden := statement("a", 0, true, archive.StateUpToDate, 400)
	hidden.Keys, hidden.Hidden = nil, verdict.KeysHiddenUntilLogin
	another := statement("a", 0, false, "", 400)
	another.Keys[0].Certificate = "2"
	spoiled := statement("a", 0, true, archive.StateMissing, 400)
	spoiled.Directory = "backups"
	well := statement("a", -8, true, archive.StateUpToDate, 400)
	for _, row := range []struct {
		name      string
		documents []Statement
		want      string
	}{
		{"hidden keys", []Statement{hidden}, "1 tokens, 0 keys: 0 need a backup, 1 not known, 0 silent"},
		{"a snapshot alone", []Statement{statement("a", 0, false, "", 400)}, "1 tokens, 1 keys: 0 need a backup, 1 not known, 0 silent"},
		{"a key that the status does not know", []Statement{well, another}, "1 tokens, 2 keys: 0 need a backup, 1 not known, 1 silent"},
		{"a file whose key is on no token", []Statement{statement("a", 0, true, archive.StateUpToDate, 400), spoiled}, "1 tokens, 1 keys: 1 need a backup, 0 not known, 0 silent"},
		{"a snapshot does not make a status new", []Statement{well, statement("a", 0, false, "", 400)}, "1 tokens, 1 keys: 0 need a backup, 0 not known, 1 silent"},
	} {
		f := New(day(30))
		for _, document := range row.documents {
			f.Add(document)
		}
		r := f.Report(day(-7))
		got := fmt.Sprintf("%d tokens, %d keys: %d need a backup, %d not known, %d silent", r.Tokens, r.Keys, len(r.NeedsBackup), len(r.NotKnown), len(r.Silent))
		if got != row.want {
			t.Errorf("%s: %s, not %s", row.name, got, row.want)
		}
	}
}
