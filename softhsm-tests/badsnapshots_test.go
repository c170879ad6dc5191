package softhsmtests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// badSnapshot is a text that is no snapshot, or a damaged one, and what is said of it.
type badSnapshot struct{ name, text, want string }

// What is said of them.
const damagedSnapshot, otherDocument, otherForm = "is not a snapshot that can be used", "it is not a p11bridge snapshot", "a part of it has an"

// replacedIn is a text with something replaced that is in it.
func replacedIn(t *testing.T, good string, pairs ...string) string {
	t.Helper()
	text := strings.NewReplacer(pairs...).Replace(good)
	if text == good {
		t.Fatalf("nothing of %q is in the snapshot", pairs)
	}
	return text
}

// badWholes are snapshots that are bad as a whole.
func badWholes(t *testing.T, good string) []badSnapshot {
	t.Helper()
	replaced := func(pairs ...string) string { return replacedIn(t, good, pairs...) }
	rows := []badSnapshot{
		{"empty", "", "cut off"},
		{"text", "Lorem ipsum", "not JSON"},
		{"binary", "\x00\xff\x30\x82", "not JSON"},
		{"null", "null", otherDocument},
		{"a list", "[]", damagedSnapshot},
		{"a word", `"p11bridge.snapshot/1"`, damagedSnapshot},
		{"an object", "{}", otherDocument},
		{"another document", `{"schema":"p11bridge.list/1","tokens":[]}`, otherDocument},
		{"no version", `{"schema":"p11bridge.snapshot/"}`, "p11bridge"},
		{"a newer schema", replaced("p11bridge.snapshot/1", "p11bridge.snapshot/2"), "newer p11bridge"},
		{"a much newer schema with other members", `{"schema":"p11bridge.snapshot/17","colour":"red"}`, "newer p11bridge"},
		{"a schema that is a number", `{"schema":1}`, damagedSnapshot},
		{"an unknown attribute", replaced("CKA_SENSITIVE", "CKA_SENSITIVITY"), otherForm},
		{"an unknown class", replaced("CKO_PRIVATE_KEY", "CKO_PRIVATE"), otherForm},
		{"an unknown mechanism", replaced("CKM_AES_CBC_PAD", "CKM_AES_CBC_PADDED"), otherForm},
		{"two documents", good + good, "after its end"},
		{"rubbish behind it", good + "x", damagedSnapshot},
		{"deep", strings.Repeat(`{"a":`, 20000), damagedSnapshot},
		{"huge", `{"schema":"p11bridge.snapshot/1","x":"` + strings.Repeat("a", 17<<20) + `"}`, damagedSnapshot},
	}
	for _, share := range []int{1, 3, 7, 9} {
		rows = append(rows, badSnapshot{fmt.Sprintf("cut off after %d0 percent", share), good[:len(good)*share/10], "cut off"})
	}
	return append(rows, badSnapshot{"without its last bracket", strings.TrimRight(good, "}\n"), "cut off"})
}

// badParts are snapshots with a part that is missing, null or unknown.
func badParts(t *testing.T, good string) []badSnapshot {
	t.Helper()
	replaced := func(pairs ...string) string { return replacedIn(t, good, pairs...) }
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
	return []badSnapshot{
		{"an unknown member", changed(func(document, _ map[string]any) { document["colour"] = "red" }), otherForm},
		{"an unknown member of a token", changed(func(_, token map[string]any) { token["colour"] = "red" }), otherForm},
		{"tokens null", changed(func(document, _ map[string]any) { document["tokens"] = nil }), damagedSnapshot},
		{"no tokens", changed(func(document, _ map[string]any) { delete(document, "tokens") }), damagedSnapshot},
		{"a token null", changed(func(document, _ map[string]any) { document["tokens"] = []any{nil} }), damagedSnapshot},
		{"a token that is a number", changed(func(document, _ map[string]any) { document["tokens"] = []any{1} }), damagedSnapshot},
		{"an empty token", changed(func(document, _ map[string]any) { document["tokens"] = []any{map[string]any{}} }), damagedSnapshot},
		{"objects null", changed(func(_, token map[string]any) { token["objects"] = nil }), damagedSnapshot},
		{"an object null", changed(func(_, token map[string]any) { token["objects"] = []any{nil} }), damagedSnapshot},
		{"attributes null", changed(func(_, token map[string]any) { token["objects"].([]any)[0].(map[string]any)["attributes"] = nil }), damagedSnapshot},
		{"an attribute null", replaced(`"CKA_EXTRACTABLE": false`, `"CKA_EXTRACTABLE": null`), damagedSnapshot},
		{"module null", changed(func(_, token map[string]any) { token["module"] = nil }), damagedSnapshot},
		{"no token information", changed(func(_, token map[string]any) { delete(token, "token") }), damagedSnapshot},
		{"mechanisms null", changed(func(_, token map[string]any) { token["mechanisms"] = nil }), damagedSnapshot},
		{"certificate null", changed(func(_, token map[string]any) {
			for _, o := range token["objects"].([]any) {
				if o := o.(map[string]any); o["certificate"] != nil {
					o["certificate"] = nil
				}
			}
		}), damagedSnapshot},
		{"a certificate without a key", changed(func(_, token map[string]any) {
			for _, o := range token["objects"].([]any) {
				if c, ok := o.(map[string]any)["certificate"].(map[string]any); ok {
					c["public_key"] = nil
				}
			}
		}), damagedSnapshot},
		{"no time", changed(func(document, _ map[string]any) { delete(document, "created") }), damagedSnapshot},
		{"time null", changed(func(document, _ map[string]any) { document["created"] = nil }), damagedSnapshot},
		{"no time at all", replaced(`"created": "`, `"created": "x`), damagedSnapshot},
		{"whether somebody logged in is not said", changed(func(_, token map[string]any) { delete(token, "logged_in") }), damagedSnapshot},
	}
}

// TestBadSnapshots gives diagnose --from what is no snapshot, or is damaged. Each is told in its own words.
func TestBadSnapshots(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "label=\"a\" id=01 key=p256 policy=locked certificate=valid\n")
	good := p.diagnosed().snapshot(t)
	for _, c := range append(badWholes(t, good), badParts(t, good)...) {
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
