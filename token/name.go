package token

import "strconv"

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

// namer finds quickly which identities a URI may name.
type namer struct {
	token   *URI
	among   []Identity
	byID    map[string][]int
	byLabel map[string][]int
}

func newNamer(token *URI, among []Identity) *namer {
	n := &namer{token: token, among: among, byID: map[string][]int{}, byLabel: map[string][]int{}}
	add := func(index map[string][]int, name string, i int) {
		if at := index[name]; len(at) == 0 || at[len(at)-1] != i {
			index[name] = append(at, i)
		}
	}
	for i, identity := range among {
		for _, o := range identity.named() {
			add(n.byID, string(o.ID()), i)
			add(n.byLabel, string(o.Attributes.Bytes(CKALabel)), i)
			if text := string(o.Label()); text != string(o.Attributes.Bytes(CKALabel)) {
				add(n.byLabel, text, i)
			}
		}
	}
	return n
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
	for number, at := range n.named(uri) {
		if at == i {
			uri.Path[numberAttribute] = strconv.Itoa(number + 1)
		}
	}
	return uri.String()
}

// named lists the identities that a URI names.
func (n *namer) named(uri *URI) []int {
	var possible []int
	if id, given := uri.Path["id"]; given {
		possible = n.byID[id]
	} else if label, given := uri.Path["object"]; given {
		possible = n.byLabel[label]
	} else {
		for i := range n.among {
			possible = append(possible, i)
		}
	}
	var found []int
	for _, i := range possible {
		if uri.names(n.among[i]) {
			found = append(found, i)
		}
	}
	return found
}

// withAll is With, where an empty "id" or "object" says that the object has none.
func (u *URI) withAll(o *Object) *URI {
	uri := u.With(o)
	uri.Path["id"], uri.Path["object"] = string(o.ID()), string(o.Attributes.Bytes(CKALabel))
	return uri
}

// names tells whether the URI's attributes of an object fit one of the identity's, whatever its number.
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
