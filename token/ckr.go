package token

import (
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"
)

// CKR is a PKCS#11 return value (PKCS#11 v3.1 §4.1). Zero is CKR_OK.
type CKR uint

// Return values that decide something here.
const (
	CKROK                         = CKR(pkcs11.CKR_OK)
	CKRGeneralError               = CKR(pkcs11.CKR_GENERAL_ERROR)
	CKRFunctionNotSupported       = CKR(pkcs11.CKR_FUNCTION_NOT_SUPPORTED)
	CKRAttributeSensitive         = CKR(pkcs11.CKR_ATTRIBUTE_SENSITIVE)
	CKRAttributeTypeInvalid       = CKR(pkcs11.CKR_ATTRIBUTE_TYPE_INVALID)
	CKRPINIncorrect               = CKR(pkcs11.CKR_PIN_INCORRECT)
	CKRPINLenRange                = CKR(pkcs11.CKR_PIN_LEN_RANGE)
	CKRFunctionCanceled           = CKR(pkcs11.CKR_FUNCTION_CANCELED)
	CKRFunctionRejected           = CKR(pkcs11.CKR_FUNCTION_REJECTED)
	CKRNSSCertDBFailed            = CKR(0xCE534351)
	CKRNSSKeyDBFailed             = CKR(0xCE534352)
	CKRPINLocked                  = CKR(pkcs11.CKR_PIN_LOCKED)
	CKRPINExpired                 = CKR(pkcs11.CKR_PIN_EXPIRED)
	CKRUserPINNotInitialized      = CKR(pkcs11.CKR_USER_PIN_NOT_INITIALIZED)
	CKRUserAlreadyLoggedIn        = CKR(pkcs11.CKR_USER_ALREADY_LOGGED_IN)
	CKRUserNotLoggedIn            = CKR(pkcs11.CKR_USER_NOT_LOGGED_IN)
	CKRKeyUnextractable           = CKR(pkcs11.CKR_KEY_UNEXTRACTABLE)
	CKRKeyNotWrappable            = CKR(pkcs11.CKR_KEY_NOT_WRAPPABLE)
	CKRCurveNotSupported          = CKR(0x140) // PKCS#11 v2.40; the binding has no name for it
	CKRMechanismInvalid           = CKR(pkcs11.CKR_MECHANISM_INVALID)
	CKRDeviceMemory               = CKR(pkcs11.CKR_DEVICE_MEMORY)
	CKRObjectHandleInvalid        = CKR(pkcs11.CKR_OBJECT_HANDLE_INVALID)
	CKRKeyHandleInvalid           = CKR(pkcs11.CKR_KEY_HANDLE_INVALID)
	CKRTokenWriteProtected        = CKR(pkcs11.CKR_TOKEN_WRITE_PROTECTED)
	CKRDeviceRemoved              = CKR(pkcs11.CKR_DEVICE_REMOVED)
	CKRTokenNotPresent            = CKR(pkcs11.CKR_TOKEN_NOT_PRESENT)
	CKRCryptokiAlreadyInitialized = CKR(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)
)

// otherNames are those of return values that the binding does not name, NSS's own among them (pkcs11n.h): its certificate or its key
// database could not be opened.
var otherNames = map[CKR]string{
	CKRCurveNotSupported: "CKR_CURVE_NOT_SUPPORTED", CKRNSSCertDBFailed: "CKR_NSS_CERTDB_FAILED", CKRNSSKeyDBFailed: "CKR_NSS_KEYDB_FAILED",
	pkcs11.CKR_ACTION_PROHIBITED: "CKR_ACTION_PROHIBITED", // PKCS#11 v2.40
	0x1B5:                        "CKR_EXCEEDED_MAX_ITERATIONS", 0x1B6: "CKR_FIPS_SELF_TEST_FAILED", 0x1B7: "CKR_LIBRARY_LOAD_FAILED",
	0x1B8: "CKR_PIN_TOO_WEAK", 0x1B9: "CKR_PUBLIC_KEY_INVALID",
	0x42: "CKR_AEAD_DECRYPT_FAILED", 0x201: "CKR_TOKEN_RESOURCE_EXCEEDED", 0x202: "CKR_OPERATION_CANCEL_FAILED", 0x203: "CKR_KEY_EXHAUSTED", // v3.0
}

// String gives the specification's name, or the number where the specification knows none.
func (c CKR) String() string {
	if c == CKROK {
		return "CKR_OK"
	}
	if name, ok := otherNames[c]; ok {
		return name
	}
	if _, name, ok := strings.Cut(pkcs11.Error(c).Error(), ": CKR_"); ok {
		return "CKR_" + name
	}
	return fmt.Sprintf("CKR_0x%08X", uint(c))
}

// Error is a C_* function that did not return CKR_OK.
type Error struct {
	Function string // "C_Login"
	Code     CKR
}

// Error names the function and the return value.
func (e *Error) Error() string { return e.Function + ": " + e.Code.String() }

// AnswerError is a C_* function that returned CKR_OK and an answer that cannot be used.
type AnswerError struct {
	Function string
	Fault    AnswerFault
	Err      error // what was answered, for whoever looks for the cause
}

// Error names the function and what is wrong with the answer.
func (e *AnswerError) Error() string { return e.Function + ": " + e.Err.Error() }

// Unwrap gives what is wrong with the answer.
func (e *AnswerError) Unwrap() error { return e.Err }

// CodeOf finds the return value in err. It is false where err did not come from a C_* call.
func CodeOf(err error) (CKR, bool) {
	var e *Error
	if errors.As(err, &e) {
		return e.Code, true
	}
	return 0, false
}

// functionOf names the C_* function that err came from.
func functionOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Function
	}
	return ""
}

// Lost reports whether err comes from a call after which no further one on the session can succeed: the token is gone, or
// the way to it.
func Lost(err error) bool {
	var e *Error
	return errors.As(err, &e) && connectionLost(e.Code) && !e.cannotCompute()
}
