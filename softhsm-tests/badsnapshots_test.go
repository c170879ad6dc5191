package softhsmtests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestBadSnapshots gives diagnose --from what is no snapshot, or is damaged. Each is told in its own words.
func TestBadSnapshots(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "label=\"a\" id=01 key=p256 policy=locked certificate=valid\n")
	d := p.diagnosed()
	good := d.snapshot(t)
	replaced := func(pairs ...string) string {
		text := strings.NewReplacer(pairs...).Replace(good)
		if text == good {
			t.Fatalf("nothing of %q is in the snapshot", pairs)
		}
		return text
	}
	changed := func(change func(document, token map[string]any)) string {
		var document map[string]any
		if err := json.Unmarshal([]byte(good), &document); err != nil {
			t.Fatal(err)
		}
		change(document, document["tokens"].([]any)[0].(map[string]any))
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const damaged, other, otherForm = "is not a snapshot that can be used", "it is no p11bridge snapshot", "a part of it has an"
	cases := []struct{ name, text, want string }{
		{"empty", "", "cut off"},
		{"text", "Lorem ipsum", "not JSON"},
		{"binary", "\x00\xff\x30\x82", "not JSON"},
		{"null", "null", other},
		{"a list", "[]", damaged},
		{"a word", `"p11bridge.snapshot/1"`, damaged},
		{"an object", "{}", other},
		{"another document", `{"schema":"p11bridge.list/1","tokens":[]}`, other},
		{"no version", `{"schema":"p11bridge.snapshot/"}`, "p11bridge"},
		{"a newer schema", replaced("p11bridge.snapshot/1", "p11bridge.snapshot/2"), "newer p11bridge"},
		{"a much newer schema with other members", `{"schema":"p11bridge.snapshot/17","colour":"red"}`, "newer p11bridge"},
		{"a schema that is a number", `{"schema":1}`, damaged},
		{"an unknown attribute", replaced("CKA_SENSITIVE", "CKA_SENSITIVITY"), otherForm},
		{"an unknown member", changed(func(document, _ map[string]any) { document["colour"] = "red" }), otherForm},
		{"an unknown member of a token", changed(func(_, token map[string]any) { token["colour"] = "red" }), otherForm},
		{"an unknown class", replaced("CKO_PRIVATE_KEY", "CKO_PRIVATE"), otherForm},
		{"an unknown mechanism", replaced("CKM_AES_CBC_PAD", "CKM_AES_CBC_PADDED"), otherForm},
		{"tokens null", changed(func(document, _ map[string]any) { document["tokens"] = nil }), damaged},
		{"no tokens", changed(func(document, _ map[string]any) { delete(document, "tokens") }), damaged},
		{"a token null", changed(func(document, _ map[string]any) { document["tokens"] = []any{nil} }), damaged},
		{"a token that is a number", changed(func(document, _ map[string]any) { document["tokens"] = []any{1} }), damaged},
		{"an empty token", changed(func(document, _ map[string]any) { document["tokens"] = []any{map[string]any{}} }), damaged},
		{"objects null", changed(func(_, token map[string]any) { token["objects"] = nil }), damaged},
		{"an object null", changed(func(_, token map[string]any) { token["objects"] = []any{nil} }), damaged},
		{"attributes null", changed(func(_, token map[string]any) { token["objects"].([]any)[0].(map[string]any)["attributes"] = nil }), damaged},
		{"an attribute null", replaced(`"CKA_EXTRACTABLE": false`, `"CKA_EXTRACTABLE": null`), damaged},
		{"module null", changed(func(_, token map[string]any) { token["module"] = nil }), damaged},
		{"no token information", changed(func(_, token map[string]any) { delete(token, "token") }), damaged},
		{"mechanisms null", changed(func(_, token map[string]any) { token["mechanisms"] = nil }), damaged},
		{"certificate null", changed(func(_, token map[string]any) {
			for _, o := range token["objects"].([]any) {
				if o := o.(map[string]any); o["certificate"] != nil {
					o["certificate"] = nil
				}
			}
		}), damaged},
		{"a certificate without a key", changed(func(_, token map[string]any) {
			for _, o := range token["objects"].([]any) {
				if c, ok := o.(map[string]any)["certificate"].(map[string]any); ok {
					c["public_key"] = nil
				}
			}
		}), damaged},
		{"no time", changed(func(document, _ map[string]any) { delete(document, "created") }), damaged},
		{"time null", changed(func(document, _ map[string]any) { document["created"] = nil }), damaged},
		{"no time at all", replaced(`"created": "`, `"created": "x`), damaged},
		{"whether somebody logged in is not said", changed(func(_, token map[string]any) { delete(token, "logged_in") }), damaged},
		{"two documents", good + good, "behind its end"},
		{"rubbish behind it", good + "x", damaged},
		{"deep", strings.Repeat(`{"a":`, 20000), damaged},
		{"huge", `{"schema":"p11bridge.snapshot/1","x":"` + strings.Repeat("a", 17<<20) + `"}`, damaged},
	}
	for _, share := range []int{1, 3, 7, 9} {
		cases = append(cases, struct{ name, text, want string }{fmt.Sprintf("cut off after %d0 percent", share), good[:len(good)*share/10], "cut off"})
	}
	cases = append(cases, struct{ name, text, want string }{"without its last bracket", strings.TrimRight(good, "}\n"), "cut off"})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, t.TempDir(), "bad.json", []byte(c.text))
			r := p11bridge(t, nil, "diagnose", "--json", "--from", file)
			said := strings.ReplaceAll(r.stderr, "\n", " ")
			if r.code != 1 || r.document.ExitCode != 1 || r.document.Schema != "p11bridge.error/1" {
				t.Errorf("exit code %d\n%.2000s%s", r.code, r.stdout, r.stderr)
			}
			if !strings.Contains(said, c.want) || !strings.Contains(said, file) || !strings.Contains(said, "p11bridge") {
				t.Errorf("what is said has no %q: %s", c.want, r.stderr)
			}
			for _, jargon := range []string{"goroutine", "panic", "Go struct", "Go value", "json:", "2006-01-02"} {
				if strings.Contains(r.stderr, jargon) {
					t.Errorf("a user is told %q: %s", jargon, r.stderr)
				}
			}
			if len(said) > 1000 {
				t.Errorf("%d bytes are said", len(said))
			}
		})
	}
	for name, file := range map[string]string{"a directory": p.directory, "nothing": p.path("nowhere.json")} {
		r := p11bridge(t, nil, "diagnose", "--from", file)
		if r.code != 1 || !strings.Contains(r.stderr, file) || r.stdout != "" {
			t.Errorf("%s: exit code %d\n%s", name, r.code, r.stderr)
		}
	}
}
