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
		err := messages.Each(name, func(of, id string, raw json.RawMessage) {
			if of != language {
				return
			}
			if _, twice := all[id]; twice {
				t.Errorf("%s: %s is there twice", name, id)
			}
			steps, list := stepsOf(raw)
			if !list {
				all[id] = formsOf(t, name, raw)
			}
			for i, step := range steps {
				if !strings.HasPrefix(step, "@") {
					all[id+"."+strconv.Itoa(i+1)] = forms{"other": step}
				}
			}
		})
		if err != nil {
			t.Fatal(err)
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
