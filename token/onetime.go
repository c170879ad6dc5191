package token

import (
	"fmt"

	"github.com/miekg/pkcs11"
)

// makeForSession has a call make a session object, and reads back that it is one: of the class that was asked for, with
// CKA_TOKEN=false. A handle of anything else is an *AnswerError, and what is behind it is left alone. A session object whose
// handle is not known ends with the session.
func (s *Session) makeForSession(function, detail string, class Class, call func() (pkcs11.ObjectHandle, error)) (*Object, error) {
	o := &Object{Class: class}
	if err := s.call(function, detail, func() (err error) { o.handle, err = call(); return err }); err != nil {
		return nil, err
	}
	given, err := s.getGiven(o.handle, []Attribute{CKAClass, CKAToken})
	if err != nil {
		return nil, err
	}
	for _, a := range given.wanted {
		if value, ok := given.value(a); ok {
			o.Attributes.Set(a, Answer{Value: value})
		}
	}
	is, classKnown := o.Attributes.Ulong(CKAClass)
	if classKnown && Class(is) != class || o.Attributes.Bool(CKAToken) == True {
		return nil, &AnswerError{Function: function, Fault: AnswerHandle, Err: fmt.Errorf("handle %d is not that of the new session object", o.handle)}
	}
	if !classKnown {
		o.Attributes.Set(CKAToken, Answer{Code: CKRAttributeTypeInvalid})
	}
	return o, nil
}

// Discard destroys a session object of this run. One that the token did not show to be a session object is left to the
// end of the session.
func (s *Session) Discard(o *Object) error {
	if o.Attributes.Bool(CKAToken) != False {
		return nil
	}
	return s.destroy(o.handle, o.Class.String())
}

// classIn is the class that a template asks for.
func classIn(template []*pkcs11.Attribute) Class {
	for _, a := range template {
		if Attribute(a.Type) == CKAClass {
			class, _ := ulongOf(a.Value)
			return Class(class)
		}
	}
	return unknownClass
}
