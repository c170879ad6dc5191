package frame

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/host"
	"p11bridge/token/secret"
)

// slots opens the modules and gives the slots whose tokens are meant. The frame closes the modules when the result is told.
func (w *Worker) slots(ctx context.Context, uri *token.URI) ([]token.Slot, error) {
	access := token.ReadOnly
	if w.Writes {
		access = token.ReadWrite
	}
	libraries, named, err := w.Libraries(uri, access)
	if err != nil {
		return nil, err
	}
	if len(libraries) == 0 {
		return nil, noModuleError{}
	}
	observer, err := w.Observer()
	if err != nil {
		return nil, err
	}
	missing := &noTokenError{}
	var shown []shownSlot
	proxied := false
	leftOut := w.child.Page.LeftOut()
	w.child.Page.SetDiscovering(!named)
	defer w.child.Page.SetDiscovering(false)
	for _, library := range libraries {
		if slices.Contains(leftOut, library.Path) {
			continue
		}
		found, module, err := w.open(ctx, library, observer)
		if err != nil && library.Name == host.ProfilesName && ctx.Err() == nil {
			found, module, err = w.openSound(ctx, observer, err)
		}
		if ctx.Err() != nil {
			return nil, err
		}
		missing.Slots += len(found)
		if err != nil && named {
			return nil, w.startFailure(runOf(library, found, err), err)
		}
		if err != nil {
			missing.fails(library, found, err)
			continue
		}
		proxied = proxied || isProxy(module.Info)
		for _, slot := range found {
			if missing.counts(library, slot) && w.Meant(module.Info, slot, uri) {
				shown = append(shown, shownSlot{slot, module.Info, library.InitString})
			}
		}
		if len(shown) == 0 { // else nobody asks what is missing
			missing.runs = append(missing.runs, runOf(library, found, nil))
		}
	}
	if len(shown) == 0 {
		return w.noneMeant(missing, uri)
	}
	if uri == nil && w.TokenLabel == "" {
		w.noticeUnread(missing)
		w.unstarted = unstartedModules(missing.failed, named || proxied)
	}
	return w.eachOnce(shown)
}

// noneMeant is what becomes of a command where no token is the one that was named: one is taken whose label is near enough.
func (w *Worker) noneMeant(missing *noTokenError, uri *token.URI) ([]token.Slot, error) {
	if uri == nil {
		if near, is := w.nearToken(missing.present); is {
			return []token.Slot{near}, nil
		}
	}
	named := func(uri *token.URI, a *App) bool {
		return slices.ContainsFunc(missing.present, func(slot token.Slot) bool { return a.Meant(token.ModuleInfo{}, slot, uri) })
	}
	missing.Wanted = w.TokenLabel
	switch {
	case uri == nil || len(missing.present) == 0:
	case w.TokenLabel == "":
		missing.Wanted = uri.String()
	case named(nil, w.App) || named(uri, &App{}): // one of the two tokens is there
		return nil, Usage("error.token-contradicted", messages.Args{"Token": foreign.Text(w.TokenLabel), "URI": foreign.Text(uri.String())})
	}
	missing.Present = tokenNames(missing.present)
	return nil, missing
}

// startFailure is the failure of the one module that was named. Of a certificate database its files say more.
func (w *Worker) startFailure(run verdict.ModuleRun, err error) error {
	var answer *token.Error
	if w.NSSDB == "" && errors.As(err, &answer) {
		return &startError{run, answer}
	}
	return err
}

// open opens a module and lists its slots.
func (w *Worker) open(ctx context.Context, library token.Library, observer *supervise.Observer) ([]token.Slot, *token.Module, error) {
	module, err := token.Open(library, observer)
	if err != nil {
		return nil, nil, err
	}
	w.Opened(module.Close)
	slots, err := module.Slots(ctx)
	return slots, module, err
}

// openSound opens softokn with those profiles that it opens alone: one that is locked or damaged does not hide the others.
func (w *Worker) openSound(ctx context.Context, observer *supervise.Observer, failed error) ([]token.Slot, *token.Module, error) {
	var sound []host.ProfileLibrary
	for _, one := range host.ProfileLibraries() {
		err := one.Fault
		if err == nil {
			var module *token.Module
			if module, err = token.Open(one.Library, observer); err == nil {
				err = module.Close()
			}
		}
		if err == nil {
			sound = append(sound, one)
			continue
		}
		w.noticeLeftOut("notice.profile-left-out", one.Label, one.Profile.Directory, err)
	}
	library, some := host.Together(sound)
	if !some {
		return nil, nil, failed
	}
	return w.open(ctx, library, observer)
}

// noticeLeftOut says that a profile is not shown because its database cannot be opened.
func (a *App) noticeLeftOut(id, label, directory string, err error) {
	a.Notice(id, messages.Args{"Profile": a.TokenName(foreign.Text(label)), "Directory": foreign.Text(directory), "Problem": messages.Own(a.Describe(err).Text(a))})
}

// Inventories reads the tokens that are meant, each in a session of its own; a single one logged in, where it may be.
func (w *Worker) Inventories(ctx context.Context, uri *token.URI, noLogin bool) ([]bridge.OpenToken, error) {
	open, err := w.inventories(ctx, uri, noLogin)
	if err == nil {
		w.noticeUnstarted()
	}
	return open, err
}

func (w *Worker) inventories(ctx context.Context, uri *token.URI, noLogin bool) ([]bridge.OpenToken, error) {
	slots, err := w.slots(ctx, uri)
	if err != nil {
		return nil, err
	}
	if w.pinSourceFor(uri) != "" && len(slots) > 1 && !noLogin {
		return nil, severalTokens(slots) // one PIN must not be tried on several tokens
	}
	var open []bridge.OpenToken
	for _, slot := range slots {
		one, err := w.read(ctx, slot, uri, !noLogin && len(slots) == 1, true)
		if err != nil {
			return nil, err
		}
		open = append(open, one)
	}
	return open, nil
}

// Tokens opens a session with every token that is meant, logs in and reads each. One PIN is never tried on several tokens:
// where more than one needs a login, each is asked for on the terminal. An optional login may be left out.
func (w *Worker) Tokens(ctx context.Context, optional, noLogin bool) ([]bridge.OpenToken, error) {
	slots, err := w.slots(ctx, nil)
	if err != nil {
		return nil, err
	}
	given := w.PinSource != "" && w.PinSource != "prompt"
	var locked []token.Slot
	for _, slot := range slots {
		if slot.Token.Flags.Has(token.CKFLoginRequired) || given && verdict.HasPIN(slot.Token) {
			locked = append(locked, slot)
		}
	}
	if !noLogin && len(locked) > 1 && (given || !optional && !terminal.Present()) {
		return nil, severalTokens(locked)
	}
	var open []bridge.OpenToken
	for _, slot := range slots {
		one, err := w.read(ctx, slot, nil, !noLogin, optional)
		if err != nil {
			return nil, err
		}
		open = append(open, one)
	}
	w.noticeUnstarted()
	return open, nil
}

// read opens a session, logs in where that is wanted, and reads the token.
func (w *Worker) read(ctx context.Context, slot token.Slot, uri *token.URI, login, optional bool) (bridge.OpenToken, error) {
	session, err := w.Session(slot, token.ReadOnly)
	if err != nil {
		return bridge.OpenToken{}, err
	}
	var inventory *token.Inventory
	if login {
		var pin *secret.Text
		inventory, pin, err = w.Read(ctx, session, uri, optional)
		pin.Wipe()
	} else {
		inventory, err = inventoryOf(ctx, session)
	}
	if err == nil && w.RequireLogin && verdict.Hides(inventory) {
		err = &BlockedError{Reasons: []verdict.Reason{verdict.PINMissingReason(&inventory.Token)}}
	}
	return bridge.OpenToken{Session: session, Inventory: inventory}, err
}

// inventoryOf reads a token, and what this machine shows of what its module does not.
func inventoryOf(ctx context.Context, session *token.Session) (*token.Inventory, error) {
	inventory, err := session.Inventory(ctx)
	if err == nil {
		inventory.PassedOver = host.SoftHSMPassesOver(&inventory.Token)
	}
	return inventory, err
}

// Token gives the slot of the one token that is meant.
func (w *Worker) Token(ctx context.Context, uri *token.URI) (token.Slot, error) {
	slots, err := w.slots(ctx, uri)
	if err != nil {
		return token.Slot{}, err
	}
	if len(slots) > 1 {
		return token.Slot{}, severalTokens(slots)
	}
	return slots[0], nil
}

// Session opens a session of the kind that the work needs.
func (w *Worker) Session(slot token.Slot, access token.Access) (*token.Session, error) {
	if access == token.ReadWrite && w.NSSDB == "" && verdict.AsksForPassword(slot.Token) {
		if profile, is := host.ProfileOf(string(slot.Token.Label)); is {
			return nil, &profileReadError{profile.Directory}
		}
	}
	session, err := slot.OpenSession(access)
	if code, known := token.CodeOf(err); known && access == token.ReadWrite && code == token.CKRTokenWriteProtected {
		return nil, fmt.Errorf("%w: %w", bridge.ErrWriteProtected, err)
	}
	if err != nil {
		return nil, err
	}
	w.Opened(session.Close)
	return session, nil
}

// Identity is the one identity that a command is about, on its token.
type Identity struct {
	bridge.OpenToken
	token.Identity
}

// Identity logs in to the one token that is meant, in a read-only session, and finds the one identity that the name means.
func (w *Worker) Identity(ctx context.Context, name string, optionalLogin bool) (Identity, error) {
	selector, err := token.ParseSelector(name)
	if err != nil {
		return Identity{}, err
	}
	slot, err := w.Token(ctx, selector.URI)
	if err != nil {
		return Identity{}, err
	}
	session, err := w.Session(slot, token.ReadOnly)
	if err != nil {
		return Identity{}, err
	}
	inventory, pin, err := w.Read(ctx, session, selector.URI, optionalLogin)
	if err != nil {
		return Identity{}, err
	}
	identity, err := w.ChooseToUse(session, inventory, selector, name, pin)
	if err != nil {
		return Identity{}, err
	}
	return Identity{bridge.OpenToken{Session: session, Inventory: inventory}, identity}, nil
}

// ChooseToUse is ChooseNear for an object whose key is to be used: the PIN is kept for a key that wants it for each use, and wiped for every other one.
func (w *Worker) ChooseToUse(session *token.Session, inventory *token.Inventory, selector *token.Selector, name string, pin *secret.Text) (token.Identity, error) {
	w.Opened(func() error { pin.Wipe(); return nil })
	identity, err := w.ChooseNear(inventory, selector, name)
	if err != nil {
		return identity, err
	}
	if key := identity.PrivateKey; key == nil || key.Attributes.Bool(token.CKAAlwaysAuthenticate) != token.True {
		pin.Wipe()
	} else if session.LoggedIn {
		session.Authenticate = func() (*secret.Text, error) {
			w.Notice("notice.authenticates", messages.Args{"Object": foreign.Text(name)})
			return pin, nil
		}
	}
	return identity, nil
}

// Observer is told of every C_* call: it keeps the call page, and the trace where one is wanted.
func (w *Worker) Observer() (*supervise.Observer, error) {
	if leftOut := w.child.Page.LeftOut(); len(leftOut) > 0 { // an earlier child began the trace
		return w.ObserverOf("without " + strings.Join(leftOut, ", "))
	}
	if w.child.Page.LookAgain() != nil {
		return w.ObserverOf("a look at the token after the failure")
	}
	observer := &supervise.Observer{Page: w.child.Page}
	if w.Trace == "" {
		return observer, nil
	}
	trace, err := supervise.OpenTrace(w.Trace)
	if err != nil {
		return nil, err
	}
	observer.Trace = trace
	w.Opened(trace.Close)
	return observer, nil
}

// ObserverOf is Observer for a child that adds to the trace that its parent began, under the library's name.
func (w *Worker) ObserverOf(library string) (*supervise.Observer, error) {
	observer := &supervise.Observer{Page: w.child.Page}
	if w.Trace == "" {
		return observer, nil
	}
	trace, err := supervise.ContinueTrace(w.Trace, library)
	if err != nil {
		return nil, err
	}
	observer.Trace = trace
	w.Opened(trace.Close)
	return observer, nil
}

// Placing notes a file that is about to get its final name: the parent tells of it if this process dies.
func (a *App) Placing(path string) {
	if a.child != nil {
		a.child.Page.AddSaved(path)
	}
}

// Scratch notes the unfinished files that the parent removes if this process dies: all whose paths begin so.
// Where there is no parent, a failed run removes them itself.
func (a *App) Scratch(path string) {
	if a.child != nil {
		a.child.Page.SetScratch(path)
	}
}
