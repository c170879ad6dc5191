package report

import (
	"strings"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
)

// ratings are the lights of the parts.
var ratings = map[string]string{"needs-backup": view.RatingBad, "expiring": view.RatingDoubt, "not-known": view.RatingDoubt, "cannot-leave": view.RatingNone}

// writePage writes the report as a page: the sum first, then a part for each kind of what is to be done.
func writePage(a *frame.App, target archive.Target, v *reportView) error {
	summary := view.PageSummary{Rating: view.RatingGood, Title: a.Text("report.page.period", nil), Sentences: sentences(a, v)}
	if !v.Complete {
		summary.Rating = view.RatingDoubt
	}
	if len(v.NeedsBackup) > 0 {
		summary.Rating = view.RatingBad
	}
	summary.Message.Text = a.Text("report.summary", v.args()) + " " + a.Text("report.page.counted", messages.Args{"Expires": messages.Own(a.DateOf(v.ExpiryLimit)), "Silent": messages.Own(a.DateOf(v.SilentSince))})
	page := view.Page{Title: a.Text("report.page.title", nil), Detail: a.Text("report.detail", nil), BySection: true}
	for _, part := range v.lists() {
		title := a.Text("report.part."+part.id, messages.Args{"Count": messages.Number(len(part.rows))})
		summary.Ratings = append(summary.Ratings, view.PageRating{Rating: ratings[part.id], Count: len(part.rows), Text: rating(a, part.id, len(part.rows))})
		if len(part.rows) == 0 {
			continue
		}
		group := view.PageGroup{Rating: ratings[part.id]}
		for _, row := range part.rows[:min(len(part.rows), mostShown)] {
			group.Cards = append(group.Cards, view.PageCard{Items: []view.PageItem{itemOf(a, part.id, row)}})
		}
		section := view.PageSection{Heading: title, Groups: []view.PageGroup{group}}
		if more := len(part.rows) - mostShown; more > 0 {
			section.Facts = []string{a.Text("report.more", messages.Args{"Count": messages.Number(more)})}
		}
		page.Sections = append(page.Sections, section)
	}
	summary.Ratings = append(summary.Ratings,
		view.PageRating{Rating: view.RatingDoubt, Count: len(v.Silent), Text: rating(a, "silent", len(v.Silent))},
		view.PageRating{Rating: view.RatingDoubt, Count: v.LeftOut, Text: rating(a, "unread", v.LeftOut)})
	page.Sections = append(page.Sections, restOf(a, v)...)
	page.Summary = summary
	return view.WritePage(a, target, page, time.Time{})
}

// rating is what stands behind the number of a light.
func rating(a *frame.App, part string, count int) string {
	return a.Text("report.rating."+part, messages.Args{"Count": messages.Number(count)})
}

// sentences are three: what needs a backup, what is not known, and what to do now.
func sentences(a *frame.App, v *reportView) []string {
	answer := a.Text("report.answer.none", nil)
	if needed := len(v.NeedsBackup); needed > 0 {
		answer = a.Text("report.answer.some", messages.Args{"Count": messages.Number(needed)})
	}
	known, whole := a.Text("report.answer.whole", nil), len(v.NotKnown)+len(v.Silent)+v.LeftOut == 0
	if !whole {
		known = a.Text("report.answer.gaps", messages.Args{"NotKnown": messages.Number(len(v.NotKnown)), "Silent": messages.Number(len(v.Silent)), "Unread": messages.Number(v.LeftOut)})
	}
	now := "report.now.nothing"
	switch {
	case len(v.NeedsBackup) > 0:
		now = "report.now.back-up"
	case !whole:
		now = "report.now.gaps"
	case len(v.Expiring) > 0:
		now = "report.now.ends"
	}
	return []string{answer, known, a.Text(now, nil)}
}

func itemOf(a *frame.App, part string, row rowView) view.PageItem {
	item := view.PageItem{Heading: foreign.Text(row.Label).String()}
	token := row.Token
	if strings.HasPrefix(row.URI, token+";") { // which tells it as well
		token = ""
	}
	theirs := func(text string) string { return foreign.Text(text).String() }
	for _, fact := range []struct{ id, value string }{
		{"report.column.what", what(a, part, row)}, {"report.column.token", theirs(token)}, {"report.column.uri", theirs(row.URI)}, {"report.column.subject", theirs(row.Subject)},
		{"report.column.told", a.DateOf(row.Reported)}, {"report.column.source", theirs(row.Source)},
	} {
		if fact.value != "" {
			item.Facts = append(item.Facts, view.PageFact{Label: a.Text(fact.id, nil), Value: fact.value})
		}
	}
	return item
}

// restOf are the tokens that nobody heard of, and the documents that nobody could read.
func restOf(a *frame.App, v *reportView) []view.PageSection {
	var sections []view.PageSection
	if len(v.Silent) > 0 {
		section := view.PageSection{Heading: a.Text("report.part.silent", messages.Args{"Count": messages.Number(len(v.Silent))})}
		for _, t := range v.Silent[:min(len(v.Silent), mostShown)] {
			section.Facts = append(section.Facts, a.Text("report.silent", messages.Args{"Token": foreign.Text(t.Token), "Date": messages.Own(a.DateOf(t.Reported)), "Source": foreign.Text(t.Source)}))
		}
		sections = append(sections, section)
	}
	if len(v.Unread) > 0 {
		section := view.PageSection{Heading: a.Text("report.part.unread", messages.Args{"Count": messages.Number(v.LeftOut)})}
		for _, u := range v.Unread[:min(len(v.Unread), mostShown)] {
			section.Facts = append(section.Facts, u.text(a))
		}
		sections = append(sections, section)
	}
	return sections
}
