package messages_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
)

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
		if readOut(entry) {
			reasons = append(reasons, string(entry.Code)+".plain")
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
		"answer.fault.":     constantsOf(t, "../../token", "AnswerFault"),
		"cause.":            constantsOf(t, "../../bridge", "Cause"),
		"error.file.":       both(constantsOf(t, "../../bridge/archive", "FileFault")),
		"error.trace.":      constantsOf(t, "../supervise", "TraceFault"),
		"source.fault.":     constantsOf(t, "../../token/secret", "Fault"),
		"status.state.":     states,
		"list.line.":        {"yes", "no", "no-key", "unknown"},
		"list.column.":      {"name", "id", "key", "certificate", "valid-until", "verdict"},
		"list.verdict.":     {"yes", "no", "unknown"},
		"manual.":           {"name", "synopsis", "description", "commands", "options", "global-options", "examples", "environment", "exit-status", "see-also"},
		"manual.exit.":      {"0", "1", "2", "3", "4", "5", "6"},
		"page.rating.":      {"good", "doubt", "bad"},
		"page.column.":      {"source", "name", "value"},
		"doctor.health.":    {"ok", "look", "broken"},
		"diagnose.verdict.": {"yes", "no", "no-key", "unknown", "not-told"},
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

// ofFamilies are the texts of reasons that a family has words of its own for. A code is kebab-case, so that the family stands behind
// the second dot.
func ofFamilies(t *testing.T) []string {
	t.Helper()
	var texts []string
	for id := range catalogOf(t, "en") {
		words := strings.Split(id, ".")
		if words[0] == "reason" && len(words) > 3 && slices.Contains([]string{"summary", "short", "why", "plain", "remedy"}, words[3]) {
			if _, known := verdict.Lookup(verdict.Code(words[1])); !known || !slices.Contains(backupRoutes(t), words[2]+".backup") {
				t.Errorf("%s is of no reason, or of no family", id)
			}
			texts = append(texts, strings.TrimPrefix(id, "reason."))
		}
	}
	return texts
}
