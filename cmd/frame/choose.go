package frame

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// ObjectNotFoundError means that a name fits nothing on the token.
type ObjectNotFoundError struct {
	Name   string
	Hidden bool // private keys were not visible
	Known  []string
	Meant  []string // those of Known that were probably meant
	Token  string   // the label of a token that has this name, empty for none
}

// NotFound is the error for a name that fits nothing on any of the tokens.
func NotFound(name string, selector *token.Selector, among ...*token.Inventory) *ObjectNotFoundError {
	e := &ObjectNotFoundError{Name: name}
	for _, inventory := range among {
		e.Hidden = e.Hidden || verdict.Hides(inventory)
		if strings.EqualFold(name, string(inventory.Token.Label)) {
			e.Token = string(inventory.Token.Label)
		}
		identities := inventory.Identities()
		meant := selector.Meant(identities)
		for i, known := range inventory.ShortNames(identities) {
			e.Known = append(e.Known, known)
			if len(meant) > 0 && slices.Equal(meant[0].Objects(), identities[i].Objects()) { // they are in the same order
				e.Meant, meant = append(e.Meant, known), meant[1:]
			}
		}
	}
	return e
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

// Choose finds the one identity that the name means. Where an object could not be read, nobody knows that there is none, or that
// there are several.
func Choose(inventory *token.Inventory, selector *token.Selector, name string) (token.Identity, error) {
	identities := inventory.Identities()
	selected := selector.Select(identities)
	unread := inventory.Unread()
	switch {
	case len(selected) == 1:
		return selected[0], nil
	case len(unread) > 0:
		return token.Identity{}, unread[0].Fault().Err()
	case len(selected) == 0:
		return token.Identity{}, NotFound(name, selector, inventory)
	}
	return token.Identity{}, &ambiguousError{Name: name, Candidates: candidates(inventory, identities, selector)}
}

// candidates are names for the identities that a name fits, each of which fits one alone: a label, a CKA_ID or a URI, or, where a
// key has several certificates, the fingerprint of one, which stays the same whatever else is on the token.
func candidates(inventory *token.Inventory, identities []token.Identity, selector *token.Selector) []string {
	keys, certificates := map[*token.Object]int{}, map[string]int{}
	for _, identity := range identities {
		keys[identity.PrivateKey]++
		certificates[fingerprintOf(identity)]++
	}
	var names []string
	for i, name := range inventory.ShortNames(identities) {
		identity := identities[i]
		if len(selector.Select(identities[i:i+1])) != 1 {
			continue
		}
		fingerprint := fingerprintOf(identity)
		if identity.PrivateKey != nil && keys[identity.PrivateKey] > 1 && fingerprint != "" && certificates[fingerprint] == 1 {
			name = "sha256:" + fingerprint
		}
		names = append(names, name)
	}
	return names
}

// Near is the one identity that a name means which fits nothing as it was typed: its names differ in case alone, or the typed
// one is a part of theirs. It is false where there is none, or where several are as near.
func Near(inventory *token.Inventory, selector *token.Selector) (token.Identity, bool) {
	near := selector.Near(inventory.Identities())
	if len(near) != 1 || len(inventory.Unread()) > 0 {
		return token.Identity{}, false
	}
	return near[0], true
}

// ChooseNear is Choose, and takes a name that is near enough where the command does not destroy what it names.
func (w *Worker) ChooseNear(inventory *token.Inventory, selector *token.Selector, name string) (token.Identity, error) {
	identity, err := Choose(inventory, selector, name)
	var missing *ObjectNotFoundError
	if !errors.As(err, &missing) || w.Exact {
		return identity, err
	}
	near, is := Near(inventory, selector)
	if !is {
		return identity, err
	}
	w.NoticeNear(inventory, near, name)
	return near, nil
}

// Selecting gives the selector for what a command shows of the tokens: the one that was given, or one for the only identity
// whose name is near to the typed one. Where there is none, the error offers the names that are there. A nil selector shows all.
func (a *App) Selecting(inventories []*token.Inventory, selector *token.Selector, name string) (*token.Selector, error) {
	if selector == nil {
		return nil, nil //nolint:nilnil // everything is shown
	}
	var nearIn []*token.Inventory
	for _, inventory := range inventories {
		if len(selector.Select(inventory.Identities())) > 0 {
			return selector, nil
		}
		if len(selector.Near(inventory.Identities())) > 0 {
			nearIn = append(nearIn, inventory)
		}
	}
	if len(nearIn) == 1 {
		if near, is := Near(nearIn[0], selector); is {
			a.NoticeNear(nearIn[0], near, name)
			return selector.Of(near), nil
		}
	}
	return nil, NotFound(name, selector, inventories...)
}

// InventoriesOf gives what was read of the tokens.
func InventoriesOf(tokens []bridge.OpenToken) []*token.Inventory {
	inventories := make([]*token.Inventory, len(tokens))
	for i, t := range tokens {
		inventories[i] = t.Inventory
	}
	return inventories
}

// NoticeNear says which identity was taken for a name that is not its own.
func (a *App) NoticeNear(inventory *token.Inventory, near token.Identity, name string) {
	identities := inventory.Identities()
	for i, known := range inventory.ShortNames(identities) {
		if slices.Equal(identities[i].Objects(), near.Objects()) {
			a.names.object = known
			if a.names.leaving != "" {
				a.names.leaving = known
			}
			a.Notice("notice.name-taken", messages.Args{"Typed": foreign.Text(name), "Name": foreign.Text(known)})
		}
	}
}

// fingerprintOf is the SHA-256 of the identity's certificate, empty where there is none that can be read.
func fingerprintOf(identity token.Identity) string {
	if identity.Certificate == nil || identity.Certificate.Parsed == nil {
		return ""
	}
	return identity.Certificate.Parsed.SHA256()
}

func IdentityURI(inventory *token.Inventory, identity token.Identity) string {
	objects := identity.Objects()
	if len(objects) == 0 {
		return inventory.Token.URI().String()
	}
	return inventory.Token.URI().With(objects[0]).String()
}
