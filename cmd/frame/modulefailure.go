package frame

import (
	"strconv"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// moduleFailures are the texts for the causes of a module's failure.
var moduleFailures = map[supervise.Cause]string{
	supervise.Crashed: "error.module-crashed", supervise.Exited: "error.module-exited", supervise.Hung: "error.module-hung",
	supervise.TooSlow: "error.module-too-slow", supervise.Interrupted: "error.module-interrupted",
}

func describeModule(a *App, e *supervise.ModuleFailure) Failure {
	id, function := moduleFailures[e.Cause], e.Function
	switch {
	case function != "":
	case e.Cause == supervise.Interrupted:
		id = "error.interrupted"
	default: // between two calls: no module's doing
		id, function = "error.child-ended", "–"
	}
	died := e.Signal
	if died == "" {
		died = a.Text("label.exit-code", messages.Args{"Code": messages.Own(strconv.Itoa(e.Code))})
	}
	something := e.Remaining || len(e.Saved) > 0 || !e.None()
	switch { // the texts that do not say that nothing was left behind
	case something && id == "error.child-ended":
		id = "error.child-ended.partly"
	case something && id == "error.interrupted":
		id = "error.interrupted.partly"
	}
	f := Failure{
		ID:   id,
		Args: messages.Args{"Module": foreign.Text(e.Module), "Function": messages.Own(token.WithCalls(function)), "Signal": messages.Own(died), "After": messages.Own(e.After.String())},
		More: strings.TrimSpace(a.saved(e.Saved) + "\n" + a.changed(e.Changes) + "\n" + a.inPart(e.InPart || e.SavedInPart)), Code: ExitFailed,
	}
	if e.Cause != supervise.Interrupted {
		f.Stated = []verdict.Reason{verdict.JudgeIncident(e.Module, *IncidentOf(e))}
	}
	return f
}
