package main

import (
	"fmt"
	"strings"
)

// A list is a text of mutations. Each begins with its title and names the file, the line as it stands there, the line to
// put in its place, and the test that is to notice:
//
//	# the key is the certificate's
//	file bridge/proof.go
//	- case !key.Public.Equal(receipt.Certificate.PublicKey):
//	+ case false:
//	test ./softhsm-tests TestProofNotices/another_key
//
// Lines are compared without the white space around them, and the old line stands in the file exactly once. Several pairs
// of lines may follow each other. The test is a package and a pattern for go test -run.
type mutation struct {
	title   string
	file    string
	changes []change
	test    test
}

type change struct{ old, new string }

type test struct{ pkg, pattern string }

func (t test) String() string { return "go test " + t.pkg + " -run " + t.pattern }

func parse(text string) ([]mutation, error) {
	var list []mutation
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		kind, rest, _ := strings.Cut(line, " ")
		if kind == "#" {
			list = append(list, mutation{title: rest})
			continue
		}
		if len(list) == 0 {
			return nil, fmt.Errorf("line %d: no title stands before it", number)
		}
		if err := list[len(list)-1].add(kind, strings.TrimSpace(rest)); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	for _, m := range list {
		if m.file == "" || len(m.changes) == 0 || m.test.pattern == "" {
			return nil, fmt.Errorf("%q is not complete", m.title)
		}
		for _, c := range m.changes {
			if c.old == c.new {
				return nil, fmt.Errorf("%q changes nothing", m.title)
			}
		}
	}
	return list, nil
}

func (m *mutation) add(kind, rest string) error {
	switch kind {
	case "file":
		m.file = rest
	case "-":
		m.changes = append(m.changes, change{old: rest})
	case "+":
		if len(m.changes) == 0 {
			return fmt.Errorf("a new line without an old one")
		}
		m.changes[len(m.changes)-1].new = rest
	case "test":
		m.test.pkg, m.test.pattern, _ = strings.Cut(rest, " ")
	default:
		return fmt.Errorf("%q is neither file, -, + nor test", kind)
	}
	return nil
}

// apply gives the source with the changes in it.
func (m mutation) apply(source string) (string, error) {
	for _, c := range m.changes {
		lines, found := strings.SplitAfter(source, "\n"), 0
		for i, line := range lines {
			if strings.TrimSpace(line) != c.old {
				continue
			}
			found++
			lines[i] = c.new + "\n"
		}
		if found != 1 {
			return "", fmt.Errorf("the line %q stands %d times in %s: bring the list up to date", c.old, found, m.file)
		}
		source = strings.Join(lines, "")
	}
	return source, nil
}
