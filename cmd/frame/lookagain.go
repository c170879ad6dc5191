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

// A worker that died before it told its result cannot tell any more what it changed on a token, nor take it away. Another one looks what is
// there. It asks nothing, and a PIN goes to the token once more only where no try can be lost: it comes from a file that has not changed
// since the first login succeeded with it, and the token counts no wrong one.

// lookPatience bounds one call of the module that has failed before.
const lookPatience = 20 * time.Second

// foundAgain is what the second worker answers.
type foundAgain struct {
	Token   *token.Info
	Objects []*token.Object // of those that were added
	Kept    []string        // the names of keys that were to be destroyed and that an object has
	Hidden  bool            // private objects did not show
}

// lookedAgainError means that a worker died and that the token was looked at again. It wraps the failure, or a *token.RemainsError
// that does.
type lookedAgainError struct {
	error
	note       string   // the id of what there is to say of the look; empty for nothing
	gone, kept []string // keys that were to be destroyed
}

// Unwrap gives the failure.
func (e *lookedAgainError) Unwrap() error { return e.error }

func describeLookedAgain(a *App, e *lookedAgainError) Failure {
	f := a.Describe(e.error)
	var parts []string
	if e.note != "" {
		parts = append(parts, a.Text(e.note, nil))
	}
	if len(e.gone) > 0 {
		parts = append(parts, a.keys("remains.destroyed", e.gone))
	}
	if len(e.kept) > 0 {
		parts = append(parts, a.keys("remains.not-destroyed", e.kept))
	}
	f.More = strings.TrimSpace(strings.Join(append(parts, f.More), "\n"))
	return f
}

// lookAgain looks what a worker that died has left on the token. The error is a *lookedAgainError with what was found; it is
// err itself where nothing could be found out.
func (a *App) lookAgain(ctx context.Context, err error) error {
	var died *supervise.ModuleFailure
	if !errors.As(err, &died) || died.None() {
		return err
	}
	answer, failed := supervise.MemoryFile("p11bridge-look")
	if failed != nil {
		return err
	}
	defer answer.Close()
	_, failed = supervise.Run(context.WithoutCancel(ctx), supervise.Task{
		Arguments: os.Args[1:], Timeout: min(a.Timeout, lookPatience), LookAgain: &supervise.LookAgain{Changes: died.Changes, Login: died.Login}, In: os.Stdin, Out: answer,
	})
	const most = 64 << 20
	found := &foundAgain{}
	if failed != nil || json.NewDecoder(io.NewSectionReader(answer, 0, most)).Decode(found) != nil || found.Token == nil || slices.Contains(found.Objects, nil) {
		return err
	}
	return afterLook(err, died, found)
}

// afterLook is the failure with what became of the changes, and leaves with the worker that died those that are not known.
func afterLook(err error, died *supervise.ModuleFailure, found *foundAgain) *lookedAgainError {
	remains := &token.RemainsError{Token: found.Token, Objects: found.Objects, Err: err}
	for _, name := range died.Added {
		if o := wantedObject(name); found.Hidden && o.Class == token.CKOPrivateKey {
			remains.Unsure = append(remains.Unsure, o)
		}
	}
	looked := &lookedAgainError{error: err, kept: found.Kept}
	unknown := supervise.Changes{InPart: died.InPart}
	for _, name := range died.Destroyed {
		switch {
		case slices.Contains(found.Kept, name):
		case found.Hidden:
			unknown.Destroyed = append(unknown.Destroyed, name)
		default:
			looked.gone = append(looked.gone, name)
		}
	}
	left := len(remains.Objects)+len(remains.Unsure) > 0
	switch {
	case left:
		looked.error = remains
	case len(died.Added) > 0:
		looked.note = "remains.none"
	}
	if found.Hidden && (left || !unknown.None()) {
		looked.note = "remains.hidden"
	}
	died.Changes, died.Remaining = unknown, left || len(looked.gone) > 0
	return looked
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
	for _, name := range slices.Concat(want.Added, want.Destroyed) {
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
	is := func(o *token.Object) func(*token.URI) bool {
		return func(uri *token.URI) bool {
			other := o.Certificate != nil && fingerprints[uri] != "" && o.Certificate.SHA256() != fingerprints[uri]
			return uri.MatchesObject(o) && !other
		}
	}
	added, destroyed := wanted[:len(want.Added)], wanted[len(want.Added):]
	for _, o := range objects {
		if slices.ContainsFunc(added, is(o)) {
			found.Objects = append(found.Objects, o)
		}
		if i := slices.IndexFunc(destroyed, is(o)); i >= 0 && !slices.Contains(found.Kept, want.Destroyed[i]) {
			found.Kept = append(found.Kept, want.Destroyed[i])
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
