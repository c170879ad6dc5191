package cryptoki

// #include "cryptoki.h"
import "C"

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/miekg/pkcs11"

	"p11bridge/token/secret"
)

// errNoHandle means CK_INVALID_HANDLE with CKR_OK (PKCS#11 v2.40 §3.5).
var errNoHandle = errors.New("the module's answer is no handle: CK_INVALID_HANDLE")

// beyondError is a length or a count that is more than was offered.
func beyondError(given, offered C.CK_ULONG, what string) error {
	return fmt.Errorf("the module's answer cannot be used: %d %s, where there was room for %d", uint64(given), what, uint64(offered))
}

// memory is C memory for one call. What is copied to it and from it is copied by Go code, since what C code leaves in registers
// is not erased. Every piece is an allocation of its own, so that AddressSanitizer sees whoever reads or
// writes past its end.
type memory struct {
	pieces []C.p11b_piece // no Go pointers are in it
}

// room gives n bytes, each set to fill; NULL for none.
func (m *memory) room(n int, fill byte) unsafe.Pointer { return m.rooms([]int{n}, fill)[0].at }

// rooms are several at once.
func (m *memory) rooms(sizes []int, fill byte) []C.p11b_piece {
	held := len(m.pieces)
	m.pieces = slices.Grow(m.pieces, len(sizes))
	for _, n := range sizes {
		m.pieces = append(m.pieces, C.p11b_piece{size: C.size_t(n)})
	}
	made := m.pieces[held:]
	if len(made) > 0 {
		secret.Outside(func() { C.p11b_rooms(&made[0], C.size_t(len(made)), C.int(fill)) })
	}
	return made
}

// copy gives a copy of b, NULL where b is empty.
func (m *memory) copy(b []byte) unsafe.Pointer {
	piece := m.rooms([]int{len(b)}, 0)[0]
	copyTo(piece, b)
	return piece.at
}

// copyTo copies b to a piece of its size.
func copyTo(piece C.p11b_piece, b []byte) {
	if len(b) == 0 {
		return
	}
	to := unsafe.Slice((*byte)(piece.at), len(b))
	secret.Lock(to) // it may be a key
	copy(to, b)
}

// free wipes and frees every piece.
func (m *memory) free() {
	if len(m.pieces) > 0 {
		secret.Outside(func() { C.p11b_release(&m.pieces[0], C.size_t(len(m.pieces))) })
	}
	m.pieces = nil
}

// template copies attributes. An empty value is NULL.
func (m *memory) template(attributes []*pkcs11.Attribute) (*C.CK_ATTRIBUTE, C.CK_ULONG) {
	types, sizes := make([]uint, len(attributes)), make([]int, len(attributes))
	for i, a := range attributes {
		types[i], sizes[i] = a.Type, len(a.Value)
	}
	values := m.rooms(sizes, 0)
	for i, a := range attributes {
		copyTo(values[i], a.Value)
	}
	return m.templateOf(types, values), C.CK_ULONG(len(attributes))
}

// templateOf makes a template whose values are the pieces.
func (m *memory) templateOf(types []uint, values []C.p11b_piece) *C.CK_ATTRIBUTE {
	if len(types) == 0 {
		return nil
	}
	template := (*C.CK_ATTRIBUTE)(m.room(len(types)*int(unsafe.Sizeof(C.CK_ATTRIBUTE{})), 0))
	numbers := make([]C.CK_ULONG, len(types))
	for i, a := range types {
		numbers[i] = C.CK_ULONG(a)
	}
	secret.Outside(func() { C.p11b_set_attributes(template, &numbers[0], &values[0], C.size_t(len(numbers))) })
	return template
}

// Mechanism is a mechanism with its parameter (CK_MECHANISM, PKCS#11 v2.40 §3.5).
type Mechanism struct {
	Type      uint
	Parameter []byte
	// RSAAESKeyWrap is the parameter of CKM_RSA_AES_KEY_WRAP, which has pointers in it.
	RSAAESKeyWrap *RSAAESKeyWrap
	// OAEP is the parameter of CKM_RSA_PKCS_OAEP, which may have a pointer in it.
	OAEP *OAEP
	// ECDH1Public is the other side's public point in CK_ECDH1_DERIVE_PARAMS, with CKD_NULL (PKCS#11 v3.1 §6.3.17).
	ECDH1Public []byte
}

// OAEP is CK_RSA_PKCS_OAEP_PARAMS with a label that is empty (PKCS#11 v3.1 §6.1.8).
type OAEP struct {
	Hash, MGF uint
}

// RSAAESKeyWrap is CK_RSA_AES_KEY_WRAP_PARAMS with an OAEP label that is empty (PKCS#11 v3.1 §6.1.23).
type RSAAESKeyWrap struct {
	AESKeyBits, Hash, MGF uint
}

func (m *memory) mechanism(mechanism Mechanism) *C.CK_MECHANISM {
	at := (*C.CK_MECHANISM)(m.room(int(unsafe.Sizeof(C.CK_MECHANISM{})), 0))
	parameter, length := m.copy(mechanism.Parameter), len(mechanism.Parameter)
	if wrap := mechanism.RSAAESKeyWrap; wrap != nil {
		length = int(unsafe.Sizeof(C.CK_RSA_AES_KEY_WRAP_PARAMS{}))
		parameter = m.room(length, 0)
		oaep := m.room(int(unsafe.Sizeof(C.CK_RSA_PKCS_OAEP_PARAMS{})), 0)
		secret.Outside(func() {
			C.p11b_set_rsa_aes_key_wrap((*C.CK_RSA_AES_KEY_WRAP_PARAMS)(parameter), (*C.CK_RSA_PKCS_OAEP_PARAMS)(oaep),
				C.CK_ULONG(wrap.AESKeyBits), C.CK_ULONG(wrap.Hash), C.CK_ULONG(wrap.MGF))
		})
	}
	if oaep := mechanism.OAEP; oaep != nil {
		length = int(unsafe.Sizeof(C.CK_RSA_PKCS_OAEP_PARAMS{}))
		parameter = m.room(length, 0)
		secret.Outside(func() {
			C.p11b_set_oaep((*C.CK_RSA_PKCS_OAEP_PARAMS)(parameter), C.CK_ULONG(oaep.Hash), C.CK_ULONG(oaep.MGF))
		})
	}
	if len(mechanism.ECDH1Public) > 0 {
		length = int(unsafe.Sizeof(C.CK_ECDH1_DERIVE_PARAMS{}))
		parameter = m.room(length, 0)
		point := m.copy(mechanism.ECDH1Public)
		secret.Outside(func() {
			C.p11b_set_ecdh1_derive((*C.CK_ECDH1_DERIVE_PARAMS)(parameter), point, C.CK_ULONG(len(mechanism.ECDH1Public)))
		})
	}
	secret.Outside(func() { C.p11b_set_mechanism(at, C.CK_ULONG(mechanism.Type), parameter, C.CK_ULONG(length)) })
	return at
}

// input is a pointer to bytes that a module only reads, for the time of one call; NULL for none.
func input(b []byte) *C.CK_BYTE {
	if len(b) == 0 {
		return nil
	}
	return (*C.CK_BYTE)(unsafe.Pointer(&b[0]))
}
