package token

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Inspection is what a module shows to everybody: nothing in it needs a login, and none is made. It consists of plain
// values, so that it can be handed from one process to another.
type Inspection struct {
	Info     *ModuleInfo // nil where the module could not be initialised
	Failure  *Failure    // why it could not be initialised, or its slots not be listed; nil where both was done
	Slots    []InspectedSlot
	PCSC     bool // the module speaks to readers through PC/SC: it has loaded that library, or is known to need it
	SoftHSM  bool // SoftHSM is in the process: it is the module, or stands behind it
	Complete bool // nothing more was to be asked
}

// InspectedSlot is a slot with what its token shows without a login.
type InspectedSlot struct {
	ID           uint
	Description  string
	Manufacturer string
	Removable    bool
	Internal     bool  // the token computes for its module and can hold nothing
	Token        *Info // nil where no token is present
	Mechanisms   []Mechanism
	Objects      *ObjectCount // nil where they were not counted
	Failure      *Failure     // the first call that failed
}

// ObjectCount counts the objects that a session shows.
type ObjectCount struct {
	All          int `json:"all"`
	Certificates int `json:"certificates"`
	PublicKeys   int `json:"public_keys"`
	PrivateKeys  int `json:"private_keys"`
}

// Failure is an error of this package as plain values.
type Failure struct {
	Fault    LoadFault // for a library that could not be loaded, else empty
	Function string    // "C_Initialize"; empty for a library that could not be loaded
	Code     CKR       // what the function answered; CKR_OK where the answer could not be used
	Text     string    // the error in its own words; for a library that could not be loaded the loader's
}

// FailureOf gives err as plain values. It is nil for nil.
func FailureOf(err error) *Failure {
	var load *LoadError
	var answer *AnswerError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &load):
		return &Failure{Fault: load.Fault, Text: load.Text}
	case errors.As(err, &answer):
		return &Failure{Function: answer.Function, Text: answer.Err.Error()}
	}
	failure := &Failure{Function: functionOf(err), Text: err.Error()}
	failure.Code, _ = CodeOf(err)
	return failure
}

// Inspect loads the library and asks it for everything that it tells without a login, and finalises it again. Since a
// module may end the process at any call, report is told what is known before each step that could be the last. What fails
// is in the Inspection; the error is ctx's, or one of report's.
func Inspect(ctx context.Context, library Library, observer Observer, report func(*Inspection) error) (*Inspection, error) {
	known := &Inspection{}
	known.look(library.Path)
	module, err := Open(library, observer)
	if err != nil {
		known.Failure = FailureOf(err)
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
	known.Failure = FailureOf(err)
	for _, slot := range slots {
		known.Slots = append(known.Slots, InspectedSlot{
			ID: slot.ID, Description: slot.Description, Manufacturer: slot.Manufacturer, Removable: slot.Removable,
			Internal: slot.Internal(), Token: slot.Token, Failure: FailureOf(slot.Err),
		})
	}
	for i, slot := range slots {
		if err := report(known); err != nil {
			return nil, err
		}
		if slot.Token != nil && slot.Token.Flags.Has(CKFTokenInitialized) && !slot.Internal() {
			known.Slots[i].Failure = FailureOf(known.Slots[i].ask(ctx, slot))
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	if err := report(known); err != nil {
		return nil, err
	}
	if err := module.Close(); err != nil && known.Failure == nil {
		known.Failure = FailureOf(err)
	}
	known.Complete = true
	return known, report(known)
}

// ask reads the mechanisms, and counts the objects that a session without a login shows.
func (s *InspectedSlot) ask(ctx context.Context, slot Slot) (result error) {
	mechanisms, err := slot.module.mechanisms(slot.ID)
	if err != nil {
		return err
	}
	s.Mechanisms = mechanisms
	session, err := slot.OpenSession(ReadOnly)
	if err != nil {
		return err
	}
	defer func() { result = errors.Join(result, session.Close()) }()
	count, err := session.count(ctx)
	if err != nil {
		return err
	}
	s.Objects = &count
	return nil
}

// count counts the objects that the session shows, by class.
func (s *Session) count(ctx context.Context) (ObjectCount, error) {
	all, err := s.find(ctx, "all objects")
	if err != nil {
		return ObjectCount{}, err
	}
	count := ObjectCount{All: len(all)}
	if len(all) == 0 {
		return count, nil
	}
	for _, row := range []struct {
		class  Class
		number *int
	}{{CKOCertificate, &count.Certificates}, {CKOPublicKey, &count.PublicKeys}, {CKOPrivateKey, &count.PrivateKeys}} {
		found, err := s.find(ctx, row.class.String(), ulong(CKAClass, uint(row.class)))
		if err != nil {
			return ObjectCount{}, err
		}
		*row.number = len(found)
	}
	return count, nil
}

// pcscModules are the beginnings of file names of modules that reach their readers through PC/SC, for those that fail
// before they load its library.
var pcscModules = []string{"opensc-pkcs11", "onepin-opensc-pkcs11", "libykcs11", "libsc-hsm-pkcs11", "libeTPkcs11", "libeToken", "libIDPrimePKCS11", "libbit4xpki", "libASEP11", "libaetpkss"}

func needsPCSC(path string) bool {
	for _, name := range pcscModules {
		if strings.HasPrefix(filepath.Base(path), name) {
			return true
		}
	}
	return false
}

// look finds out what the module has brought into the process, itself or by way of another library.
func (i *Inspection) look(path string) {
	i.PCSC, i.SoftHSM = needsPCSC(path), strings.HasPrefix(filepath.Base(path), "libsofthsm")
	maps, err := os.Open("/proc/self/maps")
	if err != nil { // the names have to do
		return
	}
	defer maps.Close()
	scanner := bufio.NewScanner(maps)
	for scanner.Scan() {
		name := filepath.Base(scanner.Text())
		i.PCSC = i.PCSC || strings.HasPrefix(name, "libpcsclite.so")
		i.SoftHSM = i.SoftHSM || strings.HasPrefix(name, "libsofthsm")
	}
}
