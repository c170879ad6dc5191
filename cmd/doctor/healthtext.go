package doctor

import (
	"fmt"
	"slices"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// healthText writes doctor's view for a person. A reason that several modules share is explained once.
type healthText struct {
	*frame.App
	out       *strings.Builder
	colour    terminal.Colours
	explained map[verdict.Code]bool
	verbose   bool // with what modules printed
	brief     bool // something can be used: one line is enough for a module that is no part of it
}

// printDoctor writes the view: in one line what can be used or why nothing can; then what is broken first, what works last,
// and what is around it at the end.
func printDoctor(p *frame.Printer, shown doctorView) {
	t := healthText{App: p.App, out: &strings.Builder{}, colour: p.Colours(), explained: map[verdict.Code]bool{}, verbose: p.Verbose}
	t.brief = !p.Verbose && len(shown.Modules) > 1 && len(shown.names(p.App)) > 0
	t.headline(shown)
	t.line("", p.Text("doctor.counts", messages.Args{"Modules": messages.Number(len(shown.Modules)), "Usable": messages.Number(shown.Usable)}))
	if shown.wanted != "" && !shown.healthy(false) {
		t.line("", t.colour.Doubt(p.Text("doctor.no-such-token", messages.Args{"Label": foreign.Text(shown.wanted)})))
	}
	t.reasons("", shown.Reasons)
	for _, module := range shown.Modules {
		t.module(module)
	}
	t.surroundings(shown)
	if t.brief {
		t.line("", t.Text("doctor.brief", nil))
	}
	fmt.Fprint(p.Out, t.out.String())
}

// headline says what can be used, or the likeliest cause for which nothing can, with the command for it.
func (t healthText) headline(shown doctorView) {
	if names := shown.names(t.App); len(names) > 0 {
		t.line("", t.colour.Good(t.Text("doctor.usable", messages.Args{"Tokens": messages.Own(strings.Join(names, ", "))})))
		return
	}
	causes := shown.causes()
	if len(causes) == 0 {
		return
	}
	line := t.colour.Bad(t.Text("doctor.nothing-usable", messages.Args{"Cause": messages.Own(t.ReasonText(causes[0], "summary"))}))
	if command := frame.CommandFor(causes[0]); command != "" {
		line += " → " + command
	}
	t.line("", line)
}

func (t healthText) line(indent, text string) { fmt.Fprintln(t.out, indent+text) }

// reasons explains each reason that keeps from something; of a notice the summary and what was seen are enough.
func (t healthText) reasons(indent string, reasons []verdict.Reason) {
	for _, reason := range reasons {
		entry, known := verdict.Lookup(reason.Code)
		if known && entry.Kind == verdict.Blocks && !t.explained[reason.Code] && !t.brief {
			t.explained[reason.Code] = true
			t.line("", frame.IndentLines(strings.TrimSuffix(t.ReasonsText(reason), "\n"), indent))
			continue
		}
		if reason.Code == verdict.ModulePrinted && !t.verbose {
			t.line(indent+"  ", t.ReasonText(reason, "summary")+" "+t.Text("doctor.see-verbose", nil))
			continue
		}
		t.line(indent+"  ", t.ReasonText(reason, "summary")+t.Mark(reason))
		if reason.Code == verdict.ModulePrinted {
			t.printed(indent+"    | ", reason.Evidence)
			continue
		}
		if t.verbose {
			t.line(indent+"    ", t.Text("label.evidence", nil)+" "+frame.EvidenceText(reason.Evidence))
		}
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
			t.line(indent, terminal.Printable(strings.TrimSpace(line)))
		}
	}
}

func (t healthText) module(m moduleView) {
	paint := map[verdict.Health]func(string) string{verdict.HealthOK: t.colour.Good, verdict.HealthLook: t.colour.Doubt, verdict.HealthBroken: t.colour.Bad}[m.Health]
	health := paint(t.Text("doctor.health."+string(m.Health), nil))
	t.line("", "")
	t.line("", fmt.Sprintf("%s  %s (%s)", health, t.colour.Bold(terminal.Printable(m.Path)), t.Text("doctor.found."+m.Found, messages.Args{"By": foreign.Text(m.FoundBy)})))
	t.library(m)
	t.reasons("", m.Reasons)
	for _, slot := range m.Slots {
		t.slot(slot)
	}
}

func (t healthText) library(m moduleView) {
	if m.Library == nil || t.brief {
		return
	}
	t.line("  ", t.Text("doctor.library", messages.Args{
		"Description": m.Library.Description, "Manufacturer": m.Library.Manufacturer,
		"Version": messages.Own(m.Library.LibraryVersion), "Cryptoki": messages.Own(m.Library.CryptokiVersion),
	}))
}

func (t healthText) slot(s slotView) {
	place := messages.Args{"Slot": s.Description}
	switch {
	case t.brief && (s.State == slotInternal || s.State == slotFree || s.Token == nil):
	case s.State == slotInternal, s.State == slotFree, s.Token == nil:
		t.line("  ", t.Text("doctor.slot-"+string(s.State), place))
	default:
		t.SpeakOf(verdict.AsksForPassword(&token.Info{Manufacturer: s.Token.Manufacturer}))
		defer t.SpeakOf(false)
		t.line("  ", t.Text("doctor.token", messages.Args{
			"Label": t.TokenName(s.Token.Label), "Manufacturer": s.Token.Manufacturer, "Model": s.Token.Model,
			"Serial": foreign.Text(s.Token.Serial), "Slot": s.Description, "State": messages.Own(t.Text("doctor.state."+string(s.State), nil)),
		}))
		t.token(*s.Token)
	}
	t.reasons("  ", s.Reasons)
}

func (t healthText) token(v slotTokenView) {
	switch {
	case !slices.Contains(v.Flags, "CKF_TOKEN_INITIALIZED"):
		return
	case t.brief:
	case v.LoginRequired:
		t.line("    ", t.Text("doctor.login.required", messages.Args{"Min": messages.Number(v.MinPINLength), "Max": messages.Number(v.MaxPINLength)}))
	default:
		t.line("    ", t.Text("doctor.login.not-required", nil))
	}
	if v.PINCountLow {
		t.line("    ", t.colour.Doubt(t.Text("doctor.pin-count-low", nil)))
	}
	if v.Objects == nil || t.brief { // nothing more was asked, or it was not answered
		return
	}
	t.line("    ", t.Text("doctor.objects", messages.Args{
		"Certificates": messages.Number(v.Objects.Certificates), "PublicKeys": messages.Number(v.Objects.PublicKeys), "PrivateKeys": messages.Number(v.Objects.PrivateKeys), "All": messages.Number(v.Objects.All),
	}))
	var ways []string
	if v.Shroud {
		ways = append(ways, string(verdict.MethodShroud)+" ("+token.CKMAESCBCPad.String()+")")
	}
	if len(v.Wrap) > 0 {
		ways = append(ways, string(verdict.MethodWrap)+" ("+strings.Join(v.Wrap, ", ")+")")
	}
	if len(ways) == 0 {
		t.line("    ", t.Text("doctor.no-ways", nil))
	} else {
		t.line("    ", t.Text("doctor.ways", messages.Args{"Ways": messages.Own(strings.Join(ways, ", "))}))
	}
	t.line("    ", t.Text("doctor.sessions", messages.Args{"All": messages.Own(t.limit(v.MaxSessions)), "ReadWrite": messages.Own(t.limit(v.MaxRWSessions))}))
}

func (t healthText) limit(n *token.Count) string {
	switch {
	case n == nil:
		return t.Text("doctor.not-told", nil)
	case *n == 0:
		return t.Text("doctor.no-limit", nil)
	}
	return t.Catalog.Number(int(*n))
}

func (t healthText) surroundings(shown doctorView) {
	t.line("", "")
	pcscd := "doctor.pcscd.silent"
	if shown.PCSCD.Answers {
		pcscd = "doctor.pcscd.answers"
	}
	t.line("", t.Text(pcscd, messages.Args{"Socket": foreign.Text(shown.PCSCD.Socket)}))
	if s := shown.SoftHSM; s != nil && s.TokenDirectory != "" {
		t.line("", t.Text("doctor.softhsm", messages.Args{"File": foreign.Text(s.Configuration), "Directory": foreign.Text(s.TokenDirectory)}))
	}
	for _, c := range shown.Configurations {
		if c.Ignored == "" && !t.verbose { // the module says where it was found
			continue
		}
		what := "read"
		if c.Ignored != "" {
			what = string(c.Ignored)
		}
		t.line("", t.Text("doctor.p11-kit."+what, messages.Args{"File": foreign.Text(c.File), "Module": foreign.Text(c.Module)}))
	}
}
