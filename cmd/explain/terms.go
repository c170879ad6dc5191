package explain

import (
	"fmt"
	"slices"
	"strings"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/terminal"
)

// terms are the words that texts use without saying what they are, by the names under which `explain` has them.
var terms = []string{"pfx", "token", "shroud", "wrap", "attributes", "profile", "cka-id", "puk", "chain"}

// glossary stands for all terms.
const glossary = "glossary"

// otherNames are what people type for a term.
var otherNames = map[string]string{"pkcs12": "pfx", "p12": "pfx", "pkcs#12": "pfx", "modern": "profile", "legacy": "profile", "pbmac1": "profile", "id": "cka-id", "so-pin": "puk", "method": "wrap"}

// findTerm gives the term that a word means, empty where it means none.
func findTerm(word string) string {
	word = strings.ReplaceAll(strings.ToLower(word), "_", "-")
	if known, is := otherNames[word]; is {
		word = known
	}
	if word == glossary || slices.Contains(terms, word) {
		return word
	}
	return ""
}

func printTerm(p *frame.Printer, term string) {
	if term == glossary {
		printTerms(p)
		return
	}
	fmt.Fprintln(p.Out, p.Text("term."+term, nil))
}

// printTerms writes the glossary, a term a line.
func printTerms(p *frame.Printer) {
	const column = 12
	for _, term := range terms {
		start := fmt.Sprintf("%-*s", column, term)
		fmt.Fprintln(p.Out, terminal.Hanging(start, column, p.Text("term."+term, nil), p.Width()))
	}
}
