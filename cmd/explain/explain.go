// Package explain is the command `explain`: it says what a code means.
package explain

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
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
		RunE: func(_ *cobra.Command, args []string) error {
			return runExplain(a, args)
		},
	}
}

func runExplain(a *frame.App, args []string) error {
	entries := verdict.Table()
	if len(args) == 1 {
		entry, known := verdict.Lookup(verdict.Code(strings.ToLower(args[0])))
		if !known {
			return frame.Usage("error.unknown-code", messages.Args{"Code": terminal.Printable(args[0])})
		}
		entries = []verdict.Entry{entry}
	}
	if a.JSON {
		shown := explainView{Schema: "p11bridge.explain/1"}
		for _, e := range entries {
			shown.Reasons = append(shown.Reasons, entryView{e.Code, e.Kind, frame.NoNil(e.Evidence), e.Specification})
		}
		return a.WriteJSON(shown)
	}
	if len(args) == 0 {
		var rows [][]terminal.Cell
		for _, e := range entries {
			rows = append(rows, []terminal.Cell{{Text: string(e.Code)}, {Text: a.ReasonText(verdict.Reason{Code: e.Code}, "summary")}})
		}
		fmt.Fprint(a.Out, terminal.Table("", rows))
		return nil
	}
	e := entries[0]
	fmt.Fprint(a.Out, a.ReasonParagraph(verdict.Reason{Code: e.Code}))
	if len(e.Evidence) > 0 {
		fmt.Fprintf(a.Out, "    %s %s\n", a.Text("label.evidence", nil), strings.Join(e.Evidence, ", "))
	}
	fmt.Fprintf(a.Out, "    %s %s\n", a.Text("label.specification", nil), e.Specification)
	return nil
}
