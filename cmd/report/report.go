// Package report is the command `report`: it sums up what many machines told of their tokens and backups.
package report

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/fleet"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
)

type reportOptions struct {
	files  []string
	within string
	silent string
	csv    bool
	html   string
	force  bool
}

// reportView is what report --json shows.
type reportView struct {
	Schema      string         `json:"schema"`
	Created     string         `json:"created"`
	Documents   int            `json:"documents"`
	Tokens      int            `json:"tokens"`
	Keys        int            `json:"keys"`
	Complete    bool           `json:"complete"`
	ExpiryLimit string         `json:"expires_before"`
	SilentSince string         `json:"silent_since"`
	Counts      map[string]int `json:"counts"`
	CannotLeave []rowView      `json:"cannot_leave"`
	NeedsBackup []rowView      `json:"needs_backup"`
	NotKnown    []rowView      `json:"not_known"`
	Expiring    []rowView      `json:"expiring"`
	Silent      []silentView   `json:"silent"`
	Unread      []unread       `json:"unread"`
	LeftOut     int            `json:"unread_count"`
}

// rowView is a key with its token. The state is null where only a snapshot told of the key, and it may leave.
type rowView struct {
	Token    string  `json:"token"`
	URI      string  `json:"uri"`
	Label    string  `json:"label"`
	ID       string  `json:"id"`
	Subject  string  `json:"subject"`
	State    *string `json:"state"`
	Code     string  `json:"code"`
	NotAfter *string `json:"not_after"`
	Reported string  `json:"reported"` // when
	Source   string  `json:"source"`
}

type silentView struct {
	Token    string `json:"token"`
	Label    string `json:"label"`
	Reported string `json:"reported"`
	Source   string `json:"source"`
}

func NewCommand(a *frame.App) *cobra.Command {
	a.Errors(frame.As(describeNothingRead))
	o := &reportOptions{}
	c := &cobra.Command{
		Use:     "report FILE…",
		Short:   "command.report.short",
		Long:    "command.report.long",
		Example: frame.Examples("report status-*.json", "report - --csv < documents.ndjson > report.csv", "report snapshots/*.json --html report.html --expires-within 60d"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return frame.Usage("error.argument-missing", messages.Args{"Name": messages.Own("FILE")})
			}
			return nil
		},
	}
	c.Flags().StringVar(&o.within, "expires-within", "30d", "flag.report-expires-within")
	c.Flags().StringVar(&o.silent, "silent-for", "7d", "flag.silent-for")
	c.Flags().BoolVar(&o.csv, "csv", false, "flag.csv")
	c.Flags().StringVar(&o.html, "html", "", "flag.html")
	c.Flags().BoolVar(&o.force, "force", false, "flag.force")
	c.RunE = a.Unsupervised(func(ctx context.Context, args []string) (frame.Result, error) {
		o.files = args
		return runReport(ctx, a, o)
	})
	return c
}

// nothingReadError means that no document could be read at all: a report of nothing would say that all is well.
type nothingReadError struct{ unread []unread }

// Error names the first.
func (e *nothingReadError) Error() string {
	text := "no document could be read"
	if len(e.unread) > 0 {
		text += ": " + e.unread[0].File + ": " + string(e.unread[0].Problem)
	}
	return text
}

// describeNothingRead says of the first documents what is wrong with each.
func describeNothingRead(a *frame.App, e *nothingReadError) frame.Failure {
	const most = 5
	var lines []string
	for _, u := range e.unread[:min(len(e.unread), most)] {
		lines = append(lines, u.text(a))
	}
	return frame.Failure{ID: "error.nothing-read", More: strings.Join(lines, "\n"), Code: frame.ExitFailed}
}

// text says of a document what is wrong with it. What is wrong with a whole file is not said of its first document.
func (u unread) text(a *frame.App) string {
	id, fault := "report.unread", "report.fault."+string(u.Problem)
	args := messages.Args{"File": foreign.Text(u.File), "Document": messages.Number(u.Document), "Schema": foreign.Text(u.schema)}
	switch {
	case errors.Is(u.cause, syscall.EISDIR):
		fault = "report.fault.directory"
		args["Files"] = messages.Own(terminal.ShellWord(filepath.Clean(u.File)) + string(filepath.Separator) + "*.json")
	case u.Problem == faultUnreadable:
		args["Cause"] = messages.Own(a.Problem(u.cause))
	case u.Problem == faultOther && u.schema != "":
		fault = "report.fault.other-named"
	}
	if u.Problem == faultUnreadable || u.Problem == faultEmpty {
		id = "report.unread-file"
	}
	args["Problem"] = messages.Own(a.Text(fault, args))
	return a.Text(id, args)
}

func runReport(ctx context.Context, a *frame.App, o *reportOptions) (frame.Result, error) {
	within, err := frame.Period("--expires-within", o.within)
	if err != nil {
		return frame.Result{}, err
	}
	silent, err := frame.Period("--silent-for", o.silent)
	if err != nil {
		return frame.Result{}, err
	}
	if o.csv && (a.JSON || o.html != "") {
		return frame.Result{}, frame.Usage("error.csv", nil)
	}
	target := archive.Target{Path: o.html, Force: o.force}
	if o.html != "" {
		if err := target.Check(); err != nil {
			return frame.Result{}, err
		}
	}
	now := a.Now()
	r := &reader{fleet: fleet.New(now.Add(within)), now: now}
	done := frame.Slowly(a, "progress.report")
	for _, path := range o.files {
		if ctx.Err() != nil {
			break
		}
		r.readFile(ctx, path)
	}
	done()
	if ctx.Err() != nil {
		return frame.Result{}, context.Cause(ctx)
	}
	if r.documents == 0 {
		return frame.Result{}, &nothingReadError{r.unread}
	}
	summed := r.fleet.Report(now.Add(-silent))
	shown := viewReport(r, summed, now, within, silent)
	if o.html != "" {
		if err := writePage(a, target, shown); err != nil {
			return frame.Result{}, err
		}
	}
	result := frame.Result{JSON: shown, Text: func(p *frame.Printer) {
		switch {
		case o.csv:
			p.Raw(table(shown))
		case o.html != "":
			p.Line("", messages.Args{"File": foreign.Text(o.html)}, "report.written")
			p.Place("  ", o.html)
		default:
			printReport(p, shown)
		}
	}}
	if !shown.Complete {
		result.Code = frame.ExitPartly
	}
	return result, nil
}

func viewReport(r *reader, summed *fleet.Report, now time.Time, within, silent time.Duration) *reportView {
	shown := &reportView{
		Schema: "p11bridge.report/1", Created: utc(now), Documents: r.documents, Tokens: summed.Tokens, Keys: summed.Keys,
		Complete: !summed.NeedsAttention() && r.leftOut == 0, ExpiryLimit: utc(now.Add(within)), SilentSince: utc(now.Add(-silent)), Counts: map[string]int{},
		CannotLeave: viewRows(summed.CannotLeave), NeedsBackup: viewRows(summed.NeedsBackup), NotKnown: viewRows(summed.NotKnown), Expiring: viewRows(summed.Ends),
		Silent: []silentView{}, Unread: frame.NoNil(r.unread), LeftOut: r.leftOut,
	}
	for _, state := range archive.BackupStates() {
		shown.Counts[string(state)] = summed.Counts[state]
	}
	shown.Counts["backup-not-told"] = summed.Counts[""]
	for _, t := range summed.Silent {
		shown.Silent = append(shown.Silent, silentView{t.URI, t.Label, utc(t.At), t.Source})
	}
	return shown
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func viewRows(rows []fleet.Row) []rowView {
	views := make([]rowView, 0, len(rows))
	for _, row := range rows {
		shown := rowView{
			Token: cmp.Or(row.Key.Token, row.Token.URI), URI: row.URI, Label: row.Label, ID: row.ID, Subject: row.Subject, Code: string(row.Code), Reported: utc(row.Token.At), Source: row.Token.Source,
		}
		if row.State != "" {
			state := string(row.State)
			shown.State = &state
		}
		if !row.NotAfter.IsZero() {
			ends := utc(row.NotAfter)
			shown.NotAfter = &ends
		}
		views = append(views, shown)
	}
	return views
}

// list is one part of a report: its title, and its rows as lines.
type list struct {
	id   string
	rows []rowView
}

func (v *reportView) lists() []list {
	return []list{{"needs-backup", v.NeedsBackup}, {"expiring", v.Expiring}, {"not-known", v.NotKnown}, {"cannot-leave", v.CannotLeave}}
}

// mostShown is how many rows of each part the text and the page show. --csv and --json have all.
const mostShown = 200

// printReport writes the sum in one line, then each part with its rows.
func printReport(p *frame.Printer, v *reportView) {
	colour := p.Colours()
	line := p.Text("report.summary", v.args())
	if v.Complete {
		line = colour.Good(line)
	} else {
		line = colour.Bad(line)
	}
	fmt.Fprintln(p.Out, line)
	for _, part := range v.lists() {
		if len(part.rows) == 0 {
			continue
		}
		fmt.Fprintln(p.Out, "\n"+colour.Bold(p.Text("report.part."+part.id, messages.Args{"Count": messages.Number(len(part.rows))})))
		var rows [][]terminal.Cell
		for _, row := range part.rows[:min(len(part.rows), mostShown)] {
			rows = append(rows, []terminal.Cell{{Text: terminal.Printable(row.Label)}, {Text: what(p.App, part.id, row)}, {Text: terminal.Printable(row.Token)}})
		}
		fmt.Fprint(p.Out, terminal.TableWithin("  ", rows, p.Width()))
		if more := len(part.rows) - mostShown; more > 0 {
			p.Line("  ", messages.Args{"Count": messages.Number(more)}, "report.more")
		}
	}
	if len(v.Silent) > 0 {
		fmt.Fprintln(p.Out, "\n"+colour.Bold(p.Text("report.part.silent", messages.Args{"Count": messages.Number(len(v.Silent))})))
		for _, t := range v.Silent[:min(len(v.Silent), mostShown)] {
			p.Line("  ", messages.Args{"Token": foreign.Text(t.Token), "Date": messages.Own(p.DateOf(t.Reported)), "Source": foreign.Text(t.Source)}, "report.silent")
		}
	}
	if len(v.Unread) > 0 {
		fmt.Fprintln(p.Out, "\n"+colour.Bold(p.Text("report.part.unread", messages.Args{"Count": messages.Number(v.LeftOut)})))
		for _, u := range v.Unread[:min(len(v.Unread), mostShown)] {
			fmt.Fprintln(p.Out, "  "+u.text(p.App))
		}
		if more := len(v.Unread) - mostShown; more > 0 && len(v.Unread) == v.LeftOut {
			p.Line("  ", messages.Args{"Count": messages.Number(more)}, "report.more")
		}
	}
}

func (v *reportView) args() messages.Args {
	return messages.Args{
		"Documents": messages.Number(v.Documents), "Tokens": messages.Number(v.Tokens), "Keys": messages.Number(v.Keys), "NeedsBackup": messages.Number(len(v.NeedsBackup)),
		"CannotLeave": messages.Number(len(v.CannotLeave)), "NotKnown": messages.Number(len(v.NotKnown)), "Expiring": messages.Number(len(v.Expiring)),
	}
}

// what says what there is to say of a key in one part of the report.
func what(a *frame.App, part string, row rowView) string {
	switch {
	case part == "expiring" && row.NotAfter != nil:
		return a.UntilOf(*row.NotAfter)
	case row.State == nil:
		return a.Text("report.backup-not-told", nil)
	case slices.Contains([]string{string(archive.StateCannotLeave), string(archive.StateUnknown)}, *row.State) && row.Code != "":
		if _, known := verdict.Lookup(verdict.Code(row.Code)); known {
			return a.Because(a.Text("status.state."+*row.State, nil), verdict.Reason{Code: verdict.Code(row.Code)})
		}
		return a.Text("status.state."+*row.State, nil) + " [" + terminal.Printable(row.Code) + "]"
	}
	return a.Text("status.state."+*row.State, nil)
}

// table is the report as comma-separated values (RFC 4180): a line for each row of each part.
func table(v *reportView) []byte {
	var out strings.Builder
	w := csv.NewWriter(&out)
	write := func(cells ...string) {
		for i, cell := range cells {
			cells[i] = harmless(cell)
		}
		_ = w.Write(cells) // into memory
	}
	write("part", "token", "uri", "label", "id", "subject", "state", "code", "not_after", "reported", "source")
	for _, part := range v.lists() {
		for _, row := range part.rows {
			write(part.id, row.Token, row.URI, row.Label, row.ID, row.Subject, text(row.State), row.Code, text(row.NotAfter), row.Reported, row.Source)
		}
	}
	for _, t := range v.Silent {
		write("silent", t.Token, "", t.Label, "", "", "", "", "", t.Reported, t.Source)
	}
	for _, u := range v.Unread {
		write("unread", "", "", "", "", "", "", string(u.Problem), "", "", u.File)
	}
	w.Flush()
	return []byte(out.String())
}

func text(value *string) string {
	if value == nil {
		return ""
	}
	return *value
}

// harmless keeps a spreadsheet from taking a label for a formula, and a terminal from being controlled by one.
func harmless(cell string) string {
	cell = terminal.Printable(cell)
	if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
