package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/miekg/pkcs11"

	"p11bridge/token/foreign"
	"p11bridge/token/secret"
)

// Session is an open session with a token. One goroutine at a time may use it.
type Session struct {
	Slot     Slot
	LoggedIn bool // the user is logged in; the state belongs to the process and the token, not to the session

	// Authenticate gives the PIN once more, for a key that wants it for each use (CKA_ALWAYS_AUTHENTICATE). It is nil where such
	// a key is not to be used. A text that is secret.None goes to the token's own keypad.
	Authenticate func() (*secret.Text, error)

	module *Module
	handle pkcs11.SessionHandle
}

// Access is a session's kind.
type Access uint

// The kinds of session. Nothing that exports needs more than ReadOnly.
const (
	ReadOnly  = Access(pkcs11.CKF_SERIAL_SESSION)
	ReadWrite = Access(pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION)
)

// OpenSession opens a session with the token in the slot (PKCS#11 v3.1 §5.6.1).
func (slot Slot) OpenSession(access Access) (*Session, error) {
	if slot.Token == nil {
		return nil, &Error{Function: "C_OpenSession", Code: CKRTokenNotPresent}
	}
	s := &Session{Slot: slot, module: slot.module}
	err := s.call("C_OpenSession", fmt.Sprintf("slot %d", slot.ID), func() (err error) {
		s.handle, err = s.module.functions.OpenSession(slot.ID, uint(access))
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends the session; its session objects end with it.
func (s *Session) Close() error {
	return s.call("C_CloseSession", "", func() error { return s.module.functions.CloseSession(s.handle) })
}

func (s *Session) call(function, detail string, f func() error) error {
	return s.module.call(function, detail, f)
}

// LoginError is a login that the token refused.
type LoginError struct {
	Err   error
	Flags Flags // the token's flags after the attempt, as far as they could be read

	Manufacturer foreign.Text // of the token
}

// Error names the function and the return value.
func (e *LoginError) Error() string { return e.Err.Error() }

// Unwrap gives the *Error.
func (e *LoginError) Unwrap() error { return e.Err }

// errNobody means that a login was accepted, and that C_GetSessionInfo tells of none.
var errNobody = errors.New("the login was accepted, and C_GetSessionInfo says that nobody is logged in")

// Login makes exactly one attempt to log the user in (PKCS#11 v3.1 §5.6.8). A nil pin goes to the token's own keypad
// (CKF_PROTECTED_AUTHENTICATION_PATH). The error is a *LoginError. An existing login counts as success; neither counts where the
// session's state says that nobody is logged in.
func (s *Session) Login(pin *secret.Text) error {
	err := s.call("C_Login", "CKU_USER", func() error {
		return s.module.functions.Login(s.handle, pkcs11.CKU_USER, pin.Bytes())
	})
	if code, ok := CodeOf(err); ok && code == CKRUserAlreadyLoggedIn {
		err = nil
	}
	if err != nil {
		return s.loginFailure(err)
	}
	if err := s.checkLogin(); err != nil {
		return s.loginFailure(err)
	}
	s.LoggedIn = true
	return nil
}

// ShareLogin takes part in the login of another session of this process with the same token (PKCS#11 v3.1 §5.6.8). The error is a *LoginError
// where there is none.
func (s *Session) ShareLogin() error {
	if err := s.checkLogin(); err != nil {
		return s.loginFailure(err)
	}
	s.LoggedIn = true
	return nil
}

// checkLogin asks for the session's state (PKCS#11 v3.1 §5.6.5). A module that has no such function is believed.
func (s *Session) checkLogin() error {
	user, err := s.ofUser()
	switch code, known := CodeOf(err); {
	case known && code == CKRFunctionNotSupported:
		return nil
	case err == nil && !user:
		return &AnswerError{Function: "C_Login", Fault: AnswerNotDone, Err: errNobody}
	}
	return err
}

// ofUser reports whether the session is in a state in which private objects show.
func (s *Session) ofUser() (bool, error) {
	var state uint
	err := s.call("C_GetSessionInfo", "", func() (err error) { state, err = s.module.functions.SessionState(s.handle); return err })
	return err == nil && (state == pkcs11.CKS_RO_USER_FUNCTIONS || state == pkcs11.CKS_RW_USER_FUNCTIONS), err
}

// stands reports whether the session still answers: softokn says CKR_DEVICE_ERROR of a key that it does not wrap, and the others are as before.
func (s *Session) stands() bool {
	_, err := s.ofUser()
	return err == nil
}

// TokenNow asks once more what the token is, after a moment: while another program's login rewrites the token's file, SoftHSM gives flags that
// the token has not.
func (s *Session) TokenNow() (*Info, error) {
	time.Sleep(tokenInfoPauses[0])
	return s.module.tokenInfo(s.Slot.ID)
}

// loginFailure is a *LoginError with the token's flags as they are after it.
func (s *Session) loginFailure(err error) error {
	failure := &LoginError{Err: err, Flags: s.Slot.Token.Flags, Manufacturer: s.Slot.Token.Manufacturer}
	if info, infoErr := s.module.tokenInfo(s.Slot.ID); infoErr == nil {
		failure.Flags = info.Flags
	}
	return failure
}

// The bounds of a search. A module that gives its objects one by one, half a second for each, would else keep a command for
// days within the time limit of one call.
const (
	searchBatch = 4096    // objects that are asked for in one call
	mostObjects = 1 << 20 // objects in all
	mostShort   = 1 << 12 // calls that give less than they could, and yet are not the last
)

// find lists the handles of the objects that match the template, all objects for an empty one (PKCS#11 v3.1 §5.7.6). A
// handle that comes twice in one search is an *AnswerError, and so is a search without an end.
func (s *Session) find(ctx context.Context, detail string, template ...*pkcs11.Attribute) (found []pkcs11.ObjectHandle, err error) {
	err = s.call("C_FindObjectsInit", detail, func() error { return s.module.functions.FindObjectsInit(s.handle, template) })
	if err != nil {
		return nil, err
	}
	defer func() { // without it the next search answers CKR_OPERATION_ACTIVE
		final := s.call("C_FindObjectsFinal", "", func() error { return s.module.functions.FindObjectsFinal(s.handle) })
		err = errors.Join(err, final)
	}()
	seen := map[pkcs11.ObjectHandle]bool{}
	for short := 0; ; {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var handles []pkcs11.ObjectHandle
		err := s.call("C_FindObjects", "", func() (err error) {
			handles, err = s.module.functions.FindObjects(s.handle, searchBatch)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(handles) == 0 {
			return found, nil
		}
		if len(handles) < searchBatch {
			short++
		}
		for _, handle := range handles {
			if seen[handle] {
				return nil, &AnswerError{Function: "C_FindObjects", Fault: AnswerHandle, Err: fmt.Errorf("handle %d came twice in one search", handle)}
			}
			seen[handle] = true
		}
		if found = append(found, handles...); len(found) > mostObjects || short > mostShort {
			return nil, &AnswerError{Function: "C_FindObjects", Fault: AnswerEndless, Err: fmt.Errorf("no end after %d objects", len(found))}
		}
	}
}

// endsSearching reports whether a search did not end on the token, so that the session cannot make another one.
func endsSearching(err error) bool {
	var answer *Error
	return errors.As(err, &answer) && answer.Function == "C_FindObjectsFinal"
}

// attributeList names a single attribute, and counts several, for the observer.
func attributeList(as []Attribute) string {
	if len(as) == 1 {
		return as[0].String()
	}
	return fmt.Sprintf("%d attributes", len(as))
}

func ulong(a Attribute, value uint) *pkcs11.Attribute { return pkcs11.NewAttribute(uint(a), value) }
