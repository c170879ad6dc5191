package softhsmtests

import (
	"strings"
	"testing"
)

// withFault is the environment of a place whose module has a fault.
func (p *place) withFault(t *testing.T, fault string) []string {
	t.Helper()
	return append(p.environment, "P11BRIDGE_MODULE="+faultyModule(t), "P11FAULT="+fault)
}

// toKind leads to the question which key a first certificate is to have, and answers it.
func (g *guided) toKind(t *testing.T) {
	t.Helper()
	g.pick(t, "guide.menu.title", "guide.menu.request")
	g.pick(t, "guide.request.key", "guide.request.new")
	g.answer(t, "guide.subject.title", "Carla")
	g.pick(t, "guide.request.title", "guide.request.stays")
}

// TestGuideAsksForKind is about tokens that do not make the usual kind of key: the person chooses among those that they make, and no flag
// has to be known.
func TestGuideAsksForKind(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, oneKey)
		g := newGuided(t, language, plain, p.directory, p.withFault(t, "unlisted:0"))
		g.toKind(t)
		kinds := g.list(t, g.word("guide.kind.title"))
		if strings.Contains(kinds, "RSA") {
			t.Errorf("a kind is offered that the token does not make:\n%s", kinds)
		}
		g.back(t, g.word("guide.kind.title"))
		g.pick(t, "guide.request.title", "guide.request.stays")
		g.choose(t, g.word("guide.kind.title"), "EC P-384")
		g.accept(t, "guide.file.title")
		g.secret(t, "prompt.pin", testPIN)
		if command, want := g.command(t), "p11bridge request --key-type p384 --subject CN=Carla -o Carla.csr"; command != want {
			t.Errorf("the command is %q", command)
		}
		p.asksFor(t, "Carla.csr", "CN=Carla")
		g.leave(t)
		g.kept(t)
	})
}

// TestGuideAsksForKindLong speaks the other languages.
func TestGuideAsksForKindLong(t *testing.T) { TestGuideAsksForKind(t) }

// TestGuideOffersOtherKind is about a token whose list does not say which sizes it makes: another kind is offered once it has failed.
func TestGuideOffersOtherKind(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, oneKey)
		g := newGuided(t, language, plain, p.directory, p.withFault(t, "rsa-from:3072"))
		g.toKind(t)
		g.accept(t, "guide.file.title")
		g.secret(t, "prompt.pin", testPIN)
		g.wait(t, "CKR_KEY_SIZE_RANGE")
		g.pick(t, "guide.failed.title", "guide.kind.other")
		kinds := g.list(t, g.word("guide.kind.title"))
		if strings.Contains(kinds, "RSA 2048") {
			t.Errorf("the kind is offered that failed:\n%s", kinds)
		}
		g.choose(t, g.word("guide.kind.title"), "EC P-256")
		g.secret(t, "prompt.pin", testPIN)
		if command, want := g.command(t), "p11bridge request --key-type p256 --subject CN=Carla -o Carla.csr"; command != want {
			t.Errorf("the command is %q", command)
		}
		g.leave(t)
		g.kept(t)
		if shown := g.text(); strings.Contains(strings.ReplaceAll(shown, "request --key-type p256", ""), "--key-type") {
			t.Errorf("a flag is named that nobody typed:\n%s", shown)
		}
	})
}

// TestGuideOffersOtherKindLong speaks the other languages.
func TestGuideOffersOtherKindLong(t *testing.T) { TestGuideOffersOtherKind(t) }

// TestGuideWithoutNewKeys is about a card that makes no keys: the key that is there signs, or nothing can be done here.
func TestGuideWithoutNewKeys(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, oneKey)
		g := newGuided(t, language, plain, p.directory, p.withFault(t, "unlisted:0,unlisted:0x1040,unlisted:0x1055"))
		g.pick(t, "guide.menu.title", "guide.menu.request")
		g.pick(t, "guide.request.key", "guide.request.new")
		g.answer(t, "guide.subject.title", "Carla")
		if ways := g.list(t, g.word("guide.kind.none.title")); strings.Contains(ways, g.word("guide.request.same")) {
			t.Errorf("the same key is offered, and there is none:\n%s", ways)
		}
		g.pick(t, "guide.kind.none.title", "guide.to-menu")
		g.pick(t, "guide.menu.title", "guide.menu.request")
		g.choose(t, g.word("guide.request.key"), "dave")
		g.pick(t, "guide.kind.none.title", "guide.request.same")
		g.accept(t, "guide.file.title")
		g.secret(t, "prompt.pin", testPIN)
		if command, want := g.command(t), "p11bridge request dave -o dave.csr --same-key"; command != want {
			t.Errorf("the command is %q", command)
		}
		g.leave(t)
		g.kept(t)
	})
}

// TestGuideWithoutNewKeysLong speaks the other languages.
func TestGuideWithoutNewKeysLong(t *testing.T) { TestGuideWithoutNewKeys(t) }
