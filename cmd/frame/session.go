package frame

import (
	"context"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/secret"
)

// WithAccess opens a session of the kind that the work needs and closes it again.
func (a *App) WithAccess(slot token.Slot, access token.Access, work func(*token.Session) error) (result error) {
	session, err := slot.OpenSession(access)
	if code, told := token.CodeOf(err); told && code.String() == "CKR_TOKEN_WRITE_PROTECTED" {
		return bridge.ErrWriteProtected
	}
	if err != nil {
		return err
	}
	defer func() { result = a.Closed(result, session.Close()) }()
	return work(session)
}

// LoginKeeping is login for a command that may need the PIN once more, for a key with CKA_ALWAYS_AUTHENTICATE. The caller
// wipes it; it is secret.None where the token has a keypad of its own or asks for none.
func (a *App) LoginKeeping(ctx context.Context, s *token.Session, uri *token.URI) (*secret.Text, error) {
	info := s.Slot.Token
	if !info.Flags.Has(token.CKFLoginRequired) {
		return secret.None, nil
	}
	if blocked := a.blocking(info); len(blocked) > 0 {
		return nil, &BlockedError{Reasons: blocked}
	}
	pin, _, err := a.pin(ctx, info, a.pinSourceFor(uri), terminal.Present(), false)
	if err != nil {
		return nil, err
	}
	if err := s.Login(pin); err != nil {
		pin.Wipe()
		return nil, &BlockedError{Reasons: verdict.JudgeLogin(err), Err: err}
	}
	return pin, nil
}
