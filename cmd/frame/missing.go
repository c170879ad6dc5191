package frame

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/host"
)

// unstartedModules names the modules that this machine's configuration wants and whose tokens nobody sees here: those that do not start, and
// those that p11-kit configures in a way that is not followed. A module that is not there is passed over where a package may have left its
// configuration behind; one that the user's own configuration names is not. failed are those that were tried.
func unstartedModules(failed []failedModule, proxied bool) []string {
	var names []string
	for _, one := range failed {
		if one.library.NamedBy != "" && one.library.Name != host.ProfilesName && !(isAbsent(one.err) && !isOwn(one.library.NamedBy)) {
			names = append(names, one.library.Path)
		}
	}
	for _, c := range host.Configurations() {
		if c.Ignored == host.ConfigurationUnreadable || c.Ignored == host.ReachedByCommand && !proxied {
			names = append(names, c.File)
		}
	}
	return names
}

// failedModule is a module that nobody named and that could not be used.
type failedModule struct {
	library token.Library
	err     error
}

func isAbsent(err error) bool {
	var fault *token.LoadError
	return errors.As(err, &fault) && fault.Fault == token.FaultMissing
}

// isOwn reports whether a file is in the user's home directory.
func isOwn(path string) bool {
	home, err := os.UserHomeDir()
	return err == nil && strings.HasPrefix(path, filepath.Clean(home)+string(filepath.Separator))
}

// noticeUnstarted says which configured modules add nothing to tokens that are shown.
func (w *Worker) noticeUnstarted() {
	const most = 3
	names := w.unstarted
	if len(names) == 0 {
		return
	}
	count := len(names)
	if count > most {
		names = append(names[:most:most], "…")
	}
	w.Notice("notice.modules-unstarted", messages.Args{"Count": messages.Number(count), "Modules": foreign.Text(strings.Join(names, ", "))})
}

// unreadSlot is a slot in which something is that its module could not read.
type unreadSlot struct {
	slot   token.Slot
	module string
}

// noticeUnread says what is not shown because its module could not read it. A reader whose card another module reads is left out: no module
// knows every card.
func (w *Worker) noticeUnread(missing *noTokenError) {
	for _, unread := range missing.unread {
		if slices.ContainsFunc(missing.present, func(slot token.Slot) bool { return slot.Description == unread.slot.Description }) {
			continue
		}
		w.Notice("notice.slot-unread", messages.Args{"Slot": unread.slot.Description, "Module": foreign.Text(unread.module), "Problem": messages.Own(OneLine(unread.slot.Err))})
	}
}

// fails notes a module that could not be used.
func (e *noTokenError) fails(library token.Library, found []token.Slot, err error) {
	e.failed = append(e.failed, failedModule{library, err})
	e.runs = append(e.runs, runOf(library, found, err))
	e.ModuleProblems = append(e.ModuleProblems, library.Path+": "+err.Error())
}

// counts notes a slot, and reports whether a token is in it that can be used.
func (e *noTokenError) counts(library token.Library, slot token.Slot) bool {
	switch {
	case slot.Err != nil:
		e.Unread = append(e.Unread, slot.Err)
		e.unread = append(e.unread, unreadSlot{slot, library.Path})
		e.ModuleProblems = append(e.ModuleProblems, library.Path+": "+slot.Err.Error())
	case slot.Absent != nil:
		e.Unread = append(e.Unread, slot.Absent)
	case slot.Token == nil || slot.Internal():
	case !slot.Token.Flags.Has(token.CKFTokenInitialized):
	default:
		e.present = append(e.present, slot)
		return true
	}
	return false
}
