package frame

import (
	"fmt"

	"p11bridge/bridge/verdict"
	"p11bridge/token"
)

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
