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
	return a.Text(id, messages.Args{"Day": messages.Number(t.Day()), "Month": messages.Own(a.Text("month."+strconv.Itoa(int(t.Month())), nil)), "Year": messages.Number(t.Year())})
}

// DateOf is date for a time as JSON carries it.
func (a *App) DateOf(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return terminal.Printable(text)
	}
	return a.Date(t)
}
