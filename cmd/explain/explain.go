// Package explain is the command `explain`: it says what a code means.
package explain

import (
	"context"
	"fmt"
	"slices"
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
	Errors  []string    `json:"errors"` // the codes of errors
	Terms   []string    `json:"terms"`  // of the glossary
}

type entryView struct {
	Code          verdict.Code `json:"code"`
	Kind          verdict.Kind `json:"kind"`
	Evidence      []string     `json:"evidence"`
	Specification string       `json:"specification"`
}

func NewCommand(a *frame.App) *cobra.Command {
	errors := false
	c := &cobra.Command{
		Use:     "explain [CODE]",
		Short:   "command.explain.short",
		Long:    "command.explain.long",
		Example: frame.Examples("explain", "explain key-not-extractable", "explain shroud", "explain glossary", "explain --errors"),
		Args:    frame.AtMostOne("CODE"),

		ValidArgs: append(slices.Clone(terms), glossary), // beside the codes
		RunE: a.Unsupervised(func(_ context.Context, args []string) (frame.Result, error) {
			return runExplain(args, errors)
		}),
	}
	c.Flags().BoolVar(&errors, "errors", false, "flag.explain-errors")
	return c
}

func runExplain(args []string, errors bool) (frame.Result, error) {
	entries, failures := verdict.Table(), frame.ErrorCodes()
	if len(args) == 1 {
		entries, failures = find(strings.ToLower(args[0]))
	}
	term := ""
	if len(entries)+len(failures) == 0 {
		term = findTerm(args[0])
	}
	if len(entries)+len(failures) == 0 && term == "" {
		if codes := restingOn(args[0]); len(codes) > 0 {
			return frame.Result{}, frame.UsageMeant("error.unknown-code", messages.Args{"Code": foreign.Text(args[0])}, codes...)
		}
		return frame.Result{}, frame.UsageAmong("error.unknown-code", messages.Args{"Code": foreign.Text(args[0])}, args[0], append(append(Codes(), terms...), glossary))
	}
	if errors && len(args) == 0 {
		entries = nil
	}
	shown := explainView{Schema: "p11bridge.explain/1"}
	for _, e := range entries {
		shown.Reasons = append(shown.Reasons, entryView{e.Code, e.Kind, frame.NoNil(e.Evidence), e.Specification})
	}
	for _, e := range failures {
		shown.Errors = append(shown.Errors, e.Code)
	}
	switch {
	case term == glossary:
		shown.Terms = terms
	case term != "":
		shown.Terms = []string{term}
	case len(args) == 0 && !errors:
		shown.Terms = terms
	}
	shown.Reasons, shown.Errors, shown.Terms = frame.NoNil(shown.Reasons), frame.NoNil(shown.Errors), frame.NoNil(shown.Terms)
	return frame.Result{JSON: shown, Text: func(p *frame.Printer) {
		switch {
		case term != "":
			printTerm(p, term)
		case errors && len(args) == 0:
			printErrors(p, failures)
		case len(args) == 0:
			printAll(p, entries)
		case len(entries) > 0:
			printOne(p, entries[0])
		default:
			printError(p, failures[0])
		}
	}}, nil
}

// restingOn are the first codes of the reasons whose evidence has a name such as CKA_EXTRACTABLE.
func restingOn(name string) []string {
	const most = 4
	var codes []string
	for _, e := range verdict.Table() {
		if slices.Contains(e.Evidence, strings.ToUpper(name)) && len(codes) < most {
			codes = append(codes, string(e.Code))
		}
	}
	return codes
}

// find gives the reason or the error that has the code.
func find(code string) ([]verdict.Entry, []frame.ErrorCode) {
	if entry, known := verdict.Lookup(verdict.Code(code)); known {
		return []verdict.Entry{entry}, nil
	}
	for _, e := range frame.ErrorCodes() {
		if e.Code == code {
			return nil, []frame.ErrorCode{e}
		}
	}
	return nil, nil
}

// Codes lists the codes of all reasons and errors.
func Codes() []string {
	var codes []string
	for _, e := range verdict.Table() {
		codes = append(codes, string(e.Code))
	}
	for _, e := range frame.ErrorCodes() {
		codes = append(codes, e.Code)
	}
	return codes
}

func printErrors(p *frame.Printer, failures []frame.ErrorCode) {
	var rows [][]terminal.Cell
	for _, e := range failures {
		text, _ := p.ErrorText(e)
		rows = append(rows, []terminal.Cell{{Text: e.Code}, {Text: strings.ReplaceAll(text, "\n", " ")}})
	}
	fmt.Fprint(p.Out, terminal.TableWithin("", rows, p.Width()))
}

func printError(p *frame.Printer, e frame.ErrorCode) {
	text, remedy := p.ErrorText(e)
	fmt.Fprintf(p.Out, "%s [%s]\n", text, e.Code)
	if remedy != "" {
		fmt.Fprintln(p.Out, frame.IndentLines(remedy, "  "))
	}
}

func printAll(p *frame.Printer, entries []verdict.Entry) {
	column := 0
	for _, e := range entries {
		column = max(column, len(e.Code)+2)
	}
	for _, e := range entries {
		fmt.Fprintln(p.Out, terminal.Hanging(fmt.Sprintf("%-*s", column, e.Code), column, p.ReasonText(verdict.Reason{Code: e.Code}, "summary"), p.Width()))
	}
}

func printOne(p *frame.Printer, e verdict.Entry) {
	fmt.Fprint(p.Out, p.AllOfReasons(verdict.Reason{Code: e.Code}))
	if len(e.Evidence) > 0 {
		fmt.Fprintf(p.Out, "    %s %s\n", p.Text("label.evidence", nil), strings.Join(e.Evidence, ", "))
	}
	fmt.Fprintf(p.Out, "    %s %s\n", p.Text("label.specification", nil), e.Specification)
}
