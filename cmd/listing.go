package cmd

import (
	"fmt"
	"slices"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
)

// printList writes the tokens and their identities as tables for people.
func (a *app) printList(view listView) error {
	colour := coloursFor(a.out, a.getenv)
	for i, t := range view.Tokens {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		fmt.Fprintln(a.out, colour.bold(a.tokenHeading(t)))
		if len(t.Identities) == 0 {
			fmt.Fprintln(a.out, "  "+a.text("list.empty", nil))
		} else {
			fmt.Fprint(a.out, table("  ", a.identityRows(t.Identities, colour)))
		}
		for _, o := range t.Objects {
			fmt.Fprintln(a.out, "  "+a.text("list.other-object", messages.Args{"Class": o.Class, "Label": printable(o.Label)}))
		}
		for _, reason := range t.Reasons {
			fmt.Fprintln(a.out, "  "+colour.doubt(a.reasonText(reason, "summary"))+" ["+string(reason.Code)+"]")
		}
	}
	return nil
}

// printByPurpose groups the certificates by extended key usage.
func (a *app) printByPurpose(view listView) error {
	colour := coloursFor(a.out, a.getenv)
	groups := map[string][]identityView{}
	for _, t := range view.Tokens {
		for _, identity := range t.Identities {
			for _, purpose := range purposesOf(identity) {
				groups[purpose] = append(groups[purpose], identity)
			}
		}
	}
	purposes := make([]string, 0, len(groups))
	for purpose := range groups {
		purposes = append(purposes, purpose)
	}
	slices.Sort(purposes)
	for i, purpose := range purposes {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		fmt.Fprintln(a.out, colour.bold(a.purposeText(purpose)))
		fmt.Fprint(a.out, table("  ", a.identityRows(groups[purpose], colour)))
	}
	for _, t := range view.Tokens {
		for _, reason := range t.Reasons {
			fmt.Fprintln(a.out, colour.doubt(a.reasonText(reason, "summary"))+" ["+string(reason.Code)+"]")
		}
	}
	return nil
}

// purposesOf lists the extended key usages of an identity's certificate; a certificate without any may serve every
// purpose, a key without certificate has none.
func purposesOf(identity identityView) []string {
	switch {
	case identity.Certificate == nil:
		return []string{"none"}
	case len(identity.Certificate.Purposes) == 0:
		return []string{"any"}
	}
	return identity.Certificate.Purposes
}

// purposeText names an extended key usage; one without a text keeps its name or number.
func (a *app) purposeText(purpose string) string {
	id := "purpose." + purpose
	if text := a.text(id, nil); text != id {
		return text
	}
	return printable(purpose)
}

func (a *app) identityRows(identities []identityView, colour colours) [][]cell {
	var heading []cell
	for _, column := range []string{"name", "id", "key", "certificate", "valid-until", "verdict"} {
		heading = append(heading, cell{text: a.text("list.column."+column, nil), paint: colour.bold})
	}
	rows := [][]cell{heading}
	for _, identity := range identities {
		subject, until := "–", "–"
		if c := identity.Certificate; c != nil {
			subject, until = shorten(printable(c.Subject), 40), c.NotAfter[:len("2006-01-02")]
		}
		verdict := a.verdictCell(identity, colour)
		rows = append(rows, []cell{
			{text: shorten(printable(identity.Label), 32)}, {text: shorten(identity.ID, 16)}, {text: printable(keyText(identity))},
			{text: subject}, {text: until}, verdict,
		})
	}
	return rows
}

// keyText names the key: "RSA 2048", "EC P-256", "Ed25519".
func keyText(identity identityView) string {
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

func (a *app) verdictCell(identity identityView, colour colours) cell {
	shown := identity.Verdict
	if shown.Exportable {
		text := a.text("list.verdict.yes", messages.Args{"Method": *shown.Method})
		return cell{text + a.noticeCodes(shown), colour.good}
	}
	paint, word := colour.bad, "list.verdict.no"
	first := verdict.Code("")
	if len(shown.Reasons) > 0 {
		first = shown.Reasons[0].Code
	}
	if first == verdict.KeysHiddenUntilLogin {
		paint, word = colour.doubt, "list.verdict.unknown"
	}
	return cell{a.text(word, messages.Args{"Code": string(first)}) + a.noticeCodes(shown), paint}
}

// noticeCodes lists the codes of what is worth knowing beside the verdict.
func (a *app) noticeCodes(shown verdictView) string {
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

// shorten cuts a printable text to a number of characters.
func shorten(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}
