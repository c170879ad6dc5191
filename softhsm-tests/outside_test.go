package softhsmtests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// callsC are functions of the standard library that call C code in a program that has any.
var callsC = []string{"os.Setenv", "os.Unsetenv", "os.Clearenv", "user.Current", "user.Lookup", "user.LookupId", "net.Dial", "net.LookupHost", "net.LookupIP", "net.Listen"}

// notWithin are the packages and the files of bridge and token that run nothing within secret.Forget: modules are opened before.
var notWithin = []string{"../token/host", "../bridge/demo", "../token/load.go", "../token/load_linux.go"}

// outside are the functions that call by secret.Outside what they are given.
var outside = []string{"secret.Outside", "apart", "carryOut", "bytesFrom", "bytesInto", "listFrom", "listInto", "handleOf"}

// TestCIsCalledOutside reads the packages that have keys in clear: what runs within secret.Forget calls C code by secret.Outside alone,
// since Go 1.26 crashes there. Every call of C stands in a function that is given to secret.Outside, or to what calls it by that.
func TestCIsCalledOutside(t *testing.T) {
	files, calls := 0, 0
	for _, root := range []string{"../bridge", "../token"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && slices.Contains(notWithin, path):
				return fs.SkipDir
			case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || slices.Contains(notWithin, path):
				return nil
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			files++
			var around []ast.Node
			ast.Inspect(file, func(n ast.Node) bool {
				if n == nil {
					around = around[:len(around)-1]
					return true
				}
				around = append(around, n)
				call, is := n.(*ast.CallExpr)
				if !is {
					return true
				}
				name := nameOf(call.Fun)
				ours := strings.HasPrefix(name, "C.p11b_") || slices.Contains([]string{"C.CString", "C.malloc", "C.memset", "C.free"}, name)
				if ours {
					calls++
				}
				if (ours || slices.Contains(callsC, name)) && !isOutside(around) {
					t.Errorf("%s: %s is not called outside", set.Position(call.Pos()), name)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 80 || calls < 20 {
		t.Errorf("only %d files and %d calls of C were seen", files, calls)
	}
}

// isOutside reports whether one of the calls around calls outside what it is given.
func isOutside(around []ast.Node) bool {
	return slices.ContainsFunc(around, func(n ast.Node) bool {
		call, is := n.(*ast.CallExpr)
		return is && slices.Contains(outside, nameOf(call.Fun))
	})
}

// nameOf is a function's name with that of its package, empty for what has none.
func nameOf(function ast.Expr) string {
	switch f := function.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if of, is := f.X.(*ast.Ident); is {
			return of.Name + "." + f.Sel.Name
		}
	}
	return ""
}
