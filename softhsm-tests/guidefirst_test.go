package softhsmtests

import (
	"os/exec"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// TestGuideRequestsFirst is about a key that was made on the token and has no certificate: no file is looked for that never was, and the
// person says whose the certificate is to be. So does who has neither a key nor a certificate yet.
func TestGuideRequestsFirst(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, `label="bob" id=03 key=p256 policy=locked`)
		g := newGuided(t, language, plain, p.directory, p.environment)
		g.toKeys(t)
		g.choose(t, g.word("guide.key.title"), "bob – "+g.word("guide.key.cannot"))
		cannot := g.texts.Text("guide.cannot.title", messages.Args{"Label": messages.Own("bob")})
		if ways := g.list(t, cannot); strings.Contains(ways, g.word("guide.cannot.original")) {
			t.Errorf("a file is to be looked for that never was:\n%s", ways)
		}
		g.choose(t, cannot, g.word("guide.cannot.request"))
		g.answer(t, "guide.subject.title", "CN=")
		g.wait(t, g.word("guide.subject.problem"))
		g.typed(t, map[bool]string{false: "\x15", true: ""}[plain]+`Pérez, "Ana" + Co`+"\r")
		g.pick(t, "guide.request.title", "guide.request.backup")
		g.accept(t, "guide.file.title")
		g.secret(t, "prompt.pin", testPIN)
		if command, want := g.command(t), `p11bridge request bob --subject 'CN=Pérez\, \"Ana\" \+ Co' -o bob.csr --exportable`; command != want {
			t.Errorf("the command is %q", command)
		}
		p.asksFor(t, "bob.csr", `CN=Pérez, "Ana" + Co`)

		g.pick(t, "guide.menu.title", "guide.menu.request")
		g.secret(t, "prompt.pin-optional", testPIN)
		g.pick(t, "guide.request.key", "guide.request.new")
		g.answer(t, "guide.subject.title", "O=Example, CN=Carla")
		if keys := g.list(t, g.word("guide.request.title")); strings.Contains(keys, g.word("guide.request.same")) {
			t.Errorf("the same key is offered, and there is none:\n%s", keys)
		}
		g.pick(t, "guide.request.title", "guide.request.stays")
		g.accept(t, "guide.file.title")
		g.secret(t, "prompt.pin", testPIN)
		command := g.command(t)
		if want := `p11bridge request --key-type rsa2048 --subject 'O=Example, CN=Carla' -o Carla.csr`; command != want {
			t.Errorf("the command is %q", command)
		}
		p.asksFor(t, "Carla.csr", "CN=Carla,O=Example")
		g.leave(t)
		g.works(t, command, "--force", "--pin-source", p.pin)
		g.kept(t)
	})
}

// TestGuideRequestsFirstLong speaks the other languages.
func TestGuideRequestsFirstLong(t *testing.T) { TestGuideRequestsFirst(t) }

// asksFor wants a request for a certificate of that name.
func (p *place) asksFor(t *testing.T, file, subject string) {
	t.Helper()
	said, err := exec.Command("openssl", "req", "-in", p.path(file), "-noout", "-verify", "-subject", "-nameopt", "sep_comma_plus,utf8").Output()
	if err != nil || !strings.Contains(strings.ReplaceAll(string(said), `\`, ""), "subject="+subject) {
		t.Errorf("%s (%v)", said, err)
	}
}
