package view

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/terminal"
)

// Page is a report as one self-contained HTML page: no script, nothing fetched. diagnose and doctor fill it.
type Page struct {
	Lang, Title, Subtitle   string
	SummaryLabel, NextLabel string
	EvidenceLabel           string
	EvidenceColumns         []string
	Ratings                 []PageRating
	Sections                []PageSection
}

// The lights of the traffic-light summary; the words beside them carry the meaning for those who see no colour.
const (
	RatingGood  = "good"
	RatingDoubt = "doubt"
	RatingBad   = "bad"
	RatingNone  = "none" // needs no attention: counted nowhere
)

type PageRating struct {
	Rating string
	Count  int
	Text   string
}

type PageSection struct {
	Heading string
	Facts   []string
	Reasons []PageReason
	Steps   []string
	Cards   []PageCard
}

type PageCard struct {
	Rating, Heading, Verdict string
	Facts                    []string
	Reasons                  []PageReason
	Steps                    []string // what to do about all of them
	Command                  string
	Evidence                 []PageEvidence
}

type PageReason struct{ Summary, Why string }

type PageEvidence struct{ Source, Name, Value string }

//go:embed page.html
var pageTemplate string

// WritePage writes a page to a file, whole or not at all.
func WritePage(a *frame.App, target archive.Target, p Page) error {
	p.Lang = a.Catalog.Language
	p.SummaryLabel, p.NextLabel, p.EvidenceLabel = a.Text("page.summary", nil), a.Text("page.next", nil), a.Text("page.evidence", nil)
	p.EvidenceColumns = []string{a.Text("page.column.source", nil), a.Text("page.column.name", nil), a.Text("page.column.value", nil)}
	layout, err := template.New("page").Funcs(template.FuncMap{"inline": inline}).Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("page layout: %w", err)
	}
	var out bytes.Buffer
	if err := layout.Execute(&out, p); err != nil {
		return fmt.Errorf("fill the page: %w", err)
	}
	return archive.WriteFile(target, out.Bytes())
}

// PageReasons gives reasons in words, and what was seen as rows.
func PageReasons(a *frame.App, reasons []verdict.Reason) (words []PageReason, evidence []PageEvidence) {
	for _, reason := range reasons {
		words = append(words, PageReason{Summary: a.ReasonText(reason, "summary"), Why: a.ReasonText(reason, "why")})
		for _, fact := range reason.Evidence {
			value, err := json.Marshal(fact.Value)
			if err != nil {
				value = []byte("?")
			}
			evidence = append(evidence, PageEvidence{string(reason.Code), fact.Name, terminal.Printable(strings.Trim(string(value), `"`))})
		}
	}
	return words, evidence
}

// run is a part of a text, set as code or not.
type run struct {
	Text string
	Code bool
}

// inline cuts a text at its backquotes: what stands between two of them is a command or a file's name.
func inline(text string) []run {
	parts := strings.Split(text, "`")
	if len(parts)%2 == 0 { // one without its partner
		return []run{{Text: text}}
	}
	runs := make([]run, len(parts))
	for i, part := range parts {
		runs[i] = run{Text: part, Code: i%2 == 1}
	}
	return runs
}
