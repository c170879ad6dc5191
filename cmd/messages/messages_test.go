package messages_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
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

// written tells whether there is a catalog file of the language at all.
func written(language string) bool {
	return slices.ContainsFunc(messages.Files(), func(name string) bool { return strings.HasSuffix(name, "."+language+".json") })
}

// TestLanguagesAreComplete names what a language lacks, what it has in excess, and where its placeholders differ.
func TestLanguagesAreComplete(t *testing.T) {
	english := catalogOf(t, "en")
	if len(english) < 300 {
		t.Fatalf("only %d English texts", len(english))
	}
	for _, name := range messages.Files() {
		parts := strings.Split(name, ".")
		if len(parts) != 3 || !slices.Contains(messages.Languages(), parts[1]) {
			t.Errorf("%s is not SUBJECT.LANGUAGE.json", name)
		}
	}
	for _, language := range messages.Languages()[1:] {
		t.Run(language, func(t *testing.T) {
			if !written(language) {
				t.Logf("no catalog speaks %s yet: all %d texts are missing", language, len(english))
				return
			}
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
				if strings.TrimSpace(text) == "" || strings.TrimSpace(text) != text {
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

// uses is what the sources of cmd say about texts.
type uses struct {
	asked    map[string][]string // ids in a call for a text, with the names of their arguments; nil where those are made elsewhere
	literals map[string]bool     // every string in the sources
	composed []string            // ids that are put together, as patterns
}

// textFunctions take an id as this argument.
var textFunctions = map[string]int{"Text": 0, "Optional": 0, "Notice": 0, "Usage": 0, "text": 0, "optional": 0, "notice": 0, "usage": 0}

func usesOf(t *testing.T) uses {
	t.Helper()
	u := uses{asked: map[string][]string{}, literals: map[string]bool{}}
	var files []string
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".go") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 40 {
		t.Fatalf("%d sources: %v", len(files), err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.BasicLit:
				if node.Kind == token.STRING {
					u.literals[unquoted(node)] = true
				}
			case *ast.BinaryExpr:
				if pattern, is := patternOf(node); is {
					u.composed = append(u.composed, pattern)
					return false
				}
			case *ast.CallExpr:
				u.call(node)
			}
			return true
		})
	}
	slices.Sort(u.composed)
	u.composed = slices.Compact(u.composed)
	return u
}

func unquoted(literal *ast.BasicLit) string {
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return text
}

func (u *uses) call(call *ast.CallExpr) {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	at, is := textFunctions[name]
	if !is || len(call.Args) <= at {
		return
	}
	literal, is := call.Args[at].(*ast.BasicLit)
	if !is || literal.Kind != token.STRING || unquoted(literal) == "" { // an empty foreign.Text is no id
		return
	}
	var names []string
	if len(call.Args) > at+1 {
		switch args := call.Args[at+1].(type) {
		case *ast.CompositeLit:
			names = []string{}
			for _, element := range args.Elts {
				if pair, is := element.(*ast.KeyValueExpr); is {
					if key, is := pair.Key.(*ast.BasicLit); is {
						names = append(names, unquoted(key))
					}
				}
			}
		case *ast.Ident:
			if args.Name == "nil" {
				names = []string{}
			}
		}
	}
	u.asked[unquoted(literal)] = names
}

// patternOf is a concatenation that begins like an id, as a regular expression.
func patternOf(e ast.Expr) (string, bool) {
	pattern, ok := parts(e)
	start := regexp.MustCompile(`^([a-z0-9-]+\\\.)+`)
	return "^" + pattern + "$", ok && start.MatchString(pattern)
}

func parts(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		left, ok := parts(e.X)
		right, also := parts(e.Y)
		return left + right, ok && also
	case *ast.BasicLit:
		return regexp.QuoteMeta(unquoted(e)), e.Kind == token.STRING
	}
	return `.+`, true
}

// constantsOf gives the values of a package's string constants of a type.
func constantsOf(t *testing.T, directory, typeName string) []string {
	t.Helper()
	var values []string
	eachFile(t, directory, func(file *ast.File) {
		ast.Inspect(file, func(node ast.Node) bool {
			spec, is := node.(*ast.ValueSpec)
			if !is {
				return true
			}
			if named, is := spec.Type.(*ast.Ident); is && named.Name == typeName {
				for _, value := range spec.Values {
					if literal, is := value.(*ast.BasicLit); is {
						values = append(values, unquoted(literal))
					}
				}
			}
			return true
		})
	})
	if len(values) == 0 {
		t.Fatalf("%s has no constants of the type %s", directory, typeName)
	}
	return values
}

func eachFile(t *testing.T, directory string, look func(*ast.File)) {
	t.Helper()
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != directory:
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err == nil {
			look(file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// backupRoutes are the families of bridge's table, with "backup" or "none".
func backupRoutes(t *testing.T) []string {
	t.Helper()
	var routes []string
	eachFile(t, "../../bridge/verdict", func(file *ast.File) {
		ast.Inspect(file, func(node ast.Node) bool {
			literal, is := node.(*ast.CompositeLit)
			if named, isNamed := literalType(literal, is); !isNamed || named != "Family" {
				return true
			}
			name, route := "", ".none"
			for _, element := range literal.Elts {
				pair := element.(*ast.KeyValueExpr)
				switch pair.Key.(*ast.Ident).Name {
				case "Name":
					name = unquoted(pair.Value.(*ast.BasicLit))
				case "Backup":
					route = ".backup"
				}
			}
			if name != "" {
				routes = append(routes, name+route)
			}
			return true
		})
	})
	slices.Sort(routes)
	return slices.Compact(routes)
}

func literalType(literal *ast.CompositeLit, is bool) (string, bool) {
	if !is {
		return "", false
	}
	named, is := literal.Type.(*ast.Ident)
	if !is {
		return "", false
	}
	return named.Name, true
}

// families are the ids that the program puts together, with all that may stand in them. What is not in the list of a family
// is an orphan.
func families(t *testing.T) map[string][]string {
	t.Helper()
	var reasons, states []string
	for _, entry := range verdict.Table() {
		for _, part := range []string{".summary", ".short", ".why"} {
			reasons = append(reasons, string(entry.Code)+part)
		}
	}
	shared, own := stepNames(t)
	reasons = append(reasons, own...)
	reasons = append(reasons, ofFamilies(t)...)
	for _, state := range archive.BackupStates() {
		states = append(states, string(state))
	}
	both := func(values []string) []string {
		var all []string
		for _, value := range values {
			all = append(all, value, value+".remedy")
		}
		return all
	}
	return map[string][]string{
		"reason.":           reasons,
		"family.":           backupRoutes(t),
		"step.":             shared,
		"term.":             {"pfx", "token", "shroud", "wrap", "attributes", "profile", "cka-id", "puk", "chain"},
		"export.proof.":     constantsOf(t, "../../bridge/archive", "Proof"),
		"error.load.":       both(constantsOf(t, "../../token", "LoadFault")),
		"error.file.":       both(constantsOf(t, "../../bridge/archive", "FileFault")),
		"error.trace.":      constantsOf(t, "../supervise", "TraceFault"),
		"source.fault.":     constantsOf(t, "../../token/secret", "Fault"),
		"status.state.":     states,
		"list.line.":        {"yes", "no", "no-key", "unknown"},
		"list.column.":      {"name", "id", "key", "certificate", "valid-until", "verdict"},
		"list.verdict.":     {"yes", "no", "unknown"},
		"page.rating.":      {"good", "doubt", "bad"},
		"page.column.":      {"source", "name", "value"},
		"doctor.health.":    {"ok", "look", "broken"},
		"diagnose.verdict.": {"yes", "no", "no-key", "unknown", "not-told"},
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
	owned := map[string]bool{}
	for prefix, values := range families(t) {
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
		whole := strings.TrimSuffix(id, ".remedy")
		if used.literals[id] || used.literals[whole] && whole != id || owned[id] {
			continue
		}
		family := ""
		for prefix := range families(t) {
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

// looksLikeID leaves out file names and the like that are put together too.
func looksLikeID(pattern string) bool {
	for _, subject := range []string{"reason", "family", "export", "error", "status", "list", "page", "doctor", "usage", "purpose", "install", "request", "restore", "progress", "verify", "label", "notice", "flag", "command"} {
		if strings.HasPrefix(pattern, "^"+subject+`\.`) {
			return true
		}
	}
	return false
}

// TestEveryReasonSaysWhatToDo is about the texts that a person in trouble reads.
func TestEveryReasonSaysWhatToDo(t *testing.T) {
	english, err := messages.Load("en")
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range messages.Languages() {
		if !written(language) {
			continue
		}
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
			if strings.HasPrefix(id, "step.") && !shared[id] {
				t.Errorf("%s: no reason has the step %s", language, id)
			}
		}
	}
}

// ofFamilies are the texts of reasons that a family has words of its own for. A code is kebab-case, so that the family stands behind
// the second dot.
func ofFamilies(t *testing.T) []string {
	t.Helper()
	var texts []string
	for id := range catalogOf(t, "en") {
		words := strings.Split(id, ".")
		if words[0] == "reason" && len(words) > 3 && slices.Contains([]string{"summary", "short", "why", "remedy"}, words[3]) {
			if _, known := verdict.Lookup(verdict.Code(words[1])); !known || !slices.Contains(backupRoutes(t), words[2]+".backup") {
				t.Errorf("%s is of no reason, or of no family", id)
			}
			texts = append(texts, strings.TrimPrefix(id, "reason."))
		}
	}
	return texts
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
		{"", "", "", "", "en", true}, {"fr", "es_ES", "", "", "fr", true}, {"de", "", "", "", "de", false}, {"EN", "", "", "", "EN", false},
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
