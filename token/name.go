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

// nameOf is what URI.With says of an object: it leaves out what the object has not.
func nameOf(o *Object) objectName {
	name := wholeNameOf(o)
	name.hasID, name.hasLabel = name.id != "", name.label != ""
	return name
}

// wholeNameOf is what withAll says of an object: it leaves out nothing but what is too long.
func wholeNameOf(o *Object) objectName {
	kind := o.Class.uriType()
	name := objectName{kind: kind, hasKind: kind != ""}
	if id := string(o.ID()); sayable(id) {
		name.id, name.hasID = id, true
	}
	if label := string(o.Attributes.Bytes(CKALabel)); sayable(label) {
		name.label, name.hasLabel = label, true
	}
	return name
}

func newNamer(token *URI, among []Identity) *namer {
	n := &namer{token: token, at: map[objectName][]int{}}
	var withoutID, withoutLabel bool
	for _, identity := range among {
		for _, o := range identity.named() {
			name := nameOf(o)
			withoutID, withoutLabel = withoutID || !name.hasID, withoutLabel || !name.hasLabel
		}
	}
	for i, identity := range among {
		for _, o := range identity.named() {
			n.add(i, o, withoutID, withoutLabel)
		}
	}
	return n
}

// add notes every name by which a URI of an object can mean o. One without an ID, or without a label, is only asked for where an object
// has none.
func (n *namer) add(i int, o *Object, withoutID, withoutLabel bool) {
	whole := wholeNameOf(o)
	names := []objectName{whole}
	if text := string(o.Label()); text != whole.label && whole.hasLabel {
		other := whole
		other.label = text
		names = append(names, other)
	}
	for _, name := range names {
		addPlace(n.at, name, i)
		if withoutID {
			byLabel := name
			byLabel.id, byLabel.hasID = "", false
			addPlace(n.at, byLabel, i)
		}
		if withoutLabel {
			byID := name
			byID.label, byID.hasLabel = "", false
			addPlace(n.at, byID, i)
		}
		if withoutID && withoutLabel {
			addPlace(n.at, objectName{kind: name.kind, hasKind: name.hasKind}, i)
		}
	}
}

func (n *namer) name(i int, identity Identity) string {
	objects := identity.Objects()
	if len(objects) == 0 {
		return n.token.String()
	}
	for _, o := range objects {
		if len(n.at[nameOf(o)]) == 1 {
			return n.token.With(o).String()
		}
		if len(n.at[wholeNameOf(o)]) == 1 {
			return n.token.withAll(o).String()
		}
	}
	uri := n.token.withAll(objects[0])
	if number, is := slices.BinarySearch(n.at[wholeNameOf(objects[0])], i); is {
		uri.Path[numberAttribute] = strconv.Itoa(number + 1)
	}
	return uri.String()
}

// withAll is With, where an empty "id" or "object" says that the object has none.
func (u *URI) withAll(o *Object) *URI {
	uri := u.With(o)
	name := wholeNameOf(o)
	if name.hasID {
		uri.Path["id"] = name.id
	}
	if name.hasLabel {
		uri.Path["object"] = name.label
	}
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
