package messages

import (
	"strconv"
)

// Value is what may stand in a text. A raw string may not: text from a token, a module or a file is a foreign.Text, which
// prints itself safely; our own words are marked as such by Own.
type Value interface {
	// Printable is the value as it may be shown on a terminal.
	Printable() string
}

// Number is a value that is counted.
type Number int

// Printable writes the number in decimal.
func (n Number) Printable() string { return strconv.Itoa(int(n)) }

// own is a word of this program.
type own struct{ text string }

// Printable gives the word as it stands.
func (o own) Printable() string { return o.text }

// Own marks a text as this program's own, or as made printable already: a flag's name, a mechanism, a code, a list of lines.
// It takes no foreign text.
func Own(text string) Value { return own{text} }

// data is what a template gets: numbers as the language writes them, all else as printable text.
func (c *Catalog) data(a Args) map[string]any {
	data := make(map[string]any, len(a))
	for name, value := range a {
		if number, is := value.(Number); is {
			data[name] = c.number(int(number))
		} else {
			data[name] = value.Printable()
		}
	}
	return data
}

// count chooses the plural form; nil where nothing is counted.
func (a Args) count() any {
	if number, is := a["Count"].(Number); is {
		return int(number)
	}
	return nil
}
