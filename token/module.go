// Package token turns PKCS#11 modules, slots, tokens, sessions and objects into plain Go values. It is the only place that calls
// C_* functions (PKCS#11 v2.40 and v3.1); it decides nothing and knows no PKCS#12.
//
// Call Open for a module, Module.Slots for its slots, Slot.OpenSession for a session, Session.Login with the PIN, and
// Session.Inventory for everything that is there. Inventory.Identities says which objects belong together. Close sessions, then the
// module.
//
// Sizes of keys are in bits, lengths in bytes; a CKA_ID is raw bytes, a certificate DER, a public key a DER SubjectPublicKeyInfo.
// Text of a token is a foreign.Text, which is safe to print. An attribute that the token does not give is NotGiven, never false.
//
// Errors: *Error is what a C_* function answered, with its name; *AnswerError is an answer that cannot be true; *LoginError is a PIN
// that was missing or refused. CodeOf gives the CKR of any of them, and Lost says whether the session can be used any longer.
//
// What is promised: nothing that a module says is believed, no count, no length, no handle and no CKR_OK; every
// object that was listed is in the inventory, read or not.
package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/ThalesIgnite/crypto11"
	"github.com/miekg/pkcs11"

	"p11bridge/token/cryptoki"
	"p11bridge/token/foreign"
)

// Library names a PKCS#11 library and what its C_Initialize needs.
type Library struct {
	Path       string // absolute, or a bare file name that the loader searches for
	InitString string // CK_C_INITIALIZE_ARGS.pReserved as NSS reads it; usually empty
	Name       string // the p11-kit module's name, where it came from there
	NamedBy    string // the p11-kit file that names it, where it came from there
}

// Observer is told of every C_* call before and after it is made. Begin and End of one call come from the same
// goroutine; calls of different sessions may overlap. End is given the error that the call ended with: CodeOf finds the
// module's answer in it, where the module gave one.
type Observer interface {
	Begin(module, function string) (slot int)
	End(slot int, function, detail string, err error, took time.Duration)
}

// ChangeObserver is an Observer that is also told what a run changes on a token, by URIs, of a certificate with its SHA-256 behind a blank.
// Whoever outlives the process can name what it did and did not live to tell.
type ChangeObserver interface {
	// Adding names, before every call that may add an object, all that the work at hand has added and is adding. No names mean that it
	// is done.
	Adding(names []string)
	// Added names what stays on the token of work that is done.
	Added(names []string)
	// Destroying names a private key that is about to be destroyed, and had been there before the run.
	Destroying(name string)
}

// Module is a loaded and initialised PKCS#11 library.
type Module struct {
	Library Library
	Info    ModuleInfo

	getFunctionList unsafe.Pointer // C_GetFunctionList

	functions *cryptoki.Functions // nil once closed
	observer  Observer
	ours      bool // this Module initialised the library, so it finalises it
	// concurrent: the library has agreed to be called by several threads at once, by CKR_OK to CKF_OS_LOCKING_OK (PKCS#11 v3.1 §5.4.1).
	concurrent bool
	crypto11   *crypto11.Context // where it initialised the library, it finalises it

	listing sync.Mutex // exports have several sessions
	listed  map[uint][]Mechanism
}

// ModuleInfo is what C_GetInfo tells (PKCS#11 v3.1 §5.4.2).
type ModuleInfo struct {
	Path            string       `json:"path"`
	Manufacturer    foreign.Text `json:"manufacturer"`
	Description     foreign.Text `json:"description"`
	LibraryVersion  string       `json:"library_version"`
	CryptokiVersion string       `json:"cryptoki_version"`
}

// Open loads the library and calls C_Initialize and C_GetInfo. The error is a *LoadError where the library cannot be
// used at all, and an *Error where one of the two calls failed. A module that was initialised by somebody else in this
// process is used and not finalised.
func Open(library Library, observer Observer) (*Module, error) {
	m := &Module{Library: library, observer: observer}
	if err := m.load(); err != nil {
		return nil, err
	}
	if err := m.initialize(); err != nil {
		return nil, err
	}
	var info pkcs11.Info
	err := m.call("C_GetInfo", "", func() (err error) { info, err = m.functions.GetInfo(); return err })
	if code, given := CodeOf(err); given && !m.ours && code == pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED {
		err = fmt.Errorf("%w, and %w", &Error{Function: "C_Initialize", Code: CKRCryptokiAlreadyInitialized}, err)
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	m.Info = ModuleInfo{
		Path: library.Path, Manufacturer: foreign.Text(trim(info.ManufacturerID)), Description: foreign.Text(trim(info.LibraryDescription)),
		LibraryVersion: version(info.LibraryVersion), CryptokiVersion: version(info.CryptokiVersion),
	}
	return m, nil
}

func (m *Module) initialize() error {
	err := m.call("C_Initialize", "", func() error { return m.functions.Initialize(m.Library.InitString, true) })
	m.concurrent = err == nil
	if code, ok := CodeOf(err); ok && code == pkcs11.CKR_CANT_LOCK { // it is for one thread at a time
		err = m.call("C_Initialize", "", func() error { return m.functions.Initialize(m.Library.InitString, false) })
	}
	if code, ok := CodeOf(err); ok && code == CKRCryptokiAlreadyInitialized {
		return nil
	}
	m.ours = err == nil
	return err
}

// Close finalises the library if this Module initialised it. Sessions are to be closed before.
func (m *Module) Close() error {
	if m.functions == nil {
		return nil
	}
	err := m.closeCrypto11()
	if m.ours {
		err = errors.Join(err, m.call("C_Finalize", "", m.functions.Finalize))
	}
	m.functions = nil
	return err
}

// call makes one C_* call under the observer's eyes and gives its failure as an *Error.
func (m *Module) call(function, detail string, f func() error) error {
	return m.watch(function, detail, func() error {
		return asError(function, f())
	})
}

// asError makes an *Error of a return value, and an *AnswerError of an answer that cannot be used.
func asError(function string, err error) error {
	var code pkcs11.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &code):
		return &Error{Function: function, Code: CKR(code)}
	}
	return &AnswerError{Function: function, Fault: AnswerUnusable, Err: err}
}

func (m *Module) watch(function, detail string, f func() error) error {
	if m.observer == nil {
		return f()
	}
	start := time.Now()
	slot := m.observer.Begin(m.Library.Path, function)
	err := f()
	m.observer.End(slot, function, detail, err, time.Since(start))
	return err
}

// Slots lists the module's slots with what is in them, in the module's order. A slot whose information cannot be read
// is listed with the error.
func (m *Module) Slots(ctx context.Context) ([]Slot, error) {
	var ids []uint
	err := m.call("C_GetSlotList", "", func() (err error) { ids, err = m.functions.GetSlotList(); return err })
	if err != nil {
		return nil, err
	}
	slots := make([]Slot, 0, len(ids))
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		slots = append(slots, m.slot(id))
	}
	return slots, nil
}

func (m *Module) slot(id uint) Slot {
	slot := Slot{ID: id, module: m}
	var info pkcs11.SlotInfo
	detail := fmt.Sprintf("slot %d", id)
	slot.Err = m.call("C_GetSlotInfo", detail, func() (err error) { info, err = m.functions.GetSlotInfo(id); return err })
	if slot.Err != nil {
		return slot
	}
	slot.Description, slot.Manufacturer = foreign.Text(trim(info.SlotDescription)), foreign.Text(trim(info.ManufacturerID))
	slot.Removable = info.Flags&pkcs11.CKF_REMOVABLE_DEVICE != 0
	if info.Flags&pkcs11.CKF_TOKEN_PRESENT == 0 {
		return slot
	}
	slot.Token, slot.Err = m.tokenInfo(id)
	if code, ok := CodeOf(slot.Err); ok && code == CKRTokenNotPresent { // pulled between the two calls
		slot.Absent, slot.Err = slot.Err, nil
	}
	return slot
}

// trim cuts the blank padding of fixed-width PKCS#11 strings, and the zeros that some modules pad with instead.
func trim(s string) string { return strings.TrimRight(strings.ToValidUTF8(s, "\uFFFD"), " \x00") }

func version(v pkcs11.Version) string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }
