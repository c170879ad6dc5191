package messages_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// forms are a message's texts by plural form; a message without plural forms has "other" alone.
type forms map[string]string

// catalogOf reads the texts of one language from its files, and fails on an id that is there twice.
func catalogOf(t *testing.T, language string) map[string]forms {
	t.Helper()
	all := map[string]forms{}
	for _, name := range messages.Files() {
		if !strings.HasSuffix(name, "."+language+".json") {
			continue
		}
		text, err := messages.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		if _, err := decoder.Token(); err != nil {
			t.Fatal(name, err)
		}
		for decoder.More() {
			id, err := decoder.Token()
			if err != nil {
				t.Fatal(name, err)
			}
			var raw json.RawMessage
			if err := decoder.Decode(&raw); err != nil {
				t.Fatal(name, err)
			}
			if _, twice := all[id.(string)]; twice {
				t.Errorf("%s: %s is there twice", name, id)
			}
			if steps, list := stepsOf(raw); list {
				for i, step := range steps {
					if !strings.HasPrefix(step, "@") {
						all[id.(string)+"."+strconv.Itoa(i+1)] = forms{"other": step}
					}
				}
				continue
			}
			all[id.(string)] = formsOf(t, name, raw)
		}
	}
	return all
}

// stepsOf are the elements of a text that is a list.
func stepsOf(raw json.RawMessage) ([]string, bool) {
	var steps []string
	return steps, json.Unmarshal(raw, &steps) == nil
}

func formsOf(t *testing.T, name string, raw json.RawMessage) forms {
	t.Helper()
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return forms{"other": text}
	}
	plural := forms{}
	if err := json.Unmarshal(raw, &plural); err != nil {
		t.Fatalf("%s: %v in %s", name, err, raw)
	}
	return plural
}

var placeholder = regexp.MustCompile(`\{\{\.([A-Za-z0-9]+)\}\}`)

func placeholders(f forms) []string {
	found := map[string]bool{}
	for _, text := range f {
		for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
			found[match[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// written reports whether there is a catalog file of the language at all.
func written(language string) bool {
	return slices.ContainsFunc(messages.Files(), func(name string) bool { return strings.HasSuffix(name, "."+language+".json") })
}
