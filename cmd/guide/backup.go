package guide

import (
	"context"
	"slices"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
)

// backup is what an export is asked for.
type backup struct {
	*conversation
	token       heldToken
	key         identity
	certificate string // a file, for a key without one
	chain       string // a file with more certificates
	legacy      bool
	file        string
	deleteKey   bool
}

// backUp leads to `export`, or, where the key cannot leave, to what can be done instead.
func (c *conversation) backUp(ctx context.Context) error {
	b := &backup{conversation: c}
	return walk(ctx, c.chooseToken("guide.token.title", &b.token), b.chooseKey, b.meetRefusal, b.chooseCertificate, b.chooseChain, b.chooseReaders, b.chooseFile, b.chooseDeletion, b.export)
}

// chooseKey logs in where that is needed to see the keys, and asks for one.
func (b *backup) chooseKey(ctx context.Context) (bool, error) {
	if b.token.locked() {
		if err := b.logIn(ctx, &b.token); err != nil {
			return true, err
		}
	}
	worthIt := func(i identity) bool {
		return i.PrivateKey != nil || i.Certificate != nil && !i.Certificate.IsCA
	}
	shown := b.shownIdentities(b.token, worthIt)
	if len(shown) == 0 {
		if err := b.say("guide.key.none", nil); err != nil {
			return false, err
		}
		return true, terminal.ErrBack
	}
	q := terminal.Choice{Title: b.Text("guide.key.title", nil), Answers: b.titles(shown, true)}
	i, err := b.choose(ctx, q)
	if err == nil {
		b.key, b.file = shown[i], ""
	}
	return true, err
}

// shownIdentities are those of a token that fit, in the order of `list`.
func (c *conversation) shownIdentities(t heldToken, fits func(identity) bool) []identity {
	var shown []identity
	for _, i := range t.Identities {
		if fits(i) {
			shown = append(shown, i)
		}
	}
	slices.SortStableFunc(shown, func(a, b identity) int { return a.place() - b.place() })
	return shown
}

func (c *conversation) titles(identities []identity, withVerdict bool) []string {
	var titles []string
	names := distinctNames(identities)
	for n, i := range identities {
		titles = append(titles, i.title(c.App, names[n], withVerdict))
	}
	return titles
}

// distinctNames are the names of identities, with the CKA_ID behind those that several have.
func distinctNames(identities []identity) []string {
	counts := map[string]int{}
	for _, i := range identities {
		counts[i.name()]++
	}
	var names []string
	for _, i := range identities {
		name := i.name()
		if counts[name] > 1 && i.ID != "" && name != i.ID {
			name += " (" + i.ID + ")"
		}
		names = append(names, name)
	}
	return names
}

// chooseCertificate asks for the certificate of a key that has none on the token.
func (b *backup) chooseCertificate(ctx context.Context) (bool, error) {
	if b.key.Certificate != nil {
		b.certificate = ""
		return false, nil
	}
	path, err := b.line(ctx, "guide.certificate.title", "guide.certificate.description", nil, b.certificate, certificateFile)
	b.certificate = typedPath(path)
	return true, err
}

// chooseChain asks which certificates of the path go into the file. Those that are on the token always do.
func (b *backup) chooseChain(ctx context.Context) (bool, error) {
	proposed := 0
	if b.chain != "" {
		proposed = 1
	}
	i, err := b.pick(ctx, "guide.chain.title", "guide.chain.description", nil, proposed, "guide.chain.token", "guide.chain.file")
	if err != nil || i == 0 {
		b.chain = ""
		return true, err
	}
	path, err := b.line(ctx, "guide.chain.path", "", nil, b.chain, certificateFile)
	b.chain = typedPath(path)
	return true, err
}

func (b *backup) chooseReaders(ctx context.Context) (bool, error) {
	proposed := 0
	if b.legacy {
		proposed = 1
	}
	i, err := b.pick(ctx, "guide.readers.title", "guide.readers.description", nil, proposed, "guide.readers.modern", "guide.readers.legacy")
	if err == nil {
		b.legacy = i == 1
	}
	return true, err
}

func (b *backup) chooseFile(ctx context.Context) (bool, error) {
	proposed := b.file
	if proposed == "" {
		proposed = newName(view.FileName(string(b.key.Label), b.key.ID), archive.BackupExtension)
	}
	path, err := b.newFile(ctx, proposed, func(path string) error {
		if err := archive.CheckName(path, archive.ContentKey); err != nil || archive.NamedAsBackup(path) {
			return err
		}
		return problem(b.Text("guide.file.ending", messages.Args{"Proposed": foreign.Text(backupName(path))}))
	})
	if err == nil {
		b.file = path
	}
	return true, err
}

func (b *backup) chooseDeletion(ctx context.Context) (bool, error) {
	i, err := b.pick(ctx, "guide.delete.title", "guide.delete.description", nil, 0, "guide.delete.no", "guide.delete.yes")
	if err == nil {
		b.deleteKey = i == 1
	}
	return true, err
}

// export runs the command. It asks for the PIN once more and for the new password, twice.
func (b *backup) export(ctx context.Context) (bool, error) {
	if b.deleteKey {
		return true, b.change(ctx, b.token, b.arguments())
	}
	return true, b.performOn(ctx, b.token, b.arguments())
}

// arguments are the export as it would be typed, but for the token.
func (b *backup) arguments() []string {
	arguments := []string{"export", b.token.objectName(b.key), "-o", b.file}
	for _, given := range []struct {
		flag, value string
	}{{"--certificate", b.certificate}, {"--chain", b.chain}} {
		if given.value != "" {
			arguments = append(arguments, given.flag, given.value)
		}
	}
	if b.legacy {
		arguments = append(arguments, "--profile", "legacy")
	}
	if b.deleteKey {
		arguments = append(arguments, "--delete-key")
	}
	return arguments
}
