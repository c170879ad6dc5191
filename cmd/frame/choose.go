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
		return token.Identity{}, &ObjectNotFoundError{Name: name, Hidden: verdict.Hides(inventory), Known: inventory.URIs(identities)}
	}
	return token.Identity{}, &ambiguousError{Name: name, Candidates: candidates(inventory, identities, selector)}
}

// candidates are names for the identities that a name fits, each of which fits one alone: a URI, or, where a key has several
// certificates, the fingerprint of one, which stays the same whatever else is on the token.
func candidates(inventory *token.Inventory, identities []token.Identity, selector *token.Selector) []string {
	keys, certificates := map[*token.Object]int{}, map[string]int{}
	for _, identity := range identities {
		keys[identity.PrivateKey]++
		certificates[fingerprintOf(identity)]++
	}
	var names []string
	for i, uri := range inventory.URIs(identities) {
		identity := identities[i]
		if len(selector.Select(identities[i:i+1])) != 1 {
			continue
		}
		fingerprint := fingerprintOf(identity)
		if identity.PrivateKey != nil && keys[identity.PrivateKey] > 1 && fingerprint != "" && certificates[fingerprint] == 1 {
			uri = "sha256:" + fingerprint
		}
		names = append(names, uri)
	}
	return names
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
