package token

import (
	"slices"
	"strconv"
)

// URIs gives each of the identities a URI that names it alone among them: the one of its private key or certificate where that
// is enough, with an empty "id" or "object" where the object has none, else of another of its objects, and at last with the
// number of the identity among those that the rest of the URI names (p11bridge-number, an attribute of our own), in the
// token's order.
func (inventory *Inventory) URIs(among []Identity) []string {
	n := newNamer(inventory.Token.URI(), among)
	uris := make([]string, len(among))
	for i, identity := range among {
		uris[i] = n.name(i, identity)
	}
	return uris
}

// namer finds which identities a URI names without a look at all of them.
type namer struct {
	token *URI
	at    map[objectName][]int // places among the identities, rising
}

// objectName is what a URI says of an object, or an object of itself.
type objectName struct {
	id, label, kind          string
	hasID, hasLabel, hasKind bool
}

func newNamer(token *URI, among []Identity) *namer {
	n := &namer{token: token, at: map[objectName][]int{}}
	for i, identity := range among {
		for _, o := range identity.named() {
			n.add(i, o)
		}
	}
	return n
}

// add notes every name by which a URI of an object can mean o: URI.With leaves out what an object has not, and withAll nothing.
func (n *namer) add(i int, o *Object) {
	labels := []string{string(o.Attributes.Bytes(CKALabel))}
	if text := string(o.Label()); text != labels[0] {
		labels = append(labels, text)
	}
	kind := o.Class.uriType()
	for _, label := range labels {
		whole := objectName{id: string(o.ID()), label: label, kind: kind, hasID: true, hasLabel: true, hasKind: kind != ""}
		byID, byLabel, byKind := whole, whole, whole
		byID.label, byID.hasLabel = "", false
		byLabel.id, byLabel.hasID = "", false
		byKind.id, byKind.label, byKind.hasID, byKind.hasLabel = "", "", false, false
		for _, name := range []objectName{whole, byID, byLabel, byKind} {
			addPlace(n.at, name, i)
		}
	}
}

func (n *namer) name(i int, identity Identity) string {
	objects := identity.Objects()
	if len(objects) == 0 {
		return n.token.String()
	}
	for _, o := range objects {
		for _, uri := range []*URI{n.token.With(o), n.token.withAll(o)} {
			if len(n.named(uri)) == 1 {
				return uri.String()
			}
		}
	}
	uri := n.token.withAll(objects[0])
	if number, is := slices.BinarySearch(n.named(uri), i); is {
		uri.Path[numberAttribute] = strconv.Itoa(number + 1)
	}
	return uri.String()
}

// named lists the places of the identities that a URI of one of their objects names.
func (n *namer) named(uri *URI) []int {
	var name objectName
	name.id, name.hasID = uri.Path["id"]
	name.label, name.hasLabel = uri.Path["object"]
	name.kind, name.hasKind = uri.Path["type"]
	return n.at[name]
}

// withAll is With, where an empty "id" or "object" says that the object has none.
func (u *URI) withAll(o *Object) *URI {
	uri := u.With(o)
	uri.Path["id"], uri.Path["object"] = string(o.ID()), string(o.Attributes.Bytes(CKALabel))
	return uri
}

// names reports whether the URI's attributes of an object fit one of the identity's, whatever its number.
func (u *URI) names(identity Identity) bool {
	for _, o := range identity.named() {
		if u.MatchesObject(o) {
			return true
		}
	}
	return false
}

// named lists the objects by whose names the identity goes.
func (i Identity) named() []*Object { return append(i.Objects(), i.Copies...) }
