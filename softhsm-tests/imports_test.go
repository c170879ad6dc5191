package softhsmtests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// banned are imports that a package, and what stands below it, must not have, and why. Packages within "but" may. An import
// stands for what is below it too, and so does the package, unless it ends in "$".
var banned = []struct{ in, imports, but, why string }{
	{"token", "software.sslmate.com/src/go-pkcs12", "", "tokens know no PKCS#12"},
	{"token", "p11bridge/bridge", "", "imports run one way: cmd, bridge, token"},
	{"token", "p11bridge/cmd", "", "imports run one way: cmd, bridge, token"},
	{"token", "github.com/spf13", "", "a token has no command line"},
	{"token", "golang.org/x/term", "", "a token asks nobody anything"},
	{"token", "github.com/nicksnyder/go-i18n", "", "a token has no prose"},
	{"token", "golang.org/x/text", "", "a token has no prose"},
	{"bridge", "p11bridge/cmd", "", "imports run one way: cmd, bridge, token"},
	{"bridge", "github.com/spf13", "", "verdicts have no command line"},
	{"bridge", "golang.org/x/term", "", "verdicts ask nobody anything"},
	{"bridge", "github.com/nicksnyder/go-i18n", "", "verdicts are values, without prose"},
	{"bridge", "golang.org/x/text", "bridge/pfx", "verdicts are values, without prose"},
	{"bridge/pfx", "golang.org/x/text/language", "", "of x/text it knows the forms in which other programs write a password, and no prose"},
	{"bridge/pfx", "golang.org/x/text/message", "", "of x/text it knows the forms in which other programs write a password, and no prose"},
	{"bridge", "software.sslmate.com/src/go-pkcs12", "bridge/pfx", "the independent reader belongs to the codec that it checks"},
	{"bridge/pfx", "p11bridge/token", "bridge/pfx/sha2", "a PFX file has nothing to do with tokens"},
	{"bridge/pfx/sha2", "p11bridge/token$", "", "of token it knows how C code is called where keys are in clear, and nothing else"},
	{"bridge/seal", "p11bridge/bridge$", "", "a sealed password knows nothing of files and tokens' objects"},
	{"bridge/seal", "p11bridge/bridge/archive", "", "a sealed password is bytes: where they stand is no business of its"},
	{"", "filippo.io/age", "bridge/seal", "passwords are sealed in one place"},
	{"bridge/verdict", "p11bridge/bridge", "", "a verdict is a pure function over what a token told"},
	{"bridge/archive", "p11bridge/bridge$", "", "backups on disk know nothing of how they came about"},
	{"token/foreign", "p11bridge", "", "a text of foreign origin knows nothing else"},
	{"token$", "p11bridge/token/host", "", "a token does not know the machine that it is in"},
	{"token/keywrap", "p11bridge/token$", "", "it computes with plain bytes and calls no token"},
	{"token/pki", "p11bridge/token$", "", "it computes with plain bytes and calls no token"},
	{"cmd/terminal", "p11bridge/cmd/frame", "", "the terminal knows no run of the program"},
	{"cmd/terminal", "p11bridge/bridge", "", "the terminal asks, paints and measures; it knows no keys"},
	{"cmd/supervise", "p11bridge/cmd/frame", "", "the supervisor knows no run of the program"},
	{"cmd/supervise", "p11bridge/bridge/verdict", "", "the supervisor judges nothing"},
	{"cmd/messages", "p11bridge/cmd", "", "texts know nobody who says them"},
	{"cmd/frame", "p11bridge/cmd/view", "", "the frame knows no command, nor what commands show"},
	{"cmd/guide", "p11bridge/bridge$", "", "the guided mode knows no act of its own: it runs commands"},
	{"cmd", "github.com/miekg/pkcs11", "", "only token calls C_* functions"},
	{"cmd", "github.com/ThalesIgnite/crypto11", "", "only token calls C_* functions"},
	{"cmd", "software.sslmate.com/src/go-pkcs12", "", "only bridge/pfx opens PFX files"},
	{"", "github.com/miekg/pkcs11", "token", "only token calls C_* functions"},
	{"", "github.com/ThalesIgnite/crypto11", "token", "only token calls C_* functions"},
	{"", "github.com/nicksnyder/go-i18n", "cmd/messages", "the texts live in one place"},
	{"", "software.sslmate.com/src/go-pkcs12", "bridge/pfx", "only bridge/pfx opens PFX files"},
	{"", "github.com/prometheus", "", "its parser is for tests: it brings net/http along"},
	{"", "charm.land", "cmd/terminal", "questions are drawn in one place"},
	{"", "github.com/atotto/clipboard", "", "nothing is read from a clipboard or put there"},
	{"", "github.com/chromedp", "softhsm-tests", "a browser is for tests"},
	{"", "github.com/rogpeppe/go-internal", "softhsm-tests", "scripts are for tests"},
	{"", "github.com/santhosh-tekuri/jsonschema", "softhsm-tests", "schemas are held against output in tests"},
	{"", "plugin$", "", "nothing is loaded that was not compiled in"},
	{"", "math/rand$", "", "keys and challenges need crypto/rand"},
	{"", "math/rand/v2$", "", "keys and challenges need crypto/rand"},
	{"", "log$", "", "what is told goes through cmd, once"},
	{"", "net/http", "", "p11bridge talks to no network"},
}

// floors are the packages of cmd that commands stand on; every other one is a command.
var floors = []string{"frame", "view", "terminal", "supervise", "messages", "p11bridge"}

// TestCommandsStandAlone: only cmd itself knows the commands. guide runs the others as they are typed.
func TestCommandsStandAlone(t *testing.T) {
	commands := map[string]bool{}
	for _, s := range sources(t) {
		name, below := strings.CutPrefix(s.directory, "cmd/")
		if below && !slices.Contains(floors, name) {
			commands["p11bridge/"+s.directory] = true
		}
	}
	if len(commands) < 13 {
		t.Fatalf("only %d commands", len(commands))
	}
	for _, s := range sources(t) {
		if s.test() || s.directory == "cmd" {
			continue
		}
		for _, spec := range s.file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if commands[path] {
				t.Errorf("%s/%s imports %s: only cmd knows the commands", s.directory, s.name, path)
			}
		}
	}
}

// source is one file of the module.
type source struct {
	directory string // relative to the module, with slashes
	name      string
	file      *ast.File
	set       *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	const root = ".."
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (path == "tools" || path == "build" || entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && path != "."):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, filepath.Join(root, path), nil, parser.ParseComments)
		if err == nil {
			all = append(all, source{filepath.ToSlash(filepath.Dir(path)), entry.Name(), file, set})
		}
		return err
	})
	if err != nil || len(all) < 100 {
		t.Fatalf("%d sources: %v", len(all), err)
	}
	return all
}

func (s source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

// within reports whether a path is the other one, or below it. Everything is below "".
func within(path, above string) bool {
	return above == "" || path == above || strings.HasPrefix(path, above+"/")
}

// TestImports holds the house's one-way streets. Tests may look from outside, but call no token past the package token.
func TestImports(t *testing.T) {
	applied := map[int]bool{}
	for _, s := range sources(t) {
		for i, rule := range banned {
			exactPackage, only := strings.CutSuffix(rule.in, "$")
			if only && s.directory != exactPackage || !only && !within(s.directory, rule.in) || rule.but != "" && within(s.directory, rule.but) {
				continue
			}
			applied[i] = true
			if s.test() || s.directory == "scripts/bench" {
				continue
			}
			for _, spec := range s.file.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				exactly, exact := strings.CutSuffix(rule.imports, "$")
				if path == exactly || !exact && within(path, rule.imports) {
					t.Errorf("%s/%s imports %s: %s", s.directory, s.name, path, rule.why)
				}
			}
		}
	}
	for i, rule := range banned {
		if !applied[i] {
			t.Errorf("the rule about %s in %q is about no file", rule.imports, rule.in)
		}
	}
}

// TestOneExit: the process ends in main, and in no other place; nothing runs before it.
func TestOneExit(t *testing.T) {
	exits := 0
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.SelectorExpr:
				of, is := node.X.(*ast.Ident)
				if !is || !(of.Name == "os" && node.Sel.Name == "Exit" || of.Name == "log" && strings.HasPrefix(node.Sel.Name, "Fatal")) {
					return true
				}
				switch {
				case s.directory == "cmd/p11bridge":
					exits++
				case s.directory != "scripts/bench" && s.directory != "packaging/manpages" && !s.startsTests():
					t.Errorf("%s/%s calls %s.%s", s.directory, s.name, of.Name, node.Sel.Name)
				}
			case *ast.FuncDecl:
				if node.Name.Name == "init" && node.Recv == nil {
					t.Errorf("%s/%s has an init function", s.directory, s.name)
				}
			}
			return true
		})
	}
	if exits != 1 {
		t.Errorf("cmd/p11bridge calls os.Exit %d times", exits)
	}
}

// startsTests reports whether a test file has the TestMain of its package, which ends the process as main does.
func (s source) startsTests() bool {
	return s.test() && slices.ContainsFunc(s.file.Decls, func(d ast.Decl) bool {
		function, is := d.(*ast.FuncDecl)
		return is && function.Name.Name == "TestMain"
	})
}

// TestSuppressionsNameTheirReason is about //nolint, which hides what a linter found.
func TestSuppressionsNameTheirReason(t *testing.T) {
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			for _, comment := range group.List {
				rule, is := strings.CutPrefix(comment.Text, "//nolint")
				if is && (!strings.HasPrefix(rule, ":") || !strings.Contains(rule, " // ")) {
					t.Errorf("%s/%s: %s", s.directory, s.name, comment.Text)
				}
			}
		}
	}
}
