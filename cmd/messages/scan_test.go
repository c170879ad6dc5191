package messages

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"text/template"
)

// TestScan: what scan finds in every catalog is what a parser of JSON finds.
func TestScan(t *testing.T) {
	for _, name := range append(Files(), onWindows+"/words.en.json", onWindows+"/words.es.json", onWindows+"/words.ca.json", onWindows+"/words.fr.json") {
		raw, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		want, got := map[string]json.RawMessage{}, map[string]json.RawMessage{}
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(name, err)
		}
		if err := scan(raw, func(id string, value json.RawMessage) { got[id] = value }); err != nil {
			t.Fatal(name, err)
		}
		if len(want) == 0 || !maps.EqualFunc(want, got, func(x, y json.RawMessage) bool { return string(x) == string(y) }) {
			t.Errorf("%s: scan gives %d members, and JSON has %d, or others", name, len(got), len(want))
		}
	}
}

// TestScanEscapes: a text ends at a quote behind an even number of backslashes.
func TestScanEscapes(t *testing.T) {
	got := map[string]string{}
	if err := scan([]byte(`{"a": "x\\", "b": ["\"", "]"], "c": "\\\""}`), func(id string, value json.RawMessage) { got[id] = string(value) }); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"a": `"x\\"`, "b": `["\"", "]"]`, "c": `"\\\""`}; !maps.Equal(got, want) {
		t.Errorf("%q and not %q", got, want)
	}
}

// FuzzScan: whatever JSON takes as an object with plain ids and with texts, arrays or objects as values is scanned as what it is, and nothing makes scan panic.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`{"a": "b"}`, `{ "a" : ["x\\", "\"]"], "b.c":{"one":"}","other":"{{.N}}\\\""} }`, `{"a":"\\\\"}`, `{"a":"b"`, `{"a" "b"}`, `{"a":1}`, `{"":""}`, `{}`, `"`, `{"a":"b",}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := map[string]json.RawMessage{}
		err := scan(raw, func(id string, value json.RawMessage) { got[id] = value })
		want := map[string]json.RawMessage{}
		if json.Unmarshal(raw, &want) != nil || err != nil {
			return
		}
		if !maps.EqualFunc(want, got, func(x, y json.RawMessage) bool { return string(x) == string(y) }) {
			t.Errorf("scan gives %q, and JSON %q", got, want)
		}
	})
}

// TestFill: what is filled in without a template is what a template gives.
func TestFill(t *testing.T) {
	data := map[string]any{"Name": "a{{.Other}}b", "Other": "<&>"}
	for _, text := range []string{"", "x", "{{.Name}}", "a {{.Name}} b {{.Other}}.", "{{.Name}}{{.Other}}}}", "} {{.Other}} {"} {
		var want strings.Builder
		if err := template.Must(template.New("").Parse(text)).Execute(&want, data); err != nil {
			t.Fatal(err)
		}
		if got, filled := fill(text, data); !filled || got != want.String() {
			t.Errorf("%q becomes %q, and by a template %q", text, got, want.String())
		}
	}
	for _, text := range []string{"{{.Missing}}", "{{ .Name }}", "{{if .Name}}x{{end}}", "{{- .Name}}", "{{.Name | printf}}", "{{.Name", "{{Name}}", `{{"Name"}}`} {
		if got, filled := fill(text, data); filled {
			t.Errorf("%q becomes %q, and is for a template", text, got)
		}
	}
}
