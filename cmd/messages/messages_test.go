package messages_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
)

// TestLanguagesAreComplete names what a language lacks, what it has in excess, and where its placeholders differ.
func TestLanguagesAreComplete(t *testing.T) {
	english := catalogOf(t, "en")
	if len(english) < 300 {
		t.Fatalf("only %d English texts", len(english))
	}
	for _, name := range messages.Files() {
		err := messages.Each(name, func(language, id string, _ json.RawMessage) {
			if !slices.Contains(messages.Languages(), language) {
				t.Errorf("%s: %s is in the language %q", name, id, language)
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
	for _, language := range messages.Languages()[1:] {
		t.Run(language, func(t *testing.T) {
			other := catalogOf(t, language)
			for _, id := range slices.Sorted(maps.Keys(english)) {
				translated, there := other[id]
				if !there {
					t.Errorf("%s is missing", id)
					continue
				}
				if want, got := placeholders(english[id]), placeholders(translated); !slices.Equal(want, got) {
					t.Errorf("%s has the placeholders %q instead of %q", id, got, want)
				}
			}
			for id := range other {
				if _, there := english[id]; !there {
					t.Errorf("%s is not in English", id)
				}
			}
		})
	}
}

// TestTextsAreSound looks at every text of every language.
func TestTextsAreSound(t *testing.T) {
	for _, language := range messages.Languages() {
		catalog, err := messages.Load(language)
		if err != nil {
			t.Fatal(err)
		}
		for id, f := range catalogOf(t, language) {
			where := language + " " + id
			if _, whole := f["other"]; !whole {
				t.Errorf("%s has no form for the other numbers", where)
			}
			for form, text := range f {
				if strings.TrimSpace(text) != text && id != "number.separator" || text == "" {
					t.Errorf("%s (%s) is empty, or has blanks around it", where, form)
				}
				for _, r := range text {
					if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u00AD' || r == unicode.ReplacementChar) {
						t.Errorf("%s holds %U", where, r)
					}
				}
				if rest := placeholder.ReplaceAllString(text, ""); strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
					t.Errorf("%s has something other than named arguments in braces: %s", where, text)
				}
				if regexp.MustCompile(`\p{L}\((e?s|en)\)`).MatchString(text) {
					t.Errorf("%s leaves the number open: %s", where, text)
				}
				if strings.Count(text, "`")%2 != 0 {
					t.Errorf("%s has a backquote too many", where)
				}
			}
			if counted := regexp.MustCompile(`\{\{\.Count\}\} \p{L}`); len(f) == 1 && counted.MatchString(f["other"]) {
				t.Errorf("%s counts, and has no plural forms: %s", where, f["other"])
			}
			args := messages.Args{}
			for _, name := range placeholders(f) {
				args[name] = messages.Own("<" + name + ">")
			}
			_, counts := args["Count"]
			for _, n := range []int{0, 1, 2, 5, 1_000_000} {
				if counts {
					args["Count"] = messages.Number(n)
				}
				if text := catalog.Text(id, args); text == id || strings.Contains(text, "<no value>") || strings.Contains(text, "{{") {
					t.Errorf("%s does not come out: %s", where, text)
				}
			}
		}
	}
}

// TestEveryIDHasItsText collects the ids that the program asks for, and those that it puts together. None is without an
// English text, and no text is without a use.
func TestEveryIDHasItsText(t *testing.T) {
	english, used := catalogOf(t, "en"), usesOf(t)
	if len(used.asked) < 100 || len(used.composed) < 5 {
		t.Fatalf("only %d ids and %d families were found in the sources", len(used.asked), len(used.composed))
	}
	for id, args := range used.asked {
		f, there := english[id]
		if !there {
			t.Errorf("%s is asked for, and has no text", id)
			continue
		}
		for _, name := range placeholders(f) {
			if args != nil && !slices.Contains(args, name) {
				t.Errorf("%s wants {{.%s}}, and is given %q", id, name, args)
			}
		}
	}
	owned, all := map[string]bool{}, families(t)
	for prefix, values := range all {
		for _, value := range values {
			if _, there := english[prefix+value]; !there {
				t.Errorf("%s%s has no text", prefix, value)
			}
			owned[prefix+value] = true
		}
	}
	for _, pattern := range used.composed {
		matches := regexp.MustCompile(pattern)
		fits := func(id string) bool {
			return matches.MatchString(id) || matches.MatchString(strings.TrimRight(id, ".0123456789"))
		} // a list's texts are numbered
		if !slices.ContainsFunc(slices.Collect(maps.Keys(english)), fits) && strings.Contains(pattern, `\.`) && looksLikeID(pattern) {
			t.Errorf("no text fits what the program puts together as %s", pattern)
		}
	}
	for id := range english {
		if general := strings.TrimSuffix(strings.TrimSuffix(id, ".nss"), ".guide"); general != id && english[general] != nil {
			id = general // the words for a browser's database, and for the guided mode
		}
		whole := strings.TrimSuffix(id, ".remedy")
		if used.literals[id] || used.literals[whole] && whole != id || owned[id] {
			continue
		}
		family := ""
		for prefix := range all {
			if strings.HasPrefix(id, prefix) {
				family = prefix
			}
		}
		if family == "" && slices.ContainsFunc(used.composed, func(pattern string) bool { return regexp.MustCompile(pattern).MatchString(id) }) {
			continue
		}
		t.Errorf("nothing asks for %s", id)
	}
}

// TestEveryReasonSaysWhatToDo is about the texts that a person in trouble reads.
func TestEveryReasonSaysWhatToDo(t *testing.T) {
	english, err := messages.Load("en")
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range messages.Languages() {
		catalog := catalogOf(t, language)
		spoken, err := messages.Load(language)
		if err != nil {
			t.Fatal(err)
		}
		shared := map[string]bool{}
		for _, entry := range verdict.Table() {
			summary := catalog["reason."+string(entry.Code)+".summary"]["other"]
			if !strings.HasSuffix(summary, ".") || strings.Contains(summary, "\n") {
				t.Errorf("%s %s: %q", language, entry.Code, summary)
			}
			if short := catalog["reason."+string(entry.Code)+".short"]["other"]; short == "" || utf8.RuneCountInString(short) > 40 || strings.HasSuffix(short, ".") {
				t.Errorf("%s %s in a few words: %q", language, entry.Code, short)
			}
			list := "reason." + string(entry.Code) + ".remedy"
			steps := spoken.List(list)
			if len(steps) == 0 || !slices.Equal(steps, english.List(list)) {
				t.Errorf("%s %s has the steps %q, and in English %q", language, entry.Code, steps, english.List(list))
			}
			whole := 0
			for _, step := range steps {
				shared[step] = true
				whole += len(catalog[step]["other"])
				if text := catalog[step]["other"]; len(text) < 10 || !strings.HasSuffix(text, ".") || strings.Contains(text, "\n") {
					t.Errorf("%s %s: %s is %q", language, entry.Code, step, text)
				}
			}
			if whole < 40 {
				t.Errorf("%s %s: %d letters say what to do", language, entry.Code, whole)
			}
		}
		for id := range catalog {
			if strings.HasPrefix(id, "step.") && !shared[strings.TrimSuffix(id, ".guide")] {
				t.Errorf("%s: no reason has the step %s", language, id)
			}
		}
	}
}

// stepNames are the steps that the lists of reasons share, and those of one reason alone.
func stepNames(t *testing.T) (shared, own []string) {
	t.Helper()
	catalog, err := messages.Load("en")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range verdict.Table() {
		for _, id := range catalog.List("reason." + string(entry.Code) + ".remedy") {
			if name, is := strings.CutPrefix(id, "step."); is && !slices.Contains(shared, name) {
				shared = append(shared, name)
			} else if !is {
				own = append(own, strings.TrimPrefix(id, "reason."))
			}
		}
	}
	return shared, own
}

func TestChoose(t *testing.T) {
	for _, row := range []struct {
		asked, all, messages, lang string
		want                       string
		spoken                     bool
	}{
		{"", "", "", "", "en", true}, {"fr", "es_ES", "", "", "fr", true}, {"de", "", "", "", "de", false}, {"EN", "", "", "", "en", true}, {"es_ES.UTF-8", "", "", "", "es", true}, {"eng", "", "", "", "eng", false},
		{"", "ca_ES.UTF-8", "fr", "es", "ca", true}, {"", "", "fr_CA", "es", "fr", true}, {"", "", "", "es", "es", true}, {"", "", "", "ES_mx.utf8@euro", "es", true},
		{"", "C", "fr", "fr", "en", true}, {"", "de_DE", "fr", "", "en", true}, {"", "", "", "C.UTF-8", "en", true}, {"", "", "", "ca@valencia", "ca", true},
	} {
		env := map[string]string{"LC_ALL": row.all, "LC_MESSAGES": row.messages, "LANG": row.lang}
		if got, spoken := messages.Choose(row.asked, func(name string) string { return env[name] }); got != row.want || spoken != row.spoken {
			t.Errorf("%+v: %s, %v", row, got, spoken)
		}
	}
	if _, err := messages.Load("de"); err == nil {
		t.Error("a language that nobody wrote was loaded")
	}
}

func TestUnknownIDIsItself(t *testing.T) {
	catalog, err := messages.Load("en")
	if err != nil {
		t.Fatal(err)
	}
	if got := catalog.Text("no.such.id", nil); got != "no.such.id" {
		t.Errorf("%q", got)
	}
}
