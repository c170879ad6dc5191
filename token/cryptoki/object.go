package cryptoki

// #include "cryptoki.h"
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/miekg/pkcs11"

	"p11bridge/token/secret"
)

// unavailable is CK_UNAVAILABLE_INFORMATION.
const unavailable = ^C.CK_ULONG(0)

// UlongSize is the size of CK_ULONG in bytes.
const UlongSize = int(unsafe.Sizeof(C.CK_ULONG(0)))

// FindObjectsInit calls C_FindObjectsInit.
func (f *Functions) FindObjectsInit(session pkcs11.SessionHandle, template []*pkcs11.Attribute) error {
	var m memory
	defer m.free()
	list, count := m.template(template)
	return carryOut(func() C.p11b_result { return C.p11b_find_objects_init(f.list, C.CK_SESSION(session), list, count) })
}

// FindObjectsFinal calls C_FindObjectsFinal.
func (f *Functions) FindObjectsFinal(session pkcs11.SessionHandle) error {
	return carryOut(func() C.p11b_result { return C.p11b_find_objects_final(f.list, C.CK_SESSION(session)) })
}

// CreateObject calls C_CreateObject.
func (f *Functions) CreateObject(session pkcs11.SessionHandle, template []*pkcs11.Attribute) (pkcs11.ObjectHandle, error) {
	var m memory
	defer m.free()
	list, count := m.template(template)
	var object C.CK_OBJECT
	return handleOf(func() C.p11b_result { return C.p11b_create_object(f.list, C.CK_SESSION(session), list, count, &object) }, &object)
}

// DestroyObject calls C_DestroyObject.
func (f *Functions) DestroyObject(session pkcs11.SessionHandle, object pkcs11.ObjectHandle) error {
	return carryOut(func() C.p11b_result { return C.p11b_destroy_object(f.list, C.CK_SESSION(session), C.CK_OBJECT(object)) })
}

// SetAttributeValue calls C_SetAttributeValue.
func (f *Functions) SetAttributeValue(session pkcs11.SessionHandle, object pkcs11.ObjectHandle, template []*pkcs11.Attribute) error {
	var m memory
	defer m.free()
	list, count := m.template(template)
	return carryOut(func() C.p11b_result {
		return C.p11b_set_attribute_value(f.list, C.CK_SESSION(session), C.CK_OBJECT(object), list, count)
	})
}

// UnwrapKey calls C_UnwrapKey.
func (f *Functions) UnwrapKey(session pkcs11.SessionHandle, mechanism Mechanism, unwrapping pkcs11.ObjectHandle, wrapped []byte,
	template []*pkcs11.Attribute,
) (pkcs11.ObjectHandle, error) {
	var m memory
	defer m.free()
	list, count := m.template(template)
	with := m.mechanism(mechanism)
	var key C.CK_OBJECT
	return handleOf(func() C.p11b_result {
		return C.p11b_unwrap_key(f.list, C.CK_SESSION(session), with, C.CK_OBJECT(unwrapping), input(wrapped),
			C.CK_ULONG(len(wrapped)), list, count, &key)
	}, &key)
}

// DeriveKey calls C_DeriveKey.
func (f *Functions) DeriveKey(session pkcs11.SessionHandle, mechanism Mechanism, base pkcs11.ObjectHandle, template []*pkcs11.Attribute) (pkcs11.ObjectHandle, error) {
	var m memory
	defer m.free()
	list, count := m.template(template)
	with := m.mechanism(mechanism)
	var key C.CK_OBJECT
	return handleOf(func() C.p11b_result {
		return C.p11b_derive_key(f.list, C.CK_SESSION(session), with, C.CK_OBJECT(base), list, count, &key)
	}, &key)
}

// GenerateKeyPair calls C_GenerateKeyPair. Where only one of two handles can be used, it is given with the error.
func (f *Functions) GenerateKeyPair(session pkcs11.SessionHandle, mechanism Mechanism, public, private []*pkcs11.Attribute) (publicKey, privateKey pkcs11.ObjectHandle, err error) {
	var m memory
	defer m.free()
	publicList, publics := m.template(public)
	privateList, privates := m.template(private)
	with := m.mechanism(mechanism)
	var publicHandle, privateHandle C.CK_OBJECT
	err = carryOut(func() C.p11b_result {
		return C.p11b_generate_key_pair(f.list, C.CK_SESSION(session), with, publicList, publics, privateList, privates,
			&publicHandle, &privateHandle)
	})
	if err == nil && (publicHandle == 0 || privateHandle == 0 || publicHandle == privateHandle) {
		err = fmt.Errorf("public key %d, private key %d: %w", uint64(publicHandle), uint64(privateHandle), errNoHandle)
	}
	return pkcs11.ObjectHandle(publicHandle), pkcs11.ObjectHandle(privateHandle), err
}

// handleOf is the handle of an object that a call has made. The pointer is read after the call.
func handleOf(call func() C.p11b_result, made *C.CK_OBJECT) (pkcs11.ObjectHandle, error) {
	if err := carryOut(call); err != nil {
		return 0, err
	}
	if *made == 0 {
		return 0, errNoHandle
	}
	return pkcs11.ObjectHandle(*made), nil
}

// holdsKey reports whether a private key consists of the attribute.
func holdsKey(a uint) bool {
	return a == pkcs11.CKA_VALUE || a >= pkcs11.CKA_PRIVATE_EXPONENT && a <= pkcs11.CKA_COEFFICIENT
}

// Given is what a module gave for one attribute.
type Given struct {
	// Length is what the module says, ^uint(0) for CK_UNAVAILABLE_INFORMATION. It is not to be believed.
	Length uint
	// Value is what it has written, nil where Length is beyond the room that was offered. The caller wipes it.
	Value []byte
}

// GetAttributeValue asks for attributes in one call (C_GetAttributeValue) with so many bytes of room for each, filled with
// fill before; no room asks for the length. What was given comes with the error: the specification has a module fill in
// every value that it can, whatever becomes of the others.
func (f *Functions) GetAttributeValue(session pkcs11.SessionHandle, object pkcs11.ObjectHandle, wanted []uint, room []int, fill byte) ([]Given, error) {
	var m memory
	defer m.free()
	values := m.rooms(room, fill) // whatever the module makes of the template's pointers
	for i, a := range wanted {
		if holdsKey(a) && values[i].at != nil {
			secret.Lock(unsafe.Slice((*byte)(values[i].at), room[i]))
		}
	}
	template := m.templateOf(wanted, values)
	err := carryOut(func() C.p11b_result {
		return C.p11b_get_attribute_value(f.list, C.CK_SESSION(session), C.CK_OBJECT(object), template, C.CK_ULONG(len(wanted)))
	})
	given := make([]Given, len(wanted))
	if len(wanted) == 0 {
		return given, err
	}
	lengths := make([]C.CK_ULONG, len(wanted))
	secret.Outside(func() { C.p11b_attribute_lengths(template, &lengths[0], C.size_t(len(lengths))) })
	for i, length := range lengths {
		if given[i].Length = uint(length); length == unavailable {
			given[i].Length = ^uint(0)
		}
		if length <= C.CK_ULONG(room[i]) { // CK_UNAVAILABLE_INFORMATION is beyond any room
			given[i].Value = C.GoBytes(values[i].at, C.int(length))
		}
	}
	return given, err
}
