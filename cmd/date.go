package cmd

import (
	"strconv"
	"time"

	"p11bridge/cmd/messages"
)

// date writes a day as a sentence in the person's language has it. Tables keep the form of ISO 8601, which sorts.
func (a *app) date(t time.Time) string {
	t = t.UTC()
	id := "date.long"
	if t.Day() == 1 {
		id = "date.first"
	}
	return a.text(id, messages.Args{"Day": t.Day(), "Month": a.text("month."+strconv.Itoa(int(t.Month())), nil), "Year": t.Year()})
}

// dateOf is date for a time as JSON carries it.
func (a *app) dateOf(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return printable(text)
	}
	return a.date(t)
}
