package verdict

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"p11bridge/token"
)

// identifier finds the constant of a code in reason.go.
func identifier(t *testing.T, code Code) string {
	t.Helper()
	source, err := os.ReadFile("reason.go")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`(?m)^\t(\w+) +Code = "` + regexp.QuoteMeta(string(code)) + `"$`).FindSubmatch(source)
	if match == nil {
		t.Fatalf("reason.go has no constant for %s", code)
	}
	return string(match[1])
}

// TestTable holds the table of reasons itself.
func TestTable(t *testing.T) {
	kinds := []Kind{Permits, Refuses, Adds, Notices, Blocks, Spoils, Unjudged, Weakness}
	seen := map[Code]bool{}
	for _, entry := range Table() {
		if seen[entry.Code] || !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`).MatchString(string(entry.Code)) {
			t.Errorf("%q is there twice, or no code", entry.Code)
		}
		seen[entry.Code] = true
		if !slices.Contains(kinds, entry.Kind) || entry.Specification == "" {
			t.Errorf("%s has the kind %q and the specification %q", entry.Code, entry.Kind, entry.Specification)
		}
		if got, known := Lookup(entry.Code); !known || got.Code != entry.Code {
			t.Errorf("Lookup does not find %s", entry.Code)
		}
	}
	source, err := os.ReadFile("reason.go")
	if err != nil {
		t.Fatal(err)
	}
	constants := regexp.MustCompile(`(?m)^\t\w+ +Code = "([^"]+)"$`).FindAllSubmatch(source, -1)
	if len(constants) != len(seen) {
		t.Errorf("%d constants, %d rows", len(constants), len(seen))
	}
	for _, constant := range constants {
		if !seen[Code(constant[1])] {
			t.Errorf("%s is not in the table", constant[1])
		}
	}
	if _, known := Lookup("no-such-code"); known {
		t.Error("Lookup finds what is not there")
	}
	Table()[0].Code = "overwritten"
	if table[0].Code == "overwritten" {
		t.Error("Table gives the table itself")
	}
}

// TestSchemaListsEveryCode holds the published schema against the table.
func TestSchemaListsEveryCode(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "schema", "p11bridge.common.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs struct {
			Code struct{ Enum []Code }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	var codes []Code
	for _, entry := range Table() {
		codes = append(codes, entry.Code)
	}
	if difference := cmp.Diff(codes, schema.Defs.Code.Enum); difference != "" {
		t.Errorf("p11bridge.common.schema.json lists other codes than reason.go, or in another order (-reason.go +schema):\n%s", difference)
	}
}

func TestEvidenceKeepsItsOrder(t *testing.T) {
	for _, row := range []struct {
		evidence Evidence
		want     string
	}{
		{nil, `{}`},
		{Evidence{{"b", nil}, {"a", true}, {`"`, "<\u2028"}, {"c", []string{"x"}}, {"n", 7}}, `{"b":null,"a":true,"\"":"\u003c\u2028","c":["x"],"n":7}`},
	} {
		text, err := json.Marshal(row.evidence)
		if err != nil || string(text) != row.want {
			t.Errorf("%s, %v; not %s", text, err, row.want)
		}
	}
	if _, err := json.Marshal(Evidence{{"f", func() {}}}); err == nil {
		t.Error("a value that JSON has no form for is passed over")
	}
}

// madeElsewhere are the files that make, or produce on a token, the codes that no judgement of this package makes: those of files, of acts on
// tokens, of backups, and of passwords. The first two hold their codes against what is produced there.
var madeElsewhere = []string{"bridge/reason_test.go", "bridge/archive/status_test.go", "cmd/frame/errors.go"}

// TestEveryCodeHasARow counts the codes that the rows of this package produce, and fails on one that none does and that
// nobody else is known to make.
func TestEveryCodeHasARow(t *testing.T) {
	produced := map[Code]int{}
	count := func(reasons []Reason) {
		for _, reason := range reasons {
			produced[reason.Code]++
		}
	}
	for _, row := range judgeRows() {
		for _, v := range row.verdicts() {
			count(v.Reasons)
		}
	}
	for _, row := range tokenRows() {
		count(JudgeToken(&token.Info{Flags: row.flags}))
	}
	for _, row := range loginRows() {
		count(JudgeLogin(row.err))
	}
	for _, row := range moduleRows() {
		v, _ := row.judge()
		count(v.Reasons)
		for _, slot := range v.Slots {
			count(slot.Reasons)
		}
	}
	count(JudgeInventory(unlockedBrowser()))
	count(triedAndFailed().Reasons)
	count([]Reason{PINLengthReason(&token.Info{}), PINMissingReason(&token.Info{}), NoModuleReason(nil)})
	var sources []byte
	for _, file := range madeElsewhere {
		source, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, source...)
	}
	for _, entry := range Table() {
		if produced[entry.Code] == 0 && !regexp.MustCompile(`\bverdict\.`+identifier(t, entry.Code)+`\b`).Match(sources) {
			t.Errorf("nothing produces %s", entry.Code)
		}
		delete(produced, entry.Code)
	}
	for code := range produced {
		t.Errorf("%s is produced and not in the table", code)
	}
}
