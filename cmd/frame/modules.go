package frame

import (
	"fmt"
	"slices"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/host"
)

// ModuleVariable names the module for those who do not want to say --module each time.
const ModuleVariable = "P11BRIDGE_MODULE"

// Libraries are the PKCS#11 libraries to open; named tells that the user named one, so that its failure is the command's.
func (a *App) Libraries(uri *token.URI, access token.Access) (found []token.Library, named bool, err error) {
	path := a.Module
	if path == "" && uri != nil {
		path = uri.Query["module-path"]
	}
	switch {
	case path != "":
		return []token.Library{{Path: path}}, true, nil
	case a.NSSDB != "":
		library, unsound, err := host.NSSDatabase(a.NSSDB, access)
		for _, one := range unsound {
			a.noticeLeftOut("notice.database-left-out", one.Label, one.Directory, one.Fault)
		}
		return []token.Library{library}, true, err
	}
	if path := a.Getenv(ModuleVariable); path != "" {
		return []token.Library{{Path: path}}, true, nil
	}
	return host.Discover(), false, nil
}

// noModuleError means that no module was named and none was found.
type noModuleError struct{}

// Error says so.
func (noModuleError) Error() string { return "no PKCS#11 module found" }

// profileReadError means that a command wants to write to a browser's profile that nobody named.
type profileReadError struct{ directory string }

// Error names the folder.
func (e *profileReadError) Error() string { return "opened for reading only: " + e.directory }

// noTokenError means that no token is there, or none of those that are there is meant.
type noTokenError struct {
	Wanted         string   // the label or URI asked for, empty for any
	Present        []string // names of the tokens that are there
	Slots          int
	Unread         []error // of the slots whose token could not be read
	unread         []unreadSlot
	ModuleProblems []string
	present        []token.Slot
	runs           []verdict.ModuleRun // what the modules showed
	failed         []failedModule
}

// Error says what was looked for.
func (e *noTokenError) Error() string {
	if e.Wanted != "" {
		return "no such token: " + e.Wanted
	}
	return "no token"
}

// severalTokensError means that a command for one token found several.
type severalTokensError struct{ Present []string }

func severalTokens(slots []token.Slot) error { return &severalTokensError{Present: tokenNames(slots)} }

// nearToken is the one token whose label differs from --token in case alone, or, for a command that writes nothing, has it as a
// part. It is false where there is none, or where several are as near.
func (w *Worker) nearToken(present []token.Slot) (token.Slot, bool) {
	const shortestPart = 3
	wanted := strings.ToLower(w.TokenLabel)
	if wanted == "" || token.IsURI(wanted) {
		return token.Slot{}, false
	}
	var same, parts []token.Slot
	for _, slot := range present {
		label := strings.ToLower(string(slot.Token.Label))
		switch {
		case label == wanted:
			same = append(same, slot)
		case !w.Writes && len(wanted) >= shortestPart && strings.Contains(label, wanted):
			parts = append(parts, slot)
		}
	}
	if len(same) == 0 {
		same = parts
	}
	if len(same) != 1 {
		return token.Slot{}, false
	}
	w.Notice("notice.token-taken", messages.Args{"Typed": foreign.Text(w.TokenLabel), "Name": same[0].Token.Label})
	return same[0], true
}

// tokenNames are names that --token takes, each of one token alone: a label, else a serial number, else a URI.
func tokenNames(slots []token.Slot) []string {
	counts := map[foreign.Text]int{}
	for _, slot := range slots {
		counts[slot.Token.Label]++
		if slot.Token.Serial != slot.Token.Label {
			counts[slot.Token.Serial]++
		}
	}
	var names []string
	for _, slot := range slots {
		name := slot.Token.URI().String()
		for _, text := range []foreign.Text{slot.Token.Serial, slot.Token.Label} {
			if counts[text] == 1 && text != "" && text.String() == string(text) && !token.IsURI(string(text)) {
				name = string(text)
			}
		}
		names = append(names, name)
	}
	return names
}

// Error counts them.
func (e *severalTokensError) Error() string {
	return fmt.Sprintf("%d tokens and none named", len(e.Present))
}

// TokenName is a token's label as people are shown it: of a browser's profile, in their language. --token takes both.
func (a *App) TokenName(label foreign.Text) foreign.Text {
	program, name, is := host.SplitLabel(string(label))
	if !is {
		return label
	}
	return foreign.Text(a.Text("token.profile", messages.Args{"Program": foreign.Text(program), "Name": foreign.Text(name)}))
}

// Meant reports whether --token, which is a label, a serial number or a URI, and the URI name the slot's token.
func (a *App) Meant(module token.ModuleInfo, slot token.Slot, uri *token.URI) bool {
	if named, err := token.ParseURI(a.TokenLabel); token.IsURI(a.TokenLabel) && (err != nil || !named.MatchesToken(module, slot)) {
		return false
	} else if err != nil && a.TokenLabel != "" && !slices.Contains([]string{string(slot.Token.Label), string(a.TokenName(slot.Token.Label)), string(slot.Token.Serial)}, a.TokenLabel) {
		return false
	}
	return uri == nil || uri.MatchesToken(module, slot)
}

// reasons are the reasons for which no token is there.
func (e *noTokenError) reasons() []verdict.Reason {
	if len(e.present) > 0 {
		return nil
	}
	causes := causesOf(e.runs)
	surroundings := len(causes) > 0 && (causes[0].Code == verdict.SoftHSMConfiguration || causes[0].Code == verdict.PCSCDNotRunning)
	if len(e.Unread) > 0 && !surroundings { // the token that is meant may be in one of them
		failure := token.FailureOf(e.Unread[0])
		return []verdict.Reason{{Code: verdict.TokenAbsent, Evidence: verdict.Evidence{
			{Name: "slots", Value: e.Slots}, {Name: "function", Value: failure.Function}, {Name: "CKR", Value: failure.Code.String()},
		}}}
	}
	return causes
}

// Notice writes a line for the person that is no error.
func (a *App) Notice(id string, args messages.Args) {
	if a.Quiet {
		return
	}
	a.notice(a.Text(id, args))
}

// Progress is where it is told how far a long run has come.
func (a *App) Progress() terminal.Output {
	if a.Quiet {
		return terminal.Nowhere{}
	}
	return a.Err
}

// notice writes a notice in the width of where it goes.
func (a *App) notice(text string) {
	fmt.Fprintln(a.Err, terminal.Wrap(a.Text("label.notice", nil)+" "+text, widthOf(a.Err)))
}

func PrintableList(texts []string) string {
	lines := make([]string, len(texts))
	for i, text := range texts {
		lines[i] = "  " + terminal.Printable(text)
	}
	return strings.Join(lines, "\n")
}
