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

// printLines writes two lines a key: what it is called, whether it can leave and why, and then whose it is and for how long. A third
// one has the name to type, where the one that is shown would not do: another identity has it, it was cut, or it cannot be typed.
func printLines(p *frame.Printer, identities []view.Identity) {
	colour := p.Colours()
	column := 0
	for _, identity := range identities {
		if wide := terminal.Columns(nameShown(p, identity)); wide <= mostName && !view.IsIssuer(identity) {
			column = max(column, wide)
		}
	}
	column = max(column, 8)
	for _, identity := range view.Sorted(identities) {
		name := nameShown(p, identity)
		if view.IsIssuer(identity) {
			fmt.Fprintln(p.Out, colour.Dim(nameIndent+name+" – "+p.ReasonText(verdict.Reason{Code: verdict.IssuerCertificate}, "short")))
			if name != view.Name(identity) {
				printTyped(p, identity, len(nameIndent)+2)
			}
			continue
		}
		under := nameIndent + strings.Repeat(" ", column+2)
		start := nameIndent + colour.Bold(name) + strings.Repeat(" ", max(0, column-terminal.Columns(name))+2)
		if terminal.Columns(name) > column {
			fmt.Fprintln(p.Out, nameIndent+colour.Bold(name))
			start = under
		}
		fmt.Fprintln(p.Out, terminal.Hanging(start, len(under), verdictText(p, identity, colour), p.Width()))
		fmt.Fprintln(p.Out, terminal.Hanging(under, len(under), certificateText(p, identity, room(p, len(under)+len(","))), p.Width()))
		if name != identity.Typed {
			printTyped(p, identity, len(under))
		}
	}
}

// verdictText is the verdict and its reasons, in short.
func verdictText(p *frame.Printer, identity view.Identity, colour terminal.Colours) string {
	paint, word := verdictWord(p.App, identity, colour)
	return p.Text("label.because", messages.Args{"State": messages.Own(paint(word)), "Reason": messages.Own(strings.Join(view.Shorts(p.App, identity.Verdict), ", "))})
}

// printTyped writes the name to type behind so many blanks.
func printTyped(p *frame.Printer, identity view.Identity, indent int) {
	name := messages.Own(terminal.Whole(view.ShellWord(identity.Typed)))
	fmt.Fprintln(p.Out, terminal.Hanging(strings.Repeat(" ", indent), indent, p.Text("list.line.typed", messages.Args{"Name": name}), p.Width()))
}

// nameShown is the name of an identity. It is cut where it has a word that no line holds, and only where another name is shown to type.
func nameShown(p *frame.Printer, identity view.Identity) string {
	name := view.Name(identity)
	if name == identity.Typed {
		return name
	}
	return fitting(name, room(p, len(nameIndent)))
}

// room is the width of a line behind an indent, 0 where lines have no end.
func room(p *frame.Printer, indent int) int {
	const least = 20
	if p.Width() == 0 {
		return 0
	}
	return max(least, p.Width()-indent)
}

// fitting cuts the words of a text that are wider than a line. A width of 0 cuts nothing.
func fitting(text string, width int) string {
	if width == 0 {
		return text
	}
	words := strings.Split(text, " ")
	for i, word := range words {
		words[i] = terminal.Shorten(word, width)
	}
	return strings.Join(words, " ")
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

// certificateText is whose a key is, by whose word and until when. No word of a name is wider than a width.
func certificateText(p *frame.Printer, identity view.Identity, width int) string {
	c := identity.Certificate
	switch {
	case c == nil && identity.Verdict.Has(verdict.CertificateNotIdentified):
		return terminal.Printable(view.KeyText(identity))
	case c == nil:
		return terminal.Printable(view.KeyText(identity)) + ", " + p.Text("list.no-certificate", nil)
	}
	return p.Text("list.certificate", messages.Args{
		"Subject": foreign.Text(fitting(view.NameText(p.App, c.Subject).Printable(), width)), "Issuer": foreign.Text(fitting(view.NameText(p.App, shortName(c.Issuer)).Printable(), width)), "Until": messages.Own(p.UntilOf(c.NotAfter)),
	})
}

// shortName is the common name of a distinguished name, which is enough to know an issuer by; the whole where it has none.
func shortName(name foreign.Text) foreign.Text {
	for _, part := range strings.Split(string(name), ",") {
		if common, is := strings.CutPrefix(strings.TrimSpace(part), "CN="); is && !strings.Contains(string(name), `\`) {
			return foreign.Text(common)
		}
	}
	return name
}
