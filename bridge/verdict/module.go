package verdict

import (
	"strings"
	"time"

	"p11bridge/token"
	"p11bridge/token/host"
)

// ModuleRun is what came of asking one module, in a process of its own, for everything that it tells without a login.
type ModuleRun struct {
	Library    token.Library
	Inspection *host.Inspection // what was known last; nil where nothing was
	Incident   *Incident        // nil where the process ended in its own words
	Printed    string           // the beginning of what the module printed
}

// Incident is a module that ended its process, or did not return.
type Incident struct {
	Function string        // the C_* call; empty where it was in none
	Signal   string        // what the process died of, "SIGSEGV"; empty where it just ended
	Hung     bool          // the call did not return
	After    time.Duration // how long it was waited for
}

// Health is a module's state in one word.
type Health string

// The states of a module.
const (
	HealthOK     Health = "ok"     // a token can be used and nothing stands in the way
	HealthLook   Health = "look"   // the module works, and something keeps from a token
	HealthBroken Health = "broken" // the module itself does not work
)

// ModuleVerdict is what is to be said of a module.
type ModuleVerdict struct {
	Health  Health
	Reasons []Reason
	Slots   []SlotVerdict // as many as the inspection has
}

// SlotVerdict is what is to be said of a slot and its token. A token is usable if a login to it could be tried, or it
// needs none.
type SlotVerdict struct {
	Usable  bool
	Reasons []Reason
}

// Usable counts the tokens that can be used.
func (v ModuleVerdict) Usable() int {
	n := 0
	for _, slot := range v.Slots {
		if slot.Usable {
			n++
		}
	}
	return n
}

// JudgeModule decides, without asking anything, what the run of a module means in its surroundings.
func JudgeModule(run ModuleRun, daemon host.PCSCDaemon, softHSM host.SoftHSMConfiguration) ModuleVerdict {
	var v ModuleVerdict
	path := run.Library.Path
	inspection := run.Inspection
	if inspection == nil {
		inspection = &host.Inspection{}
	}
	if inspection.SoftHSM && softHSM.Fault != "" { // the cause before what comes of it
		v.Reasons = append(v.Reasons, SoftHSMReason(softHSM))
	}
	if run.Incident != nil {
		v.Reasons = append(v.Reasons, JudgeIncident(path, *run.Incident))
	}
	if inspection.Failure != nil {
		v.Reasons = append(v.Reasons, JudgeFailure(path, *inspection.Failure))
	}
	broken := run.Incident != nil || inspection.Failure != nil
	present, initialised := 0, 0
	for _, slot := range inspection.Slots {
		if slot.Token != nil && !slot.Internal {
			present++
			if slot.Token.Flags.Has(token.CKFTokenInitialized) {
				initialised++
			}
		}
	}
	failed := 0
	unread := inspection.SoftHSM && softHSM.Fault != "" // a token that may not be read is passed over, and the free place is all that shows
	for _, slot := range inspection.Slots {
		judged := judgeSlot(path, slot, initialised > 0 || unread && slot.Token != nil && FreePlace(slot.Token))
		failed += countBlocks(judged.Reasons)
		v.Slots = append(v.Slots, judged)
	}
	if !broken && present == 0 && failed == 0 {
		v.Reasons = append(v.Reasons, absence(path, inspection, daemon))
	}
	switch {
	case broken:
		v.Health = HealthBroken
	case v.Usable() == 0 || failed > 0 || countBlocks(v.Reasons) > 0:
		v.Health = HealthLook
	default:
		v.Health = HealthOK
	}
	if run.Printed != "" {
		v.Reasons = append(v.Reasons, Because(ModulePrinted, Fact{"module", path}, Fact{"printed", opening(run.Printed)}))
	}
	return v
}

// absence says why a module that works has no token.
func absence(path string, inspection *host.Inspection, daemon host.PCSCDaemon) Reason {
	switch {
	case inspection.PCSC && !daemon.Answers:
		return Because(PCSCDNotRunning, Fact{"socket", daemon.Socket}, Fact{"problem", daemon.Problem}, Fact{"process", daemon.Process})
	case inspection.PCSC && len(inspection.Slots) == 0:
		return Because(NoReader, Fact{"module", path}, Fact{"slots", 0})
	}
	return Because(TokenAbsent, Fact{"slots", len(inspection.Slots)})
}

// judgeSlot decides on one slot. An uninitialised token that cannot be taken out, where there are others, is a free place: SoftHSM
// always shows one.
func judgeSlot(path string, slot host.InspectedSlot, others bool) SlotVerdict {
	var v SlotVerdict
	if slot.Failure != nil {
		v.Reasons = append(v.Reasons, JudgeFailure(path, *slot.Failure))
	}
	if slot.Token == nil || slot.Internal {
		return v
	}
	if !slot.Token.Flags.Has(token.CKFTokenInitialized) && !slot.Removable && others {
		return v
	}
	v.Reasons = append(v.Reasons, JudgeToken(slot.Token)...)
	v.Usable = countBlocks(v.Reasons) == 0
	if HasPIN(slot.Token) && slot.Objects != nil && slot.Objects.PrivateKeys == 0 {
		v.Reasons = append(v.Reasons, HiddenReason(slot.Token))
	}
	return v
}

// countBlocks counts the reasons for which nothing can be found out.
func countBlocks(reasons []Reason) int {
	n := 0
	for _, reason := range reasons {
		if entry, known := Lookup(reason.Code); known && entry.Kind == Blocks {
			n++
		}
	}
	return n
}

// loadReasons are the reasons for libraries that cannot be loaded.
var loadReasons = map[token.LoadFault]Code{
	token.FaultMissing: ModuleMissing, token.FaultNotReadable: ModuleNotReadable, token.FaultNotALibrary: ModuleNotALibrary,
	token.FaultWrongArchitecture: ModuleWrongArchitecture, token.FaultDependency: ModuleDependencyMissing,
	token.FaultNotPKCS11: ModuleNotPKCS11, token.FaultFunctionList: ModuleFunctionListFailed,
}

// JudgeFailure turns a library that could not be loaded, or a call that it refused, into a reason. An empty path stands
// for a module that is not known.
func JudgeFailure(path string, failure token.Failure) Reason {
	module := pathFact(path)
	if code, known := loadReasons[failure.Fault]; known {
		return Because(code, module, Fact{"problem", failure.Text})
	}
	code := ModuleFailed
	if failure.Function == "C_Initialize" || failure.Function == "C_GetInfo" {
		code = ModuleInitializeFailed
	}
	function := Fact{"function", failure.Function}
	if failure.Code == token.CKROK {
		return Because(code, module, function, Fact{"problem", failure.Text})
	}
	return Because(code, module, function, Fact{"CKR", failure.Code.String()})
}

// JudgeIncident turns a module that took its process with it into a reason.
func JudgeIncident(path string, incident Incident) Reason {
	module, function := pathFact(path), Fact{"function", nil}
	if incident.Function != "" {
		function.Value = incident.Function
	}
	switch {
	case incident.Hung:
		return Because(ModuleHung, module, function, Fact{"after", incident.After.String()})
	case incident.Signal != "":
		return Because(ModuleCrashed, module, function, Fact{"signal", incident.Signal})
	}
	return Because(ModuleExited, module, function)
}

func pathFact(path string) Fact {
	if path == "" {
		return Fact{"module", nil}
	}
	return Fact{"module", path}
}

// SoftHSMReason says what keeps SoftHSM from its tokens.
func SoftHSMReason(c host.SoftHSMConfiguration) Reason {
	variable := Fact{"SOFTHSM2_CONF", nil}
	if c.Variable != "" {
		variable.Value = c.Variable
	}
	return Because(SoftHSMConfiguration, Fact{"problem", string(c.Fault)}, Fact{"path", c.At}, variable)
}

// NoModuleReason says that no module was named and none was found.
func NoModuleReason(configurations []host.Configuration) Reason {
	return Because(NoModuleFound, Fact{"configurations", len(configurations)})
}

// opening bounds what a module printed.
func opening(text string) string {
	const most = 1000
	runes := []rune(strings.ToValidUTF8(text, "\uFFFD"))
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(runes)
}
