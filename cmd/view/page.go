package view

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
)

// Page is a report as one self-contained HTML page: no script, nothing fetched, and well-formed as XML. diagnose and doctor fill it.
// Its first screen is for the person whose token it is, what follows for support.
type Page struct {
	Title    string
	Summary  PageSummary
	Sections []PageSection

	Lang, Made string
	Labels     pageLabels
	Contents   []PageItem // what there is, where it is too much to be seen at once
	Detail     string     // the heading of the second part, where it is not for support alone
	BySection  bool       // the contents are the sections, where there are too many keys to be listed
}

// PageSummary is the first screen: the light, three sentences, and a message for whoever can help.
type PageSummary struct {
	Rating    string
	Sentences []string
	Ratings   []PageRating
	Title     string // of the message
	Message   PageMessage
}

// PageMessage is a sentence to be passed on, and what it is about.
type PageMessage struct {
	Text  string
	About []string
}

// The lights of the summary; the words beside them carry the meaning for those who see no colour.
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
	ID      string // set by WritePage
	Heading string
	Facts   []string
	Reasons []PageReason
	Steps   []string
	Groups  []PageGroup
}

// PageGroup is everything of one verdict.
type PageGroup struct {
	Rating, Verdict string
	Cards           []PageCard
}

// PageCard is everything of which the same is to be said.
type PageCard struct {
	Items   []PageItem
	Reasons []PageReason
	Steps   []string // what to do about all of them
}

// PageItem is one key, module or row. The kind stands behind the heading; no line is broken within it.
type PageItem struct {
	Rating, Heading, Kind string

	Facts    []PageFact
	Lines    []string
	Command  string
	Evidence []PageEvidence

	ID      string // these three are set by WritePage
	Labels  pageLabels
	Verdict string // the heading above
}

// PageFact is what is known, and of what kind it is.
type PageFact struct{ Label, Value string }

type PageReason struct {
	Summary, Why string

	Above string // says that the page explained it before, where it did; set by WritePage
}

type PageEvidence struct{ Source, Name, Value string }

type pageLabels struct {
	Private, Summary, Ratings, Contents, Support, Next, Evidence string
	EvidenceColumns                                              []string
}

// mostAtOnce is how many keys a page shows without a table of contents.
const mostAtOnce = 5

//go:embed page.html
var pageTemplate string

// WritePage writes a page to a file, whole or not at all. taken is when the snapshot was taken that the page is made from, zero where it
// is made from what this computer sees.
func WritePage(a *frame.App, target archive.Target, p Page, taken time.Time) error {
	p.Lang, p.Made = a.Catalog.Language, madeBy(a, taken)
	p.Labels = pageLabels{
		Private: a.Text("page.private", nil), Summary: a.Text("page.summary", nil), Ratings: a.Text("page.counts", nil),
		Contents: a.Text("page.contents", nil), Support: a.Text("page.support", nil), Next: a.Text("page.next", nil), Evidence: a.Text("page.evidence", nil),
		EvidenceColumns: []string{a.Text("page.column.source", nil), a.Text("page.column.name", nil), a.Text("page.column.value", nil)},
	}
	p.Summary.Ratings = slices.DeleteFunc(p.Summary.Ratings, func(r PageRating) bool { return r.Count == 0 })
	p.number()
	p.explainOnce(a.Text("page.above", nil))
	layout, err := template.New("page").Funcs(template.FuncMap{"inline": inline, "words": words, "path": path, "breakable": breakable}).Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("page layout: %w", err)
	}
	var out bytes.Buffer
	if err := layout.Execute(&out, p); err != nil {
		return fmt.Errorf("fill the page: %w", err)
	}
	if !slices.Contains([]string{".html", ".htm"}, strings.ToLower(filepath.Ext(target.Path))) { // perhaps the name of an object
		a.Notice("notice.page-ending", messages.Args{"Path": foreign.Text(target.Path), "Proposed": foreign.Text(target.Path + ".html")})
	}
	return archive.WriteFile(target, out.Bytes())
}

// madeBy says when, by what and from what the page was made.
func madeBy(a *frame.App, taken time.Time) string {
	today, version := messages.Own(a.Date(a.Now())), messages.Own(frame.Version)
	if !taken.IsZero() {
		return a.Text("page.made-from-snapshot", messages.Args{"Date": today, "Version": version, "Taken": messages.Own(a.Date(taken))})
	}
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return a.Text("page.made", messages.Args{"Date": today, "Version": version, "Host": foreign.Text(host)})
}

// number gives everything an id, and lists it where it is too much to be seen at once.
func (p *Page) number() {
	items := 0
	var contents, sections []PageItem
	for i := range p.Sections {
		section := &p.Sections[i]
		section.ID = fmt.Sprintf("section-%d", i+1)
		listed := PageItem{ID: section.ID, Rating: RatingDoubt, Heading: section.Heading}
		if len(section.Groups) > 0 {
			listed.Rating = section.Groups[0].Rating
		}
		sections = append(sections, listed)
		for _, group := range section.Groups {
			for _, card := range group.Cards {
				for i := range card.Items {
					items++
					item := &card.Items[i]
					item.ID, item.Rating, item.Labels, item.Verdict = fmt.Sprintf("item-%d", items), group.Rating, p.Labels, group.Verdict
					if group.Rating != RatingNone {
						contents = append(contents, PageItem{ID: item.ID, Rating: group.Rating, Heading: item.Heading, Kind: item.Kind, Verdict: group.Verdict})
					}
				}
			}
		}
	}
	if len(contents) > mostAtOnce {
		p.Contents = contents
		if p.BySection {
			p.Contents = sections
		}
	}
}

// explainOnce marks the reasons that are explained already, further up. Paper leaves that out: a screen is not read from its beginning.
func (p *Page) explainOnce(above string) {
	explained := map[PageReason]bool{}
	mark := func(reasons []PageReason) {
		for i, reason := range reasons {
			if reason.Why != "" && explained[reason] {
				reasons[i].Above = above
			}
			explained[reason] = true
		}
	}
	for _, section := range p.Sections {
		mark(section.Reasons)
		for _, group := range section.Groups {
			for _, card := range group.Cards {
				mark(card.Reasons)
			}
		}
	}
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
