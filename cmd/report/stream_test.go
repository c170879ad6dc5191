package report

import (
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// TestStream: a document that is none costs no other one.
func TestStream(t *testing.T) {
	const limit = 40
	for _, row := range []struct {
		name, text string
		want       []string // documents and faults in their order
	}{
		{"lines", "{\"a\":1}\n{\"b\":2}\n", []string{`{"a":1}`, `{"b":2}`}},
		{"one behind the other", `{"a":1} [2]{"b":{}}`, []string{`{"a":1}`, `[2]`, `{"b":{}}`}},
		{"written for people", "{\n  \"a\": [\n    {}\n  ]\n}\r\n{}\n", []string{"{\n  \"a\": [\n    {}\n  ]\n}", "{}"}},
		{"brackets at the start of a line", "{\"a\": [\n{},\n{}\n]\n}", []string{"{\"a\": [\n{},\n{}\n]\n}"}},
		{"brackets in a text", `{"a":"}\\\"{"}{}`, []string{`{"a":"}\\\"{"}`, `{}`}},
		{"cut off in a text", "{\"a\":\"xx\n{\"b\":2}\n", []string{"not-json", `{"b":2}`}},
		{"cut off behind a value", "{\"a\":1\n{\"b\":2}\n", []string{"not-json", `{"b":2}`}},
		{"cut off behind a comma", "{\"a\":1,\n{\"b\":2}\n", []string{"not-json", `{"b":2}`}},
		{"cut off in an array", "{\"a\":[1\n{\"b\":2}\n", []string{"not-json", `{"b":2}`}},
		{"cut off behind a colon takes one neighbour along", "{\"a\":\n{\"b\":2}\n{\"c\":3}\n", []string{"not-json", `{"c":3}`}},
		{"another bracket", "{\"a\":[1}]\n{\"b\":2}", []string{"not-json", `{"b":2}`}},
		{"words between", "{}\nlog: started\nlog: ended\n{\"b\":2}\nend", []string{`{}`, "not-json", `{"b":2}`, "not-json"}},
		{"cut off at the end", `{"a":1}{"b"`, []string{`{"a":1}`, "cut-off"}},
		{"too large", `{"a":"` + strings.Repeat("x", 100) + `"} {"b":2}`, []string{"too-large", `{"b":2}`}},
		{"too deep", strings.Repeat(`[`, 2000) + "\n{}", []string{"not-json", "{}"}},
		{"as large as may be", `{"a":"` + strings.Repeat("x", limit-8) + `"}`, []string{`{"a":"` + strings.Repeat("x", limit-8) + `"}`}},
		{"empty", "", nil},
		{"space", " \n\n", nil},
	} {
		for pieces, in := range map[string]io.Reader{"whole": strings.NewReader(row.text), "by the byte": iotest.OneByteReader(strings.NewReader(row.text))} {
			var got []string
			for documents := newStream(in, limit); ; {
				document, problem, err := documents.next(t.Context())
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(document)+string(problem))
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("%s, %s: %q, and not %q", row.name, pieces, got, row.want)
			}
		}
	}
}

// TestStreamBoundsMemory: a document beyond the limit takes no more memory than one of the limit.
func TestStreamBoundsMemory(t *testing.T) {
	const limit, size = 8 << 20, 256 << 20
	in := io.MultiReader(strings.NewReader(`{"a":"`), io.LimitReader(letters{}, size), strings.NewReader("\"}\n{}"))
	var earlier, after runtime.MemStats
	runtime.ReadMemStats(&earlier)
	documents := newStream(in, limit)
	if _, problem, err := documents.next(t.Context()); err != nil || problem != faultTooLarge {
		t.Fatalf("%q, %v", problem, err)
	}
	if document, problem, err := documents.next(t.Context()); err != nil || string(document) != "{}" {
		t.Fatalf("behind it: %q, %q, %v", document, problem, err)
	}
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - earlier.TotalAlloc; taken > limit+4*chunkSize {
		t.Errorf("%d bytes were taken", taken)
	}
}

// letters has any number of them.
type letters struct{}

// Read implements io.Reader.
func (letters) Read(into []byte) (int, error) {
	for i := range into {
		into[i] = 'x'
	}
	return len(into), nil
}
