// Package cryptoki makes the C_* calls of a PKCS#11 module (PKCS#11 v2.40 and v3.1 §5) and believes nothing of what comes
// back but the bytes that were written into the room that was offered. A call that was refused is a pkcs11.Error. Every
// other error means an answer that cannot be used: a length or a count beyond the room, CK_INVALID_HANDLE with CKR_OK, or a
// function that the module's list does not have.
//
// The types of the binding github.com/miekg/pkcs11 serve for templates, handles and return values; none of its calls is
// made here. What C memory was needed for a call is wiped after it, and a PIN is never copied to C memory at all.
package cryptoki

// #include <stdlib.h>
// #include "cryptoki.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/miekg/pkcs11"

	"p11bridge/token/secret"
)

// Functions is a module's function list (CK_FUNCTION_LIST, PKCS#11 v2.40 §3.6). One goroutine at a time may use a session.
type Functions struct {
	list *C.CK_FUNCTION_LIST
}

// errMissing means a null pointer in the function list; a module must have every function, if only to say that it does not
// do it (PKCS#11 v2.40 §5.1).
var errMissing = errors.New("the module's function list does not have it")

// GetFunctionList calls the library's C_GetFunctionList. Some modules, p11-kit's among them, give a new instance at every
// call: only the one that is initialised will answer.
func GetFunctionList(get unsafe.Pointer) (*Functions, error) {
	f := &Functions{}
	if err := carryOut(func() C.p11b_result { return C.p11b_get_function_list(get, &f.list) }); err != nil {
		return nil, err
	}
	if f.list == nil {
		return nil, errors.New("no function list")
	}
	return f, nil
}

// carryOut makes a call. The error is nil for CKR_OK.
func carryOut(call func() C.p11b_result) error {
	var r C.p11b_result
	secret.Outside(func() { r = call() })
	switch {
	case r.missing != 0:
		return errMissing
	case r.rv != 0:
		return pkcs11.Error(r.rv)
	}
	return nil
}

// Initialize calls C_Initialize with CKF_OS_LOCKING_OK where several threads are to call it, and without where one at a time will. A module may keep the pointer to reserved, so that its copy is never
// freed; it is NULL where reserved is empty.
func (f *Functions) Initialize(reserved string, concurrent bool) error {
	var kept unsafe.Pointer
	if reserved != "" {
		secret.Outside(func() { kept = unsafe.Pointer(C.CString(reserved)) })
	}
	var flags C.CK_ULONG
	if concurrent {
		flags = pkcs11.CKF_OS_LOCKING_OK
	}
	return carryOut(func() C.p11b_result { return C.p11b_initialize(f.list, flags, kept) })
}

// Finalize calls C_Finalize.
func (f *Functions) Finalize() error {
	return carryOut(func() C.p11b_result { return C.p11b_finalize(f.list) })
}

// GetInfo calls C_GetInfo. Texts are as the module fills their fixed width.
func (f *Functions) GetInfo() (pkcs11.Info, error) {
	var info C.p11b_info
	if err := carryOut(func() C.p11b_result { return C.p11b_get_info(f.list, &info) }); err != nil {
		return pkcs11.Info{}, err
	}
	return pkcs11.Info{
		ManufacturerID: text(info.manufacturer[:]), LibraryDescription: text(info.description[:]),
		CryptokiVersion: version(info.cryptoki), LibraryVersion: version(info.library),
	}, nil
}

// Login calls C_Login. An empty PIN goes to the module as NULL: it is typed on the token's own keypad.
func (f *Functions) Login(session pkcs11.SessionHandle, user uint, pin []byte) error {
	return carryOut(func() C.p11b_result {
		return C.p11b_login(f.list, C.CK_SESSION(session), C.CK_ULONG(user), input(pin), C.CK_ULONG(len(pin)))
	})
}

// SessionState calls C_GetSessionInfo and gives the session's state: CKS_RO_USER_FUNCTIONS and its kin.
func (f *Functions) SessionState(session pkcs11.SessionHandle) (uint, error) {
	var state C.CK_ULONG
	err := carryOut(func() C.p11b_result { return C.p11b_get_session_state(f.list, C.CK_SESSION(session), &state) })
	return uint(state), err
}

// Logout calls C_Logout.
func (f *Functions) Logout(session pkcs11.SessionHandle) error {
	return carryOut(func() C.p11b_result { return C.p11b_logout(f.list, C.CK_SESSION(session)) })
}

// InitToken calls C_InitToken. The label has 32 bytes.
func (f *Functions) InitToken(slot uint, soPIN []byte, label string) error {
	if len(label) != 32 {
		return fmt.Errorf("a label of %d bytes", len(label))
	}
	padded := []byte(label)
	return carryOut(func() C.p11b_result {
		return C.p11b_init_token(f.list, C.CK_SLOT(slot), input(soPIN), C.CK_ULONG(len(soPIN)), input(padded))
	})
}

// InitPIN calls C_InitPIN.
func (f *Functions) InitPIN(session pkcs11.SessionHandle, pin []byte) error {
	return carryOut(func() C.p11b_result {
		return C.p11b_init_pin(f.list, C.CK_SESSION(session), input(pin), C.CK_ULONG(len(pin)))
	})
}

// OpenSession calls C_OpenSession.
func (f *Functions) OpenSession(slot, flags uint) (pkcs11.SessionHandle, error) {
	var session C.CK_SESSION
	err := carryOut(func() C.p11b_result { return C.p11b_open_session(f.list, C.CK_SLOT(slot), C.CK_ULONG(flags), &session) })
	if err == nil && session == 0 {
		err = errNoHandle
	}
	return pkcs11.SessionHandle(session), err
}

// CloseSession calls C_CloseSession.
func (f *Functions) CloseSession(session pkcs11.SessionHandle) error {
	return carryOut(func() C.p11b_result { return C.p11b_close_session(f.list, C.CK_SESSION(session)) })
}

func version(v C.CK_VERSION) pkcs11.Version {
	return pkcs11.Version{Major: byte(v.major), Minor: byte(v.minor)}
}

// text is a field of fixed width.
func text(field []C.CK_BYTE) string {
	return C.GoStringN((*C.char)(unsafe.Pointer(&field[0])), C.int(len(field)))
}
