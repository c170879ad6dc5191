package softhsmtests

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// TestGuideOnLockedToken has a PIN that is locked: why nobody can log in is said with the steps, and support can be told all the same.
func TestGuideOnLockedToken(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p, environment := counted(t, oneKey)
		g := newGuided(t, language, plain, p.directory, append(environment, "P11FAULT=log,flags:+0x40000"))
		g.pick(t, "guide.menu.title", "guide.menu.backup")
		said := onOneLine(g.list(t, g.word("guide.blocked.title")))
		for _, text := range append(g.texts.List("reason.pin-locked.remedy"), "reason.pin-locked.summary") {
			if text = onOneLine(g.texts.Text(text, nil)); !strings.Contains(said, text) {
				t.Errorf("%q is not in:\n%s", text, said)
			}
		}
		g.pick(t, "guide.blocked.title", "guide.no-token.again")
		g.pick(t, "guide.blocked.title", "guide.blocked.without")
		g.choose(t, g.word("guide.key.title"), "dave – "+g.word("guide.key.unknown"))
		unknown := g.texts.Text("guide.cannot.unknown", messages.Args{"Label": messages.Own("dave")})
		if why := g.texts.Text("reason.pin-locked.summary", nil); !strings.HasPrefix(onOneLine(g.list(t, unknown)), why) {
			t.Errorf("%q is not said first", why)
		}
		g.choose(t, unknown, g.word("guide.cannot.report"))
		g.accept(t, "guide.file.title")
		g.wait(t, g.word("guide.report.done"))
		g.further(t)
		g.leave(t)
		g.kept(t)
		if logins := p.logins(t); logins != 0 {
			t.Errorf("%d attempts at a login", logins)
		}
	})
}

// TestGuideOnLockedTokenLong speaks the other languages.
func TestGuideOnLockedTokenLong(t *testing.T) { TestGuideOnLockedToken(t) }

// TestGuideRisksNoLastAttempt has one attempt at the PIN left: nobody uses it without having said so.
func TestGuideRisksNoLastAttempt(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p, environment := counted(t, oneKey)
		g := newGuided(t, language, plain, p.directory, append(environment, "P11FAULT=log,flags:+0x20000"))
		g.pick(t, "guide.menu.title", "guide.menu.backup")
		g.pick(t, "guide.risk.title", "guide.login.back")
		g.list(t, g.word("guide.menu.title"))
		if logins := p.logins(t); logins != 0 {
			t.Errorf("%d attempts at a login", logins)
		}
		g.pick(t, "guide.menu.title", "guide.menu.backup")
		g.pick(t, "guide.risk.title", "guide.risk.yes")
		g.secret(t, "prompt.pin-optional", testPIN)
		g.toFile(t, "dave")
		g.accept(t, "guide.file.title")
		g.pick(t, "guide.delete.title", "guide.delete.no")
		g.pick(t, "guide.risk.title", "guide.risk.yes")
		g.secret(t, "prompt.pin", testPIN)
		g.newPassword(t)
		if command := g.command(t); command != "p11bridge export dave -o dave.pfx --allow-last-attempt" {
			t.Errorf("the command is %q", command)
		}
		g.leave(t)
		g.kept(t)
	})
}

// TestGuideRisksNoLastAttemptLong speaks the other languages.
func TestGuideRisksNoLastAttemptLong(t *testing.T) { TestGuideRisksNoLastAttempt(t) }

// TestGuideLosesToken has the token pulled out in the middle of a backup: that it is gone is said, and once it is back the same goes on.
func TestGuideLosesToken(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, oneKey)
		g := newGuided(t, language, plain, p.directory, append(p.environment, "P11BRIDGE_MODULE="+faultyModule(t), "P11FAULT=dead:C_WrapKey:0x32"))
		g.toExport(t)
		g.secret(t, "prompt.pin", testPIN)
		g.newPassword(t)
		args := messages.Args{"Function": messages.Own("C_WrapKey"), "Code": messages.Own("CKR_DEVICE_REMOVED")}
		g.wait(t, g.texts.Text("error.token-gone", args), g.texts.Text("error.token-gone.remedy", nil))
		if said := g.seen(); strings.Contains(said, "C_CloseSession") {
			t.Errorf("what is no news is told:\n%s", said)
		}
		g.pick(t, "guide.failed.title", "guide.failed.again")
		g.secret(t, "prompt.pin", testPIN)
		g.interrupt(t, "prompt.new-password")
		g.list(t, g.word("guide.delete.title"))
		g.typed(t, "\x03")
		if code := g.ends(t); code != 0 || !g.echoes(t) {
			t.Errorf("exit code %d\n%s", code, g.text())
		}
		p.absent(t, "*.pfx")
	})
}

// TestGuideLosesTokenLong speaks the other languages.
func TestGuideLosesTokenLong(t *testing.T) { TestGuideLosesToken(t) }

// onMedium starts the guided mode in a folder on a medium of its own, which a shell has prepared. The person's own folder is the place's.
func (p *place) onMedium(t *testing.T, language string, plain bool, options, prepared string) *guided {
	t.Helper()
	medium := t.TempDir()
	script := "mount -t tmpfs -o " + options + " none " + medium + " && cd " + medium + " && " + prepared + " && exec p11bridge"
	like := product(context.Background(), append(p.environment, "HOME="+p.directory))
	command := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script)
	command.Env, command.WaitDelay = like.Env, like.WaitDelay
	return newGuidedBy(t, command, 300, language, plain, p.directory)
}

// TestGuideLeavesReadOnlyFolder starts in a folder that cannot be written to: another one is proposed, and said where that is refused, too.
func TestGuideLeavesReadOnlyFolder(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, oneKey)
		g := p.onMedium(t, language, plain, "ro", "true")
		g.toKeys(t)
		g.toFile(t, "dave")
		g.answer(t, "guide.file.title", "here.pfx")
		g.wait(t, g.texts.Text("error.file.not-writable.remedy", nil))
		g.typed(t, map[bool]string{false: "\x15\r", true: "\n"}[plain]) // an empty answer is the proposal
		g.pick(t, "guide.delete.title", "guide.delete.no")
		g.secret(t, "prompt.pin", testPIN)
		g.newPassword(t)
		if command := g.command(t); command != "p11bridge export dave -o "+p.path("dave.pfx") {
			t.Errorf("the command is %q", command)
		}
		g.leave(t)
		g.kept(t)
	})
}

// TestGuideLeavesReadOnlyFolderLong speaks the other languages.
func TestGuideLeavesReadOnlyFolderLong(t *testing.T) { TestGuideLeavesReadOnlyFolder(t) }

// TestGuideFillsDisk has a medium that is full when the file is written: that it is, is said, and another name does.
func TestGuideFillsDisk(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, oneKey)
		g := p.onMedium(t, language, plain, "size=4k", "head -c 4096 /dev/zero > full")
		g.toExport(t)
		g.secret(t, "prompt.pin", testPIN)
		g.newPassword(t)
		g.wait(t, "dave.pfx", g.texts.Text("error.file.not-writable.remedy", nil))
		g.pick(t, "guide.failed.title", "guide.failed.back")
		g.back(t, g.word("guide.delete.title"))
		g.answer(t, "guide.file.title", p.path("elsewhere.pfx"))
		g.pick(t, "guide.delete.title", "guide.delete.no")
		g.secret(t, "prompt.pin", testPIN)
		g.newPassword(t)
		if command := g.command(t); command != "p11bridge export dave -o "+p.path("elsewhere.pfx") {
			t.Errorf("the command is %q", command)
		}
		g.leave(t)
		g.kept(t)
		p.absent(t, "dave.pfx")
	})
}

// TestGuideFillsDiskLong speaks the other languages.
func TestGuideFillsDiskLong(t *testing.T) { TestGuideFillsDisk(t) }

// TestGuideMakesPassword types no password and wants none made, then an arrow key, then nothing once more: one is made and shown.
func TestGuideMakesPassword(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p := newPlace(t, oneKey)
		g := newGuided(t, language, plain, p.directory, p.environment)
		g.toExport(t)
		g.secret(t, "prompt.pin", testPIN+"\t")
		g.wait(t, g.texts.Text("prompt.typed-fault", messages.Args{"Problem": messages.Own(g.texts.Text("source.fault.control-character", nil))}))
		g.secret(t, "prompt.pin", "\x1b[A"+testPIN+"\x1bOC") // keys that are no characters
		g.secret(t, "prompt.new-password", "")
		g.wait(t, g.word("prompt.generate-for-empty"))
		g.typed(t, "n\n")
		g.secret(t, "prompt.new-password", "")
		g.wait(t, g.word("prompt.generate-for-empty"))
		g.typed(t, "\n")
		g.wait(t, g.word("prompt.generated"))
		g.command(t)
		g.leave(t)
		g.kept(t)
	})
}

// TestGuideMakesPasswordLong speaks the other languages.
func TestGuideMakesPasswordLong(t *testing.T) { TestGuideMakesPassword(t) }

// TestGuideFailsProof has a token that gives another key than it should, and one that gives rubbish: there is no copy, what to do next is said in
// the person's language, and support can be told.
func TestGuideFailsProof(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		for fault, id := range map[string]string{"cbc-pad,corrupt-unwrap": "error.not-proven", "rubbish:C_WrapKey": "error.answer"} {
			p := newPlace(t, `label="dave" id=05 key=rsa2048 policy=wrappable certificate=valid`)
			g := newGuided(t, language, plain, p.directory, append(p.environment, "P11BRIDGE_MODULE="+faultyModule(t), "P11FAULT="+fault))
			g.toExport(t)
			g.secret(t, "prompt.pin", testPIN)
			g.newPassword(t)
			g.wait(t, g.word(id), g.remedy(id))
			g.pick(t, "guide.failed.title", "guide.cannot.report")
			g.line(t, g.word("guide.file.title"))
			g.typed(t, map[bool]string{false: "\x1b", true: "0\n"}[plain])
			g.pick(t, "guide.failed.title", "guide.cannot.report")
			g.accept(t, "guide.file.title")
			g.secret(t, "prompt.pin-optional", testPIN)
			g.wait(t, g.word("guide.report.done"))
			g.further(t)
			g.leave(t)
			g.kept(t)
			p.absent(t, "*.pfx")
		}
	})
}

// TestGuideFailsProofLong speaks the other languages.
func TestGuideFailsProofLong(t *testing.T) { TestGuideFailsProof(t) }
