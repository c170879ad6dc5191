// Package messages holds every text that a person reads, by id with named arguments. One catalog file a language and
// subject: SUBJECT.LANG.json. The texts of flags, one line each, stand in one file with their languages side by side.
package messages

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// Languages lists the languages that p11bridge speaks; the first is complete and stands in for what another one lacks.
func Languages() []string { return []string{"en", "es", "ca", "fr"} }

// Args are a message's named arguments.
type Args map[string]Value

// Catalog gives the texts of one language. A text is looked for in the files, and parsed, when it is asked for: a run needs few of them. It may
// be used by several goroutines.
type Catalog struct {
	Language string
	files    []string          // of English; nil before the first is needed
	raw      map[string][]byte // the files that were looked into
	missing  map[string]bool   // ids that stand in none
	lists    map[string][]string
	// As they stand in the files: the texts of English that were asked for, and of the language where it is another one. One that the bundle
	// has is nil here.
	english, own map[string]json.RawMessage
	plain        map[string]string // those without plural forms, once they were asked for

	mu        sync.Mutex
	bundle    *i18n.Bundle
	localizer *i18n.Localizer
}

// Load gives the catalog of a language, with English beneath it.
func Load(lang string) (*Catalog, error) { return load(lang, system) }

// load gives the catalog for an operating system that has texts of its own, and for all others where it is empty.
func load(lang, system string) (*Catalog, error) {
	if !slices.Contains(Languages(), lang) {
		return nil, fmt.Errorf("no catalog for language %q", lang)
	}
	c := &Catalog{
		Language: lang, raw: map[string][]byte{}, missing: map[string]bool{}, lists: map[string][]string{},
		english: map[string]json.RawMessage{}, own: map[string]json.RawMessage{}, plain: map[string]string{},
	}
	if system != "" { // its texts take the place of those of the same id
		if err := c.read(system + "/words.en.json"); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// parse makes the text of an id ready.
func (c *Catalog) parse(id string) error {
	if c.bundle == nil {
		c.bundle = i18n.NewBundle(language.English)
		c.localizer = i18n.NewLocalizer(c.bundle, c.Language)
	}
	for _, known := range []struct {
		lang  string
		texts map[string]json.RawMessage
	}{{Languages()[0], c.english}, {c.Language, c.own}} {
		text := known.texts[id]
		if text == nil {
			continue
		}
		alone, err := json.Marshal(map[string]json.RawMessage{id: text})
		if err != nil {
			return fmt.Errorf("text %s in %s: %w", id, known.lang, err)
		}
		if _, err := c.bundle.ParseMessageFileBytes(alone, known.lang+".json"); err != nil {
			return fmt.Errorf("text %s in %s: %w", id, known.lang, err)
		}
		known.texts[id] = nil
	}
	return nil
}

// plainText is a text that has no plural forms. It is false for all others.
func (c *Catalog) plainText(id string) (string, bool) {
	if text, known := c.plain[id]; known {
		return text, true
	}
	c.find(id)
	text, there := c.own[id]
	if !there {
		text = c.english[id]
	}
	if len(text) == 0 || text[0] != '"' {
		return "", false
	}
	plain := string(text[1 : len(text)-1]) // scan has found both quotes
	if strings.Contains(plain, `\`) && json.Unmarshal(text, &plain) != nil || plain == "" {
		return "", false
	}
	c.plain[id] = plain
	return plain, true
}

// Text gives a message. An argument named Count chooses the plural form. An id without a text gives the id itself, which
// the tests rule out.
func (c *Catalog) Text(id string, args Args) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text(id, args)
}

// Number writes a number as the language does. One that has to be typed again, or that a program reads, is not written so.
func (c *Catalog) Number(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.number(n)
}

// number groups the digits where there are five or more: a year and the length of a key are read without.
func (c *Catalog) number(n int) string {
	const group, shortest = 3, 10000
	digits := strconv.Itoa(n)
	if n < shortest {
		return digits
	}
	for at := len(digits) - group; at > 0; at -= group {
		digits = digits[:at] + c.text("number.separator", nil) + digits[at:]
	}
	return digits
}

// text is Text while the catalog is locked.
func (c *Catalog) text(id string, args Args) string {
	if plain, is := c.plainText(id); is {
		if text, filled := fill(plain, c.data(args)); filled {
			return text
		}
	}
	if err := c.parse(id); err != nil {
		return id
	}
	text, err := c.localizer.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: c.data(args), PluralCount: args.count()})
	if err != nil && text == "" {
		return id
	}
	return text
}

// Choose finds the language for a person: the one asked for, else the first of the locale variables that names one that
// p11bridge speaks (POSIX: LC_ALL, LC_MESSAGES, LANG), else the system's own, else English. It is false where the one asked for is not spoken.
func Choose(asked string, getenv func(string) string) (string, bool) {
	if asked != "" {
		if lang := languageOf(asked); slices.Contains(Languages(), lang) {
			return lang, true
		}
		return asked, false
	}
	for _, variable := range []string{"LC_ALL", "LC_MESSAGES", "LANG", ""} {
		value := systemLanguage() // where none is set
		if variable != "" {
			value = getenv(variable)
		}
		if value == "" {
			continue
		}
		if lang := languageOf(value); slices.Contains(Languages(), lang) {
			return lang, true
		}
		return Languages()[0], true // the variable that counts names a language we do not speak
	}
	return Languages()[0], true
}

// languageOf is the language of a locale such as es_ES.UTF-8@euro, or es-ES as Windows writes it.
func languageOf(locale string) string {
	lang, _, _ := strings.Cut(strings.ToLower(locale), "_")
	for _, mark := range []string{".", "@", "-"} {
		lang, _, _ = strings.Cut(lang, mark)
	}
	return lang
}
