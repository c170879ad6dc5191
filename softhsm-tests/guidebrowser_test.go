package softhsmtests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// TestGuideOnNSS backs up from a browser's database, which is a flag that the command shown has, too.
func TestGuideOnNSS(t *testing.T) {
	t.Parallel()
	db := newNSS(t)
	db.certutil(t, "anna", "ec", "-q", "nistp256")
	g := newGuided(t, "es", false, db.directory, nil, "guide", "--nss-db", db.database)
	g.pick(t, "guide.menu.title", "guide.menu.backup")
	g.secret(t, "prompt.primary-password-optional", nssPIN)
	g.choose(t, g.word("guide.key.title"), "anna")
	g.backsUp(t, "guide.readers.legacy", "prompt.primary-password", nssPIN)
	command := g.command(t)
	g.leave(t)
	g.kept(t)
	if want := "p11bridge export anna -o anna.pfx --profile legacy --nss-db " + db.database; command != want {
		t.Errorf("the command is %q", command)
	}
	if err := opensslOpens(db.file("anna.pfx"), db.password, true); err != nil {
		t.Error(err)
	}
	g.works(t, command, "--force", "--pin-source", "file:"+db.pin, "--password-source", "file:"+db.password)
}

// TestGuideFindsProfile finds a browser's profile that nobody named, moves its key to a file, and brings it back. What changes a
// profile names its folder.
func TestGuideFindsProfile(t *testing.T) {
	t.Parallel()
	db := newNSS(t)
	db.certutil(t, "anna", "ec", "-q", "nistp256")
	firefox := filepath.Join(db.directory, ".mozilla", "firefox")
	if err := os.MkdirAll(firefox, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, firefox, "profiles.ini", []byte("[Profile0]\nName=mine\nIsRelative=0\nPath="+db.database+"\n"))
	lasting, err := os.MkdirTemp(disk, "p11bridge-guide-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(lasting); err != nil {
			t.Error(err)
		}
	})
	g := newGuided(t, "fr", false, lasting, []string{"HOME=" + db.directory, "P11BRIDGE_MODULE=", "P11BRIDGE_NSS_DB="})
	profile := "Firefox, profil mine"
	g.pick(t, "guide.menu.title", "guide.menu.backup")
	g.token(t, "guide.token.title", profile)
	g.secret(t, "prompt.primary-password-optional", nssPIN)
	g.toFile(t, "anna")
	g.accept(t, "guide.file.title")
	g.pick(t, "guide.delete.title", "guide.delete.yes")
	g.wait(t, g.texts.Text("guide.close", messages.Args{"Program": messages.Own("Firefox")}))
	g.secret(t, "prompt.primary-password", nssPIN)
	until(t, "the name of the key is asked for", func() bool { return strings.Contains(g.seen(), "(anna)") })
	g.typed(t, "anna\n")
	g.newPassword(t)
	if command := g.command(t); command != "p11bridge export anna -o anna.pfx --delete-key --nss-db "+db.database {
		t.Errorf("the command is %q", command)
	}
	g.pick(t, "guide.menu.title", "guide.menu.bring-back")
	g.choose(t, g.word("guide.copy.title"), "anna.pfx")
	g.secret(t, "prompt.password", testPassword)
	g.token(t, "guide.token.onto", profile)
	g.pick(t, "guide.exportable.title", "guide.exportable.yes.nss")
	g.secret(t, "prompt.primary-password", nssPIN)
	if command := g.command(t); command != "p11bridge restore anna.pfx --exportable --nss-db "+db.database {
		t.Errorf("the command is %q", command)
	}
	g.leave(t)
	g.kept(t)
	if v := db.list(t).identity(t, "anna").Verdict; !v.Exportable {
		t.Errorf("the verdict is %+v", v)
	}
}

// token chooses a token, where the machine has others.
func (g *guided) token(t *testing.T, title, name string) {
	t.Helper()
	until(t, "a token is asked for, or told", func() bool {
		return strings.Contains(g.seen(), name) && (strings.Contains(g.seen(), g.word(title)) || strings.Contains(g.seen(), g.word("guide.token.only")))
	})
	if strings.Contains(g.seen(), g.word(title)) {
		g.choose(t, g.word(title), name)
	}
}
