// Package explain is the command `explain`: it says what a code means.
package explain

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
)

// explainView is what explain --json shows: codes and facts, no sentences.
type explainView struct {
	Schema  string      `json:"schema"`
	Reasons []entryView `json:"reasons"`
}

type entryView struct {
	Code          verdict.Code `json:"code"`
	Kind          verdict.Kind `json:"kind"`
	Evidence      []string     `json:"evidence"`
	Specification string       `json:"specification"`
}

func NewCommand(a *frame.App) *cobra.Command {
	return &cobra.Command{
		Use:     "explain [CODE]",
		Short:   a.Text("command.explain.short", nil),
		Long:    a.Text("command.explain.long", nil),
		Example: frame.Examples("explain", "explain key-not-extractable"),
		Args:    frame.AtMostOne("CODE"),
		RunE: a.Unsupervised(func(_ context.Context, args []string) (frame.Result, error) {
			return runExplain(args)
		}),
	}
}

func runExplain(args []string) (frame.Result, error) {
	entries := verdict.Table()
	if len(args) == 1 {
		entry, known := verdict.Lookup(verdict.Code(strings.ToLower(args[0])))
		if !known {
			return frame.Result{}, frame.Usage("error.unknown-code", messages.Args{"Code": foreign.Text(args[0])})
		}
		entries = []verdict.Entry{entry}
	}
	shown := explainView{Schema: "p11bridge.explain/1"}
	for _, e := range entries {
		shown.Reasons = append(shown.Reasons, entryView{e.Code, e.Kind, frame.NoNil(e.Evidence), e.Specification})
	}
	return frame.Result{JSON: shown, Text: func(p *frame.Printer) {
		if len(args) == 0 {
			printAll(p, entries)
		} else {
			printOne(p, entries[0])
		}
	}}, nil
}

func printAll(p *frame.Printer, entries []verdict.Entry) {
	var rows [][]terminal.Cell
	for _, e := range entries {
		rows = append(rows, []terminal.Cell{{Text: string(e.Code)}, {Text: p.ReasonText(verdict.Reason{Code: e.Code}, "summary")}})
	}
	fmt.Fprint(p.Out, terminal.Table("", rows))
}

func printOne(p *frame.Printer, e verdict.Entry) {
	fmt.Fprint(p.Out, p.AllOfReasons(verdict.Reason{Code: e.Code}))
	if len(e.Evidence) > 0 {
		fmt.Fprintf(p.Out, "    %s %s\n", p.Text("label.evidence", nil), strings.Join(e.Evidence, ", "))
	}
	fmt.Fprintf(p.Out, "    %s %s\n", p.Text("label.specification", nil), e.Specification)
}
