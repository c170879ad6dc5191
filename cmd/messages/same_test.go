package messages_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// sameEverywhere are the parts of a text that no language translates: what is typed, what the specification names, and every number.
var sameEverywhere = []struct {
	what string
	is   *regexp.Regexp
}{
	{"commands", regexp.MustCompile("`[^`]*`|'(p11bridge|openssl|export|status)( [^']*)?'")},
	{"options", regexp.MustCompile(`--[a-z][a-z0-9-]*`)},
	{"names", regexp.MustCompile(`\b(CK[A-Z]?_[A-Z_]+|C_[A-Z][A-Za-z]+|[A-Z0-9]+_[A-Z0-9_]+)`)},
	{"words to be replaced", regexp.MustCompile(`\b(FILE|DIR|OBJECT|NAME|LABEL|PATH|RECIPIENT|CODE|FINGERPRINT|CERT|DIRECTORY|USER|BYTES)\b`)},
	{"numbers", regexp.MustCompile(`\d+([.,]\d+)*`)},
}

// saysSo are texts that differ in one of these parts, and why.
var saysSo = map[string]string{
	"list.column.name": "the head of a column, which is a word of the language",
}

// TestSameEverywhere: a text has the same commands, options, names and numbers in every language, as often as in English.
func TestSameEverywhere(t *testing.T) {
	for _, language := range messages.Languages()[1:] {
		english, translated := everyText(t, messages.Languages()[0]), everyText(t, language)
		if len(english) < 1000 {
			t.Fatalf("only %d texts", len(english))
		}
		for id, want := range english {
			got, there := translated[id]
			if _, may := saysSo[id]; !there || may { // a language without this plural form, or a fault that another test names
				continue
			}
			for _, part := range sameEverywhere {
				if x, y := untranslated(part.is, got), untranslated(part.is, want); !slices.Equal(x, y) {
					t.Errorf("%s %s has the %s %q instead of %q", language, id, part.what, x, y)
				}
			}
		}
	}
}

// untranslated are the parts of a text that match, in an order that does not depend on the language.
func untranslated(is *regexp.Regexp, text string) []string {
	found := is.FindAllString(placeholder.ReplaceAllString(text, ""), -1)
	slices.Sort(found)
	return found
}

// everyText are the texts of a language, one a plural form, and those for Windows.
func everyText(t *testing.T, language string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for id, f := range catalogOf(t, language) {
		for form, text := range f {
			if form == "other" {
				texts[id] = text
			} else {
				texts[id+" ("+form+")"] = text
			}
		}
	}
	for id, raw := range windowsTexts(t, language) {
		var steps []string
		var text string
		if json.Unmarshal(raw, &text) == nil {
			texts["windows "+id] = text
		} else if err := json.Unmarshal(raw, &steps); err != nil {
			t.Fatal(err)
		}
		if len(steps) > 0 {
			texts["windows "+id] = strings.Join(steps, "\n")
		}
	}
	return texts
}

// notProse is what a README has besides its sentences.
var notProse = regexp.MustCompile("(?ms)^```.*?^```|<!--.*?-->|`[^`]*`")

// TestReadmesHaveTheWords: the translations of README.md have none of the words that the texts do not have.
func TestReadmesHaveTheWords(t *testing.T) {
	for _, language := range slices.Sorted(maps.Keys(avoided)) {
		if language == messages.Languages()[0] {
			continue // README.md says more than the texts do
		}
		name := "../../README." + language + ".md"
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := prefixes.ReplaceAllString(notProse.ReplaceAllString(string(raw), "x"), "")
		for _, row := range avoided[language] {
			if found := regexp.MustCompile("(?m)" + row.word).FindString(text); found != "" && !allowed(language, row.word, text) {
				t.Errorf("%s says %q; better: %s", name, found, row.instead)
			}
		}
	}
}
