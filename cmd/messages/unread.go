package messages

import (
	"encoding/json"
	"slices"
	"strings"
)

// commonFile has the words that most commands need.
const commonFile = "interface.en.json"

// englishFiles are the catalog files in which the texts of English stand.
func englishFiles() []string {
	return slices.DeleteFunc(Files(), func(name string) bool { return name != sideBySide && languageOfFile(name) != Languages()[0] })
}

// find reads files until the text of an id is there, or all are read: the common file, then the one of the id's subject, then the others.
// What is wrong with a file leaves its ids without a text; the tests rule it out.
func (c *Catalog) find(id string) {
	if c.unread == nil {
		c.unread = englishFiles()
	}
	subject, _, _ := strings.Cut(id, ".")
	for !c.known(id) && len(c.unread) > 0 {
		next := slices.Index(c.unread, commonFile)
		if next < 0 {
			next = max(0, slices.IndexFunc(c.unread, func(name string) bool { return strings.HasPrefix(name, subject) }))
		}
		name := c.unread[next]
		c.unread = slices.Delete(c.unread, next, next+1)
		if err := c.read(name); err != nil {
			continue
		}
	}
}

// known reports whether the text of an id, or the list that it is a step of, stands in a file that was read.
func (c *Catalog) known(id string) bool {
	c.spreadFor(id)
	_, text := c.english[id]
	_, list := c.lists[id]
	return text || list
}

// read takes the texts of a file of English, and those of the person's language that belong to it.
func (c *Catalog) read(name string) error {
	names := []string{name}
	if name != sideBySide && c.Language != Languages()[0] {
		names = append(names, strings.TrimSuffix(name, "en.json")+c.Language+".json")
	}
	for _, name := range names {
		if err := each(name, []string{Languages()[0], c.Language}, c.take); err != nil {
			return err
		}
	}
	return nil
}

// take keeps a text of English or of the person's language. The first of an id counts.
func (c *Catalog) take(lang, id string, text json.RawMessage) {
	texts := c.own
	if lang == Languages()[0] {
		texts = c.english
	}
	_, known := texts[id]
	if _, list := c.lists[id]; !known && !list {
		texts[id] = text
	}
}
