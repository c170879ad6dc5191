package frame

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"p11bridge/bridge"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
	"p11bridge/token/secret"
)

const passwordFlag = "--password-source"

// PasswordToSet gets a password that can protect a file, and says whom it shuts out and whether it is easily guessed.
func (a *App) PasswordToSet(ctx context.Context, text string, allowEmpty bool) (*secret.Text, error) {
	s, err := a.passwordSource(text, NewPasswordSources...)
	if err != nil {
		return nil, err
	}
	password, err := a.newPassword(ctx, s, allowEmpty)
	if err != nil {
		return nil, err
	}
	if password, err = a.replaceWeak(ctx, s, password); err != nil {
		return nil, err
	}
	if err := bridge.CheckPassword(password, allowEmpty); err != nil {
		password.Wipe()
		return nil, err
	}
	noticePassword(a, password)
	return password, nil
}

// newPassword asks for a password that is about to be set, or makes one.
func (a *App) newPassword(ctx context.Context, s source, allowEmpty bool) (*secret.Text, error) {
	switch s.kind {
	case "prompt":
		password, err := a.askTwice(ctx, allowEmpty)
		return checked(passwordFlag, s, password, err)
	case "generate":
		return a.generate()
	}
	password, err := a.read(passwordFlag, s)
	return checked(passwordFlag, s, password, err)
}

// KnownPassword asks for the password that a file has. Whatever its source gives is tried: another program may have set it.
// What nobody would type is worth a notice.
func (a *App) KnownPassword(ctx context.Context, text, file string) (*secret.Text, error) {
	s, err := a.passwordSource(text, PasswordSources...)
	if err != nil {
		return nil, err
	}
	if s.kind == "prompt" {
		return terminal.Ask(ctx, a.Text("prompt.password", messages.Args{"File": foreign.Text(file)})+" ", true)
	}
	if s.kind == sealedKind {
		return a.OpenSealed(ctx, text, file)
	}
	s = s.forFile(file)
	password, err := a.read(passwordFlag, s)
	if err != nil {
		return nil, err
	}
	if err := secret.Check(password.Bytes()); err != nil {
		a.Notice("notice.password-as-it-is", messages.Args{"Source": messages.Own(s.String()), "Problem": messages.Own(a.sourceProblem(err))})
	}
	return password, nil
}

// AnotherPassword asks the person at the terminal for the password of a file that no password so far opens. It is nil where the passwords
// come from elsewhere, and where nothing was typed.
func (a *App) AnotherPassword(ctx context.Context, text, file string) (*secret.Text, error) {
	s, err := a.passwordSource(text, PasswordSources...)
	if err != nil || s.kind != "prompt" {
		return nil, err
	}
	password, err := terminal.Ask(ctx, a.Text("prompt.another-password", messages.Args{"File": foreign.Text(file)})+" ", true)
	if err != nil {
		return secret.None, err
	}
	if password.Len() == 0 {
		return secret.None, nil
	}
	return password, nil
}

func (a *App) passwordSource(text string, kinds ...string) (source, error) {
	if text == "" {
		if !terminal.Present() {
			return source{}, &passwordMissingError{}
		}
		text = "prompt"
	}
	return parseSource(passwordFlag, text, kinds...)
}

// passwordMissingError means that a password is needed and there is neither a source nor a terminal.
type passwordMissingError struct{}

// Error names what is missing.
func (*passwordMissingError) Error() string { return "a password is needed" }

// askTwice asks for a new password, and once more where the second time another one was typed. Who types none is offered one.
func (a *App) askTwice(ctx context.Context, allowEmpty bool) (*secret.Text, error) {
	question := a.Text("prompt.new-password.warning", nil) + "\n"
	if !allowEmpty {
		question += a.Text("prompt.new-password.make", nil) + "\n"
	}
	for {
		password, err := a.askTwiceOnce(ctx, question, allowEmpty)
		switch {
		case errors.Is(err, errPasswordsDiffer):
			question = a.Text("prompt.new-password.differ", nil) + "\n"
		case errors.Is(err, errNonePassword):
			question = ""
		default:
			return password, err
		}
	}
}

// errPasswordsDiffer means that the password was typed differently the second time, and errNonePassword that none was typed and none
// is to be made.
var (
	errPasswordsDiffer = errors.New("the two passwords differ")
	errNonePassword    = errors.New("no password was typed")
)

func (a *App) askTwiceOnce(ctx context.Context, question string, allowEmpty bool) (*secret.Text, error) {
	first, err := a.askHidden(ctx, question+a.Text("prompt.new-password", nil)+" ")
	if err != nil {
		return nil, err
	}
	if first.Len() == 0 && !allowEmpty {
		generated, err := a.offer(ctx, "prompt.generate-for-empty", true)
		if err != nil || generated != nil {
			return generated, err
		}
		return nil, errNonePassword
	}
	second, err := terminal.Ask(ctx, a.Text("prompt.new-password.again", nil)+" ", true)
	if err != nil {
		first.Wipe()
		return nil, err
	}
	defer second.Wipe()
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		first.Wipe()
		return nil, errPasswordsDiffer
	}
	return first, nil
}

// askHidden has a secret typed, and once more where what was typed is none: the Tab key leaves a character that nobody means.
func (a *App) askHidden(ctx context.Context, question string) (*secret.Text, error) {
	fault := ""
	for {
		typed, err := terminal.Ask(ctx, fault+question, true)
		if err != nil {
			return nil, err
		}
		none := secret.Check(typed.Bytes())
		if none == nil {
			return typed, nil
		}
		typed.Wipe()
		fault = a.Text("prompt.typed-fault", messages.Args{"Problem": messages.Own(a.sourceProblem(none))}) + "\n"
	}
}

// offer asks whether a password shall be made, and makes it. It gives none where the answer is no. An empty answer is the proposed one.
func (a *App) offer(ctx context.Context, question string, proposed bool) (*secret.Text, error) {
	answer, err := terminal.Ask(ctx, a.Text(question, nil)+" ", false)
	if err != nil {
		return secret.None, err
	}
	typed := strings.ToLower(strings.TrimSpace(answer.Reveal()))
	if yes := strings.HasPrefix(typed, a.Text("prompt.yes", nil)); !yes && (typed != "" || !proposed) {
		return secret.None, nil
	}
	return a.generate()
}

// shortestUnremarked is the number of characters from which on a password's length is not worth a word.
const shortestUnremarked = 12

// weakness is the id of what is to be said of a password that can be guessed, empty for nothing.
func (a *App) weakness(password *secret.Text) string {
	switch {
	case password.Len() == 0:
		return ""
	case a.pins.have(password):
		return "notice.password-is-pin"
	case len(bytes.Trim(password.Bytes(), "0123456789")) == 0:
		return "notice.password-of-digits"
	case utf8.RuneCount(password.Bytes()) < shortestUnremarked:
		return "notice.password-short"
	}
	return ""
}

// replaceWeak says that a password is weak. Who sits at the terminal is offered a better one.
func (a *App) replaceWeak(ctx context.Context, s source, password *secret.Text) (*secret.Text, error) {
	weakness := a.weakness(password)
	if weakness == "" {
		return password, nil
	}
	if s.kind != "prompt" {
		a.Notice("notice.password-weak", messages.Args{"Weakness": messages.Own(a.Text(weakness, nil))})
		return password, nil
	}
	a.Notice(weakness, nil)
	generated, err := a.offer(ctx, "prompt.generate-for-weak", false)
	if err != nil || generated != nil {
		password.Wipe()
		return generated, err
	}
	return password, nil
}

// usedPINs remembers the PINs of this run by their HMAC under a key that nothing else knows.
type usedPINs struct {
	key    []byte
	hashes [][]byte
}

func (u *usedPINs) hash(text *secret.Text) []byte {
	mac := hmac.New(sha256.New, u.key)
	mac.Write(text.Bytes())
	return mac.Sum(nil)
}

func (u *usedPINs) add(pin *secret.Text) error {
	if u.key == nil {
		key := make([]byte, sha256.Size)
		if _, err := rand.Read(key); err != nil {
			return fmt.Errorf("remember that a PIN was used: %w", err)
		}
		u.key = key
	}
	u.hashes = append(u.hashes, u.hash(pin))
	return nil
}

func (u *usedPINs) have(text *secret.Text) bool {
	for _, hash := range u.hashes {
		if hmac.Equal(hash, u.hash(text)) {
			return true
		}
	}
	return false
}

// noticePassword says which readers a password shuts out.
func noticePassword(a *App, password *secret.Text) {
	for _, b := range password.Bytes() {
		if b >= 0x80 {
			a.Notice("notice.non-ascii-password", nil)
			return
		}
	}
}

// Slowly shows a line on a terminal once something takes longer than two seconds. The result ends it.
func Slowly(a *App, id string) (done func()) {
	if a.Quiet || a.Err.Columns() == 0 {
		return func() {}
	}
	timer := time.AfterFunc(2*time.Second, func() { fmt.Fprintln(a.Err, a.Text(id, nil)) })
	return func() { timer.Stop() }
}
