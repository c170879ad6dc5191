package view

import (
	"encoding/hex"
	"strings"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// NameText is a distinguished name as it stands in a sentence: one that is empty is not shown as nothing.
func NameText(a *frame.App, name foreign.Text) messages.Value {
	if strings.TrimSpace(string(name)) == "" {
		return messages.Own(a.Text("name.empty", nil))
	}
	return name
}

// mostTyped is the longest name that is offered to be typed where there is a shorter one.
const mostTyped = 40

// ShortName is the shortest name that means one identity of a token alone: its label, its CKA_ID, the beginning of
// its certificate's fingerprint, or else the URI. A label or a CKA_ID that is long stands behind a fingerprint.
func ShortName(among *token.NameIndex, identity token.Identity, uri string) string {
	var labels, ids, short, long []string
	for _, o := range identity.Objects() {
		labels, ids = append(labels, string(o.Label())), append(ids, hex.EncodeToString(o.ID()))
	}
	for _, name := range append(labels, ids...) {
		switch {
		case !typeable(name):
		case terminal.Columns(name) > mostTyped:
			long = append(long, name)
		default:
			short = append(short, name)
		}
	}
	if c := identity.Certificate; c != nil && c.Parsed != nil {
		const digits = 16
		short = append(short, "sha256:"+c.Parsed.SHA256()[:digits])
	}
	for _, name := range append(short, long...) {
		if namesAlone(name, among, identity) {
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
