// Package messages holds every text that a person reads, by id with named arguments. One catalog file a language and
// subject: SUBJECT.LANG.json.
package messages

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed *.json
var files embed.FS

// Languages lists the languages that p11bridge speaks; the first is complete and stands in for what another one lacks.
func Languages() []string { return []string{"en", "es", "ca", "fr"} }

// Args are a message's named arguments.
type Args map[string]Value

// Catalog gives the texts of one language.
type Catalog struct {
	Language  string
	localizer *i18n.Localizer
	lists     map[string][]string
}

// Load reads the catalogs of a language, and English beneath it.
func Load(lang string) (*Catalog, error) {
	if !slices.Contains(Languages(), lang) {
		return nil, fmt.Errorf("no catalog for language %q", lang)
	}
	bundle := i18n.NewBundle(language.English)
	lists := map[string][]string{}
	for _, name := range Files() {
		if !strings.HasSuffix(name, ".en.json") && !strings.HasSuffix(name, "."+lang+".json") {
			continue
		}
		raw, err := Read(name)
		if err != nil {
			return nil, fmt.Errorf("catalog %s: %w", name, err)
		}
		texts, steps, err := flat(name, raw)
		if err != nil {
			return nil, err
		}
		if _, err := bundle.ParseMessageFileBytes(texts, name); err != nil {
			return nil, fmt.Errorf("catalog %s: %w", name, err)
		}
		maps.Copy(lists, steps)
	}
	return &Catalog{Language: lang, localizer: i18n.NewLocalizer(bundle, lang), lists: lists}, nil
}

// Files lists the embedded catalog files.
func Files() []string {
	names, err := fs.Glob(files, "*.json")
	if err != nil { // only a malformed pattern does that
		return nil
	}
	return names
}

// Read gives one catalog file as it stands.
func Read(name string) ([]byte, error) { return files.ReadFile(name) }

// IDs lists the ids of the texts that begin with a prefix, in no order that means anything.
func IDs(prefix string) []string {
	var ids []string
	for _, name := range Files() {
		text, err := Read(name)
		if err != nil || !strings.HasSuffix(name, "."+Languages()[0]+".json") {
			continue
		}
		texts := map[string]json.RawMessage{}
		if json.Unmarshal(text, &texts) != nil { // which the tests rule out
			continue
		}
		for id := range texts {
			if strings.HasPrefix(id, prefix) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// Text gives a message. An argument named Count chooses the plural form. An id without a text gives the id itself, which
// the tests rule out.
func (c *Catalog) Text(id string, args Args) string {
	text, err := c.localizer.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: args.data(), PluralCount: args.count()})
	if err != nil && text == "" {
		return id
	}
	return text
}

// Choose finds the language for a person: the one asked for, else the first of the locale variables that names one that
// p11bridge speaks (POSIX: LC_ALL, LC_MESSAGES, LANG), else English. It is false where the one asked for is not spoken.
func Choose(asked string, getenv func(string) string) (string, bool) {
	if asked != "" {
		return asked, slices.Contains(Languages(), asked)
	}
	for _, variable := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		value := getenv(variable)
		if value == "" {
			continue
		}
		lang, _, _ := strings.Cut(strings.ToLower(value), "_")
		lang, _, _ = strings.Cut(lang, ".")
		lang, _, _ = strings.Cut(lang, "@")
		if slices.Contains(Languages(), lang) {
			return lang, true
		}
		return Languages()[0], true // the variable that counts names a language we do not speak
	}
	return Languages()[0], true
}
