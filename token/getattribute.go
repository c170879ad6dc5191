package token

/*
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned long type; void *value; unsigned long length; } p11b_attribute;

// CK_FUNCTION_LIST (PKCS#11 v2.40 §3.6): a version, then the functions in the specification's order.
typedef struct { unsigned char version[2]; void *functions[68]; } p11b_functions;
typedef unsigned long (*p11b_get_attribute_value)(unsigned long, unsigned long, p11b_attribute *, unsigned long);
enum { P11B_C_GET_ATTRIBUTE_VALUE = 24 };

static unsigned long p11b_get(void *list, unsigned long session, unsigned long object, p11b_attribute *template, unsigned long count) {
	p11b_get_attribute_value f = (p11b_get_attribute_value)((p11b_functions *)list)->functions[P11B_C_GET_ATTRIBUTE_VALUE];
	return f == NULL ? 0x54 : f(session, object, template, count);
}
*/
import "C"

import (
	"unsafe"

	"github.com/miekg/pkcs11"
)

// The binding's C_GetAttributeValue asks twice for everything, for the sizes and for the values, and believes the lengths
// that a module returns: one that lies shows this process's memory. So this one call is made here.

const (
	// roomForValue and roomForOther are the bytes offered for an attribute at the first try.
	roomForValue = 8 << 10
	roomForOther = 1 << 10
	// roomAtMost bounds what a module may ask for one attribute.
	roomAtMost = 1 << 20
	// unavailable is CK_UNAVAILABLE_INFORMATION.
	unavailable = ^C.ulong(0)
	// unwritten fills the buffers where a value that was only announced, or is shorter than announced, must be told from one
	// that was written.
	unwritten = 0xA5
)

// attributeBuffers is C memory for one call's template and values. It is wiped after every call.
type attributeBuffers struct {
	template []C.p11b_attribute
	memory   unsafe.Pointer
	size     int
}

func newAttributeBuffers(wanted []Attribute, room []int, fill byte) *attributeBuffers {
	header := len(wanted) * int(unsafe.Sizeof(C.p11b_attribute{}))
	size := header
	for _, n := range room {
		size += (n + 7) &^ 7
	}
	b := &attributeBuffers{memory: C.malloc(C.size_t(size)), size: size}
	C.memset(b.memory, C.int(fill), C.size_t(size))
	b.template = unsafe.Slice((*C.p11b_attribute)(b.memory), len(wanted))
	at := header
	for i, a := range wanted {
		b.template[i]._type = C.ulong(a)
		b.template[i].length = C.ulong(room[i])
		if room[i] > 0 {
			b.template[i].value = unsafe.Add(b.memory, at)
		}
		at += (room[i] + 7) &^ 7
	}
	return b
}

func (b *attributeBuffers) free() {
	C.memset(b.memory, 0, C.size_t(b.size))
	C.free(b.memory)
}

// get asks for the attributes in one call (PKCS#11 v3.1 §5.7.5), and in three where a value is longer than the room that
// was offered. It is all or nothing: where the token will not tell one of them, the error is that one's return value, and
// what the module may have written is not believed. A value whose length is CK_UNAVAILABLE_INFORMATION, or beyond the
// room, is nil. The caller wipes values that are secret.
func (s *Session) get(handle pkcs11.ObjectHandle, wanted []Attribute) ([][]byte, error) {
	room := roomFor(wanted)
	values, err := s.getInto(handle, wanted, room)
	if code, told := CodeOf(err); !told || uint(code) != pkcs11.CKR_BUFFER_TOO_SMALL {
		return values, err
	}
	if err := s.getSizes(handle, wanted, room); err != nil {
		return nil, err
	}
	return s.getInto(handle, wanted, room)
}

// roomFor is the room offered at the first try. A number gets its exact size: NSS reads and converts no other.
func roomFor(wanted []Attribute) []int {
	room := make([]int, len(wanted))
	for i, a := range wanted {
		switch {
		case a == CKAValue:
			room[i] = roomForValue
		case attributeTable[a].kind == kindUlong:
			room[i] = int(unsafe.Sizeof(C.ulong(0)))
		default:
			room[i] = roomForOther
		}
	}
	return room
}

// getInto makes the call with room for the values.
func (s *Session) getInto(handle pkcs11.ObjectHandle, wanted []Attribute, room []int) ([][]byte, error) {
	buffers := newAttributeBuffers(wanted, room, 0)
	defer buffers.free()
	if err := s.callGet(handle, wanted, buffers); err != nil {
		return nil, err
	}
	values := make([][]byte, len(wanted))
	for i, a := range buffers.template {
		if a.length <= C.ulong(room[i]) { // CK_UNAVAILABLE_INFORMATION is beyond any room
			values[i] = C.GoBytes(buffers.value(i, room), C.int(a.length))
		}
	}
	return values, nil
}

// getTold asks for the attributes in one call and gives what the token told: the specification has it fill in every value
// that it can, whatever becomes of the others (PKCS#11 v3.1 §5.7.5). Where the call as a whole was refused, a value counts
// only if the module has both written it and said how long it is. The others are absent; a lost connection is an error.
func (s *Session) getTold(handle pkcs11.ObjectHandle, wanted []Attribute) (map[Attribute][]byte, error) {
	room := roomFor(wanted)
	buffers := newAttributeBuffers(wanted, room, unwritten)
	defer buffers.free()
	err := s.callGet(handle, wanted, buffers)
	code, refused := CodeOf(err)
	if err != nil && (!refused || connectionLost(code)) {
		return nil, err
	}
	told := make(map[Attribute][]byte, len(wanted))
	for i, a := range buffers.template {
		if a.length > C.ulong(room[i]) {
			continue
		}
		value := C.GoBytes(buffers.value(i, room), C.int(a.length))
		if n := len(value); refused && n > 0 && value[n-1] == unwritten {
			continue // perhaps not written to its end: to be asked for by itself
		}
		told[wanted[i]] = value
	}
	return told, nil
}

// value is where the i-th value was to be written, whatever the module has made of the template's pointer.
func (b *attributeBuffers) value(i int, room []int) unsafe.Pointer {
	at := len(room) * int(unsafe.Sizeof(C.p11b_attribute{}))
	for _, n := range room[:i] {
		at += (n + 7) &^ 7
	}
	return unsafe.Add(b.memory, at)
}

// getSizes asks how long the values are. A length that no attribute has is an answer that cannot be used.
func (s *Session) getSizes(handle pkcs11.ObjectHandle, wanted []Attribute, room []int) error {
	buffers := newAttributeBuffers(wanted, make([]int, len(wanted)), 0)
	defer buffers.free()
	if err := s.callGet(handle, wanted, buffers); err != nil {
		return err
	}
	for i, a := range buffers.template {
		switch {
		case a.length == unavailable:
			room[i] = 0
		case a.length > roomAtMost:
			return &Error{Function: "C_GetAttributeValue", Code: CKRAttributeTypeInvalid}
		default:
			room[i] = int(a.length)
		}
	}
	return nil
}

func (s *Session) callGet(handle pkcs11.ObjectHandle, wanted []Attribute, buffers *attributeBuffers) error {
	return s.call("C_GetAttributeValue", attributeList(wanted), func() error {
		rv := C.p11b_get(s.module.functions, C.ulong(s.handle), C.ulong(handle), &buffers.template[0], C.ulong(len(wanted)))
		if rv != 0 {
			return pkcs11.Error(rv)
		}
		return nil
	})
}
