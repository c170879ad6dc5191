package report

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/fleet"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// fault is what is wrong with a document. The catalogs have words for each.
type fault string

const (
	faultUnreadable fault = "unreadable"    // the file cannot be read
	faultEmpty      fault = "empty"         // nothing is in the file
	faultNotJSON    fault = "not-json"      // no JSON
	faultCutOff     fault = "cut-off"       // JSON that ends in the middle
	faultTooLarge   fault = "too-large"     // larger than a document may be
	faultOther      fault = "other"         // JSON of another kind
	faultNewer      fault = "other-version" // of another version of p11bridge
	faultForm       fault = "form"          // it has not the form of its schema
	faultFuture     fault = "future"        // it says that it was made after today: it would outlast every other
	faultShard      fault = "shard"         // of a share of the keys alone
)

// unread is a document that is not in the report.
type unread struct {
	File     string `json:"file"`
	Document int    `json:"document"` // which one of the file, from 1 on
	Problem  fault  `json:"problem"`

	cause  error  // why the file cannot be read, nil for another fault
	schema string // of a document of another kind, empty where it names none
}

// reader reads documents one after the other: whole files, and lines of JSON.
type reader struct {
	fleet     *fleet.Fleet
	now       time.Time
	documents int
	unread    []unread // the first of them
	leftOut   int      // how many they are
}

// standardInput is the name for it.
const standardInput = "-"

// readFile reads every document of a file.
func (r *reader) readFile(ctx context.Context, path string) {
	if path == standardInput {
		r.readAll(ctx, path, os.Stdin)
		return
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO without a writer ends at once
	if err == nil {
		defer file.Close()
		var info os.FileInfo
		if info, err = file.Stat(); err == nil && info.IsDir() {
			err = syscall.EISDIR
		}
	}
	if err != nil {
		r.leaveOut(unread{File: path, Document: 1, Problem: faultUnreadable, cause: err})
		return
	}
	r.readAll(ctx, path, file)
}

func (r *reader) readAll(ctx context.Context, path string, in io.Reader) {
	documents := newStream(in, view.MaxSnapshot)
	for n := 1; ; n++ {
		document, problem, err := documents.next(ctx)
		schema := ""
		switch {
		case errors.Is(err, io.EOF) && n > 1:
			return
		case errors.Is(err, io.EOF):
			r.leaveOut(unread{File: path, Document: n, Problem: faultEmpty})
			return
		case err != nil:
			r.leaveOut(unread{File: path, Document: n, Problem: faultUnreadable, cause: err})
			return
		case problem == "":
			problem, schema = r.take(path, document)
		}
		if problem == "" {
			r.documents++
		} else {
			r.leaveOut(unread{File: path, Document: n, Problem: problem, schema: schema})
		}
	}
}

// mostUnread is how many documents that could not be read are named: each takes memory, and somebody's stream may have any number of them.
const mostUnread = 10_000

func (r *reader) leaveOut(u unread) {
	r.leftOut++
	if len(r.unread) < mostUnread {
		r.unread = append(r.unread, u)
	}
}

// take reads one document. Of one that is not read it also gives the schema that it names.
func (r *reader) take(path string, document json.RawMessage) (problem fault, schema string) {
	var named struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(document, &named); errors.As(err, new(*json.SyntaxError)) {
		return faultNotJSON, named.Schema
	} else if err != nil {
		return faultOther, named.Schema
	}
	switch {
	case named.Schema == view.SnapshotSchema:
		return r.takeSnapshot(path, document), named.Schema
	case named.Schema == view.StatusSchema:
		return r.takeStatus(path, document), named.Schema
	case strings.HasPrefix(named.Schema, "p11bridge.snapshot/") || strings.HasPrefix(named.Schema, "p11bridge.status/"):
		return faultNewer, named.Schema
	}
	return faultOther, named.Schema
}

// status is what is read of a status document. What else it says is left alone.
type status struct {
	Created   time.Time `json:"created"`
	Directory string    `json:"directory"`
	Shard     *string   `json:"shard"`
	Tokens    []struct {
		URI     string       `json:"uri"`
		Label   foreign.Text `json:"label"`
		Serial  string       `json:"serial"`
		Reasons []reason     `json:"reasons"`
	} `json:"tokens"`
	Keys []struct {
		URI         string              `json:"uri"`
		Label       foreign.Text        `json:"label"`
		ID          string              `json:"id"`
		State       archive.BackupState `json:"state"`
		Reasons     []reason            `json:"reasons"`
		Certificate *struct {
			Subject  foreign.Text `json:"subject"`
			SHA256   string       `json:"sha256"`
			NotAfter time.Time    `json:"not_after"`
		} `json:"certificate"`
	} `json:"keys"`
	Earlier    []backup `json:"earlier"`
	Gone       []backup `json:"gone"`
	Elsewhere  []backup `json:"elsewhere"`
	Unreadable []struct {
		Record string `json:"record"`
	} `json:"unreadable"`
}

type reason struct {
	Code verdict.Code `json:"code"`
}

// backup is one whose key is not on the tokens, or has another certificate there.
type backup struct {
	FileState archive.FileState   `json:"file_state"`
	Password  archive.FileState   `json:"password_state"` // empty where the password was given
	Label     foreign.Text        `json:"label"`
	ID        string              `json:"id"`
	Subject   foreign.Text        `json:"subject"`
	Token     archive.RecordToken `json:"token"`
}

// spoiled is what is wrong with the backup; empty for nothing.
func (b backup) spoiled() (archive.BackupState, verdict.Code) {
	lost := func(state archive.FileState) bool {
		return state == archive.FileMissing || state == archive.FileChanged
	}
	switch {
	case b.FileState == archive.FileMissing:
		return archive.StateMissing, verdict.BackupFileMissing
	case b.FileState == archive.FileChanged:
		return archive.StateChanged, verdict.BackupFileChanged
	case lost(b.Password):
		return archive.StatePassword, verdict.SealedPasswordMissing
	}
	return "", ""
}

// dayAhead is how far a machine's clock may be ahead of ours.
const dayAhead = 24 * time.Hour

func (r *reader) takeStatus(path string, document json.RawMessage) fault {
	var parsed status
	if err := json.Unmarshal(document, &parsed); err != nil || parsed.Created.IsZero() || len(parsed.Tokens) == 0 {
		return faultForm
	}
	if parsed.Created.After(r.now.Add(dayAhead)) {
		return faultFuture
	}
	if parsed.Shard != nil { // it would stand for the whole token, and hide what is known of the other shares
		return faultShard
	}
	tokens := map[string]*fleet.Statement{}
	var order []*fleet.Statement
	for _, t := range parsed.Tokens {
		one := tokens[t.URI]
		if one == nil {
			one = &fleet.Statement{URI: t.URI, Label: string(t.Label), Serial: t.Serial, At: parsed.Created, Source: path, Backups: true}
			tokens[t.URI], order = one, append(order, one)
		}
		for _, reason := range t.Reasons {
			if one.Hidden == "" && slices.Contains(hiding, reason.Code) {
				one.Hidden = reason.Code
			}
		}
	}
	for _, k := range parsed.Keys {
		key := fleet.Key{URI: k.URI, Label: string(k.Label), ID: k.ID, State: k.State}
		if !slices.Contains(archive.BackupStates(), k.State) {
			return faultForm
		}
		if len(k.Reasons) > 0 {
			key.Code = k.Reasons[0].Code
		}
		if k.Certificate != nil {
			key.Subject, key.NotAfter, key.Certificate = string(k.Certificate.Subject), k.Certificate.NotAfter, k.Certificate.SHA256
		}
		of := tokens[tokenOf(k.URI)]
		if of == nil { // a key of no token that it lists
			return faultForm
		}
		of.Keys = append(of.Keys, key)
	}
	for _, one := range append(order, parsed.directory(order[0])) {
		r.fleet.Add(*one)
	}
	return ""
}

// hiding are the reasons for which a token may have more private keys than those that are named.
var hiding = []verdict.Code{verdict.KeysHiddenUntilLogin, verdict.ObjectUnreadable, verdict.TokenFileUnreadable}

// directory is what a status tells of the files that belong to no key on its tokens: of many of those the file is the only copy.
func (s *status) directory(first *fleet.Statement) *fleet.Statement {
	statement := *first
	statement.Directory, statement.Hidden, statement.Keys = cmp.Or(s.Directory, "."), "", nil
	for _, b := range slices.Concat(s.Earlier, s.Gone, s.Elsewhere) {
		if state, code := b.spoiled(); state != "" {
			uri := (&token.Info{Label: b.Token.Label, Serial: b.Token.Serial}).URI().String()
			statement.Keys = append(statement.Keys, fleet.Key{URI: uri, Token: uri, Label: string(b.Label), ID: b.ID, Subject: string(b.Subject), State: state, Code: code})
		}
	}
	for _, record := range s.Unreadable {
		statement.Keys = append(statement.Keys, fleet.Key{URI: first.URI, Label: record.Record, State: archive.StateUnreadable, Code: verdict.BackupRecordUnreadable})
	}
	return &statement
}

// tokenOf is the URI of an object's token: without the attributes of the object (RFC 7512 section 2.3).
func tokenOf(uri string) string {
	rest, is := strings.CutPrefix(uri, "pkcs11:")
	if !is {
		return ""
	}
	path, _, _ := strings.Cut(rest, "?")
	var kept []string
	for attribute := range strings.SplitSeq(path, ";") {
		switch name, _, _ := strings.Cut(attribute, "="); name {
		case "object", "type", "id":
		default:
			kept = append(kept, attribute)
		}
	}
	return "pkcs11:" + strings.Join(kept, ";")
}

func (r *reader) takeSnapshot(path string, document json.RawMessage) fault {
	snapshot, err := view.ParseSnapshot(path, document)
	if err != nil {
		return faultForm
	}
	if snapshot.Created.After(r.now.Add(dayAhead)) {
		return faultFuture
	}
	for _, inventory := range snapshot.Tokens {
		statement := fleet.Statement{URI: inventory.Token.URI().String(), Label: string(inventory.Token.Label), Serial: string(inventory.Token.Serial), At: snapshot.Created, Source: path}
		for _, reason := range verdict.JudgeInventory(inventory) {
			if statement.Hidden == "" && slices.Contains(hiding, reason.Code) {
				statement.Hidden = reason.Code
			}
		}
		names := view.Names{}
		for _, identity := range inventory.Identities() {
			if key, is := keyOf(inventory, identity, snapshot.Created); is {
				key.URI = names.Name(inventory, identity).URI
				statement.Keys = append(statement.Keys, key)
			}
		}
		r.fleet.Add(statement)
	}
	return ""
}

// keyOf judges one identity of a snapshot. It is false for what is no key.
func keyOf(inventory *token.Inventory, identity token.Identity, at time.Time) (fleet.Key, bool) {
	hidden := identity.PrivateKey == nil && verdict.Hides(inventory)
	if identity.PrivateKey == nil && !hidden {
		return fleet.Key{}, false
	}
	judged := verdict.Judge(inventory, identity, at)
	key := fleet.Key{Label: string(identity.Label()), ID: verdict.HexText(identity.Objects()[0].ID())}
	if len(judged.Reasons) > 0 {
		key.Code = judged.Reasons[0].Code
	}
	if c := identity.Certificate; c != nil && c.Parsed != nil {
		key.Subject, key.NotAfter, key.Certificate = string(c.Parsed.Subject), c.Parsed.NotAfter, c.Parsed.SHA256()
	}
	switch {
	case judged.Exportable:
	case hidden || !judged.Known():
		key.State = archive.StateUnknown
	default:
		key.State = archive.StateCannotLeave
	}
	return key, true
}
