package guide

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token/pki"
)

// renewal is what a signing request is asked for.
type renewal struct {
	*conversation
	token   heldToken
	key     identity
	like    string // a file with the old certificate, where it is on no token
	first   bool   // there is no certificate yet, nor a key for it
	subject string // whose the certificate is to be, where no certificate tells
	answer  int    // which of the three keys
	kind    string // of the new key, empty for one like the old

	failedKinds []string // that the token did not make
	file        string
}

// The keys that a request can be made with.
const (
	newKeyForBackup = iota
	newKeyThatStays
	sameKey
)

// request leads to `request`. One that comes from a key that cannot be backed up is about that key's certificate.
func (c *conversation) request(ctx context.Context, from *backup) error {
	r := &renewal{conversation: c}
	steps := []step{c.chooseToken("guide.token.title", &r.token), r.chooseKey}
	if from != nil {
		r.token, r.key, steps = from.token, from.key, nil
	}
	return walk(ctx, append(steps, r.chooseSubject, r.choosePolicy, r.chooseKind, r.chooseFile, r.make)...)
}

// chooseKey asks whose certificate is to be renewed: one of the token's, which show without a login on most tokens, or one that
// is in a file. There may be none.
func (r *renewal) chooseKey(ctx context.Context) (bool, error) {
	fits := func(i identity) bool { return i.Certificate != nil && !i.Certificate.IsCA || i.PrivateKey != nil }
	shown := r.shownIdentities(r.token, fits)
	if len(shown) == 0 && r.token.locked() {
		if err := r.logIn(ctx, &r.token); err != nil {
			return true, err
		}
		shown = r.shownIdentities(r.token, fits)
	}
	q := terminal.Choice{Title: r.Text("guide.request.key", nil), Answers: append(r.titles(shown, false), r.Text("guide.request.like", nil), r.Text("guide.request.new", nil))}
	for {
		i, err := r.choose(ctx, q)
		if err != nil {
			return true, err
		}
		r.like, r.file, r.subject, r.first = "", "", "", i > len(shown)
		switch {
		case i < len(shown):
			r.key = shown[i]
			return true, nil
		case r.first:
			r.key = identity{}
			return true, nil
		}
		q.Proposed = i
		path, err := r.existingFile(ctx, "guide.request.path", certificateExtensions, "")
		if err == nil {
			r.like, r.key = path, identity{}
		}
		if !errors.Is(err, terminal.ErrBack) {
			return true, err
		}
	}
}

// chooseSubject asks whose the certificate is to be, where the key has none that tells.
func (r *renewal) chooseSubject(ctx context.Context) (bool, error) {
	if r.like != "" || r.key.Certificate != nil {
		r.subject = ""
		return false, nil
	}
	proposed := r.subject
	if proposed == "" {
		proposed = string(r.key.Label)
	}
	name, err := r.line(ctx, "guide.subject.title", "guide.subject.description", nil, proposed, func(text string) error {
		if _, err := pki.ParseNameText(wholeName(text)); err != nil {
			return problem(r.Text("guide.subject.problem", messages.Args{"Problem": messages.Own(r.Problem(err))}))
		}
		return nil
	})
	if err == nil {
		r.subject = wholeName(name)
	}
	return true, err
}

// wholeName is a name with its type before it (RFC 4514): who types one alone means the common name.
func wholeName(text string) string {
	text = strings.TrimSpace(text)
	if strings.Contains(text, "=") {
		return text
	}
	name := nameEscapes.Replace(text)
	if strings.HasPrefix(name, "#") {
		name = `\` + name
	}
	return commonName + name
}

const commonName = "CN="

// common is the common name in a whole one, else all of it.
func common(name string) string {
	for _, part := range strings.Split(name, ",") {
		if common, is := strings.CutPrefix(strings.TrimSpace(part), commonName); is {
			return common
		}
	}
	return name
}

// nameEscapes are those of RFC 4514 section 2.4.
var nameEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "+", `\+`, ",", `\,`, ";", `\;`, "<", `\<`, ">", `\>`)

// choosePolicy asks whether the new key may be backed up, and says the consequence of each answer. A key that is not there
// signs nothing.
func (r *renewal) choosePolicy(ctx context.Context) (bool, error) {
	if len(r.token.KeyTypes) == 0 {
		return true, r.withoutKeys(ctx)
	}
	answers := []string{"guide.request.backup", "guide.request.stays", "guide.request.same"}
	if !r.hasKey() {
		answers = answers[:sameKey]
	}
	i, err := r.pick(ctx, "guide.request.title", "guide.request.description", nil, min(r.answer, len(answers)-1), answers...)
	if err == nil {
		r.answer = i
	}
	return true, err
}

// requestExtension is that of signing requests.
const requestExtension = ".csr"

func (r *renewal) chooseFile(ctx context.Context) (bool, error) {
	proposed := r.file
	if proposed == "" {
		name := string(r.key.Label)
		switch {
		case r.like != "":
			name = strings.TrimSuffix(filepath.Base(r.like), filepath.Ext(r.like))
		case r.first:
			name = common(r.subject)
		}
		proposed = newName(view.FileName(name, r.key.ID), requestExtension)
	}
	path, err := r.newFile(ctx, proposed, func(string) error { return nil })
	if err == nil {
		r.file = path
	}
	return true, err
}

func (r *renewal) make(ctx context.Context) (bool, error) {
	r.instead = r.otherKind()
	defer func() { r.instead = nil }()
	for {
		err := r.perform(ctx)
		if err == nil {
			break
		}
		if !errors.Is(err, errOtherKind) {
			return true, err
		}
		r.remember()
		if err := r.askKind(ctx); err != nil {
			return true, err
		}
		r.instead = r.otherKind()
	}
	sent := r.Text("guide.request.send", messages.Args{"File": messages.Own(terminal.Printable(r.file))})
	return true, r.write(sent + "\n" + r.Text("guide.request.later", nil))
}

// perform runs the command. With the key that is there nothing new comes onto the token.
func (r *renewal) perform(ctx context.Context) error {
	if r.answer == sameKey {
		return r.performOn(ctx, r.token, r.arguments())
	}
	return r.change(ctx, r.token, r.arguments())
}

// arguments are the request as it would be typed, but for the token.
func (r *renewal) arguments() []string {
	arguments := []string{"request"}
	switch {
	case r.like != "":
		arguments = append(arguments, "--like", r.like)
	case !r.first:
		arguments = append(arguments, r.token.objectName(r.key))
	}
	if r.kind != "" {
		arguments = append(arguments, "--key-type", r.kind)
	}
	if r.subject != "" {
		arguments = append(arguments, "--subject", r.subject)
	}
	arguments = append(arguments, "-o", r.file)
	switch r.answer {
	case newKeyForBackup:
		arguments = append(arguments, "--exportable")
	case sameKey:
		arguments = append(arguments, "--same-key")
	}
	return arguments
}

// certificateExtensions are those of files that may hold an issued certificate.
var certificateExtensions = []string{".cer", ".crt", ".pem", ".der", ".p7b", ".p7c"}

// installation is what an install is asked for.
type installation struct {
	*conversation
	file      string
	token     heldToken
	withChain bool
}

// install leads to `install`.
func (c *conversation) install(ctx context.Context) error {
	i := &installation{conversation: c}
	return walk(ctx, i.chooseFile, i.chooseChain, c.chooseToken("guide.token.key", &i.token), i.put)
}

func (i *installation) chooseFile(ctx context.Context) (bool, error) {
	path, err := i.existingFile(ctx, "guide.install.title", certificateExtensions, i.file)
	if err == nil {
		i.file = path
	}
	return true, err
}

// chooseChain asks about the issuers' certificates, where the file has any. A file that cannot be read is the command's to
// tell of.
func (i *installation) chooseChain(ctx context.Context) (bool, error) {
	i.withChain = false
	if certificates, err := frame.ReadCertificates(i.file); err != nil || len(certificates) < 2 {
		return false, nil //nolint:nilerr // the command tells what is wrong with the file
	}
	answer, err := i.pick(ctx, "guide.install.chain", "", nil, 0, "guide.no", "guide.yes")
	if err == nil {
		i.withChain = answer == 1
	}
	return true, err
}

func (i *installation) put(ctx context.Context) (bool, error) {
	arguments := []string{"install", i.file}
	if i.withChain {
		arguments = append(arguments, "--with-chain")
	}
	return true, i.change(ctx, i.token, arguments)
}
