package token

import "github.com/miekg/pkcs11"

// class says what a return value speaks of (PKCS#11 v3.1 §5.1). A value that is in none of the classes, CKR_GENERAL_ERROR or a
// vendor's own, is a failure of the token: it says nothing about a key.
type class uint8

const (
	// aboutConnection: no further call on the session can succeed, whatever it asks.
	aboutConnection class = 1 << iota
	// aboutKey: the key that the call was about may not be used so, whatever else is tried.
	aboutKey
	// aboutMechanism: the token does not do this with these parameters, or not with this helping key. Another way may work.
	aboutMechanism
	// aboutTemplate: the token does not make an object of this kind.
	aboutTemplate
	// aboutTemplatePart: the token does not take one attribute of the template, or lacks one. Another template may do.
	aboutTemplatePart
	// aboutAttribute: the object has no such attribute, or the token does not tell it.
	aboutAttribute
)

// classes is the one place that knows what the return values speak of.
var classes = map[CKR]class{
	pkcs11.CKR_DEVICE_ERROR:             aboutConnection,
	CKRDeviceRemoved:                    aboutConnection,
	CKRDeviceMemory:                     aboutConnection,
	CKRTokenNotPresent:                  aboutConnection,
	pkcs11.CKR_SESSION_CLOSED:           aboutConnection,
	pkcs11.CKR_SESSION_HANDLE_INVALID:   aboutConnection,
	pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED: aboutConnection,
	pkcs11.CKR_HOST_MEMORY:              aboutConnection,

	CKRKeyUnextractable:              aboutKey,
	CKRKeyNotWrappable:               aboutKey,
	CKRAttributeSensitive:            aboutKey | aboutAttribute,
	pkcs11.CKR_ACTION_PROHIBITED:     aboutKey | aboutTemplate,
	pkcs11.CKR_KEY_TYPE_INCONSISTENT: aboutKey | aboutMechanism,      // OpenSC's answer to every wrap
	pkcs11.CKR_DOMAIN_PARAMS_INVALID: aboutMechanism | aboutTemplate, // softokn's, to the wrap of a key on a curve that it does not know: it cannot, and forbids nothing
	CKRCurveNotSupported:             aboutMechanism | aboutTemplate,

	CKRFunctionNotSupported:                     aboutMechanism | aboutTemplate | aboutAttribute,
	CKRMechanismInvalid:                         aboutMechanism,
	pkcs11.CKR_MECHANISM_PARAM_INVALID:          aboutMechanism,
	pkcs11.CKR_ARGUMENTS_BAD:                    aboutMechanism,
	pkcs11.CKR_DATA_INVALID:                     aboutMechanism,
	pkcs11.CKR_DATA_LEN_RANGE:                   aboutMechanism,
	pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED:       aboutMechanism,
	pkcs11.CKR_KEY_SIZE_RANGE:                   aboutMechanism,
	pkcs11.CKR_WRAPPING_KEY_SIZE_RANGE:          aboutMechanism,
	pkcs11.CKR_WRAPPING_KEY_TYPE_INCONSISTENT:   aboutMechanism,
	pkcs11.CKR_UNWRAPPING_KEY_SIZE_RANGE:        aboutMechanism,
	pkcs11.CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT: aboutMechanism,

	pkcs11.CKR_TEMPLATE_INCOMPLETE:     aboutTemplate | aboutTemplatePart,
	pkcs11.CKR_TEMPLATE_INCONSISTENT:   aboutTemplate | aboutTemplatePart,
	pkcs11.CKR_ATTRIBUTE_READ_ONLY:     aboutTemplate | aboutTemplatePart,
	CKRAttributeTypeInvalid:            aboutTemplate | aboutTemplatePart | aboutAttribute,
	pkcs11.CKR_ATTRIBUTE_VALUE_INVALID: aboutTemplate | aboutTemplatePart,
	pkcs11.CKR_SESSION_READ_ONLY:       aboutTemplate,
	CKRTokenWriteProtected:             aboutTemplate,
}

func (c CKR) is(about class) bool { return classes[c]&about != 0 }

// connectionLost reports whether no further call on the session can succeed after this return value.
func connectionLost(c CKR) bool { return c.is(aboutConnection) }

// Withheld reports whether it is one of the return values by which a token keeps one attribute to itself.
func (c CKR) Withheld() bool { return c.is(aboutAttribute) }

// Judges reports whether a failed call speaks of the key, the mechanism or the template that it was given, so that a verdict may
// rest on it. Everything else is a failure of the token: C_CreateObject that does not know a handle, C_DestroyObject that
// fails, CKR_GENERAL_ERROR.
func (e *Error) Judges() bool {
	if e.cannotCompute() {
		return true
	}
	switch e.Function {
	case "C_CreateObject", "C_UnwrapKey", "C_GenerateKeyPair":
		return e.Code.is(aboutTemplate | aboutMechanism)
	case "C_DeriveKey":
		return e.Code.is(aboutKey | aboutMechanism | aboutTemplate)
	case "C_WrapKey", "C_SignInit", "C_Sign", "C_DecryptInit", "C_Decrypt":
		return e.Code.is(aboutKey | aboutMechanism)
	case "C_GetAttributeValue":
		return e.Code.is(aboutAttribute)
	}
	return false
}

// cannotCompute reports whether this is CKR_HOST_MEMORY from a token that will not compute with a key: softokn gives it for curves that it does
// not know, OpenSC for EC keys without a certificate. The session goes on.
func (e *Error) cannotCompute() bool {
	return e.Code == pkcs11.CKR_HOST_MEMORY && (e.Function == "C_SignInit" || e.Function == "C_Sign" || e.Function == "C_DeriveKey")
}

// SignsLater reports whether this C_Sign may succeed once the key's certificate is on the token: OpenSC answers CKR_HOST_MEMORY for
// EC keys until then. The session goes on.
func (e *Error) SignsLater() bool {
	sign := e.Function == "C_Sign" || e.Function == "C_SignInit"
	return sign && (e.cannotCompute() || !e.Judges() && !connectionLost(e.Code))
}
