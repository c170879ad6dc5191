package cmd

import (
	"fmt"
	"slices"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token"
)

// healthText writes doctor's view for a person. A reason that several modules share is explained once.
type healthText struct {
	*app
	out       *strings.Builder
	colour    colours
	explained map[verdict.Code]bool
}

// printDoctor writes the view: what is broken first, what works last, and what is around it at the end.
func (a *app) printDoctor(view doctorView) error {
	t := healthText{a, &strings.Builder{}, coloursFor(a.out, a.getenv), map[verdict.Code]bool{}}
	t.line("", a.text("doctor.counts", messages.Args{"Modules": len(view.Modules), "Usable": view.Usable}))
	if view.wanted != "" && !view.healthy(false) {
		t.line("", t.colour.doubt(a.text("doctor.no-such-token", messages.Args{"Label": printable(view.wanted)})))
	}
	t.reasons("", view.Reasons)
	for _, module := range view.Modules {
		t.module(module)
	}
	t.surroundings(view)
	if _, err := a.out.WriteString(t.out.String()); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

func (t healthText) line(indent, text string) { fmt.Fprintln(t.out, indent+text) }

// reasons explains each reason that keeps from something; of a notice the summary and what was seen are enough.
func (t healthText) reasons(indent string, reasons []verdict.Reason) {
	for _, reason := range reasons {
		entry, known := verdict.Lookup(reason.Code)
		if known && entry.Kind == verdict.Blocks && !t.explained[reason.Code] {
			t.explained[reason.Code] = true
			t.line("", indentLines(strings.TrimSuffix(t.reasonParagraph(reason), "\n"), indent))
			continue
		}
		t.line(indent+"  ", fmt.Sprintf("%s [%s]", t.reasonText(reason, "summary"), reason.Code))
		if reason.Code == verdict.ModulePrinted {
			t.printed(indent+"    | ", reason.Evidence)
			continue
		}
		t.line(indent+"    ", t.text("label.evidence", nil)+" "+evidenceText(reason.Evidence))
	}
}

// printed shows the first lines of what a module printed.
func (t healthText) printed(indent string, evidence verdict.Evidence) {
	const most = 12
	for _, fact := range evidence {
		text, ok := fact.Value.(string)
		if !ok || fact.Name != "printed" {
			continue
		}
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if len(lines) > most {
			lines = append(lines[:most], "…")
		}
		for _, line := range lines {
			t.line(indent, printable(strings.TrimSpace(line)))
		}
	}
}

func (t healthText) module(m moduleView) {
	paint := map[verdict.Light]func(string) string{verdict.LightOK: t.colour.good, verdict.LightLook: t.colour.doubt, verdict.LightBroken: t.colour.bad}[m.Light]
	light := paint(t.text("doctor.light."+string(m.Light), nil))
	t.line("", "")
	t.line("", fmt.Sprintf("%s  %s (%s)", light, t.colour.bold(printable(m.Path)), t.text("doctor.found."+m.Found, messages.Args{"By": printable(m.FoundBy)})))
	t.library(m)
	t.reasons("", m.Reasons)
	for _, slot := range m.Slots {
		t.slot(slot)
	}
}

func (t healthText) library(m moduleView) {
	if m.Library == nil {
		return
	}
	t.line("  ", t.text("doctor.library", messages.Args{
		"Description": printable(m.Library.Description), "Manufacturer": printable(m.Library.Manufacturer),
		"Version": m.Library.LibraryVersion, "Cryptoki": m.Library.CryptokiVersion,
	}))
}

func (t healthText) slot(s slotView) {
	place := messages.Args{"Slot": printable(s.Description)}
	switch {
	case s.State == slotInternal, s.State == slotFree, s.Token == nil:
		t.line("  ", t.text("doctor.slot-"+string(s.State), place))
	default:
		t.line("  ", t.text("doctor.token", messages.Args{
			"Label": printable(s.Token.Label), "Manufacturer": printable(s.Token.Manufacturer), "Model": printable(s.Token.Model),
			"Serial": printable(s.Token.Serial), "Slot": printable(s.Description), "State": t.text("doctor.state."+string(s.State), nil),
		}))
		t.token(*s.Token)
	}
	t.reasons("  ", s.Reasons)
}

func (t healthText) token(v slotTokenView) {
	switch {
	case !slices.Contains(v.Flags, "CKF_TOKEN_INITIALIZED"):
		return
	case v.LoginRequired:
		t.line("    ", t.text("doctor.login.required", messages.Args{"Min": v.MinPINLength, "Max": v.MaxPINLength}))
	default:
		t.line("    ", t.text("doctor.login.not-required", nil))
	}
	if v.PINCountLow {
		t.line("    ", t.colour.doubt(t.text("doctor.pin-count-low", nil)))
	}
	if v.Objects == nil { // nothing more was asked, or it was not answered
		return
	}
	t.line("    ", t.text("doctor.objects", messages.Args{
		"Certificates": v.Objects.Certificates, "PublicKeys": v.Objects.PublicKeys, "PrivateKeys": v.Objects.PrivateKeys, "All": v.Objects.All,
	}))
	var ways []string
	if v.Shroud {
		ways = append(ways, string(verdict.MethodShroud)+" ("+token.CKMAESCBCPad.String()+")")
	}
	if len(v.Wrap) > 0 {
		ways = append(ways, string(verdict.MethodWrap)+" ("+strings.Join(v.Wrap, ", ")+")")
	}
	if len(ways) == 0 {
		t.line("    ", t.text("doctor.no-ways", nil))
	} else {
		t.line("    ", t.text("doctor.ways", messages.Args{"Ways": strings.Join(ways, ", ")}))
	}
	t.line("    ", t.text("doctor.sessions", messages.Args{"All": t.limit(v.MaxSessions), "ReadWrite": t.limit(v.MaxRWSessions)}))
}

func (t healthText) limit(n *token.Count) string {
	switch {
	case n == nil:
		return t.text("doctor.not-told", nil)
	case *n == 0:
		return t.text("doctor.no-limit", nil)
	}
	return fmt.Sprint(*n)
}

func (t healthText) surroundings(view doctorView) {
	t.line("", "")
	pcscd := "doctor.pcscd.silent"
	if view.PCSCD.Answers {
		pcscd = "doctor.pcscd.answers"
	}
	t.line("", t.text(pcscd, messages.Args{"Socket": printable(view.PCSCD.Socket)}))
	if s := view.SoftHSM; s != nil && s.TokenDirectory != "" {
		t.line("", t.text("doctor.softhsm", messages.Args{"File": printable(s.Configuration), "Directory": printable(s.TokenDirectory)}))
	}
	for _, c := range view.Configurations {
		what := "read"
		if c.Ignored != "" {
			what = string(c.Ignored)
		}
		t.line("", t.text("doctor.p11-kit."+what, messages.Args{"File": printable(c.File), "Module": printable(c.Module)}))
	}
}
