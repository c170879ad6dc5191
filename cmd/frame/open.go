package frame

import (
	"context"
	"fmt"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/host"
)

// ModuleVariable names the module for those who do not want to say --module each time.
const ModuleVariable = "P11BRIDGE_MODULE"

// Libraries are the PKCS#11 libraries to open; named tells that the user named one, so that its failure is the command's.
func (a *App) Libraries(uri *token.URI) (found []token.Library, named bool, err error) {
	path := a.Module
	if path == "" && uri != nil {
		path = uri.Query["module-path"]
	}
	switch {
	case path != "":
		return []token.Library{{Path: path}}, true, nil
	case a.NSSDB != "":
		access := token.ReadOnly
		if a.Writes {
			access = token.ReadWrite
		}
		library, err := host.NSSDatabase(a.NSSDB, access)
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

// noTokenError means that no token is there, or none of those that are there is meant.
type noTokenError struct {
	Wanted         string   // the label or URI asked for, empty for any
	Present        []string // URIs of the tokens that are there
	Slots          int
	Uninitialised  int
	ModuleProblems []string
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

func severalTokens(slots []token.Slot) error {
	several := &severalTokensError{}
	for _, slot := range slots {
		several.Present = append(several.Present, slot.Token.URI().String())
	}
	return several
}

// Error counts them.
func (e *severalTokensError) Error() string {
	return fmt.Sprintf("%d tokens and none named", len(e.Present))
}

// withSlots opens the modules, hands over the slots whose tokens are meant, and closes the modules again.
func (a *App) withSlots(ctx context.Context, uri *token.URI, work func(slots []token.Slot) error) (result error) {
	libraries, named, err := a.Libraries(uri)
	if err != nil {
		return err
	}
	if len(libraries) == 0 {
		return noModuleError{}
	}
	observer, err := a.Observer()
	if err != nil {
		return err
	}
	if observer.Trace != nil {
		defer func() { result = a.Closed(result, observer.Trace.Close()) }()
	}
	missing := &noTokenError{}
	var slots []token.Slot
	for _, library := range libraries {
		module, err := token.Open(library, observer)
		if err != nil {
			if named {
				return err
			}
			missing.ModuleProblems = append(missing.ModuleProblems, library.Path+": "+err.Error())
			continue
		}
		defer func() { result = a.Closed(result, module.Close()) }()
		all, err := module.Slots(ctx)
		if err != nil && (named || ctx.Err() != nil) {
			return err
		}
		if err != nil {
			missing.ModuleProblems = append(missing.ModuleProblems, library.Path+": "+err.Error())
			continue
		}
		missing.Slots += len(all)
		for _, slot := range all {
			switch {
			case slot.Err != nil:
				missing.ModuleProblems = append(missing.ModuleProblems, library.Path+": "+slot.Err.Error())
			case slot.Token == nil || slot.Internal():
			case !slot.Token.Flags.Has(token.CKFTokenInitialized):
				missing.Uninitialised++
			default:
				missing.Present = append(missing.Present, slot.Token.URI().String())
				if a.Meant(module.Info, slot, uri) {
					slots = append(slots, slot)
				}
			}
		}
	}
	if len(slots) == 0 {
		missing.Wanted = a.TokenLabel
		if missing.Wanted == "" && uri != nil && len(missing.Present) > 0 {
			missing.Wanted = uri.String()
		}
		return missing
	}
	return work(slots)
}

// Meant tells whether --token and the URI name the slot's token.
func (a *App) Meant(module token.ModuleInfo, slot token.Slot, uri *token.URI) bool {
	if a.TokenLabel != "" && slot.Token.Label != a.TokenLabel {
		return false
	}
	return uri == nil || uri.MatchesToken(module, slot)
}

// EachInventory reads one token after the other, logged in where it may be.
func (a *App) EachInventory(ctx context.Context, uri *token.URI, noLogin bool, work func(*token.Session, *token.Inventory) error) error {
	return a.withSlots(ctx, uri, func(slots []token.Slot) error {
		if a.pinSourceFor(uri) != "" && len(slots) > 1 && !noLogin {
			return severalTokens(slots) // one PIN must not be tried on several tokens
		}
		for _, slot := range slots {
			err := a.withSession(slot, func(s *token.Session) error {
				if !noLogin && len(slots) == 1 {
					if err := a.Login(ctx, s, uri, true); err != nil {
						return err
					}
				}
				inventory, err := s.Inventory(ctx)
				if err != nil {
					return err
				}
				return work(s, inventory)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// WithToken is withSlots for a command that works on one token.
func (a *App) WithToken(ctx context.Context, uri *token.URI, work func(slot token.Slot) error) error {
	return a.withSlots(ctx, uri, func(slots []token.Slot) error {
		if len(slots) > 1 {
			return severalTokens(slots)
		}
		return work(slots[0])
	})
}

// withSession opens a read-only session and closes it again.
func (a *App) withSession(slot token.Slot, work func(*token.Session) error) (result error) {
	session, err := slot.OpenSession(token.ReadOnly)
	if err != nil {
		return err
	}
	defer func() { result = a.Closed(result, session.Close()) }()
	return work(session)
}

func (a *App) Observer() (*supervise.Observer, error) {
	observer := &supervise.Observer{Page: a.Child.Page}
	if a.Trace == "" {
		return observer, nil
	}
	trace, err := supervise.OpenTrace(a.Trace)
	observer.Trace = trace
	return observer, err
}

// ObjectNotFoundError means that a name fits nothing on the token.
type ObjectNotFoundError struct {
	Name   string
	Hidden bool // private keys were not visible
	Known  []string
}

// Error names it.
func (e *ObjectNotFoundError) Error() string { return "no such object: " + e.Name }

// ambiguousError means that a name fits several identities.
type ambiguousError struct {
	Name       string
	Candidates []string
}

// Error counts them.
func (e *ambiguousError) Error() string {
	return fmt.Sprintf("%s names %d objects", e.Name, len(e.Candidates))
}

// Choose finds the one identity that the name means.
func Choose(inventory *token.Inventory, selector *token.Selector, name string) (token.Identity, error) {
	identities := inventory.Identities()
	selected := selector.Select(identities)
	switch len(selected) {
	case 1:
		return selected[0], nil
	case 0:
		return token.Identity{}, &ObjectNotFoundError{Name: name, Hidden: verdict.Hides(inventory), Known: names(inventory, identities)}
	}
	return token.Identity{}, &ambiguousError{Name: name, Candidates: names(inventory, selected)}
}

// WithIdentity logs in to the one token that is meant and finds the one identity that the name means.
func (a *App) WithIdentity(ctx context.Context, name string, optionalLogin bool, work func(*token.Session, *token.Inventory, token.Identity) error) error {
	selector, err := token.ParseSelector(name)
	if err != nil {
		return err
	}
	return a.WithToken(ctx, selector.URI, func(slot token.Slot) error {
		return a.withSession(slot, func(s *token.Session) error {
			if err := a.Login(ctx, s, selector.URI, optionalLogin); err != nil {
				return err
			}
			inventory, err := s.Inventory(ctx)
			if err != nil {
				return err
			}
			identity, err := Choose(inventory, selector, name)
			if err != nil {
				return err
			}
			return work(s, inventory, identity)
		})
	})
}

// names gives each identity a name that fits it alone: its URI, or the fingerprint of its certificate where the URI is
// not enough.
func names(inventory *token.Inventory, identities []token.Identity) []string {
	list := make([]string, 0, len(identities))
	for _, identity := range identities {
		list = append(list, identityName(inventory, identity, identities))
	}
	return list
}

func identityName(inventory *token.Inventory, identity token.Identity, among []token.Identity) string {
	uri := IdentityURI(inventory, identity)
	selector, err := token.ParseSelector(uri)
	if err == nil && len(selector.Select(among)) > 1 && identity.Certificate != nil && identity.Certificate.Parsed != nil {
		return "sha256:" + identity.Certificate.Parsed.SHA256()
	}
	return uri
}

func IdentityURI(inventory *token.Inventory, identity token.Identity) string {
	objects := identity.Objects()
	if len(objects) == 0 {
		return inventory.Token.URI().String()
	}
	return inventory.Token.URI().With(objects[0]).String()
}

// reasons are the reasons that a missing token gives.
func (e *noTokenError) reasons() []verdict.Reason {
	switch {
	case len(e.Present) > 0:
		return nil
	case e.Uninitialised > 0:
		return []verdict.Reason{{Code: verdict.TokenNotInitialised, Evidence: verdict.Evidence{{Name: "CKF_TOKEN_INITIALIZED", Value: false}}}}
	}
	return []verdict.Reason{{Code: verdict.TokenAbsent, Evidence: verdict.Evidence{{Name: "slots", Value: e.Slots}}}}
}

// Notice writes a line for the person that is no error.
func (a *App) Notice(id string, args messages.Args) {
	fmt.Fprintln(a.Err, a.Text("label.notice", nil)+" "+a.Text(id, args))
}

func PrintableList(texts []string) string {
	lines := make([]string, len(texts))
	for i, text := range texts {
		lines[i] = "  " + terminal.Printable(text)
	}
	return strings.Join(lines, "\n")
}
