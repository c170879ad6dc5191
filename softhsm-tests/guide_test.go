package softhsmtests

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// TestGuideBacksUp leads through a backup in every language, drawn and plain, and pastes the command that it ends with.
func TestGuideBacksUp(t *testing.T) {
	t.Parallel()
	var speakers []speaker
	for _, language := range messages.Languages() {
		speakers = append(speakers, speaker{language, false}, speaker{language, true})
	}
	for _, s := range sampled(t, len(speakers), speakers) {
		language, plain := s.language, s.plain
		t.Run(fmt.Sprintf("%s plain %v", language, plain), func(t *testing.T) {
			p := newPlace(t, leavingAndHeld)
			write(t, p.directory, "there.pfx", nil)
			g := newGuided(t, language, plain, p.directory, p.environment)
			g.pick(t, "guide.menu.title", "guide.menu.backup")
			g.secret(t, "prompt.pin-optional", testPIN)
			g.toFile(t, "dave – "+g.word("guide.key.can"))
			g.answer(t, "guide.file.title", "there.zip")
			g.stands(t, g.texts.Text("guide.file.ending", messages.Args{"Proposed": messages.Own("there-2.pfx")}))
			g.typed(t, map[bool]string{false: "\x15", true: ""}[plain]+"there.pfx\r")
			g.stands(t, g.texts.Text("guide.file.another", messages.Args{"Proposed": messages.Own("there-2.pfx")}))
			g.typed(t, map[bool]string{false: "\x15\r", true: "\n"}[plain]) // an empty answer is the proposal
			g.pick(t, "guide.delete.title", "guide.delete.no")
			g.secret(t, "prompt.pin", testPIN)
			g.secret(t, "prompt.new-password", testPassword)
			g.secret(t, "prompt.new-password.again", testPassword)
			command := g.command(t)
			g.leave(t)
			if want := "p11bridge export dave -o dave.pfx"; command != want {
				t.Errorf("the command is %q", command)
			}
			if place := g.texts.Text("file.place", messages.Args{"Path": messages.Own(p.path("dave.pfx"))}); strings.Count(unbroken(g.text()), unbroken(place)) != 1 {
				t.Errorf("%q is not told once:\n%s", place, g.text())
			}
			if err := opensslOpens(p.path("dave.pfx"), p.path("password.txt"), false); err != nil {
				t.Error(err)
			}
			g.works(t, command, "--force", "--pin-source", p.pin, "--password-source", p.password)
			g.kept(t)
		})
	}
}

// unbroken is a text without its blanks and the ends of its lines.
func unbroken(text string) string { return strings.Join(strings.Fields(text), "") }

// TestGuideBacksUpLong speaks the other languages.
func TestGuideBacksUpLong(t *testing.T) { TestGuideBacksUp(t) }

// speaker is a person at a terminal that draws, or at a plain one.
type speaker struct {
	language string
	plain    bool
}

// speakers are the languages; every other one is spoken on a plain terminal. A test runs one of them, and its TestXLong the others.
func speakers(t *testing.T, do func(t *testing.T, language string, plain bool)) {
	t.Helper()
	t.Parallel()
	var all []speaker
	for i, language := range messages.Languages() {
		all = append(all, speaker{language, i%2 == 1})
	}
	for _, s := range sampled(t, len(all), all) {
		t.Run(s.language, func(t *testing.T) { do(t, s.language, s.plain) })
	}
}

const leavingAndHeld = oneKey + "\n" + `label="bob" id=03 key=p256 policy=locked certificate=valid`

// toKeys leads to the list of keys for a backup.
func (g *guided) toKeys(t *testing.T) {
	t.Helper()
	g.pick(t, "guide.menu.title", "guide.menu.backup")
	g.secret(t, "prompt.pin-optional", testPIN)
}

// TestGuideMeetsRefusal is about a key that cannot leave: the whole reason, and each way that is offered.
func TestGuideMeetsRefusal(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, leavingAndHeld)
		g := newGuided(t, language, plain, p.directory, p.environment)
		g.toKeys(t)
		bob, cannot := "bob – "+g.word("guide.key.cannot"), g.texts.Text("guide.cannot.title", messages.Args{"Label": messages.Own("bob")})
		g.choose(t, g.word("guide.key.title"), bob)
		said := onOneLine(g.list(t, cannot))
		if sentences := onOneLine(g.texts.Text("reason.key-not-extractable.plain", nil)); !strings.HasPrefix(said, sentences) || strings.Contains(said, "CKA_") {
			t.Errorf("%q is not in:\n%s", sentences, said)
		}
		g.choose(t, cannot, g.word("guide.cannot.other"))
		g.choose(t, g.word("guide.key.title"), bob)

		// Back from the first question of a way is to the refusal.
		g.choose(t, cannot, g.word("guide.cannot.request"))
		g.back(t, g.word("guide.request.title"))
		g.choose(t, cannot, g.word("guide.cannot.report"))
		g.savesReport(t, p, "bob")
		g.leave(t)
		g.kept(t)
		p.absent(t, "*.pfx", "*.csr")
	})
}

// TestGuideMeetsRefusalLong speaks the other languages.
func TestGuideMeetsRefusalLong(t *testing.T) { TestGuideMeetsRefusal(t) }

// TestGuideWithoutLogin goes on without the PIN: the verdict is not known, and not "no".
func TestGuideWithoutLogin(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, oneKey)
		g := newGuided(t, language, plain, p.directory, p.environment)
		g.pick(t, "guide.menu.title", "guide.menu.backup")
		g.secret(t, "prompt.pin-optional", "")
		g.choose(t, g.word("guide.key.title"), "dave – "+g.word("guide.key.unknown"))
		g.choose(t, g.texts.Text("guide.cannot.unknown", messages.Args{"Label": messages.Own("dave")}), g.word("guide.cannot.login"))
		g.secret(t, "prompt.pin-optional", testPIN)
		g.choose(t, g.word("guide.key.title"), "dave – "+g.word("guide.key.can"))
		g.list(t, g.word("guide.chain.title"))
		g.typed(t, "\x03")
		if code := g.ends(t); code != 0 {
			t.Errorf("exit code %d\n%s", code, g.text())
		}
	})
}

// TestGuideWithoutLoginLong speaks the other languages.
func TestGuideWithoutLoginLong(t *testing.T) { TestGuideWithoutLogin(t) }

// absent wants no file that fits.
func (p *place) absent(t *testing.T, patterns ...string) {
	t.Helper()
	for _, pattern := range append(patterns, ".p11bridge-*") {
		if found, err := filepath.Glob(p.path(pattern)); err != nil || len(found) > 0 {
			t.Errorf("there is %q (%v)", found, err)
		}
	}
}

// TestGuideChecksCopy mistypes the password of a copy, and then compares it with the key that it is of.
func TestGuideChecksCopy(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, oneKey)
		if r := p11bridge(t, p.environment, p.export("dave", "--iterations", "1000")...); r.code != 0 {
			t.Fatal(r.stderr)
		}
		write(t, p.directory, "rubbish.p12", []byte("rubbish"))
		g := newGuided(t, language, plain, p.directory, p.environment)
		g.pick(t, "guide.menu.title", "guide.menu.check")
		g.choose(t, g.word("guide.copy.title"), "dave.pfx")
		g.secret(t, "prompt.password", "not the password")
		g.wait(t, g.texts.Text("guide.password.wrong", messages.Args{"Count": messages.Number(2)}))
		g.secret(t, "prompt.password", testPassword)
		g.pick(t, "guide.against.title", "guide.against.yes")
		g.secret(t, "prompt.pin", testPIN)
		command := g.command(t)
		if want := "p11bridge verify dave.pfx --against dave"; command != want {
			t.Errorf("the command is %q", command)
		}
		g.works(t, command, "--pin-source", p.pin, "--password-source", p.password)

		// Three wrong passwords, and a file that is no copy: why, and nothing more.
		g.pick(t, "guide.menu.title", "guide.menu.check")
		g.choose(t, g.word("guide.copy.title"), "dave.pfx")
		for range 3 {
			g.secret(t, "prompt.password", "not the password")
		}
		g.wait(t, g.texts.Text("reason.password-incorrect.summary", nil), g.word("guide.command"))
		g.further(t)
		g.pick(t, "guide.menu.title", "guide.menu.check")
		g.choose(t, g.word("guide.copy.title"), g.word("guide.copy.other"))
		g.answer(t, "guide.copy.title", "rubbish.p12")
		g.secret(t, "prompt.password", testPassword)
		g.wait(t, g.texts.Text("reason.not-a-pfx.summary", nil), g.word("guide.command"))
		g.further(t)
		g.leave(t)
		g.kept(t)
	})
}

// TestGuideChecksCopyLong speaks the other languages.
func TestGuideChecksCopyLong(t *testing.T) { TestGuideChecksCopy(t) }

// TestGuideBringsBack puts a copy on another token, from which it may leave again.
func TestGuideBringsBack(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, "token \"one\"\n"+oneKey+"\ntoken \"two\"")
		if r := p11bridge(t, p.environment, p.export("dave", "--iterations", "1000", "--token", "one")...); r.code != 0 {
			t.Fatal(r.stderr)
		}
		g := newGuided(t, language, plain, p.directory, p.environment)
		g.pick(t, "guide.menu.title", "guide.menu.bring-back")
		g.choose(t, g.word("guide.copy.title"), "dave.pfx")
		g.secret(t, "prompt.password", testPassword)
		g.choose(t, g.word("guide.token.onto"), "two (")
		g.pick(t, "guide.exportable.title", "guide.exportable.yes")
		g.secret(t, "prompt.pin", testPIN)
		command := g.command(t)
		if want := "p11bridge restore dave.pfx --exportable --token two"; command != want {
			t.Errorf("the command is %q", command)
		}
		g.leave(t)
		g.kept(t)
		r := p11bridge(t, p.environment, "list", "--json", "--token", "two", "--pin-source", p.pin)
		if identity := r.identity(t, "dave"); !identity.Verdict.Exportable {
			t.Errorf("it cannot leave again: %s", r.stdout)
		}
	})
}

// TestGuideBringsBackLong speaks the other languages.
func TestGuideBringsBackLong(t *testing.T) { TestGuideBringsBack(t) }

// TestGuideRenews requests a certificate for a key that can be backed up, and installs what was issued.
func TestGuideRenews(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, oneKey)
		g := newGuided(t, language, plain, p.directory, p.environment)
		g.pick(t, "guide.menu.title", "guide.menu.request")
		g.choose(t, g.word("guide.request.key"), "dave")
		g.pick(t, "guide.request.title", "guide.request.backup")
		g.accept(t, "guide.file.title")
		g.secret(t, "prompt.pin", testPIN)
		g.wait(t, g.word("guide.command"), g.texts.Text("guide.request.send", messages.Args{"File": messages.Own("dave.csr")}))
		command := g.command(t)
		if want := "p11bridge request dave -o dave.csr --exportable"; command != want {
			t.Errorf("the command is %q", command)
		}
		if err := p.issue("dave.csr", "dave.crt"); err != nil {
			t.Fatal(err)
		}
		g.pick(t, "guide.menu.title", "guide.menu.install")
		g.choose(t, g.word("guide.install.title"), "dave.crt")
		g.secret(t, "prompt.pin", testPIN)
		if command := g.command(t); command != "p11bridge install dave.crt" {
			t.Errorf("the command is %q", command)
		}
		g.leave(t)
		g.kept(t)
	})
}

// TestGuideRenewsLong speaks the other languages.
func TestGuideRenewsLong(t *testing.T) { TestGuideRenews(t) }

// TestGuideRequestsAnew is about a token that holds nothing yet: the certificate to renew is in a file.
func TestGuideRequestsAnew(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, "token \"one\"\n"+oneKey+"\ntoken \"two\"")
		if r := p11bridge(t, p.environment, "export", "dave", "--certificate-only", "-o", p.path("dave.cer"), "--token", "one"); r.code != 0 {
			t.Fatal(r.stderr)
		}
		g := newGuided(t, language, plain, p.directory, p.environment)
		g.pick(t, "guide.menu.title", "guide.menu.request")
		g.choose(t, g.word("guide.token.title"), "two (")
		g.secret(t, "prompt.pin-optional", testPIN)
		g.pick(t, "guide.request.key", "guide.request.like")
		g.choose(t, g.word("guide.request.path"), "dave.cer")
		if list := g.list(t, g.word("guide.request.title")); strings.Contains(list, g.word("guide.request.same")) {
			t.Errorf("the same key is offered, which is not there:\n%s", list)
		}
		g.pick(t, "guide.request.title", "guide.request.stays")
		g.accept(t, "guide.file.title")
		g.secret(t, "prompt.pin", testPIN)
		command := g.command(t)
		if want := "p11bridge request --like dave.cer -o dave.csr --token two"; command != want {
			t.Errorf("the command is %q", command)
		}
		g.leave(t)
		g.kept(t)
		if _, err := openssl("", "req", "-verify", "-noout", "-in", p.path("dave.csr")); err != nil {
			t.Error(err)
		}
		g.works(t, command, "--force", "--dry-run", "--pin-source", p.pin)
	})
}

// TestGuideRequestsAnewLong speaks the other languages.
func TestGuideRequestsAnewLong(t *testing.T) { TestGuideRequestsAnew(t) }

// issue is an authority that issues a certificate for a request.
func (p *place) issue(request, certificate string) error {
	if _, err := openssl("", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", p.path("ca.key"), "-out", p.path("ca.cert"), "-subj", "/CN=Test CA"); err != nil {
		return err
	}
	_, err := openssl("", "x509", "-req", "-in", p.path(request), "-CA", p.path("ca.cert"), "-CAkey", p.path("ca.key"), "-CAcreateserial", "-out", p.path(certificate))
	return err
}

// TestGuideOnEmptyMachine has no token: the cause is shown, and doctor is offered.
func TestGuideOnEmptyMachine(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		directory := t.TempDir()
		configuration := write(t, directory, "softhsm2.conf", []byte("directories.tokendir = "+directory+"\n"))
		g := newGuided(t, language, plain, directory, []string{"SOFTHSM2_CONF=" + configuration, "P11BRIDGE_MODULE=" + softHSM(t)})
		g.pick(t, "guide.menu.title", "guide.menu.backup")
		g.pick(t, "guide.no-token.title", "guide.no-token.again")
		g.wait(t, g.word("guide.looking")) // the same question is asked again, which the form's last frame looks like
		g.pick(t, "guide.no-token.title", "guide.menu.doctor")
		g.wait(t, g.word("guide.command"), "p11bridge doctor")
		g.pick(t, "guide.no-token.title", "guide.to-menu")
		g.pick(t, "guide.menu.title", "guide.menu.doctor")
		if command := g.command(t); command != "p11bridge doctor" {
			t.Errorf("the command is %q", command)
		}
		g.pick(t, "guide.menu.title", "guide.menu.request")
		g.back(t, g.word("guide.no-token.title"))
		g.leave(t)
		g.kept(t)
	})
}

// TestGuideOnEmptyMachineLong speaks the other languages.
func TestGuideOnEmptyMachineLong(t *testing.T) { TestGuideOnEmptyMachine(t) }

// toExport leads through the questions of a backup up to the command.
func (g *guided) toExport(t *testing.T) {
	t.Helper()
	g.toKeys(t)
	g.toFile(t, "dave")
	g.accept(t, "guide.file.title")
	g.pick(t, "guide.delete.title", "guide.delete.no")
}

// TestGuideOutlivesModule has a module that takes the listing along, or the export.
func TestGuideOutlivesModule(t *testing.T) {
	t.Parallel()
	faulty := faultyModule(t)
	for _, fault := range []string{"crash:C_FindObjectsInit", "crash:C_WrapKey", "hang:C_WrapKey"} {
		t.Run(fault, func(t *testing.T) {
			p := newPlace(t, oneKey)
			g := newGuided(t, "en", false, p.directory, append(p.environment, "P11BRIDGE_MODULE="+faulty, "P11FAULT="+fault), "--timeout", "5s")
			if strings.HasSuffix(fault, "C_WrapKey") {
				g.toExport(t)
				g.secret(t, "prompt.pin", testPIN)
				g.newPassword(t)
				g.wait(t, "C_WrapKey")
				g.pick(t, "guide.failed.title", "guide.to-menu")
			} else {
				g.pick(t, "guide.menu.title", "guide.menu.backup")
				g.wait(t, "C_FindObjectsInit")
				g.pick(t, "guide.no-token.title", "guide.to-menu")
			}
			g.leave(t)
			p.absent(t, "*.pfx")
		})
	}
}
