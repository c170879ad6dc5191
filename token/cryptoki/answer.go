package cryptoki

// #include "cryptoki.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/miekg/pkcs11"
)

const (
	// mostTries bounds how often a call is made anew because there was more to tell than the room that was offered.
	mostTries = 5
	// mostListed bounds the slots of a module and the mechanisms of a token.
	mostListed = 1 << 16
	// mostBytes bounds a wrapped key and a signature.
	mostBytes = 1 << 20
	// roomForMechanisms is offered at the first try.
	roomForMechanisms = 1 << 10
	// roomForBytes is offered for a wrapped key or a signature at the first try: the key of RSA-16384 has 9,300.
	roomForBytes = 16 << 10
)

var (
	errNothing = errors.New("the module's answer cannot be used: CKR_OK, and nothing came out")
	errGrows   = errors.New("the module's answer cannot be used: every time there is more than it said before")
)

// bytesFrom makes a call that writes bytes, with ample room at first and with as much as the module asks for where that
// was too small (PKCS#11 v2.40 §5.2).
func bytesFrom(call func(out *C.CK_BYTE, written *C.CK_ULONG) C.p11b_result) ([]byte, error) {
	offered := C.CK_ULONG(roomForBytes)
	for range mostTries {
		given, answer, err := bytesInto(offered, call)
		if err == nil || !tooSmall(err) {
			return answer, err
		}
		if given <= offered { // it does not say how much it needs
			if err := carryOut(func() C.p11b_result { return call(nil, &given) }); err != nil {
				return nil, err
			}
		}
		if given > mostBytes {
			return nil, beyondError(given, mostBytes, "bytes")
		}
		offered = max(given, offered)
	}
	return nil, errGrows
}

func bytesInto(offered C.CK_ULONG, call func(out *C.CK_BYTE, written *C.CK_ULONG) C.p11b_result) (given C.CK_ULONG, answer []byte, err error) {
	var m memory
	defer m.free()
	out, given := m.room(int(offered), 0), offered
	switch err := carryOut(func() C.p11b_result { return call((*C.CK_BYTE)(out), &given) }); {
	case err != nil:
		return given, nil, err
	case given > offered:
		return given, nil, beyondError(given, offered, "bytes")
	case given == 0:
		return given, nil, errNothing
	}
	return given, C.GoBytes(out, C.int(given)), nil
}

func tooSmall(err error) bool {
	var code pkcs11.Error
	return errors.As(err, &code) && code == pkcs11.CKR_BUFFER_TOO_SMALL
}

// listFrom makes a call that lists numbers. It offers room for as many as are expected, and where none are it asks for the
// count first.
func listFrom(expected C.CK_ULONG, what string, call func(list, count *C.CK_ULONG) C.p11b_result) ([]uint, error) {
	for range mostTries {
		offered := expected
		if offered == 0 {
			if err := carryOut(func() C.p11b_result { return call(nil, &offered) }); err != nil && !tooSmall(err) { // some say so where there is no room at all
				return nil, err
			}
		}
		if offered > mostListed {
			return nil, beyondError(offered, mostListed, what)
		}
		given, list, err := listInto(offered, what, call)
		if err == nil || !tooSmall(err) {
			return list, err
		}
		if expected = given; given <= offered {
			expected = 0
		}
	}
	return nil, errGrows
}

func listInto(offered C.CK_ULONG, what string, call func(list, count *C.CK_ULONG) C.p11b_result) (given C.CK_ULONG, list []uint, err error) {
	var m memory
	defer m.free()
	// A list for none would be NULL, and that asks for the count.
	room, given := (*C.CK_ULONG)(m.room(int(max(offered, 1))*int(unsafe.Sizeof(C.CK_ULONG(0))), 0)), offered
	if err := carryOut(func() C.p11b_result { return call(room, &given) }); err != nil {
		return given, nil, err
	}
	if given > offered {
		return given, nil, beyondError(given, offered, what)
	}
	list = make([]uint, given)
	for i, n := range unsafe.Slice(room, given) {
		list[i] = uint(n)
	}
	return given, list, nil
}

// GetSlotList lists all slots (C_GetSlotList). The count is asked for first: that is when a module looks for new ones.
func (f *Functions) GetSlotList() ([]uint, error) {
	return listFrom(0, "slots", func(list, count *C.CK_ULONG) C.p11b_result { return C.p11b_get_slot_list(f.list, list, count) })
}

// GetMechanismList lists the mechanisms of a token (C_GetMechanismList).
func (f *Functions) GetMechanismList(slot uint) ([]uint, error) {
	return listFrom(roomForMechanisms, "mechanisms", func(list, count *C.CK_ULONG) C.p11b_result {
		return C.p11b_get_mechanism_list(f.list, C.CK_SLOT(slot), list, count)
	})
}

// GetMechanismInfo calls C_GetMechanismInfo.
func (f *Functions) GetMechanismInfo(slot, mechanism uint) (pkcs11.MechanismInfo, error) {
	var info C.CK_MECHANISM_INFO
	if err := carryOut(func() C.p11b_result {
		return C.p11b_get_mechanism_info(f.list, C.CK_SLOT(slot), C.CK_ULONG(mechanism), &info)
	}); err != nil {
		return pkcs11.MechanismInfo{}, err
	}
	return pkcs11.MechanismInfo{MinKeySize: uint(info.minKeySize), MaxKeySize: uint(info.maxKeySize), Flags: uint(info.flags)}, nil
}

// GetSlotInfo calls C_GetSlotInfo. Texts are as the module fills their fixed width.
func (f *Functions) GetSlotInfo(slot uint) (pkcs11.SlotInfo, error) {
	var info C.CK_SLOT_INFO
	if err := carryOut(func() C.p11b_result { return C.p11b_get_slot_info(f.list, C.CK_SLOT(slot), &info) }); err != nil {
		return pkcs11.SlotInfo{}, err
	}
	return pkcs11.SlotInfo{SlotDescription: text(info.description[:]), ManufacturerID: text(info.manufacturer[:]), Flags: uint(info.flags)}, nil
}

// GetTokenInfo calls C_GetTokenInfo. Texts are as the module fills their fixed width, and numbers may be
// CK_UNAVAILABLE_INFORMATION, which is ^uint(0) here whatever the size of CK_ULONG.
func (f *Functions) GetTokenInfo(slot uint) (pkcs11.TokenInfo, error) {
	var info C.CK_TOKEN_INFO
	if err := carryOut(func() C.p11b_result { return C.p11b_get_token_info(f.list, C.CK_SLOT(slot), &info) }); err != nil {
		return pkcs11.TokenInfo{}, err
	}
	number := func(n C.CK_ULONG) uint {
		if n == unavailable {
			return ^uint(0)
		}
		return uint(n)
	}
	return pkcs11.TokenInfo{
		Label: text(info.label[:]), ManufacturerID: text(info.manufacturer[:]), Model: text(info.model[:]), SerialNumber: text(info.serial[:]),
		Flags: uint(info.flags), MaxSessionCount: number(info.maxSessions), MaxRwSessionCount: number(info.maxRWSessions),
		MaxPinLen: number(info.maxPIN), MinPinLen: number(info.minPIN),
		HardwareVersion: version(info.hardware), FirmwareVersion: version(info.firmware),
	}, nil
}

// SignInit calls C_SignInit.
func (f *Functions) SignInit(session pkcs11.SessionHandle, mechanism Mechanism, key pkcs11.ObjectHandle) error {
	var m memory
	defer m.free()
	with := m.mechanism(mechanism)
	return carryOut(func() C.p11b_result { return C.p11b_sign_init(f.list, C.CK_SESSION(session), with, C.CK_OBJECT(key)) })
}

// Sign calls C_Sign.
func (f *Functions) Sign(session pkcs11.SessionHandle, data []byte) ([]byte, error) {
	return bytesFrom(func(out *C.CK_BYTE, written *C.CK_ULONG) C.p11b_result {
		return C.p11b_sign(f.list, C.CK_SESSION(session), input(data), C.CK_ULONG(len(data)), out, written)
	})
}

// DecryptInit calls C_DecryptInit.
func (f *Functions) DecryptInit(session pkcs11.SessionHandle, mechanism Mechanism, key pkcs11.ObjectHandle) error {
	var m memory
	defer m.free()
	with := m.mechanism(mechanism)
	return carryOut(func() C.p11b_result {
		return C.p11b_decrypt_init(f.list, C.CK_SESSION(session), with, C.CK_OBJECT(key))
	})
}

// Decrypt calls C_Decrypt.
func (f *Functions) Decrypt(session pkcs11.SessionHandle, ciphertext []byte) ([]byte, error) {
	return bytesFrom(func(out *C.CK_BYTE, written *C.CK_ULONG) C.p11b_result {
		return C.p11b_decrypt(f.list, C.CK_SESSION(session), input(ciphertext), C.CK_ULONG(len(ciphertext)), out, written)
	})
}

// WrapKey calls C_WrapKey.
func (f *Functions) WrapKey(session pkcs11.SessionHandle, mechanism Mechanism, wrapping, key pkcs11.ObjectHandle) ([]byte, error) {
	var m memory
	defer m.free()
	with := m.mechanism(mechanism)
	return bytesFrom(func(out *C.CK_BYTE, written *C.CK_ULONG) C.p11b_result {
		return C.p11b_wrap_key(f.list, C.CK_SESSION(session), with, C.CK_OBJECT(wrapping), C.CK_OBJECT(key), out, written)
	})
}

// FindObjects calls C_FindObjects for the next objects of a search, at most so many.
func (f *Functions) FindObjects(session pkcs11.SessionHandle, most int) ([]pkcs11.ObjectHandle, error) {
	_, list, err := listInto(C.CK_ULONG(most), "objects", func(list, count *C.CK_ULONG) C.p11b_result {
		offered := *count
		*count = 0
		return C.p11b_find_objects(f.list, C.CK_SESSION(session), list, offered, count)
	})
	if err != nil {
		return nil, err
	}
	handles := make([]pkcs11.ObjectHandle, len(list))
	for i, handle := range list {
		if handle == 0 {
			return nil, fmt.Errorf("object %d of %d: %w", i+1, len(list), errNoHandle)
		}
		handles[i] = pkcs11.ObjectHandle(handle)
	}
	return handles, nil
}
