package list

import (
	"fmt"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
)

// The widths of a listing: a name longer than its column stands on a line of its own, uncut, so that the verdict is always seen.
const (
	nameIndent = "  "
	mostName   = 24
)

// printLines writes two lines a key: what it is called, whether it can leave and why, and then whose it is and for how long.
func printLines(p *frame.Printer, identities []view.Identity) {
	colour := p.Colours()
	column := 0
	for _, identity := range identities {
		if wide := terminal.Columns(view.Name(identity)); wide <= mostName && !view.IsIssuer(identity) {
			column = max(column, wide)
		}
	}
	column = max(column, 8)
	for _, identity := range view.Sorted(identities) {
		name := view.Name(identity)
		if view.IsIssuer(identity) {
			fmt.Fprintln(p.Out, colour.Dim(nameIndent+name+" – "+p.ReasonText(verdict.Reason{Code: verdict.IssuerCertificate}, "short")))
			continue
		}
		under := nameIndent + strings.Repeat(" ", column+2)
		start := nameIndent + colour.Bold(name) + strings.Repeat(" ", max(0, column-terminal.Columns(name))+2)
		if terminal.Columns(name) > column {
			fmt.Fprintln(p.Out, nameIndent+colour.Bold(name))
			start = under
		}
		paint, word := verdictWord(p.App, identity, colour)
		fmt.Fprintln(p.Out, terminal.Hanging(start, len(under), paint(word)+": "+strings.Join(view.Shorts(p.App, identity.Verdict), ", "), p.Width()))
		fmt.Fprintln(p.Out, terminal.Hanging(under, len(under), certificateText(p.App, identity), p.Width()))
	}
}

func verdictWord(a *frame.App, identity view.Identity, colour terminal.Colours) (func(string) string, string) {
	switch {
	case identity.Verdict.CanLeave():
		return colour.Good, a.Text("list.line.yes", nil)
	case identity.Verdict.Exportable == nil:
		return colour.Doubt, a.Text("list.line.unknown", nil)
	case identity.PrivateKey == nil:
		return colour.Doubt, a.Text("list.line.no-key", nil)
	}
	return colour.Bad, a.Text("list.line.no", nil)
}

// certificateText is whose a key is, by whose word and until when.
func certificateText(a *frame.App, identity view.Identity) string {
	c := identity.Certificate
	if c == nil {
		return terminal.Printable(view.KeyText(identity)) + ", " + a.Text("list.no-certificate", nil)
	}
	return a.Text("list.certificate", messages.Args{"Subject": c.Subject, "Issuer": foreign.Text(shortName(c.Issuer)), "Until": messages.Own(a.UntilOf(c.NotAfter))})
}

// shortName is the common name of a distinguished name, which is enough to know an issuer by; the whole where it has none.
func shortName(name foreign.Text) string {
	for _, part := range strings.Split(string(name), ",") {
		if common, is := strings.CutPrefix(strings.TrimSpace(part), "CN="); is && !strings.Contains(string(name), `\`) {
			return common
		}
	}
	return string(name)
}
