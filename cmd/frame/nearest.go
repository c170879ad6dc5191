package frame

import (
	"slices"
	"strings"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
)

// mostNear is how many names are offered in place of one that was mistyped.
const mostNear = 3

// nearest are the names that may have been meant, the nearest first: those that differ in case alone, those that begin with
// what was typed, and those that one or two slips of the keyboard away.
func nearest(typed string, among []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	word := strings.ToLower(typed)
	var near []candidate
	offered := map[string]bool{}
	for _, name := range among {
		lower, distance := strings.ToLower(name), 0
		switch {
		case lower == word:
		case len(word) > 1 && strings.HasPrefix(lower, word):
			distance = 1
		default:
			if distance = slips(word, lower); distance > allowedSlips(word) {
				continue
			}
		}
		if !offered[name] {
			offered[name] = true
			near = append(near, candidate{name, distance})
		}
	}
	slices.SortStableFunc(near, func(x, y candidate) int { return x.distance - y.distance })
	var names []string
	for _, c := range near[:min(len(near), mostNear)] {
		names = append(names, c.name)
	}
	return names
}

// allowedSlips grows with the word: every word of three letters is near to every other.
func allowedSlips(word string) int {
	if len(word) < 3 {
		return 0
	}
	if len(word) < 5 {
		return 1
	}
	return mostSlips
}

// mostSlips are the slips that a word may have at most.
const mostSlips = 2

// longestCompared bounds what is compared letter by letter: what is longer is no slip of the keyboard.
const longestCompared = 64

// slips counts the letters that were left out, added, exchanged or turned round between two words.
func slips(one, other string) int {
	a, b := []rune(one), []rune(other)
	if apart := max(len(a)-len(b), len(b)-len(a)); apart > mostSlips {
		return apart // each further letter is one more
	}
	if len(a) > longestCompared {
		return longestCompared
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			other := 1
			if a[i-1] == b[j-1] {
				other = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+other)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// didYouMean offers names in place of one that was mistyped, empty for none.
func (a *App) didYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = terminal.Printable(name)
	}
	return a.Text("error.did-you-mean", messages.Args{"Names": messages.Own(strings.Join(shown, ", "))})
}
