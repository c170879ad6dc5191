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

// find takes the text of an id, or the list that it is a step of, out of the files: the common file is looked at first, then those of the
// id's subject, then the others. What is wrong with a file leaves its ids without a text; the tests rule it out.
func (c *Catalog) find(id string) {
	if c.known(id) || c.missing[id] {
		return
	}
	if c.files == nil {
		c.files = englishFiles()
	}
	subject, _, _ := strings.Cut(id, ".")
	ofSubject := func(name string) bool { return strings.HasPrefix(name, subject) }
	for _, wanted := range []func(name string) bool{
		func(name string) bool { return name == commonFile },
		func(name string) bool { return name != commonFile && ofSubject(name) },
		func(name string) bool { return name != commonFile && !ofSubject(name) },
	} {
		for _, name := range c.files {
			if !wanted(name) {
				continue
			}
			if c.look(name, id); c.known(id) {
				return
			}
		}
	}
	c.missing[id] = true
}

// known reports whether the text of an id, or the list that it is a step of, was found.
func (c *Catalog) known(id string) bool {
	c.spreadFor(id)
	_, text := c.english[id]
	_, list := c.lists[id]
	return text || list
}

// look takes from a file of English, and from the one of the person's language that belongs to it, the text of an id, or the list that it
// is a step of. The texts of flags, which are read for a help and all at once, are all taken.
func (c *Catalog) look(name, id string) {
	if name == sideBySide {
		c.files = slices.DeleteFunc(slices.Clone(c.files), func(other string) bool { return other == name })
		_ = each(name, []string{Languages()[0], c.Language}, c.take) // as in find
		return
	}
	ids := []string{id}
	if dot := strings.LastIndexByte(id, '.'); dot > 0 {
		ids = append(ids, id[:dot])
	}
	for _, language := range slices.Compact([]string{Languages()[0], c.Language}) {
		file := strings.TrimSuffix(name, "en.json") + language + ".json"
		raw, read := c.raw[file]
		if !read {
			raw, _ = Read(file) // as in find
			c.raw[file] = raw
		}
		for _, id := range ids {
			if text := member(raw, id); text != nil {
				c.take(language, id, text)
			}
		}
	}
}

// read takes all texts of a file of English, and those of the person's language that belong to it.
func (c *Catalog) read(name string) error {
	names := []string{name}
	if c.Language != Languages()[0] {
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
