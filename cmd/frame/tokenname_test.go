package frame_test

import (
	"strings"
	"testing"

	"p11bridge/cmd/messages"
	"p11bridge/token/foreign"
)

// TestTokenIsNamedInTheLanguage is about every text that names a token: a browser's profile has a name in each language.
func TestTokenIsNamedInTheLanguage(t *testing.T) {
	want := map[string]string{"en": "Firefox, profile work", "es": "Firefox, perfil work", "ca": "Firefox, perfil work", "fr": "Firefox, profil work"}
	for _, a := range appsOf(t) {
		args := messages.Args{"Token": foreign.Text("Firefox, profile work")}
		if text := a.Text("status.token", args); !strings.Contains(text, want[a.Catalog.Language]) {
			t.Errorf("%s: %s", a.Catalog.Language, text)
		}
		if args["Token"] != foreign.Text("Firefox, profile work") {
			t.Errorf("%s: the caller's name became %v", a.Catalog.Language, args["Token"])
		}
	}
}
