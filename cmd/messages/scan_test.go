package messages

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"text/template"
)

// TestScan: what scan and member find in every catalog is what a parser of JSON finds.
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
		if err := scan(raw, 0, func(id string, value json.RawMessage) { got[id] = value }); err != nil {
			t.Fatal(name, err)
		}
		if len(want) == 0 || !maps.EqualFunc(want, got, func(x, y json.RawMessage) bool { return string(x) == string(y) }) {
			t.Errorf("%s: scan gives %d members, and JSON has %d, or others", name, len(got), len(want))
		}
		for id, value := range want {
			if one := member(raw, id); string(one) != string(value) {
				t.Errorf("%s: member gives %q for %s, which is %q", name, one, id, value)
			}
		}
		if one := member(raw, "no"); one != nil {
			t.Errorf("%s: member gives %q for an id that is not there", name, one)
		}
	}
}

// TestScanRefuses: an object that is laid out in another way is not read as something else.
func TestScanRefuses(t *testing.T) {
	got := map[string]string{}
	if err := scan([]byte("{\n  \"a\": \"x, \\\"y\\\": \",\n  \"b\": [\n    \"c\"\n  ]\n}\n"), 0, func(id string, value json.RawMessage) { got[id] = string(value) }); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"a": `"x, \"y\": "`, "b": "[\n    \"c\"\n  ]"}; !maps.Equal(got, want) {
		t.Errorf("%q and not %q", got, want)
	}
	for _, raw := range []string{"", "{", "{}", `{"a": "b"}`, "{\n  \"a\": \"b\"}", "{\n \"a\": \"b\"\n}", "{\n  \"a\": \"b\"\n  \"c\": \"d\"\n}", "{\n  \"a\": \"b\",\n  \"c\" \"d\"\n}"} {
		if err := scan([]byte(raw), 0, func(string, json.RawMessage) {}); err == nil {
			t.Errorf("%q is read", raw)
		}
	}
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
