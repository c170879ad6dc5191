package view

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
	"p11bridge/token/secret"
)

// CheckedCopies is what drill --json and verify --dir --json show.
type CheckedCopies struct {
	Schema     string             `json:"schema"`
	Directory  *string            `json:"directory"` // nil for files that were named
	Shard      *string            `json:"shard"`
	Complete   bool               `json:"complete"`
	Copies     []CheckedCopy      `json:"copies"`
	Unreadable []UnreadableRecord `json:"unreadable"`
	Counts     map[string]int     `json:"counts"`

	copies []*bridge.CheckedCopy
}

// CheckedCopy is one file. Error is what kept us from finding out, null where nothing did.
type CheckedCopy struct {
	File      string              `json:"file"`
	Record    *string             `json:"record"`
	Outcome   bridge.CheckOutcome `json:"outcome"`
	Keys      []CheckedKey        `json:"keys"`
	LastDrill *string             `json:"last_drill"`
	Reasons   []verdict.Reason    `json:"reasons"`
	Error     *string             `json:"error"`
}

// CheckedKey is one key of a file. The last three are null for a key that was not restored.
type CheckedKey struct {
	Name              string               `json:"name"`
	Subject           *string              `json:"subject"`
	CertificateSHA256 *string              `json:"certificate_sha256"`
	NotAfter          *string              `json:"not_after"`
	Method            *string              `json:"method"`
	Mechanism         *string              `json:"mechanism"`
	Proof             *bridge.RestoreProof `json:"proof"`
}

// UnreadableRecord is a record that says nothing.
type UnreadableRecord struct {
	Record  string `json:"record"`
	Problem string `json:"problem"`

	err error
}

// UnreadableOf is the view of the records of an archive that say nothing, never nil.
func UnreadableOf(records []archive.UnreadableRecord) []UnreadableRecord {
	shown := []UnreadableRecord{}
	for _, record := range records {
		shown = append(shown, UnreadableRecord{record.Path, frame.OneLine(record.Err), record.Err})
	}
	return shown
}

// NothingToCheckError means that a directory holds no copy: nothing was shown.
type NothingToCheckError struct{ Directory string }

// Error names the directory.
func (e *NothingToCheckError) Error() string { return "no copies in " + e.Directory }

// CheckErrors are the words for a directory that cannot be checked.
func CheckErrors() []frame.Description {
	return []frame.Description{
		frame.As(func(_ *frame.App, e *NothingToCheckError) frame.Failure {
			return frame.Failure{ID: "error.nothing-to-check", Args: messages.Args{"Directory": foreign.Text(e.Directory)}, Code: frame.ExitFailed}
		}),
	}
}

// CopiesToCheck reads the archive of a directory and lists those of its files that are in the share. The error is a *NothingToCheckError
// where the directory has none; a share may be empty.
func CopiesToCheck(ctx context.Context, directory string, shard archive.Shard) (*archive.Archive, []*bridge.CheckedCopy, error) {
	if directory == "" {
		return nil, nil, frame.Usage("error.status-dir", nil)
	}
	backups, err := archive.Read(ctx, directory)
	if err != nil {
		return nil, nil, err
	}
	if len(bridge.Copies(backups)) == 0 && len(backups.Unreadable) == 0 {
		return nil, nil, &NothingToCheckError{directory}
	}
	if !shard.Whole() {
		backups = backups.Only(shard)
	}
	return backups, bridge.Copies(backups), nil
}

// CheckedCopiesOf is the view of the copies of an archive, or of a share of it. The drill's time is that of the copies that were restored, nil for none.
func CheckedCopiesOf(schema string, a *archive.Archive, shard archive.Shard, copies []*bridge.CheckedCopy, drill *time.Time) *CheckedCopies {
	shown := &CheckedCopies{Schema: schema, Shard: ShardOf(shard), Copies: []CheckedCopy{}, Unreadable: UnreadableOf(a.Unreadable), Counts: map[string]int{}, copies: copies}
	if a.Directory != "" {
		shown.Directory = &a.Directory
	}
	for _, outcome := range bridge.CheckOutcomes() {
		shown.Counts[string(outcome)] = 0
	}
	for _, c := range copies {
		shown.Copies = append(shown.Copies, checkedCopyOf(c, drill))
		shown.Counts[string(c.Outcome)]++
	}
	shown.Complete = shown.Code() == frame.ExitDone
	return shown
}

func checkedCopyOf(c *bridge.CheckedCopy, drill *time.Time) CheckedCopy {
	shown := CheckedCopy{File: c.Path, Outcome: c.Outcome, Keys: []CheckedKey{}, Reasons: frame.NoNil(c.Reasons)}
	if c.Backup != nil {
		shown.Record = &c.Backup.RecordPath
		if last := c.Backup.Record.LastDrill; last != "" {
			shown.LastDrill = &last
		}
	}
	if drill != nil && c.Outcome == bridge.CheckRestored {
		now := drill.UTC().Format(time.RFC3339)
		shown.LastDrill = &now
	}
	if c.Err != nil {
		text := frame.OneLine(c.Err)
		shown.Error = &text
	}
	for _, key := range c.Keys {
		shown.Keys = append(shown.Keys, checkedKeyOf(key))
	}
	return shown
}

func checkedKeyOf(key bridge.CheckedKey) CheckedKey {
	shown := CheckedKey{Name: key.Name}
	if certificate := key.Certificate; certificate != nil {
		subject, fingerprint, until := string(certificate.Subject), certificate.SHA256(), certificate.NotAfter.UTC().Format(time.RFC3339)
		shown.Subject, shown.CertificateSHA256, shown.NotAfter = &subject, &fingerprint, &until
	}
	if key.Proof != "" {
		method := string(key.Method)
		shown.Method, shown.Proof = &method, &key.Proof
	}
	if key.Mechanism != "" {
		shown.Mechanism = &key.Mechanism
	}
	return shown
}

// NamedCopies are files that a person named. No record is looked for.
func NamedCopies(files []string) (*archive.Archive, []*bridge.CheckedCopy) {
	copies := make([]*bridge.CheckedCopy, len(files))
	for i, file := range files {
		copies[i] = &bridge.CheckedCopy{Path: file, Outcome: bridge.CheckPending}
	}
	return &archive.Archive{}, copies
}

// name is how the text calls a copy: a file of a directory by its name in there.
func (v *CheckedCopies) name(c *bridge.CheckedCopy) string {
	if v.Directory == nil {
		return c.Path
	}
	return filepath.Base(c.Path)
}

// Code is the exit code. In a directory, a file without a record that does not open may be anybody's.
func (v *CheckedCopies) Code() int {
	code := frame.ExitDone
	if len(v.Unreadable) > 0 {
		code = frame.ExitPartly
	}
	for _, c := range v.copies {
		switch {
		case c.Sound() && !c.KeysLeft:
		case c.Sound(): // as restore --all ends
			code = frame.ExitPartly
		case slices.Contains([]bridge.CheckOutcome{bridge.CheckInvalid, bridge.CheckMissing, bridge.CheckChanged}, c.Outcome) && (c.Backup != nil || v.Directory == nil):
			return frame.ExitNotACopy
		default:
			code = frame.ExitPartly
		}
	}
	return code
}

// Print writes what came out in one line, then a line for each file, and once for each reason what it means and what to do.
func (v *CheckedCopies) Print(p *frame.Printer, summary string) {
	colour := p.Colours()
	sound := v.Counts[string(bridge.CheckRestored)] + v.Counts[string(bridge.CheckVerified)]
	directory := ""
	if v.Directory != nil {
		directory = *v.Directory
	}
	line := p.Text(summary, messages.Args{
		"Sound": messages.Number(sound), "Total": messages.Number(len(v.copies)), "Restored": messages.Number(v.Counts[string(bridge.CheckRestored)]),
		"Directory": foreign.Text(directory),
	})
	if v.Complete {
		line = colour.Good(line)
	} else {
		line = colour.Bad(line)
	}
	fmt.Fprintln(p.Out, line)
	PrintShard(p, v.Shard)
	var rows [][]terminal.Cell
	var explained []verdict.Reason
	for _, c := range v.copies {
		paint := colour.Bad
		switch {
		case c.Sound() && c.KeysLeft:
			paint = colour.Doubt
			explained = append(explained, keysLeft(c)...)
		case c.Sound():
			paint = colour.Good
		}
		rows = append(rows, []terminal.Cell{{Text: terminal.Printable(v.name(c))}, {Text: v.outcomeText(p.App, c), Paint: paint}})
		if !c.Sound() {
			explained = append(explained, c.Reasons...)
		}
	}
	fmt.Fprint(p.Out, terminal.TableWithin("", rows, p.Width()))
	for _, c := range v.copies {
		if c.Err != nil {
			p.Line("  ", messages.Args{"File": foreign.Text(v.name(c)), "Problem": messages.Own(p.Describe(c.Err).Text(p.App))}, "check.failed")
		}
	}
	for _, record := range v.Unreadable {
		fmt.Fprintln(p.Out, colour.Bad(p.Text("status.unreadable", messages.Args{"Record": foreign.Text(record.Record), "Problem": messages.Own(p.Problem(record.err))})))
		explained = append(explained, verdict.Reason{Code: verdict.BackupRecordUnreadable})
	}
	printed := map[verdict.Code]bool{}
	for _, reason := range explained {
		if !printed[reason.Code] {
			printed[reason.Code] = true
			fmt.Fprint(p.Out, p.ReasonsText(frame.General(reason)))
		}
	}
}

// keysLeft are the reasons for which a key of a copy is put on no token.
func keysLeft(c *bridge.CheckedCopy) []verdict.Reason {
	return slices.DeleteFunc(slices.Clone(c.Reasons), func(r verdict.Reason) bool {
		return r.Code != verdict.FurtherKeyIncomplete && r.Code != verdict.KeyNotForTokens
	})
}

// outcomeText says what became of a copy, with the reason where it is not sound.
func (v *CheckedCopies) outcomeText(a *frame.App, c *bridge.CheckedCopy) string {
	text := shortOutcome(a, c)
	if c.Backup == nil && v.Directory != nil {
		text += ", " + a.Text("check.no-record", nil)
	}
	return text
}

func shortOutcome(a *frame.App, c *bridge.CheckedCopy) string {
	text := a.Text("check.outcome."+string(c.Outcome), nil)
	switch {
	case c.Sound() && c.KeysLeft:
		text = a.Text("check.keys-left", nil)
		if left := keysLeft(c); len(left) > 0 {
			text = a.Because(text, left[0])
		}
	case c.Sound() || len(c.Reasons) == 0:
	case c.Outcome == bridge.CheckLocked: // which says the reason
		text += a.Mark(c.Reasons[0])
	default:
		text = a.Because(text, c.Reasons[0])
	}
	return text
}

// CheckAll checks the copies and tells how far it is.
func CheckAll(ctx context.Context, a *frame.App, r bridge.CheckAllRequest, passwords *Passwords, copies []*bridge.CheckedCopy) error {
	p := terminal.NewProgress(a.Progress(), a.Text, len(copies))
	defer p.End()
	passwords.aside = p.Aside
	r.Password = func(c *bridge.CheckedCopy, n int) (*secret.Text, error) { return passwords.of(ctx, c, n) }
	r.Began = func(c *bridge.CheckedCopy) { p.Began(filepath.Base(c.Path)) }
	r.Ended = func(c *bridge.CheckedCopy) {
		p.Ended(a.Text("label.because", messages.Args{"State": foreign.Text(filepath.Base(c.Path)), "Reason": messages.Own(shortOutcome(a, c))}))
	}
	return bridge.CheckAll(ctx, r, copies)
}
