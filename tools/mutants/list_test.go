package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const listed = `
# a title
file a.go
- if x == y {
+ if x != y {
test ./a TestA
# two lines
file b.go
- one
+ 1
- two
+ 2
test ./b TestB/sub test
`

func TestParse(t *testing.T) {
	list, err := parse(listed)
	if err != nil || len(list) != 2 {
		t.Fatalf("%d mutations, %v", len(list), err)
	}
	if m := list[1]; m.title != "two lines" || m.file != "b.go" || len(m.changes) != 2 || m.test != (test{"./b", "TestB/sub test"}) {
		t.Errorf("%+v", m)
	}
	for _, bad := range []string{"file a.go", "# t\nfile a.go\n- x\n+ y\n", "# t\nfile a.go\n+ y\ntest . T", "# t\nfile a.go\n- x\n+ x\ntest . T", "# t\nFile a.go"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestApply(t *testing.T) {
	m := mutation{file: "a.go", changes: []change{{"if x == y {", "if x != y {"}}}
	got, err := m.apply("\n\tif x == y {\n\t}\n")
	if err != nil || got != "\nif x != y {\n\t}\n" {
		t.Errorf("%q, %v", got, err)
	}
	for _, source := range []string{"", "\tif x == y {\n\tif x == y {\n", "if x == y { // so\n"} {
		if _, err := m.apply(source); err == nil || !strings.Contains(err.Error(), "times in a.go") {
			t.Errorf("%q: %v", source, err)
		}
	}
}

// TestListIsUpToDate sees in a second what a run of the list tells at its end.
func TestListIsUpToDate(t *testing.T) {
	text, err := os.ReadFile("list.txt")
	if err != nil {
		t.Fatal(err)
	}
	list, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		source, err := os.ReadFile(filepath.Join("..", "..", m.file))
		if err == nil {
			_, err = m.apply(string(source))
		}
		if err != nil {
			t.Errorf("%s: %v", m.title, err)
		}
	}
}
