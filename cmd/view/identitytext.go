package view

import (
	"fmt"
	"slices"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
)

// KeyText names the key: "RSA 2048", "EC P-256", "Ed25519".
func KeyText(identity Identity) string {
	var kind, curve string
	var bits int
	switch {
	case identity.PrivateKey != nil:
		kind, curve, bits = identity.PrivateKey.Type, identity.PrivateKey.Curve, identity.PrivateKey.Bits
	case identity.PublicKey != nil:
		kind, curve, bits = identity.PublicKey.Type, identity.PublicKey.Curve, identity.PublicKey.Bits
	}
	switch {
	case kind == "":
		return "–"
	case curve != "" && curve != kind:
		return kind + " " + curve
	case kind == "RSA" && bits > 0:
		return fmt.Sprintf("%s %d", kind, bits)
	}
	return kind
}

func VerdictCell(a *frame.App, identity Identity, colour terminal.Colours) terminal.Cell {
	shown := identity.Verdict
	if shown.CanLeave() {
		text := a.Text("list.verdict.yes", messages.Args{"Method": messages.Own(string(*shown.Method))})
		return terminal.Cell{Text: text + noticeCodes(a, shown), Paint: colour.Good}
	}
	paint, word := colour.Bad, "list.verdict.no"
	first := verdict.Code("")
	if len(shown.Reasons) > 0 {
		first = shown.Reasons[0].Code
	}
	if shown.Exportable == nil {
		paint, word = colour.Doubt, "list.verdict.unknown"
	}
	return terminal.Cell{Text: a.Text(word, messages.Args{"Code": messages.Own(string(first))}) + noticeCodes(a, shown), Paint: paint}
}

// noticeCodes lists the codes of what is worth knowing beside the verdict.
func noticeCodes(a *frame.App, shown Verdict) string {
	var codes []string
	for i, reason := range shown.Reasons {
		entry, known := verdict.Lookup(reason.Code)
		if i > 0 && known && entry.Kind == verdict.Notices {
			codes = append(codes, string(reason.Code))
		}
	}
	if len(codes) == 0 {
		return ""
	}
	return "; " + strings.Join(codes, ", ")
}

// PrintAnswers says what a call answered, of identities of which less is known for it.
func PrintAnswers(p *frame.Printer, identities []Identity) {
	for _, identity := range identities {
		PrintAnswer(p, Name(identity), identity.Verdict.Reasons)
	}
}

// PrintAnswer is PrintAnswers for what is known of one object. An object that could not be read stands with its token.
func PrintAnswer(p *frame.Printer, name string, reasons []verdict.Reason) {
	for _, reason := range reasons {
		if reason.Code != verdict.ObjectUnreadable && reason.NamesFailedCall() {
			fmt.Fprintln(p.Out, "  "+p.Because(name, reason)+p.Answer(reason))
		}
	}
}

// VerdictSentence is the verdict in a few words: yes, no, or not known, before the login or at all.
func VerdictSentence(a *frame.App, identity Identity) string {
	switch {
	case identity.Verdict.CanLeave():
		return a.Text("diagnose.verdict.yes", nil)
	case len(identity.Verdict.Reasons) > 0 && identity.Verdict.Reasons[0].Code == verdict.KeysHiddenUntilLogin:
		return a.Text("diagnose.verdict.unknown", nil)
	case identity.Verdict.Exportable == nil:
		return a.Text("diagnose.verdict.not-told", nil)
	case IsIssuer(identity):
		return a.Text("diagnose.verdict.issuer", nil)
	case identity.PrivateKey == nil:
		return a.Text("diagnose.verdict.no-key", nil)
	}
	return a.Text("diagnose.verdict.no", nil)
}

func TokenHeading(a *frame.App, t Token) string {
	state := "list.logged-in"
	if !t.LoggedIn {
		state = "list.not-logged-in"
	}
	return a.Text("list.token", messages.Args{
		"Label": a.TokenName(t.Label), "Manufacturer": t.Manufacturer, "Model": t.Model,
		"Serial": foreign.Text(t.Serial), "State": messages.Own(a.Text(state, nil)),
	})
}

// Hides reports whether there may be private keys on a token that show after a login.
func Hides(t Token) bool {
	return slices.ContainsFunc(t.Reasons, func(r verdict.Reason) bool { return r.Code == verdict.KeysHiddenUntilLogin })
}

// EmptyText says that a token shows nothing: what it hides until a login may be there.
func EmptyText(a *frame.App, t Token) string {
	if Hides(t) {
		return a.Text("list.empty-hidden", nil)
	}
	return a.Text("list.empty", nil)
}
