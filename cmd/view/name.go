package view

import (
	"encoding/hex"
	"strings"

	"p11bridge/token"
	"p11bridge/token/foreign"
)

// ShortName is the shortest name that means one identity of a token alone: its label, its CKA_ID, the beginning of
// its certificate's fingerprint, or else the URI.
func ShortName(among *token.NameIndex, identity token.Identity, uri string) string {
	for _, o := range identity.Objects() {
		for _, name := range []string{string(o.Label()), hex.EncodeToString(o.ID())} {
			if typeable(name) && namesAlone(name, among, identity) {
				return name
			}
		}
	}
	if c := identity.Certificate; c != nil && c.Parsed != nil {
		const digits = 16
		if name := "sha256:" + c.Parsed.SHA256()[:digits]; namesAlone(name, among, identity) {
			return name
		}
	}
	return uri
}

// typeable reports whether a name can be given back as it is shown, and is not read as a flag.
func typeable(name string) bool {
	return name != "" && !strings.HasPrefix(name, "-") && foreign.Text(name).String() == name
}

func namesAlone(name string, among *token.NameIndex, identity token.Identity) bool {
	selector, err := token.ParseSelector(name)
	if err != nil || selector.URI != nil {
		return false
	}
	selected := among.Select(selector)
	if len(selected) != 1 {
		return false
	}
	a, b := selected[0].Objects(), identity.Objects()
	return len(a) > 0 && len(a) == len(b) && a[0] == b[0] && a[len(a)-1] == b[len(b)-1]
}
