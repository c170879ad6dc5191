package frame

import (
	"context"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/secret"
)

// BlockedError means that no login was tried, or that the one attempt failed. It carries the reasons.
type BlockedError struct {
	Reasons []verdict.Reason
	Err     error
}

// Error gives the first reason's code.
func (e *BlockedError) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return "login: " + string(e.Reasons[0].Code)
}

// Unwrap gives the token's answer.
func (e *BlockedError) Unwrap() error { return e.Err }

// Login logs the user in where the token asks for it, or may hide something and a PIN was given: one attempt, after a look at the token's
// flags. An optional login is not made where nobody gave a PIN, or where something stands in its way.
func (w *Worker) Login(ctx context.Context, s *token.Session, uri *token.URI, optional bool) error {
	pin, err := w.login(ctx, s, uri, optional)
	pin.Wipe()
	return err
}

// login is Login, and gives the PIN for a key that wants it for each use. The caller wipes it; it is nil where none was given.
func (w *Worker) login(ctx context.Context, s *token.Session, uri *token.URI, optional bool) (*secret.Text, error) {
	info := s.Slot.Token
	if !info.Flags.Has(token.CKFLoginRequired) && (!verdict.HasPIN(info) || w.pinSourceFor(uri) == "") {
		return nil, nil //nolint:nilnil // no login is no error
	}
	return w.loginAnyway(ctx, s, uri, optional)
}

// Read logs in as Login does, and reads the token. One whose flags ask for no login, and which may hide private objects all the same, is logged in to
// then, and read again. The PIN is for a key that wants it for each use: the caller wipes it. It is secret.None where the token has a keypad of
// its own, or nobody logged in.
func (w *Worker) Read(ctx context.Context, s *token.Session, uri *token.URI, optional bool) (*token.Inventory, *secret.Text, error) {
	pin, err := w.login(ctx, s, uri, optional)
	if err != nil {
		return nil, nil, err
	}
	inventory, err := inventoryOf(ctx, s)
	if err == nil && !s.LoggedIn && !s.Slot.Token.Flags.Has(token.CKFLoginRequired) && verdict.Hides(inventory) {
		if pin, err = w.loginAnyway(ctx, s, uri, optional); err == nil && s.LoggedIn {
			inventory, err = inventoryOf(ctx, s)
		}
	}
	if err != nil {
		pin.Wipe()
		return nil, nil, err
	}
	return inventory, pin, nil
}

// LoginAfter makes up for the login where a call failed because nobody is logged in, though the token's flags ask for no login: so does
// gnome-keyring. It is false where that was not the cause; there is one attempt, as in Login.
func (w *Worker) LoginAfter(ctx context.Context, s *token.Session, failed error) (bool, error) {
	code, known := token.CodeOf(failed)
	if !known || code != token.CKRUserNotLoggedIn || s.LoggedIn {
		return false, nil
	}
	pin, err := w.loginAnyway(ctx, s, nil, false)
	pin.Wipe()
	return err == nil, err
}

// loginAnyway is login, whatever the token's flags say of whether one is needed.
func (w *Worker) loginAnyway(ctx context.Context, s *token.Session, uri *token.URI, optional bool) (*secret.Text, error) {
	info := s.Slot.Token
	if pin, shared := w.shareLogin(s); shared {
		return pin, nil
	}
	sourceText := w.pinSourceFor(uri)
	present := terminal.Present()
	unasked := sourceText == "" && optional
	if unasked && !present {
		return nil, nil //nolint:nilnil // no login is no error
	}
	blocked := w.blocking(info)
	if (verdict.Verdict{Reasons: blocked}).Has(verdict.PINNotSet) {
		if now, err := s.TokenNow(); err == nil {
			blocked = w.blocking(now)
		}
	}
	if len(blocked) > 0 {
		if unasked {
			return nil, nil //nolint:nilnil // no login is no error
		}
		return nil, &BlockedError{Reasons: blocked}
	}
	given := loginBy(sourceText)
	pin, skipped, err := w.pin(ctx, info, sourceText, present, optional)
	if err != nil || skipped {
		return nil, err
	}
	if err := s.Login(pin); err != nil {
		pin.Wipe()
		return nil, &BlockedError{Reasons: verdict.JudgeLogin(err), Err: err}
	}
	w.noteLogin(sourceText, given)
	w.keepPIN(s.Slot, pin)
	return pin, nil
}

// blocking lists what forbids an attempt. A last attempt is only risked when the user said so.
func (a *App) blocking(info *token.Info) []verdict.Reason {
	var blocked []verdict.Reason
	asking := *info
	if !info.Flags.Has(token.CKFLoginRequired) { // the token asked for the login by its answer
		asking.Flags |= token.CKFLoginRequired | token.CKFUserPINInitialized
	}
	for _, reason := range verdict.JudgeToken(&asking) {
		entry, known := verdict.Lookup(reason.Code)
		if known && entry.Kind == verdict.Blocks && !(reason.Code == verdict.PINLastAttempt && a.AllowLastAttempt) {
			blocked = append(blocked, reason)
		}
	}
	return blocked
}

// pinSourceFor is --pin-source, else the URI's pin-source: a path, or one of our own forms (RFC 7512 §2.4 leaves the form
// to the application; a command to run is refused).
func (a *App) pinSourceFor(uri *token.URI) string {
	if a.PinSource != "" || uri == nil {
		return a.PinSource
	}
	text := uri.Query["pin-source"]
	if strings.HasPrefix(text, "/") {
		return "file:" + text
	}
	return text
}

// pin gets the PIN; nil for a token with a keypad of its own.
func (a *App) pin(ctx context.Context, info *token.Info, sourceText string, present, optional bool) (pin *secret.Text, skipped bool, err error) {
	a.SpeakOf(verdict.AsksForPassword(info))
	label := a.TokenName(info.Label).String()
	if info.Flags.Has(token.CKFProtectedAuthenticationPath) {
		a.Notice("notice.pinpad", messages.Args{"Token": messages.Own(label)})
		return nil, false, nil
	}
	if sourceText == "" {
		sourceText = "prompt"
	}
	s, err := parseSource("--pin-source", sourceText, pinSources...)
	if err != nil {
		return nil, false, err
	}
	missing := &BlockedError{Reasons: []verdict.Reason{verdict.PINMissingReason(info)}}
	switch {
	case s.kind != "prompt":
		if pin, err = a.read("--pin-source", s); err == nil && pin.Len() == 0 {
			err = &sourceError{Flag: "--pin-source", Source: s.String(), Err: errEmptySecret}
		}
	case !present:
		err = missing
	default:
		pin, err = a.askHidden(ctx, a.Text(pinQuestion(info, optional), messages.Args{"Token": messages.Own(label)})+" ")
		if err == nil && pin.Len() == 0 && optional {
			return nil, true, nil
		}
	}
	if err == nil && pin.Len() == 0 {
		err = missing
	}
	if pin, err = checked("--pin-source", s, pin, err); err != nil {
		return nil, false, err
	}
	if length := uint(pin.Len()); length < info.MinPINLen || info.MaxPINLen > 0 && length > info.MaxPINLen {
		pin.Wipe()
		return nil, false, &BlockedError{Reasons: []verdict.Reason{verdict.PINLengthReason(info)}}
	}
	if err := a.pins.add(pin); err != nil {
		return nil, false, err
	}
	return pin, false, nil
}

// pinQuestion is the text that asks for the PIN of a token, or for the password of a browser's database.
func pinQuestion(info *token.Info, optional bool) string {
	switch password := verdict.AsksForPassword(info); {
	case password && optional:
		return "prompt.primary-password-optional"
	case password:
		return "prompt.primary-password"
	case optional:
		return "prompt.pin-optional"
	}
	return "prompt.pin"
}
