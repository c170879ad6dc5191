package host

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"p11bridge/token"
	"p11bridge/token/foreign"
)

// Inspection is what a module shows to everybody: nothing in it needs a login, and none is made. It consists of plain
// values, so that it can be handed from one process to another.
type Inspection struct {
	Info     *token.ModuleInfo // nil where the module could not be initialised
	Failure  *token.Failure    // why it could not be initialised, or its slots not be listed; nil where both was done
	Slots    []InspectedSlot
	PCSC     bool // the module speaks to readers through PC/SC: it has loaded that library, or is known to need it
	SoftHSM  bool // SoftHSM is in the process: it is the module, or stands behind it
	Complete bool // nothing more was to be asked
}

// InspectedSlot is a slot with what its token shows without a login.
type InspectedSlot struct {
	ID           uint
	Description  foreign.Text
	Manufacturer foreign.Text
	Removable    bool
	Internal     bool        // the token computes for its module and can hold nothing
	Token        *token.Info // nil where no token is present
	Mechanisms   []token.Mechanism
	Objects      *token.ObjectCount // nil where they were not counted
	Failure      *token.Failure     // the first call that failed
}

// Inspect loads the library and asks it for everything that it tells without a login, and finalises it again. Since a
// module may end the process at any call, report is told what is known before each step that could be the last. What fails
// is in the Inspection; the error is ctx's, or one of report's.
func Inspect(ctx context.Context, library token.Library, observer token.Observer, report func(*Inspection) error) (*Inspection, error) {
	known := &Inspection{}
	known.look(library.Path)
	module, err := token.Open(library, observer)
	if err != nil {
		known.Failure = token.FailureOf(err)
		known.look(library.Path)
		known.Complete = true
		return known, report(known)
	}
	known.Info = &module.Info
	if err := report(known); err != nil {
		return nil, err
	}
	slots, err := module.Slots(ctx)
	known.look(library.Path)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	known.Failure = token.FailureOf(err)
	known.show(slots)
	for i, slot := range slots {
		if err := report(known); err != nil {
			return nil, err
		}
		if slot.Token != nil && slot.Token.Flags.Has(token.CKFTokenInitialized) && !slot.Internal() {
			known.Slots[i].Failure = token.FailureOf(known.Slots[i].ask(ctx, slot))
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	if err := report(known); err != nil {
		return nil, err
	}
	if err := module.Close(); err != nil && known.Failure == nil {
		known.Failure = token.FailureOf(err)
	}
	known.Complete = true
	return known, report(known)
}

// Seen is an Inspection of a module that was opened for something else: of its slots, or of the error that it ended with.
func Seen(path string, slots []token.Slot, err error) *Inspection {
	seen := &Inspection{Failure: token.FailureOf(err), Complete: err == nil}
	seen.look(path)
	seen.show(slots)
	return seen
}

// show adds the slots as they were listed.
func (i *Inspection) show(slots []token.Slot) {
	for _, slot := range slots {
		i.Slots = append(i.Slots, InspectedSlot{
			ID: slot.ID, Description: slot.Description, Manufacturer: slot.Manufacturer, Removable: slot.Removable,
			Internal: slot.Internal(), Token: slot.Token, Failure: token.FailureOf(slot.Err),
		})
	}
}

// ask reads the mechanisms, and counts the objects that a session without a login shows.
func (s *InspectedSlot) ask(ctx context.Context, slot token.Slot) (result error) {
	mechanisms, err := slot.Mechanisms()
	if err != nil {
		return err
	}
	s.Mechanisms = mechanisms
	session, err := slot.OpenSession(token.ReadOnly)
	if err != nil {
		return err
	}
	defer func() { result = errors.Join(result, session.Close()) }()
	count, err := session.Count(ctx)
	if err != nil {
		return err
	}
	s.Objects = &count
	return nil
}

// needsPCSC knows the modules that reach their readers through PC/SC by name, for those that fail before they load its
// library.
func needsPCSC(path string) bool {
	name := filepath.Base(path)
	for _, place := range usualPlaces {
		known, _, _ := strings.Cut(filepath.Base(place.path), librarySuffix)
		if place.pcsc && strings.HasPrefix(name, known) {
			return true
		}
	}
	return slices.ContainsFunc(pcscAlone, func(known string) bool { return strings.HasPrefix(name, known) })
}

// look finds out what the module has brought into the process, itself or by way of another library. Where the system does not
// tell, the names have to do.
func (i *Inspection) look(path string) {
	i.PCSC, i.SoftHSM = needsPCSC(path), IsSoftHSM(path)
	for _, name := range loadedLibraries() {
		i.PCSC = i.PCSC || strings.HasPrefix(strings.ToLower(name), pcscLibrary)
		i.SoftHSM = i.SoftHSM || IsSoftHSM(name)
	}
}
