package softhsmtests

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// vagueWords are words that no name is made of: an engineer did not know at the first reading what was meant by them.
var vagueWords = []string{
	"errand", "errands", "ending", "endings", "cargo", "company", "retreat", "placed", "head", "before", "beginning", "tally", "stranger", "strangers", "light", "lights",
}

// knownNames are the names that have such a word from a specification or from the standard library.
var knownNames = []string{"Before", "NotBefore", "notBefore"}

// The duty words mean one thing: the frame has printed a result. What a token said of an object is given, or known. The reason
// code attributes-not-told keeps its name.
var (
	dutyWords   = []string{"tell", "tells", "told"}
	saysPrinted = []string{"cmd/frame", "cmd/supervise"}
	reasonCode  = "AttributesNotTold"
)

// TestNamesAreUnderstood looks at every name in the house.
func TestNamesAreUnderstood(t *testing.T) {
	for _, s := range sources(t) {
		seen := map[string]bool{}
		ast.Inspect(s.file, func(node ast.Node) bool {
			name, is := node.(*ast.Ident)
			if !is || seen[name.Name] || slices.Contains(knownNames, name.Name) {
				return true
			}
			seen[name.Name] = true
			for _, word := range wordsOf(name.Name) {
				if slices.Contains(vagueWords, word) || slices.Contains(dutyWords, word) && !slices.Contains(saysPrinted, s.directory) && name.Name != reasonCode {
					t.Errorf("%s: nobody knows at the first reading what %q in %s is", s.set.Position(name.Pos()), word, name.Name)
				}
			}
			return true
		})
	}
}

// wordsOf are the words of an identifier, in lower case.
func wordsOf(name string) []string {
	var words []string
	start, letters := 0, []rune(name)
	for i := 1; i <= len(letters); i++ {
		if i == len(letters) || unicode.IsUpper(letters[i]) && (!unicode.IsUpper(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1])) {
			words = append(words, strings.ToLower(strings.Trim(string(letters[start:i]), "_")))
			start = i
		}
	}
	return words
}
