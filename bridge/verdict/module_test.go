package verdict

import (
	"slices"
	"strings"
	"testing"
	"time"

	"p11bridge/token"
	"p11bridge/token/host"
)

// moduleRow is the run of a module and what is to be said of it: the light, the module's reasons, then each slot's.
type moduleRow struct {
	name    string
	run     ModuleRun
	daemon  host.PCSCDaemon
	softHSM host.SoftHSMConfiguration
	want    string
}

func moduleRows() []moduleRow {
	const path = "/m.so"
	library := token.Library{Path: path}
	failed := func(failure token.Failure) ModuleRun {
		return ModuleRun{Library: library, Inspection: &host.Inspection{Failure: &failure, Complete: true}}
	}
	load := func(fault token.LoadFault) ModuleRun { return failed(token.Failure{Fault: fault, Text: "loader"}) }
	ended := func(incident Incident) ModuleRun { return ModuleRun{Library: library, Incident: &incident} }
	shows := func(slots ...host.InspectedSlot) ModuleRun {
		return ModuleRun{Library: library, Inspection: &host.Inspection{Slots: slots, Complete: true}}
	}
	holds := func(flags token.Flags, keys int) host.InspectedSlot {
		return host.InspectedSlot{Token: &token.Info{Flags: flags}, Objects: &token.ObjectCount{All: keys, PrivateKeys: keys}}
	}
	run := func(change func(*ModuleRun)) ModuleRun {
		r := shows(holds(usual, 1))
		change(&r)
		return r
	}
	down, up := host.PCSCDaemon{Socket: "/s", Problem: "refused"}, host.PCSCDaemon{Socket: "/s", Answers: true}
	readers := ModuleRun{Library: library, Inspection: &host.Inspection{PCSC: true, Complete: true}}
	hidden := `keys-hidden-until-login {"logged_in":false,"CKF_LOGIN_REQUIRED":true}`
	return []moduleRow{
		{"a token", shows(holds(usual, 1)), up, host.SoftHSMConfiguration{}, `ok |`},
		{"a token with hidden keys", shows(holds(usual, 0)), up, host.SoftHSMConfiguration{}, `ok | ` + hidden},
		{"no such file", load(token.FaultMissing), up, host.SoftHSMConfiguration{}, `broken module-missing {"module":"/m.so","problem":"loader"}`},
		{"not readable", load(token.FaultNotReadable), up, host.SoftHSMConfiguration{}, `broken module-not-readable {"module":"/m.so","problem":"loader"}`},
		{"no library", load(token.FaultNotALibrary), up, host.SoftHSMConfiguration{}, `broken module-not-a-library {"module":"/m.so","problem":"loader"}`},
		{"another processor's", load(token.FaultWrongArchitecture), up, host.SoftHSMConfiguration{}, `broken module-wrong-architecture {"module":"/m.so","problem":"loader"}`},
		{"a library is missing", load(token.FaultDependency), up, host.SoftHSMConfiguration{}, `broken module-dependency-missing {"module":"/m.so","problem":"loader"}`},
		{"no PKCS#11", load(token.FaultNotPKCS11), up, host.SoftHSMConfiguration{}, `broken module-not-pkcs11 {"module":"/m.so","problem":"loader"}`},
		{"no function list", load(token.FaultFunctionList), up, host.SoftHSMConfiguration{}, `broken module-function-list-failed {"module":"/m.so","problem":"loader"}`},
		{"C_Initialize refuses", failed(token.Failure{Function: "C_Initialize", Code: token.CKRGeneralError}), up, host.SoftHSMConfiguration{},
			`broken module-initialize-failed {"module":"/m.so","function":"C_Initialize","CKR":"CKR_GENERAL_ERROR"}`},
		{"C_GetSlotList refuses", failed(token.Failure{Function: "C_GetSlotList", Code: token.CKRGeneralError}), up, host.SoftHSMConfiguration{},
			`broken module-failed {"module":"/m.so","function":"C_GetSlotList","CKR":"CKR_GENERAL_ERROR"}`},
		{"an answer that cannot be used", failed(token.Failure{Function: "C_GetSlotList", Text: "odd"}), up, host.SoftHSMConfiguration{},
			`broken module-failed {"module":"/m.so","function":"C_GetSlotList","problem":"odd"}`},
		{"crashed", ended(Incident{Function: "C_GetInfo", Signal: "SIGSEGV"}), up, host.SoftHSMConfiguration{},
			`broken module-crashed {"module":"/m.so","function":"C_GetInfo","signal":"SIGSEGV"}`},
		{"hung", ended(Incident{Function: "C_GetInfo", Hung: true, After: 2 * time.Second}), up, host.SoftHSMConfiguration{},
			`broken module-hung {"module":"/m.so","function":"C_GetInfo","after":"2s"}`},
		{"ended the process", ended(Incident{}), up, host.SoftHSMConfiguration{}, `broken module-exited {"module":"/m.so","function":null}`},
		{"printed", run(func(r *ModuleRun) { r.Printed = "noise\xff" }), up, host.SoftHSMConfiguration{}, "ok module-printed {\"module\":\"/m.so\",\"printed\":\"noise\uFFFD\"} |"},
		{"no pcscd", readers, down, host.SoftHSMConfiguration{}, `look pcscd-not-running {"socket":"/s","problem":"refused","process":false}`},
		{"no reader", readers, up, host.SoftHSMConfiguration{}, `look no-reader {"module":"/m.so","slots":0}`},
		{"no token in the slot", shows(host.InspectedSlot{}), up, host.SoftHSMConfiguration{}, `look token-absent {"slots":1} |`},
		{"SoftHSM without configuration", run(func(r *ModuleRun) { r.Inspection.SoftHSM, r.Inspection.Slots = true, nil }), up,
			host.SoftHSMConfiguration{Fault: host.SoftHSMFileMissing, At: "/c"},
			`look softhsm-configuration {"problem":"configuration-missing","path":"/c","SOFTHSM2_CONF":null}; token-absent {"slots":0}`},
		{"a free place beside a token", shows(holds(usual, 1), holds(0, 0)), up, host.SoftHSMConfiguration{}, `ok | |`},
		{"only a free place", shows(holds(0, 0)), up, host.SoftHSMConfiguration{}, `look | token-not-initialised {"CKF_TOKEN_INITIALIZED":false}`},
		{"only SoftHSM's free place", shows(host.InspectedSlot{Token: &token.Info{Manufacturer: "SoftHSM project"}}), up, host.SoftHSMConfiguration{}, `look | softhsm-empty {"CKF_TOKEN_INITIALIZED":false}`},
		{"SoftHSM's free place beside tokens that may not be read", run(func(r *ModuleRun) {
			r.Inspection.SoftHSM, r.Inspection.Slots = true, []host.InspectedSlot{{Token: &token.Info{Manufacturer: "SoftHSM project"}}}
		}), up, host.SoftHSMConfiguration{Fault: host.SoftHSMTokenUnreadable, At: "/t"}, `look softhsm-configuration {"problem":"token-unreadable","path":"/t","SOFTHSM2_CONF":null} |`},
		{"a token of SoftHSM that was erased", shows(host.InspectedSlot{Token: &token.Info{Manufacturer: "SoftHSM project", Label: "a", Serial: "1"}}), up, host.SoftHSMConfiguration{}, `look | token-not-initialised {"CKF_TOKEN_INITIALIZED":false}`},
	}
}

func (row moduleRow) judge() (ModuleVerdict, string) {
	v := JudgeModule(row.run, row.daemon, row.softHSM)
	text := strings.TrimSpace(string(v.Health) + " " + Text(v.Reasons))
	for _, slot := range v.Slots {
		text = strings.TrimSpace(text + " | " + Text(slot.Reasons))
	}
	return v, text
}

func TestJudgeModule(t *testing.T) {
	for _, row := range moduleRows() {
		t.Run(row.name, func(t *testing.T) {
			v, got := row.judge()
			if got != row.want {
				t.Errorf("%s\nnot\n%s", got, row.want)
			}
			reasons := slices.Clone(v.Reasons)
			for _, slot := range v.Slots {
				reasons = append(reasons, slot.Reasons...)
			}
			for _, reason := range reasons {
				if err := reason.Validate(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
