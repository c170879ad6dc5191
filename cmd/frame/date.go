package frame

import (
	"strconv"
	"time"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
)

// Date writes a day as a sentence in the person's language has it. Tables keep the form of ISO 8601, which sorts.
func (a *App) Date(t time.Time) string {
	t = t.UTC()
	id := "date.long"
	if t.Day() == 1 {
		id = "date.first"
	}
	return a.Text(id, a.dateArgs(t))
}

func (a *App) dateArgs(t time.Time) messages.Args {
	return messages.Args{"Day": messages.Number(t.Day()), "Month": messages.Own(a.Text("month."+strconv.Itoa(int(t.Month())), nil)), "Year": messages.Number(t.Year())}
}

// Until is a day as the end of a validity: "until 1 May 2030", with the article that the language wants before that day.
func (a *App) Until(t time.Time) string {
	return a.withArticle(t, "date.until", "date.until-first", "date.until-eleventh")
}

// OnDayOf is the day of a time as JSON carries it, as that on which something happens: "on 1 May 2030".
func (a *App) OnDayOf(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return terminal.Printable(text)
	}
	return a.withArticle(t, "date.on", "date.on-first", "date.on-eleventh")
}

// withArticle takes the text that has the article which the language wants before a day: Catalan has another one before 1 and 11.
func (a *App) withArticle(t time.Time, usual, first, eleventh string) string {
	t = t.UTC()
	id := usual
	switch t.Day() {
	case 1:
		id = first
	case 11:
		id = eleventh
	}
	return a.Text(id, a.dateArgs(t))
}

// UntilOf is Until for a time as JSON carries it.
func (a *App) UntilOf(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return terminal.Printable(text)
	}
	return a.Until(t)
}

// DateOf is date for a time as JSON carries it.
func (a *App) DateOf(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return terminal.Printable(text)
	}
	return a.Date(t)
}
