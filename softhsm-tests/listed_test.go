package softhsmtests

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/sys/unix"
	"golang.org/x/text/width"

	"p11bridge/cmd/messages"
)

// onTerminal runs a command on a terminal of 80 columns and gives the lines that it showed.
func (p *place) onTerminal(t *testing.T, language string, args ...string) []string {
	t.Helper()
	term := newTerminal(t)
	if err := unix.IoctlSetWinsize(int(term.far.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: screenColumns}); err != nil {
		t.Fatal(err)
	}
	environment := append(slices.Clone(p.environment), "LC_ALL="+language+"_XX.UTF-8", "TERM=xterm-256color", "P11BRIDGE_PAGER=", "PAGER=cat")
	const end = "the end of what is shown"
	command := exec.CommandContext(t.Context(), "sh", "-c", `"$@"; printf '%s\n' '`+end+`'`, "sh")
	made := product(context.Background(), environment, args...)
	command.Args, command.Env, command.Dir = append(command.Args, append([]string{made.Path}, made.Args[1:]...)...), made.Env, p.directory
	if code := term.run(t, command, true).ends(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, term.text())
	}
	until(t, "all is shown", func() bool { return strings.Contains(term.text(), end) })
	text, _, _ := strings.Cut(strings.ReplaceAll(term.text(), "\r\n", "\n"), end)
	return strings.Split(strings.TrimSuffix(colour.ReplaceAllString(text, ""), "\n"), "\n")
}

// wide is the number of columns that a line takes at most: by the table of wide characters of Unicode, and not by the measure that
// is tested here. A mark takes none.
func wide(line string) int {
	columns := 0
	for _, r := range line {
		kind := width.LookupRune(r).Kind()
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
			columns += 2
		default:
			columns++
		}
	}
	return columns
}

// strangeLabels are names that take more or fewer columns than they have letters, or more than a line has.
var strangeLabels = []string{
	"dave",
	"Òscar Müller 東京都千代田区丸の内一丁目",
	"東京" + strings.Repeat("都", 60),
	"🔑 key 🎉🎉",
	strings.Repeat("🔑", 50),
	"e\u0301cole des me\u0301tiers",
	strings.Repeat("a\u0301\u0323", 90),
	"מפתח החתימה של דנה",
	"مفتاح التوقيع",
	strings.Repeat("ש", 120),
	strings.Repeat("n", 200),
	strings.Repeat("a name of many words ", 8) + "end",
	"a\u200db\u202ec",
	"twins", "twins",
}

// TestListFitsTerminal lists names of every width in every language: no line is wider than the terminal, the verdict of every key
// stands there, and every name can be given back as it is shown, or another one stands below it.
func TestListFitsTerminal(t *testing.T) {
	t.Parallel()
	var specimens strings.Builder
	for i, label := range strangeLabels {
		fmt.Fprintf(&specimens, "label=%s id=%02x key=p256 policy=%s certificate=valid\n", strconv.Quote(label), 0x40+i, []string{"wrappable", "locked"}[i%2])
	}
	p := newPlace(t, specimens.String())
	for _, language := range messages.Languages() {
		texts, err := messages.Load(language)
		if err != nil {
			t.Fatal(err)
		}
		lines := p.onTerminal(t, language, "list", "--pin-source", p.pin)
		whole := strings.Join(lines, "\n")
		for _, line := range lines {
			if columns := wide(line); columns > screenColumns {
				t.Errorf("%s: %d columns: %q", language, columns, line)
			}
		}
		verdicts := 0
		for _, id := range []string{"list.line.yes", "list.line.no"} {
			verdict := strings.TrimSuffix(texts.Text("label.because", messages.Args{"State": messages.Own(texts.Text(id, nil)), "Reason": messages.Own("")}), " ")
			verdicts += len(regexp.MustCompile(`(?m)(^|  )`+verdict+" ").FindAllString(whole, -1))
		}
		if verdicts != len(strangeLabels) {
			t.Errorf("%s: %d verdicts of %d keys:\n%s", language, verdicts, len(strangeLabels), whole)
		}
		for i, label := range strangeLabels {
			typed := texts.Text("list.line.typed", messages.Args{"Name": messages.Own(fmt.Sprintf("%02x", 0x40+i))})
			if named := label != "twins" && strings.Contains(onOneLine(whole), " "+label+" "); !named && !strings.Contains(onOneLine(whole), typed) {
				t.Errorf("%s: %q: neither the whole name nor another one to type\n%s", language, label, whole)
			}
		}
	}
}

// TestListNamesTwins lists keys of one label: each has a name below it that means it alone, and means it to every command.
func TestListNamesTwins(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `label="twins" id=0f key=p256 policy=wrappable certificate=valid
label="twins" id=10 key=p256 policy=locked certificate=valid
label="same" id=11 key=p256 policy=wrappable certificate=valid
label="same" id=11 key=p256 policy=wrappable certificate=valid
label="nina" id=14 key=p256 policy=wrappable certificate=expired
label="nina (renewed)" id=14 reused certificate=valid
label="dave" id=15 key=p256 policy=wrappable certificate=valid`)
	r := p11bridge(t, p.environment, "list", "--pin-source", p.pin)
	names := regexp.MustCompile(`(?m)^ +to name this one, type (.+)$`).FindAllStringSubmatch(r.stdout, -1)
	seen := map[string]bool{}
	for _, name := range names {
		one := p11bridge(t, p.environment, "list", strings.Trim(name[1], "'"), "--pin-source", p.pin, "--json")
		var document struct {
			Tokens []struct {
				Identities []struct {
					URI         string
					Certificate struct{ SHA256 string }
				}
			}
		}
		if err := json.Unmarshal([]byte(one.stdout), &document); err != nil || len(document.Tokens) != 1 || len(document.Tokens[0].Identities) != 1 {
			t.Errorf("%s: %v\n%s%s", name[1], err, one.stdout, one.stderr)
			continue
		}
		seen[document.Tokens[0].Identities[0].Certificate.SHA256] = true
	}
	if len(names) < 5 || len(seen) != len(names) || strings.Contains(r.stdout, "type dave") {
		t.Errorf("%d names of %d identities:\n%s", len(names), len(seen), r.stdout)
	}
}

// TestListHasOneOrder: what can leave comes first and an issuer's certificate last, in every form for people. The document is in the
// token's order.
func TestListHasOneOrder(t *testing.T) {
	t.Parallel()
	objects := "label=\"issuer\" id=01 certificate=ca nokey\n"
	for i := range 5 { // the order of a token's keys is any; with ten of them it is not by chance the one that is wanted
		objects += fmt.Sprintf("label=\"held-%d\" id=1%d key=p256 policy=locked certificate=valid\n", i, i)
		objects += fmt.Sprintf("label=\"leaving-%d\" id=2%d key=p256 policy=wrappable certificate=valid\n", i, i)
	}
	p := newPlace(t, objects)
	order := regexp.MustCompile(`(?m)^  (issuer|held|leaving)\b`)
	for _, args := range [][]string{{"list"}, {"list", "--wide"}, {"list", "--verbose"}, {"list", "--by", "purpose", "--wide"}} {
		r := p11bridge(t, p.environment, append(args, "--pin-source", p.pin)...)
		var names []string
		for _, match := range order.FindAllStringSubmatch(r.stdout, -1) {
			names = append(names, match[1])
		}
		keys := slices.Concat(slices.Repeat([]string{"leaving"}, 5), slices.Repeat([]string{"held"}, 5))
		want := append(slices.Clone(keys), "issuer")
		if len(args) > 2 {
			want = slices.Concat([]string{"issuer"}, keys, keys) // its purpose is any, those of the others are two
		}
		if !slices.Equal(names, want) {
			t.Errorf("%q: %q\n%s", args, names, r.stdout)
		}
	}
}
