package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
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

func newExplainCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "explain [CODE]",
		Short:   a.text("command.explain.short", nil),
		Long:    a.text("command.explain.long", nil),
		Example: examples("explain", "explain key-not-extractable"),
		Args:    atMostOne("CODE"),
		RunE: func(_ *cobra.Command, args []string) error {
			return runExplain(a, args)
		},
	}
}

func runExplain(a *app, args []string) error {
	entries := verdict.Table()
	if len(args) == 1 {
		entry, known := verdict.Lookup(verdict.Code(strings.ToLower(args[0])))
		if !known {
			return usage("error.unknown-code", messages.Args{"Code": printable(args[0])})
		}
		entries = []verdict.Entry{entry}
	}
	if a.json {
		view := explainView{Schema: "p11bridge.explain/1"}
		for _, e := range entries {
			view.Reasons = append(view.Reasons, entryView{e.Code, e.Kind, noNil(e.Evidence), e.Specification})
		}
		return a.writeJSON(view)
	}
	if len(args) == 0 {
		var rows [][]cell
		for _, e := range entries {
			rows = append(rows, []cell{{text: string(e.Code)}, {text: a.reasonText(verdict.Reason{Code: e.Code}, "summary")}})
		}
		fmt.Fprint(a.out, table("", rows))
		return nil
	}
	e := entries[0]
	fmt.Fprint(a.out, a.reasonParagraph(verdict.Reason{Code: e.Code}))
	if len(e.Evidence) > 0 {
		fmt.Fprintf(a.out, "    %s %s\n", a.text("label.evidence", nil), strings.Join(e.Evidence, ", "))
	}
	fmt.Fprintf(a.out, "    %s %s\n", a.text("label.specification", nil), e.Specification)
	return nil
}
