package view

import (
	"slices"
	"strings"
	"testing"
)

// TestBreakable cuts where a person would, and loses nothing.
func TestBreakable(t *testing.T) {
	for _, row := range []struct {
		text  string
		parts []string
	}{
		{"pkcs11:token=a;id=%01;type=private", []string{"pkcs11:token=a;", "id=%01;", "type=private"}},
		{"CN=alice,O=A\\, B and C,C=ES", []string{"CN=alice,", "O=A\\, B and C,", "C=ES"}},
		{"2.5.4.97=VATES-1,C=ES", []string{"2.5.4.97=VATES-1,", "C=ES"}},
		{"CN=alice, serial number 1, valid", []string{"CN=alice, ", "serial number 1, ", "valid"}},
		{"until 1 May, 2030", []string{"until 1 May, 2030"}},
		{"CN=ends\\", []string{"CN=ends\\"}},
		{"=a,b", []string{"=a,b"}},
		{"/srv/status-1.json", []string{"/srv/", "status-1.json"}},
		{"", []string{""}},
	} {
		got := breakable(row.text)
		if !slices.Equal(got, row.parts) || strings.Join(got, "") != row.text {
			t.Errorf("%q: %q", row.text, got)
		}
	}
}

// TestInline keeps commands, options and paths whole, and loses nothing.
func TestInline(t *testing.T) {
	for _, row := range []struct {
		text string
		runs string // of code in angle brackets, with a bar where a line may end
	}{
		{"run `p11bridge list --nss-db DIR`, please", "run <p11bridge |list |--nss-db |DIR>, please"},
		{"give --nss-db, or /usr/lib/x86_64-linux-gnu/a.so", "give {--nss-db,} or {/usr/|lib/|x86_64-linux-gnu/|a.so}"},
		{"/etc/a and/or - well-known", "{/etc/|a} {and/|or} - well-known"},
		{"one ` alone", "one ` alone"},
		{"``", "<>"},
		{"", ""},
	} {
		var runs, all strings.Builder
		for _, r := range inline(row.text) {
			text := r.Text
			if parts := strings.Join(r.Parts, "|"); r.Code {
				text = "<" + parts + ">"
			} else if r.Parts != nil {
				text = "{" + parts + "}"
			}
			runs.WriteString(text)
			all.WriteString(r.Text + strings.Join(r.Parts, ""))
		}
		if runs.String() != row.runs {
			t.Errorf("%q: %s", row.text, &runs)
		}
		if text := strings.ReplaceAll(row.text, "`", ""); strings.ReplaceAll(all.String(), "`", "") != text {
			t.Errorf("%q: %q", row.text, &all)
		}
	}
	if got := path(`C:\Windows\a-b.dll`); len(got) != 3 || path("a/b") != nil {
		t.Errorf("%q", got)
	}
}

// TestExplainedOnce: what was explained further up is marked, by its whole text.
func TestExplainedOnce(t *testing.T) {
	card := func(reasons ...PageReason) PageCard { return PageCard{Reasons: reasons} }
	p := Page{Sections: []PageSection{
		{Groups: []PageGroup{{Cards: []PageCard{card(PageReason{Summary: "a", Why: "b"}), card(PageReason{Summary: "a", Why: "b"}, PageReason{Summary: "a", Why: "c"})}}}},
		{Reasons: []PageReason{{Summary: "a", Why: "c"}}},
	}}
	p.explainOnce("above")
	second := p.Sections[0].Groups[0].Cards[1].Reasons
	if p.Sections[0].Groups[0].Cards[0].Reasons[0].Above != "" || second[0].Above != "above" || second[1].Above != "" || p.Sections[1].Reasons[0].Above != "above" {
		t.Errorf("%+v", p)
	}
}
