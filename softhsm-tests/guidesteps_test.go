package softhsmtests

import (
	"testing"

	"p11bridge/cmd/messages"
)

// toFile goes on from the keys to the name of the file: this key, the certificates of its path from the token, and readers of today.
func (g *guided) toFile(t *testing.T, key string) {
	t.Helper()
	g.choose(t, g.word("guide.key.title"), key)
	g.pick(t, "guide.chain.title", "guide.chain.token")
	g.pick(t, "guide.readers.title", "guide.readers.modern")
}

// backsUp answers what is asked once the key is chosen: its copy is for these readers, under the proposed name, and the key stays on the
// token, whose PIN this is.
func (g *guided) backsUp(t *testing.T, readers, prompt, pin string) {
	t.Helper()
	g.pick(t, "guide.chain.title", "guide.chain.token")
	g.pick(t, "guide.readers.title", readers)
	g.accept(t, "guide.file.title")
	g.pick(t, "guide.delete.title", "guide.delete.no")
	g.secret(t, prompt, pin)
	g.newPassword(t)
}

// newPassword types the password of a copy, twice as it is asked for.
func (g *guided) newPassword(t *testing.T) {
	t.Helper()
	g.secret(t, "prompt.new-password", testPassword)
	g.secret(t, "prompt.new-password.again", testPassword)
}

// savesReport goes on with the report on a key that cannot leave, under the proposed name.
func (g *guided) savesReport(t *testing.T, p *place, label string) {
	t.Helper()
	document, page := label+"-report.json", label+"-report.html"
	g.accept(t, "guide.file.title")
	g.wait(t, g.word("guide.pin.again"))
	g.secret(t, "prompt.pin-optional", testPIN)
	g.wait(t, g.texts.Text("guide.report.done", messages.Args{"File": messages.Own(document), "Page": messages.Own(page)}))
	g.further(t)
	for _, name := range []string{document, page} {
		if len(mustRead(t, p.path(name))) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
}
