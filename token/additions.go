package token

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"

	"p11bridge/token/pki"
)

// Additions are the objects that one run puts on a token. A module is not believed here, neither the handle that it gives for a
// new object nor the error that says there is none: what was there before is known, every new object is read back, and
// nothing is destroyed that is not shown to be one of the run's own.
type Additions struct {
	session  *Session
	second   *Session // for clearing up; nil until there is something to clear up
	previous map[pkcs11.ObjectHandle]bool
	made     []*addition
	unsure   []*Object
}

// addition is an object that a run asks for.
type addition struct {
	class  Class
	names  []Name // that it was given, one after the other
	unique bool   // the CKA_ID is random: no other object has it

	public      pki.PublicKey // of a key, where it is known
	certificate []byte        // the DER of a certificate

	object *Object // as last read; nil until the token has given a handle for it
}

// RemainsError means that a run failed and that objects which it had put on the token are still there, or may be. Each of them has
// its class, CKA_ID and CKA_LABEL.
type RemainsError struct {
	Token   *Info
	Objects []*Object // the token lists them
	Unsure  []*Object // the token does not tell whether they are there, or whether they are the run's own
	Err     error     // why the run failed
}

// Error counts them.
func (e *RemainsError) Error() string {
	return fmt.Sprintf("%v; %d objects are left on the token, and %d may be", e.Err, len(e.Objects), len(e.Unsure))
}

// Unwrap gives the reason of the failure.
func (e *RemainsError) Unwrap() error { return e.Err }

// Adding lists what is on the token of a read-write session, and has work add to it. Where work fails, everything that it added
// is taken away, and the token is listed once more: C_DestroyObject may answer CKR_OK and do nothing. The error is that of
// work, or a *RemainsError that wraps it.
func (s *Session) Adding(ctx context.Context, work func(*Additions) error) error {
	handles, err := s.everyObject(ctx)
	if err != nil {
		return err
	}
	a := &Additions{session: s, previous: map[pkcs11.ObjectHandle]bool{}}
	for _, handle := range handles {
		a.previous[handle] = true
	}
	defer func() {
		if a.second != nil {
			_ = a.second.Close() // what is on the token is known by then
		}
	}()
	if err := work(a); err != nil {
		err = a.undo(err)
		var remains *RemainsError
		if errors.As(err, &remains) {
			a.noteDone(a.namesOf(nil, append(slices.Clone(remains.Objects), remains.Unsure...)))
		} else {
			a.noteDone(nil)
		}
		return err
	}
	a.noteDone(a.namesOf(a.made, nil))
	return nil
}

// clearing is the session for clearing up. It is another one where the token gives it: a signature that failed half-way may keep
// the first one from searching.
func (a *Additions) clearing() *Session {
	if a.second == nil {
		second, err := a.session.Slot.OpenSession(ReadWrite)
		if err != nil {
			return a.session
		}
		a.second = second
	}
	return a.second
}

// make has a call make the objects that are wanted. After a failure it looks for what the call may have made all the same. Then the
// error is an *AnswerError, after which nothing may be tried again; any other error means that nothing is there.
func (a *Additions) make(function, detail string, wanted []*addition, call func() ([]pkcs11.ObjectHandle, error)) error {
	a.noteWanted(wanted)
	var handles []pkcs11.ObjectHandle
	err := a.session.call(function, detail, func() (err error) { handles, err = call(); return err })
	if err != nil {
		return a.lookAfter(function, wanted, err)
	}
	if err = a.accept(function, wanted, handles); err == nil {
		return nil
	}
	after := a.lookAfter(function, wanted, err)
	if code, known := CodeOf(err); known && code == CKRObjectHandleInvalid {
		after = a.mayBeThere(function, wanted, after)
	}
	return after
}

// noteWanted names what was added, and what is about to be, to an observer that wants to know.
func (a *Additions) noteWanted(wanted []*addition) {
	if observer, wants := a.session.module.observer.(ChangeObserver); wants {
		observer.Adding(a.namesOf(append(slices.Clone(a.made), wanted...), nil))
	}
}

// noteDone names what stays on the token to an observer that wants to know. It is told only once what becomes of the run is.
func (a *Additions) noteDone(names []string) {
	if observer, wants := a.session.module.observer.(ChangeObserver); wants {
		observer.Added(names)
		observer.Adding(nil)
	}
}

// namesOf are the names of additions and of objects, as an observer gets them.
func (a *Additions) namesOf(additions []*addition, objects []*Object) (names []string) {
	name := func(o *Object, certificate []byte) {
		name := a.session.Slot.Token.URI().With(o).String()
		if len(certificate) > 0 { // others may be called as it is
			name = fmt.Sprintf("%s %x", name, sha256.Sum256(certificate))
		}
		names = append(names, name)
	}
	for _, w := range additions {
		for _, o := range w.asked() {
			name(o, w.certificate)
		}
	}
	for _, o := range objects {
		var certificate []byte
		if o.Class == CKOCertificate {
			certificate = o.Attributes.Bytes(CKAValue)
		}
		name(o, certificate)
	}
	return names
}

// makeOne is make for one object.
func (a *Additions) makeOne(function, detail string, w *addition, call func() (pkcs11.ObjectHandle, error)) (*Object, error) {
	err := a.make(function, detail, []*addition{w}, func() ([]pkcs11.ObjectHandle, error) {
		handle, err := call()
		return []pkcs11.ObjectHandle{handle}, err
	})
	if err != nil {
		return nil, err
	}
	return w.object, nil
}

// accept reads the new objects back. A handle that was there before is that of another object.
func (a *Additions) accept(function string, wanted []*addition, handles []pkcs11.ObjectHandle) error {
	for i, w := range wanted {
		if a.previous[handles[i]] || a.has(handles[i]) {
			return &AnswerError{Function: function, Fault: AnswerHandle, Err: fmt.Errorf("handle %d is that of an object which was there before", handles[i])}
		}
		object, err := a.session.readObject(handles[i])
		if err != nil {
			return err
		}
		if object.Class != w.class {
			return &AnswerError{Function: function, Fault: AnswerOtherObject, Err: fmt.Errorf("the new object is %s, and %s was asked for", object.Class, w.class)}
		}
		w.object = object
		a.made = append(a.made, w)
	}
	return nil
}

func (a *Additions) has(handle pkcs11.ObjectHandle) bool {
	return slices.ContainsFunc(a.made, func(w *addition) bool { return w.object.handle == handle })
}

// lookAfter looks what a call that failed has made.
func (a *Additions) lookAfter(function string, wanted []*addition, cause error) error {
	missing := slices.DeleteFunc(slices.Clone(wanted), func(w *addition) bool { return w.object != nil })
	found := len(missing) < len(wanted)
	handles, err := a.clearing().everyObject(context.Background()) // after an interruption, too
	if err != nil {
		for _, w := range missing {
			a.unsure = append(a.unsure, w.asked()...)
		}
		return &AnswerError{Function: function, Fault: AnswerUnknown, Err: errors.New(answered(cause) + ", and what it has made could not be found out: " + err.Error())}
	}
	for _, handle := range handles {
		if a.previous[handle] || a.has(handle) {
			continue
		}
		claimed, err := a.claim(handle, missing)
		if err != nil {
			return &AnswerError{Function: function, Fault: AnswerUnknown, Err: errors.New(answered(cause) + ", and what it has made could not be found out: " + err.Error())}
		}
		found = found || claimed
	}
	var answer *AnswerError
	if !found || errors.As(cause, &answer) {
		return cause
	}
	return &AnswerError{Function: function, Fault: AnswerDone, Err: errors.New(answered(cause) + ", and it was carried out all the same")}
}

// mayBeThere notes the objects that a call has made, as it says, and that nobody finds: a token that could not write one to its end may hide it
// until it is started anew.
func (a *Additions) mayBeThere(function string, wanted []*addition, cause error) error {
	hidden := slices.DeleteFunc(slices.Clone(wanted), func(w *addition) bool { return w.object != nil })
	for _, w := range hidden {
		a.unsure = append(a.unsure, w.asked()...)
	}
	if len(hidden) == 0 || errors.As(cause, new(*AnswerError)) {
		return cause
	}
	return &AnswerError{Function: function, Fault: AnswerNotDone, Err: errors.New("CKR_OK, and " + answered(cause) + " for what it has made")}
}

// answered is an error as part of an *AnswerError, which does not wrap it: what was answered is not what was done.
func answered(err error) string {
	if code, known := CodeOf(err); known {
		return functionOf(err) + " answered " + code.String()
	}
	return err.Error()
}

// claim takes a new object for one that was asked for, where it is shown to be that. It is false for an object of another class.
// The error is that of an object that could not be read: nobody knows whether it is one of those.
func (a *Additions) claim(handle pkcs11.ObjectHandle, wanted []*addition) (bool, error) {
	object, err := a.clearing().readObject(handle)
	if err != nil {
		for _, w := range wanted {
			a.unsure = append(a.unsure, w.asked()...)
		}
		return false, err
	}
	alike := false
	for _, w := range wanted {
		if w.object == nil && w.class == object.Class {
			if w.isFound(object) {
				w.object = object
				a.made = append(a.made, w)
				return true, nil
			}
			alike = true
		}
	}
	if alike {
		a.unsure = append(a.unsure, object)
	}
	return alike, nil
}

// asked is the object as it was last read, or as it was asked for, once under every name that it may have.
func (w *addition) asked() []*Object {
	if w.object != nil && len(w.names) == 1 {
		return []*Object{w.object}
	}
	return w.named()
}

// named is the object as it was asked for.
func (w *addition) named() (objects []*Object) {
	for _, name := range w.names {
		objects = append(objects, &Object{Class: w.class, Attributes: AttributesOf(map[Attribute]Answer{CKAID: {Value: name.ID}, CKALabel: {Value: []byte(name.Label)}})})
	}
	return objects
}

// isMade reports whether the object behind a handle that the token gave for a new one is that one: it has its name, or holds
// what it was given.
func (w *addition) isMade(o *Object) bool {
	return o.Class == w.class && o.Attributes.Bool(CKAToken) != False && (w.isNamed(o) || w.isFilled(o))
}

// isFound is isMade for an object that a search found. Others may have its name: a renewed certificate has the label and the
// CKA_ID of the old one.
func (w *addition) isFound(o *Object) bool {
	return w.isMade(o) && (w.class == CKOPrivateKey || w.unique || w.isFilled(o))
}

func (w *addition) isNamed(o *Object) bool {
	return slices.ContainsFunc(w.names, func(name Name) bool {
		return len(name.ID) > 0 && bytes.Equal(o.ID(), name.ID) && (name.Label == "" || string(o.Label()) == name.Label)
	})
}

func (w *addition) isFilled(o *Object) bool {
	if w.class == CKOCertificate {
		return len(w.certificate) > 0 && bytes.Equal(o.Attributes.Bytes(CKAValue), w.certificate)
	}
	public, known := PublicKeyOf(o)
	return known && len(w.public.SPKI) > 0 && public.Equal(w.public)
}

// errNotShown means that an object was not destroyed, since it could be somebody else's.
var errNotShown = errors.New("the object could not be shown to be the one that was put there; it was not destroyed")

// takeAway destroys an object, once it was read anew and is shown to be the run's own.
func (a *Additions) takeAway(w *addition) error {
	object, err := a.clearing().readObject(w.object.handle)
	if code, known := CodeOf(err); known && code == CKRObjectHandleInvalid {
		return errVanished // or hidden: a token that could not write a change to its end shows it again when it is started anew
	}
	if err != nil {
		return err
	}
	w.object = object
	if !w.isMade(object) {
		return errNotShown
	}
	return a.clearing().Destroy(object)
}

// Retract takes one object away again, so that another way can be tried. Whatever the error, the object counts as added still.
func (a *Additions) Retract(o *Object) error {
	i := slices.IndexFunc(a.made, func(w *addition) bool { return w.object.handle == o.handle })
	if i < 0 {
		return errNotShown
	}
	if err := a.takeAway(a.made[i]); err != nil {
		return err
	}
	left, err := a.clearing().Remaining([]*Object{o})
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return &AnswerError{Function: "C_DestroyObject", Fault: AnswerNotDone, Err: errors.New("CKR_OK, and the object is still there")}
	}
	a.made = slices.Delete(a.made, i, i+1)
	return nil
}

// Missing counts the objects that the token took and does not list.
func (a *Additions) Missing() (int, error) {
	var objects []*Object
	for _, w := range a.made {
		objects = append(objects, w.object)
	}
	there, err := a.session.Remaining(objects)
	return len(objects) - len(there), err
}

// undo takes everything away again. The error is cause, or a *RemainsError.
func (a *Additions) undo(cause error) error {
	vanished := map[*addition]bool{}
	for _, w := range slices.Backward(a.made) {
		vanished[w] = errors.Is(a.takeAway(w), errVanished) // whatever else it answers, the list tells
	}
	remains := &RemainsError{Token: a.session.Slot.Token, Unsure: a.unsure, Err: cause}
	handles, err := a.clearing().everyObject(context.Background())
	for _, w := range a.made {
		switch {
		case err != nil || vanished[w] && !slices.Contains(handles, w.object.handle):
			remains.Unsure = append(remains.Unsure, w.asked()...)
		case slices.Contains(handles, w.object.handle):
			remains.Objects = append(remains.Objects, w.object)
			if !w.isNamed(w.object) { // the token tells another CKA_ID than it was given, this time
				remains.Unsure = append(remains.Unsure, w.named()...)
			}
		}
	}
	if len(remains.Objects)+len(remains.Unsure) == 0 {
		return cause
	}
	return remains
}
