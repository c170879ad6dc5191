package softhsmtests

import (
	"regexp"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// TestPrimaryPassword works on a browser's database in one language, and TestPrimaryPasswordLong in the others: whatever is said, of a password that is right, wrong, missing
// or not asked for, nothing speaks of a PIN, and what asks for the password calls it by the browser's name.
func TestPrimaryPassword(t *testing.T) {
	t.Parallel()
	db := newNSS(t)
	db.certutil(t, "anna", "ec", "-q", "nistp256")
	right := []string{"--pin-source", "file:" + db.pin}
	if r := db.export(t, "anna", "anna.pfx", "--iterations", "1000"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	for _, row := range []struct {
		args   []string
		with   []string
		spoken bool // of the password
	}{
		{[]string{"list"}, nil, true}, {[]string{"list"}, right, false}, {[]string{"diagnose"}, nil, true}, {[]string{"diagnose", "--verbose"}, right, false}, {[]string{"doctor"}, nil, true},
		{[]string{"list"}, []string{"--pin-source", "file:" + db.password}, true},
		{[]string{"status", "--dir", db.directory}, nil, true}, {[]string{"status", "--dir", db.directory}, right, false},
		{[]string{"export", "anna", "-o", db.file("n.pfx"), "--dry-run"}, nil, true}, {[]string{"export", "anna", "-o", db.file("n.pfx"), "--dry-run"}, right, false},
		{[]string{"request", "anna", "--exportable", "--dry-run"}, right, false}, {[]string{"restore", db.file("anna.pfx"), "--password-source", "file:" + db.password}, right, false},
		{[]string{"verify", db.file("anna.pfx"), "--against", "anna", "--password-source", "file:" + db.password}, right, false},
		{[]string{"snapshot", "-o", db.file("s.json"), "--force"}, right, false},
	} {
		for _, language := range sampled(t, 4, messages.Languages()) {
			args := append(append(append([]string{}, row.args...), row.with...), "--nss-db", db.database, "--lang", language)
			r := p11bridge(t, nil, args...)
			said := notPIN.ReplaceAllString(r.stdout+r.stderr, "")
			if pin.MatchString(said) {
				t.Errorf("%s %q speaks of a PIN:\n%s", language, row.args, said)
			}
			if row.spoken && !strings.Contains(strings.ToLower(said), primaryPassword[language]) {
				t.Errorf("%s %q does not speak of the primary password:\n%s", language, row.args, said)
			}
		}
	}
}

// TestPrimaryPasswordLong speaks the other languages.
func TestPrimaryPasswordLong(t *testing.T) { TestPrimaryPassword(t) }

var (
	pin             = regexp.MustCompile(`\bPINs?\b`)
	notPIN          = regexp.MustCompile(`CKF_[A-Z_]+|--pin-source|.*(snapshot|instantánea|instantània|instantané).*\n`) // which holds neither PIN nor password
	primaryPassword = map[string]string{"en": "primary password", "es": "contraseña principal", "ca": "contrasenya principal", "fr": "mot de passe principal"}
)
