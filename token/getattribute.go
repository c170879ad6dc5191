package token

import (
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"

	"p11bridge/token/cryptoki"
	"p11bridge/token/secret"
)

const (
	// roomForValue and roomForOther are the bytes offered for an attribute at the first try.
	roomForValue = 8 << 10
	roomForOther = 1 << 10
	// roomAtMost bounds what a module may ask for one attribute.
	roomAtMost = 1 << 20
	// unavailable is CK_UNAVAILABLE_INFORMATION.
	unavailable = ^uint(0)
	// unwritten fills the buffers where a value that was only announced, or is shorter than announced, must be told from one
	// that was written.
	unwritten = 0xA5
)

// get asks for the attributes in one call (PKCS#11 v3.1 §5.7.5), and in three where a value is longer than the room that
// was offered. It is all or nothing: where the token will not tell one of them, the error is that one's return value, and
// what the module may have written is not believed. A value whose length is CK_UNAVAILABLE_INFORMATION is nil, and a length
// beyond the room is an *AnswerError. The caller wipes values that are secret.
func (s *Session) get(handle pkcs11.ObjectHandle, wanted []Attribute) ([][]byte, error) {
	room := roomFor(wanted)
	values, err := s.getInto(handle, wanted, room)
	if code, given := CodeOf(err); !given || uint(code) != pkcs11.CKR_BUFFER_TOO_SMALL {
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
			room[i] = cryptoki.UlongSize
		default:
			room[i] = roomForOther
		}
	}
	return room
}

// getInto makes the call with room for the values.
func (s *Session) getInto(handle pkcs11.ObjectHandle, wanted []Attribute, room []int) ([][]byte, error) {
	given, err := s.callGet(handle, wanted, room, 0)
	values := make([][]byte, len(wanted))
	for i := range given {
		values[i] = given[i].Value
		if err == nil && given[i].Value == nil && given[i].Length != unavailable {
			err = &AnswerError{Function: "C_GetAttributeValue", Fault: AnswerUnusable, Err: fmt.Errorf("%d bytes of %s, where there was room for %d", given[i].Length, wanted[i], room[i])}
		}
	}
	if err != nil {
		for _, value := range values {
			secret.Wipe(value)
		}
		return nil, err
	}
	return values, nil
}

// givenValues are the values that a token gave in one call, nil for those that it did not.
type givenValues struct {
	wanted []Attribute
	values [][]byte
}

// value is false where the token gave none.
func (g givenValues) value(a Attribute) ([]byte, bool) {
	i := slices.Index(g.wanted, a)
	if i < 0 || g.values == nil || g.values[i] == nil {
		return nil, false
	}
	return g.values[i], true
}

// forget wipes a value, which then was not given.
func (g givenValues) forget(a Attribute) {
	if i := slices.Index(g.wanted, a); i >= 0 && g.values != nil {
		secret.Wipe(g.values[i])
		g.values[i] = nil
	}
}

// getGiven asks for the attributes in one call and gives what the token told: the specification has it fill in every value
// that it can, whatever becomes of the others (PKCS#11 v3.1 §5.7.5). A value counts only if the module has both written it and said
// how long it is. A lost connection is an error.
func (s *Session) getGiven(handle pkcs11.ObjectHandle, wanted []Attribute) (givenValues, error) {
	answers, err := s.callGet(handle, wanted, roomFor(wanted), unwritten)
	code, refused := CodeOf(err)
	if err != nil && (!refused || connectionLost(code)) {
		return givenValues{}, err
	}
	g := givenValues{wanted, make([][]byte, len(wanted))}
	for i, answer := range answers {
		if n := len(answer.Value); n > 0 && answer.Value[n-1] == unwritten {
			continue // perhaps not written to its end, whatever the call answered: to be asked for by itself
		}
		g.values[i] = answer.Value
	}
	return g, nil
}

// errAbsurd means a length that no attribute has.
var errAbsurd = errors.New("the module's answer cannot be used: a length that no attribute has")

// getSizes asks how long the values are. A length that no attribute has is an answer that cannot be used.
func (s *Session) getSizes(handle pkcs11.ObjectHandle, wanted []Attribute, room []int) error {
	given, err := s.callGet(handle, wanted, make([]int, len(wanted)), 0)
	if err != nil {
		return err
	}
	for i, answer := range given {
		switch {
		case answer.Length == unavailable:
			room[i] = 0
		case answer.Length > roomAtMost:
			return &AnswerError{Function: "C_GetAttributeValue", Fault: AnswerUnusable, Err: errAbsurd}
		default:
			room[i] = int(answer.Length)
		}
	}
	return nil
}

func (s *Session) callGet(handle pkcs11.ObjectHandle, wanted []Attribute, room []int, fill byte) (given []cryptoki.Given, err error) {
	types := make([]uint, len(wanted))
	for i, a := range wanted {
		types[i] = uint(a)
	}
	err = s.call("C_GetAttributeValue", attributeList(wanted), func() (err error) {
		given, err = s.module.functions.GetAttributeValue(s.handle, handle, types, room, fill)
		return err
	})
	return given, err
}
