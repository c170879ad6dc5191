package messages_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// wordsFor is what a language calls the PIN of a card, and the primary password of a browser's database.
var wordsFor = map[string]struct{ pin, password string }{
	"en": {`\bPINs?\b`, `password`}, "es": {`\bPIN\b`, `contraseña`}, "ca": {`\bPIN\b`, `contrasenya`}, "fr": {`\bPIN\b`, `mot(s)? de passe`},
}

// ofCards are texts that speak of a PIN and are never told of a browser's database, and why.
var ofCards = []struct{ id, why string }{
	{`^reason\.(pin-locked|pin-last-attempt|pin-must-change|pinpad-required|protected-login-failed)\.`, "a database locks nothing, and has no keypad"},
	{`^step\.(type-with-care|new-pin|know-pin|last-attempt|reset-pin)$`, "of pin-incorrect and pin-last-attempt, whose list for a database has steps of its own, or which a database has not"},
	{`^(notice|problem)\.(pinpad|authenticates|wants-pin)$`, "a database has no keypad, and no key that wants its PIN for each use"},
	{`^reason\.(key-linked-by-id|backup-key-not-shown)\.why$`, "of a key that wants its PIN for each use"},
	{`^(flag\.allow-last-attempt$|guide\.risk\.)`, "a database locks nothing"},
	{`^family\.(softhsm|opencryptoki)\.`, "of another family"},
	{`^term\.puk$`, "a database has no PUK"},
	{`^prompt\.pin(-optional)?$`, "prompt.primary-password asks for a database"},
	{`^command\.(doctor\.short|drill\.long|snapshot\.long)$`, "lists what cards have; the drill makes a token of its own; a snapshot holds neither"},
	{`^error\.pin-value`, "pin-value is a word of RFC 7512"},
}

// TestPrimaryPassword: a text that speaks of a PIN has another one for a browser's database, or speaks of its password as well, or is never
// told of one.
func TestPrimaryPassword(t *testing.T) {
	used := map[string]bool{}
	for _, language := range messages.Languages() {
		catalog, words := catalogOf(t, language), wordsFor[language]
		pin, password := regexp.MustCompile(words.pin), regexp.MustCompile(words.password)
		for id, f := range catalog {
			for _, text := range f {
				text = notPINs.ReplaceAllString(text, "")
				if strings.Contains(id, ".nss") && pin.MatchString(text) {
					t.Errorf("%s %s speaks of a PIN: %s", language, id, text)
				}
				if !pin.MatchString(text) || password.MatchString(text) || strings.Contains(id, ".nss") {
					continue
				}
				row := slices.IndexFunc(ofCards, func(row struct{ id, why string }) bool {
					return regexp.MustCompile(row.id).MatchString(strings.TrimSuffix(id, ".guide"))
				})
				if row >= 0 {
					used[ofCards[row].id] = true
				} else if !forBrowser(catalog, id) {
					t.Errorf("%s %s speaks of a PIN, and there is nothing for a browser's database: %s", language, id, text)
				}
			}
		}
	}
	for _, row := range ofCards {
		if !used[row.id] {
			t.Errorf("no text is left for %s", row.id)
		}
	}
}

// notPINs have the letters in a name of the specification.
var notPINs = regexp.MustCompile(`CKF_[A-Z_]+|SO PIN|pin-\w+`)

// forBrowser reports whether there is a text for a browser's database in the place of another: ID.nss, or reason.CODE.nss.PART, of which a list
// of steps may be longer or shorter.
func forBrowser(catalog map[string]forms, id string) bool {
	if _, there := catalog[id+".nss"]; there {
		return true
	}
	parts := strings.SplitN(id, ".", 3)
	if parts[0] != "reason" || len(parts) < 3 {
		return strings.TrimSuffix(id, ".guide") == "step.login" // which the list of a database does not have
	}
	part, _, _ := strings.Cut(parts[2], ".")
	for other := range catalog {
		if strings.HasPrefix(other, "reason."+parts[1]+".nss."+part) {
			return true
		}
	}
	return false
}
