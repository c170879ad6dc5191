package view

import "strings"

// run is a part of a text. One that has parts is broken between them only: a command, an option, a path.
type run struct {
	Text  string
	Code  bool
	Parts []string
}

// inline cuts a text at its backquotes: what stands between two of them is a command or a file's name.
func inline(text string) []run {
	quoted := strings.Split(text, "`")
	if len(quoted)%2 == 0 { // one without its partner
		quoted = []string{text}
	}
	var runs []run
	for i, part := range quoted {
		if i%2 == 1 {
			runs = append(runs, run{Code: true, Parts: words(part)})
			continue
		}
		runs = append(runs, plain(part)...)
	}
	return runs
}

// plain keeps options and paths whole, which a browser would break at their hyphens.
func plain(text string) []run {
	var runs []run
	begin, at := 0, 0
	for _, word := range words(text) {
		if bare := strings.TrimSpace(word); strings.Contains(bare, "/") || strings.HasPrefix(bare, "--") {
			runs = append(runs, run{Text: text[begin:at]}, run{Parts: cutAfter(bare, `/\`)})
			begin = at + len(bare)
		}
		at += len(word)
	}
	return append(runs, run{Text: text[begin:]})
}

// words cuts a text after its blanks.
func words(text string) []string { return strings.SplitAfter(text, " ") }

// path cuts the name of a file after its separators, and gives nothing for another text.
func path(text string) []string {
	if strings.HasPrefix(text, "/") || strings.Contains(text, `:\`) {
		return cutAfter(text, `/\`)
	}
	return nil
}

// cutAfter cuts after each of some separators, but leaves none alone.
func cutAfter(text, separators string) []string {
	var parts []string
	begin := 0
	for i := range text {
		if i > begin && strings.ContainsRune(separators, rune(text[i])) {
			parts = append(parts, text[begin:i+1])
			begin = i + 1
		}
	}
	if begin < len(text) {
		parts = append(parts, text[begin:])
	}
	return parts
}

// breakable cuts a URI, a path or a distinguished name into the parts that a line is broken between, and not within. Other texts are one part.
func breakable(text string) []string {
	switch {
	case strings.HasPrefix(text, "pkcs11:"):
		return strings.SplitAfter(text, ";")
	case path(text) != nil:
		return path(text)
	case distinguished(text):
		return relativeNames(text)
	}
	return []string{text}
}

// distinguished reports whether a text looks like a distinguished name: TYPE=value.
func distinguished(text string) bool {
	name, _, is := strings.Cut(text, "=")
	return is && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.") == ""
}

// relativeNames cuts a distinguished name after the commas that separate (RFC 4514), not those of a value, which a backslash precedes.
func relativeNames(text string) []string {
	var parts []string
	begin := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case ',':
			for i+1 < len(text) && text[i+1] == ' ' {
				i++
			}
			parts = append(parts, text[begin:i+1])
			begin = i + 1
		}
	}
	return append(parts, text[begin:])
}
