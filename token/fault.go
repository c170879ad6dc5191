package token

import (
	"fmt"
	"slices"
)

// Fault is an attribute that a token failed to tell: not one that the object has not, nor one that is kept secret. Nothing is
// known of such an object, and no verdict rests on it.
type Fault struct {
	Attribute Attribute
	Code      CKR    // what C_GetAttributeValue answered; CKR_OK where the answer could not be used
	Problem   string // why it could not be used
}

// Err is the failure of the call: an *Error or an *AnswerError.
func (f *Fault) Err() error {
	if f.Code != CKROK {
		return fmt.Errorf("%s: %w", f.Attribute, &Error{Function: "C_GetAttributeValue", Code: f.Code})
	}
	return &AnswerError{Function: "C_GetAttributeValue", Fault: AnswerData, Err: fmt.Errorf("%s: %s", f.Attribute, f.Problem)}
}

// deciding are the attributes that a verdict or a link rests on, by class.
var deciding = map[Class][]Attribute{
	CKOCertificate: {CKAID, CKAValue},
	CKOPublicKey:   {CKAID},
	CKOPrivateKey:  {CKAID, CKAKeyType, CKASensitive, CKAExtractable, CKAModulus},
}

// Fault is the first deciding attribute that the token failed to tell; nil where there is none.
func (o *Object) Fault() *Fault {
	if !o.Class.known() { // it may be anything, a private key as well
		return &Fault{Attribute: CKAClass, Problem: "a class that no specification knows: " + o.Class.String()}
	}
	for _, a := range deciding[o.Class] {
		answer, asked := o.Attributes.Answer(a)
		switch {
		case !asked:
		case answer.Code != CKROK && !answer.Code.is(aboutAttribute):
			return &Fault{Attribute: a, Code: answer.Code}
		case answer.Code == CKROK && attributeTable[a].kind == kindBool && len(answer.Value) != 1:
			return &Fault{Attribute: a, Problem: fmt.Sprintf("CKR_OK with %d bytes for a CK_BBOOL", len(answer.Value))}
		}
	}
	return nil
}

// Unread lists the objects that the token failed to tell what decides of.
func (inventory *Inventory) Unread() []*Object {
	return slices.DeleteFunc(slices.Clone(inventory.Objects), func(o *Object) bool { return o.Fault() == nil })
}

// FaultOf is the first fault among the objects of a class; nil where all could be read.
func (inventory *Inventory) FaultOf(class Class) *Fault {
	if inventory.linker != nil {
		return inventory.linker.faults[class]
	}
	i := slices.IndexFunc(inventory.Objects, func(o *Object) bool { return o.Class == class && o.Fault() != nil })
	if i < 0 {
		return nil
	}
	return inventory.Objects[i].Fault()
}
