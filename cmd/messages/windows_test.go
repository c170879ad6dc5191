package messages_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// ofLinux is what Windows does not have: its programs, its paths and its names of libraries.
var ofLinux = regexp.MustCompile(`\bapt(-file)?\b|systemctl|chmod|sudo|\bpcscd\b|\.so\b|\bldd\b|lsusb|` + "`ls`" + `|/etc/|/run/|mkdir -p|\brm -r\b|\beval\b|namei|adduser|\./`)

// mayNameLinux are texts that Windows does not come to, and why.
var mayNameLinux = map[string]string{
	"notice.world-readable":      "Windows has no mode bits, and p11bridge does not look at access lists of a PIN's file",
	"error.no-proc":              "Windows has no /proc",
	"error.no-proc.remedy":       "the same",
	"family.opencryptoki.backup": "openCryptoki is for Linux",
}

// TestWindowsSpeaksOfWindows wants Windows' own words in every language, for every text that speaks of Linux.
func TestWindowsSpeaksOfWindows(t *testing.T) {
	for _, language := range messages.Languages() {
		catalog, err := messages.LoadForWindows(language)
		if err != nil {
			t.Fatal(err)
		}
		for id, f := range catalogOf(t, language) {
			args := messages.Args{}
			for _, name := range placeholders(f) {
				args[name] = messages.Own("<" + name + ">")
			}
			if _, counts := args["Count"]; counts {
				args["Count"] = messages.Number(2)
			}
			catalog.Text(id+".none", nil) // what is looked for below it brings no other text for it
			text := catalog.Text(id, args)
			if list := id[:max(0, strings.LastIndexByte(id, '.'))]; catalog.List(list) != nil && !slices.Contains(catalog.List(list), id) {
				continue // Windows' list is shorter
			}
			if _, may := mayNameLinux[id]; !may && ofLinux.MatchString(text) {
				t.Errorf("%s %s speaks of Linux: %s", language, id, text)
			}
		}
	}
}

// TestWindowsTextsAreComplete holds the texts for Windows against those that they replace, and the languages against each other.
func TestWindowsTextsAreComplete(t *testing.T) {
	english := windowsTexts(t, "en")
	for _, language := range messages.Languages() {
		own, base := windowsTexts(t, language), rawTexts(t, language)
		if got, want := slices.Sorted(maps.Keys(own)), slices.Sorted(maps.Keys(english)); !slices.Equal(got, want) {
			t.Errorf("%s has the ids %q instead of %q", language, got, want)
		}
		for id, text := range own {
			replaced, there := base[id]
			if !there {
				t.Errorf("%s replaces nothing", id)
			}
			if got, want := placeholders(forms{"": string(text)}), placeholders(forms{"": string(replaced)}); !slices.Equal(got, want) {
				t.Errorf("%s %s has the placeholders %q instead of %q", language, id, got, want)
			}
		}
	}
}

func windowsTexts(t *testing.T, language string) map[string]json.RawMessage {
	t.Helper()
	return textsOf(t, language, "windows/words."+language+".json")
}

// rawTexts are the texts of a language as they stand in its files.
func rawTexts(t *testing.T, language string) map[string]json.RawMessage {
	t.Helper()
	return textsOf(t, language, messages.Files()...)
}

func textsOf(t *testing.T, language string, names ...string) map[string]json.RawMessage {
	t.Helper()
	texts := map[string]json.RawMessage{}
	for _, name := range names {
		err := messages.Each(name, func(of, id string, raw json.RawMessage) {
			if of == language {
				texts[id] = raw
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return texts
}
