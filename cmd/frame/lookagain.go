package frame

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/supervise"
	"p11bridge/token"
)

// A worker that died while it was putting something on a token cannot take that away any more. Another one looks what is there. It
// asks nothing, and a PIN goes to the token once more only where no try can be lost: it comes from a file that has not changed
// since the first login succeeded with it, and the token counts no wrong one.

// lookPatience bounds one call of the module that has failed before.
const lookPatience = 20 * time.Second

// foundAgain is what the second worker answers.
type foundAgain struct {
	Token   *token.Info
	Objects []*token.Object
	Hidden  bool // private objects did not show
}

// lookedAgainError means that a worker died and that the token was looked at again. It wraps the failure, or a *token.RemainsError
// that does.
type lookedAgainError struct {
	error
	note string // the id of what there is to say of the look; empty for nothing
}

// Unwrap gives the failure.
func (e *lookedAgainError) Unwrap() error { return e.error }

func describeLookedAgain(a *App, e *lookedAgainError) Failure {
	f := a.Describe(e.error)
	if e.note != "" {
		f.More = strings.TrimSpace(a.Text(e.note, nil) + "\n" + f.More)
	}
	return f
}

// lookAgain looks what a worker that died has left on the token. The error is a *lookedAgainError with what was found; it is
// err itself where nothing could be found out.
func (a *App) lookAgain(ctx context.Context, err error) error {
	var died *supervise.ModuleFailure
	if !errors.As(err, &died) || len(died.Unfinished) == 0 {
		return err
	}
	answer, failed := supervise.MemoryFile("p11bridge-look")
	if failed != nil {
		return err
	}
	defer answer.Close()
	_, failed = supervise.Run(context.WithoutCancel(ctx), supervise.Task{
		Arguments: os.Args[1:], Timeout: min(a.Timeout, lookPatience), LookAgain: &supervise.LookAgain{Names: died.Unfinished, Login: died.Login}, In: os.Stdin, Out: answer,
	})
	const most = 64 << 20
	found := &foundAgain{}
	if failed != nil || json.NewDecoder(io.NewSectionReader(answer, 0, most)).Decode(found) != nil || found.Token == nil || slices.Contains(found.Objects, nil) {
		return err
	}
	remains := &token.RemainsError{Token: found.Token, Objects: found.Objects, Err: err}
	for _, name := range died.Unfinished {
		if o := wantedObject(name); found.Hidden && o.Class == token.CKOPrivateKey {
			remains.Unsure = append(remains.Unsure, o)
		}
	}
	died.Unfinished = nil
	switch {
	case len(remains.Objects)+len(remains.Unsure) == 0:
		return &lookedAgainError{err, "remains.none"}
	case found.Hidden:
		return &lookedAgainError{remains, "remains.hidden"}
	}
	return &lookedAgainError{error: remains}
}

// wantedObject is an object as the worker named it that was putting it on the token.
func wantedObject(name string) *token.Object {
	o := &token.Object{}
	uri, _, err := parseWanted(name)
	if err != nil {
		return o
	}
	o.Class, _ = uri.Class()
	for path, a := range map[string]token.Attribute{"id": token.CKAID, "object": token.CKALabel} {
		if value, given := uri.Path[path]; given {
			o.Attributes.Set(a, token.Answer{Value: []byte(value)})
		}
	}
	return o
}

// parseWanted takes a name apart: a URI, and of a certificate its SHA-256.
func parseWanted(name string) (uri *token.URI, fingerprint string, err error) {
	text, fingerprint, _ := strings.Cut(name, " ")
	uri, err = token.ParseURI(text)
	return uri, fingerprint, err
}

// workAgain does the work of the second worker. What it cannot find out, the first failure's text says.
func (a *App) workAgain(ctx context.Context, want *supervise.LookAgain, args []string) error {
	w := &Worker{App: a, child: a.child}
	if err := errors.Join(w.look(ctx, want, args), w.close()); err != nil {
		return &ReportedError{Code: ExitFailed}
	}
	return nil
}

// look finds what is wanted on its token.
func (w *Worker) look(ctx context.Context, want *supervise.LookAgain, args []string) error {
	var wanted []*token.URI
	fingerprints := map[*token.URI]string{}
	for _, name := range want.Names {
		uri, fingerprint, err := parseWanted(name)
		if err != nil {
			return err
		}
		wanted, fingerprints[uri] = append(wanted, uri), fingerprint
	}
	on := &token.URI{Path: map[string]string{}, Query: map[string]string{}}
	for _, name := range []string{"token", "serial"} {
		if value, given := wanted[0].Path[name]; given {
			on.Path[name] = value
		}
	}
	for _, arg := range args {
		if uri, err := token.ParseURI(arg); err == nil && uri.Query["module-path"] != "" {
			on.Query["module-path"] = uri.Query["module-path"]
		}
	}
	slot, err := w.Token(ctx, on)
	if err != nil {
		return err
	}
	session, err := w.Session(slot, token.ReadOnly)
	if err != nil {
		return err
	}
	if err := w.loginAgain(session, want.Login); err != nil {
		return err
	}
	objects, err := session.Objects(ctx)
	if err != nil {
		return err
	}
	found := &foundAgain{Token: slot.Token, Hidden: verdict.Hides(&token.Inventory{Token: *slot.Token, LoggedIn: session.LoggedIn, Objects: objects})}
	for _, o := range objects {
		for _, uri := range wanted {
			other := o.Certificate != nil && fingerprints[uri] != "" && o.Certificate.SHA256() != fingerprints[uri]
			if uri.MatchesObject(o) && !other {
				found.Objects = append(found.Objects, o)
				break
			}
		}
	}
	return json.NewEncoder(w.ToParent()).Encode(found)
}

// loginAgain logs in where that costs nobody a try.
func (w *Worker) loginAgain(session *token.Session, login supervise.Login) error {
	flags := session.Slot.Token.Flags
	counted := flags&(token.CKFUserPINCountLow|token.CKFUserPINFinalTry|token.CKFUserPINLocked|token.CKFUserPINToBeChanged|token.CKFProtectedAuthenticationPath) != 0
	if login.Path == "" || counted || !verdict.HasPIN(session.Slot.Token) || loginBy("file:"+login.Path) != login {
		return nil
	}
	pin, err := w.App.read("--pin-source", source{kind: "file", value: login.Path})
	if err != nil {
		return err
	}
	defer pin.Wipe()
	return session.Login(pin)
}

// loginBy describes the login with a PIN from a source; it is none where the source is no regular file.
func loginBy(sourceText string) supervise.Login {
	s, err := parseSource("--pin-source", sourceText, pinSources...)
	if err != nil || s.kind != "file" {
		return supervise.Login{}
	}
	stamp, regular := supervise.StampOf(s.value)
	if !regular {
		return supervise.Login{}
	}
	return supervise.Login{Path: s.value, Stamp: stamp}
}

// noteLogin tells the parent of a login that may be made again, where the PIN's file is the one that it was before.
func (w *Worker) noteLogin(sourceText string, given supervise.Login) {
	if given.Path != "" && loginBy(sourceText) == given {
		w.child.Page.SetLogin(given)
	}
}
