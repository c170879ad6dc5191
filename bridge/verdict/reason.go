// Package verdict says whether a key may leave its token, and why or why not.
//
// Call Judge with an inventory and one of its identities; JudgeToken, JudgeInventory, JudgeLogin and JudgeModule for what surrounds
// them. All are pure functions over what a token said: values in, values out, and nothing is asked of a token.
//
// A Reason has a stable code and its evidence, by the names of the specification: CKA_*, CKR_*, CKF_*. A value that the token did not
// give is nil. Dates are RFC 3339 in UTC, identifiers hexadecimal. Lookup gives a code's kind and section, Table all of them.
//
// There are no errors: what could not be found out is a reason too. What is promised: "cannot leave" is said only where the token says
// so or refused a wrap for the key's sake, and the same values give the same verdict.
package verdict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Code names a reason: kebab-case and stable, in JSON and in `explain`.
type Code string

// The reasons. Table tells what each one is about.
const (
	ExportableByAttributes Code = "exportable-by-attributes"
	ExportableByWrap       Code = "exportable-by-wrap"
	ExportableByShroud     Code = "exportable-by-shroud"

	KeyNotExtractable     Code = "key-not-extractable"
	KeyGeneratedOnToken   Code = "key-generated-on-token"
	OriginUnknown         Code = "origin-unknown"
	ObjectUnreadable      Code = "object-unreadable"
	TokenFileUnreadable   Code = "token-file-unreadable"
	IssuerCertificate     Code = "issuer-certificate"
	KeyLinkedByID         Code = "key-linked-by-id"
	TokenCouldNotProve    Code = "token-could-not-prove"
	SealedNotOpened       Code = "sealed-password-not-opened"
	SealedPasswordUnused  Code = "sealed-password-unused"
	OtherMethodUsed       Code = "other-method-used"
	MethodRefused         Code = "method-refused"
	OriginalMayExist      Code = "original-may-exist"
	WrapNeedsTrustedKey   Code = "wrap-needs-trusted-key"
	NoWrappingMechanism   Code = "no-wrapping-mechanism"
	WrapRefused           Code = "wrap-refused"
	WrapFailed            Code = "wrap-failed"
	KeyTypeUnsupported    Code = "key-type-unsupported"
	AttributesNotTold     Code = "attributes-not-told"
	CertificateWithoutKey Code = "certificate-without-key"
	KeyNotIdentified      Code = "key-not-identified"
	PublicKeyAlone        Code = "public-key-alone"
	CertificateUnreadable Code = "certificate-unreadable"
	TokenFamilyBackup     Code = "token-family-backup"
	TokenFamilyNoBackup   Code = "token-family-no-backup"
	CertificateRecent     Code = "certificate-recent"

	KeyWithoutCertificate      Code = "key-without-certificate"
	CertificateWithheld        Code = "certificate-withheld"
	CertificateNotIdentified   Code = "certificate-not-identified"
	KeysHiddenUntilLogin       Code = "keys-hidden-until-login"
	CertificateDoesNotMatchKey Code = "certificate-does-not-match-key"
	CertificateExpired         Code = "certificate-expired"
	CertificateNotYetValid     Code = "certificate-not-yet-valid"
	ChainIncomplete            Code = "chain-incomplete"
	CAKey                      Code = "ca-key"
	NoKeyForCertificate        Code = "no-key-for-certificate"

	PINMissing            Code = "pin-missing"
	PINIncorrect          Code = "pin-incorrect"
	PINLength             Code = "pin-length"
	ProtectedLoginFailed  Code = "protected-login-failed"
	PrimaryPasswordNotSet Code = "primary-password-not-set"
	PINLocked             Code = "pin-locked"
	PINLastAttempt        Code = "pin-last-attempt"
	PINNotSet             Code = "pin-not-set"
	PINMustChange         Code = "pin-must-change"
	PinpadRequired        Code = "pinpad-required"
	TokenNotInitialised   Code = "token-not-initialised"
	TokenAbsent           Code = "token-absent"

	ModuleMissing            Code = "module-missing"
	ModuleNotReadable        Code = "module-not-readable"
	ModuleNotALibrary        Code = "module-not-a-library"
	ModuleWrongArchitecture  Code = "module-wrong-architecture"
	ModuleDependencyMissing  Code = "module-dependency-missing"
	ModuleNotPKCS11          Code = "module-not-pkcs11"
	ModuleFunctionListFailed Code = "module-function-list-failed"
	ModuleInitializeFailed   Code = "module-initialize-failed"
	ModuleCrashed            Code = "module-crashed"
	ModuleExited             Code = "module-exited"
	ModuleHung               Code = "module-hung"
	ModuleFailed             Code = "module-failed"
	ModulePrinted            Code = "module-printed"
	NoModuleFound            Code = "no-module-found"
	PCSCDNotRunning          Code = "pcscd-not-running"
	NoReader                 Code = "no-reader"
	SoftHSMConfiguration     Code = "softhsm-configuration"
	SoftHSMEmpty             Code = "softhsm-empty"

	NotAPFX                Code = "not-a-pfx"
	FileDamaged            Code = "file-damaged"
	FileTooLarge           Code = "file-too-large"
	FormatUnsupported      Code = "format-unsupported"
	NoPrivateKey           Code = "no-private-key"
	NoCertificate          Code = "no-certificate"
	CertificateOnly        Code = "certificate-only"
	KeyOfAnotherCert       Code = "key-of-another-certificate"
	PasswordMissing        Code = "password-missing"
	PasswordIncorrect      Code = "password-incorrect"
	SeveralKeys            Code = "several-keys"
	IntegrityNotProtected  Code = "integrity-not-protected"
	WeakProtection         Code = "weak-protection"
	KeyNotProtected        Code = "key-not-protected"
	IterationCountTooLarge Code = "iteration-count-too-large"
	BackupOfAnotherKey     Code = "backup-of-another-key"
	FileEmpty              Code = "file-empty"
	FileBeyondLimits       Code = "file-beyond-limits"
	FileAsText             Code = "file-as-text"
	TrailingData           Code = "trailing-data"
	JavaKeyStore           Code = "java-key-store"
	PrivateKeyUnprotected  Code = "private-key-unprotected"
	PrivateKeyAlone        Code = "private-key-alone"
	PasswordEncoding       Code = "password-encoding"
	PasswordEmpty          Code = "password-empty"
	InnerPasswordDiffers   Code = "inner-password-differs"
	KeyNotSound            Code = "key-not-sound"
	KeyNotForTokens        Code = "key-not-for-tokens"
	FurtherKeyIncomplete   Code = "further-key-incomplete"
	FurtherCertUnreadable  Code = "further-certificate-unreadable"
	OtherContents          Code = "other-contents"

	AlreadyOnToken      Code = "already-on-token"
	TokenFull           Code = "token-full"
	RestoreRefused      Code = "restore-refused"
	RestoredDifferently Code = "restored-differently"
	PublicKeyNotStored  Code = "public-key-not-stored"
	RestoredUnproven    Code = "restored-unproven"

	BackupNeverMade        Code = "backup-never-made"
	BackupOutdated         Code = "backup-outdated"
	BackupUpToDate         Code = "backup-up-to-date"
	BackupFileMissing      Code = "backup-file-missing"
	BackupFileChanged      Code = "backup-file-changed"
	BackupRecordUnreadable Code = "backup-record-unreadable"
	BackupUnproven         Code = "backup-unproven"
	BackupKeyNotShown      Code = "backup-key-not-shown"
	BackupKeyGone          Code = "backup-key-gone"
	SealedPasswordMissing  Code = "sealed-password-missing"
	BackupNotAsRecorded    Code = "backup-not-as-recorded"

	FileNotCertain Code = "file-not-certain"
	FilePutBack    Code = "file-put-back"
	FileMayNotLast Code = "file-may-not-last"
)

// Kind says what a reason does to a verdict.
type Kind string

// The kinds of reason.
const (
	Permits  Kind = "permits"  // the key can leave, and how
	Refuses  Kind = "refuses"  // the key cannot leave, and why
	Adds     Kind = "adds"     // more about a refusal: where to look, whom to ask
	Notices  Kind = "notices"  // worth knowing, whatever the verdict
	Blocks   Kind = "blocks"   // nothing can be found out until a PIN, a token, a module or its surroundings are put right
	Spoils   Kind = "spoils"   // a file is not a valid copy
	Unjudged Kind = "unjudged" // a file could not be judged: another program may find it valid
	Weakness Kind = "weakness" // a valid copy, with a weakness
)

// Entry is one row of the table of reasons.
type Entry struct {
	Code Code
	Kind Kind
	// Evidence lists what can stand in evidence, by the names of the specification where it has one.
	Evidence []string
	// Specification is the section that the reason rests on.
	Specification string
}

// table is the one place that knows every reason, in the order in which `explain` lists them.
var table = []Entry{
	{ExportableByAttributes, Permits, []string{"CKA_SENSITIVE", "CKA_EXTRACTABLE"}, "PKCS#11 v3.1 §4.9 (table 26)"},
	{ExportableByWrap, Permits, []string{"CKA_SENSITIVE", "CKA_EXTRACTABLE", "mechanism"}, "PKCS#11 v3.1 §5.18.3 (C_WrapKey)"},
	{ExportableByShroud, Permits, []string{"CKA_SENSITIVE", "CKA_EXTRACTABLE", "mechanism"}, "PKCS#11 v3.1 §6.13.5 (CKM_AES_CBC_PAD); RFC 7292 §4.2.2; RFC 8018 §6.2"},
	{KeyNotExtractable, Refuses, []string{"CKA_EXTRACTABLE"}, "PKCS#11 v3.1 §4.9 (table 26)"},
	{KeyGeneratedOnToken, Adds, []string{"CKA_LOCAL", "CKA_NEVER_EXTRACTABLE"}, "PKCS#11 v3.1 §4.8 (table 24), §4.9"},
	{OriginalMayExist, Adds, []string{"CKA_NEVER_EXTRACTABLE", "CKA_LOCAL"}, "PKCS#11 v3.1 §4.9 (table 26)"},
	{OriginUnknown, Adds, []string{"CKA_LOCAL", "CKA_NEVER_EXTRACTABLE"}, "PKCS#11 v3.1 §4.8 (table 24), §4.9"},
	{WrapNeedsTrustedKey, Refuses, []string{"CKA_WRAP_WITH_TRUSTED"}, "PKCS#11 v3.1 §4.9 (table 26)"},
	{NoWrappingMechanism, Refuses, []string{"CKA_SENSITIVE", "CKA_EXTRACTABLE", "mechanisms", "answers"}, "PKCS#11 v3.1 §5.5.7 (C_GetMechanismList), §5.18.3"},
	{WrapRefused, Refuses, []string{"CKA_KEY_TYPE", "model", "mechanism", "answers"}, "PKCS#11 v3.1 §5.18.3 (C_WrapKey)"},
	{WrapFailed, Blocks, []string{"answers"}, "PKCS#11 v3.1 §5.18.3 (C_WrapKey)"},
	{KeyTypeUnsupported, Refuses, []string{"CKA_KEY_TYPE", "algorithm"}, "PKCS#11 v3.1 §6"},
	{AttributesNotTold, Refuses, []string{"CKA_EXTRACTABLE", "CKA_SENSITIVE", "CKA_KEY_TYPE"}, "PKCS#11 v3.1 §5.7.5 (C_GetAttributeValue)"},
	{CertificateWithoutKey, Refuses, []string{"logged_in"}, "PKCS#11 v3.1 §4.6"},
	{KeyNotIdentified, Refuses, []string{"CKA_ID", "CKA_LABEL", "CKA_ALWAYS_AUTHENTICATE", "answer"}, "PKCS#11 v3.1 §4.6.3 (CKA_ID is a hint)"},
	{PublicKeyAlone, Refuses, []string{"logged_in"}, "PKCS#11 v3.1 §4.8"},
	{IssuerCertificate, Notices, []string{"is_ca"}, "RFC 5280 §4.2.1.9"},
	{ObjectUnreadable, Blocks, []string{"object", "attribute", "function", "CKR"}, "PKCS#11 v3.1 §5.7.5 (C_GetAttributeValue)"},
	{TokenFileUnreadable, Blocks, []string{"path"}, "SoftHSM2, OSToken.cpp: an object file that cannot be opened is left out"},
	{CertificateUnreadable, Refuses, []string{"problem"}, "RFC 5280 §4.1"},
	{TokenFamilyBackup, Adds, []string{"family", "manufacturer", "model"}, "the vendor's own documentation"},
	{TokenFamilyNoBackup, Adds, []string{"family", "manufacturer", "model"}, "the vendor's own documentation"},
	{CertificateRecent, Adds, []string{"not_before"}, "RFC 5280 §4.1.2.5"},
	{KeyWithoutCertificate, Notices, []string{"CKA_ID"}, "PKCS#11 v3.1 §4.6.3"},
	{CertificateWithheld, Notices, []string{"CKA_ID"}, "PKCS#11 v3.1 §4.4 (CKA_PRIVATE)"},
	{CertificateNotIdentified, Notices, []string{"CKA_ID", "CKA_ALWAYS_AUTHENTICATE", "answer"}, "PKCS#11 v3.1 §4.6.3 (CKA_ID is a hint)"},
	{KeyLinkedByID, Notices, []string{"CKA_ID", "CKA_ALWAYS_AUTHENTICATE", "answer"}, "PKCS#11 v3.1 §4.6.3 (CKA_ID is a hint)"},
	{KeysHiddenUntilLogin, Notices, []string{"logged_in", "CKF_LOGIN_REQUIRED", "CKF_USER_PIN_INITIALIZED", "family"}, "PKCS#11 v3.1 §4.4 (CKA_PRIVATE), §5.6.8"},
	{CertificateDoesNotMatchKey, Refuses, []string{"CKA_ID", "certificate_key", "private_key"}, "PKCS#11 v3.1 §4.6.3 (CKA_ID is a hint)"},
	{CertificateExpired, Notices, []string{"not_after"}, "RFC 5280 §4.1.2.5"},
	{CertificateNotYetValid, Notices, []string{"not_before"}, "RFC 5280 §4.1.2.5"},
	{ChainIncomplete, Notices, []string{"missing_issuer"}, "RFC 5280 §6.1"},
	{CAKey, Notices, []string{"is_ca"}, "RFC 5280 §4.2.1.9"},
	{NoKeyForCertificate, Refuses, []string{"certificate_key", "certificates", "private_keys", "logged_in"}, "PKCS#11 v3.1 §4.6.3 (CKA_ID is a hint)"},
	{PINMissing, Blocks, []string{"CKF_LOGIN_REQUIRED", "family"}, "PKCS#11 v3.1 §5.6.8 (C_Login)"},
	{PINIncorrect, Blocks, []string{"CKR", "CKF_USER_PIN_COUNT_LOW", "CKF_USER_PIN_FINAL_TRY", "CKF_USER_PIN_LOCKED", "family"}, "PKCS#11 v3.1 §5.6.8 (C_Login)"},
	{ProtectedLoginFailed, Blocks, []string{"CKR", "CKF_PROTECTED_AUTHENTICATION_PATH"}, "PKCS#11 v3.1 §5.6.8 (C_Login)"},
	{PrimaryPasswordNotSet, Notices, []string{"CKF_LOGIN_REQUIRED", "family"}, "PKCS#11 v3.1 §3.2 (CK_TOKEN_INFO)"},
	{PINLength, Blocks, []string{"min_pin_len", "max_pin_len", "family"}, "PKCS#11 v3.1 §3.2 (CK_TOKEN_INFO)"},
	{PINLocked, Blocks, []string{"CKF_USER_PIN_LOCKED", "CKR"}, "PKCS#11 v3.1 §3.2 (CK_TOKEN_INFO)"},
	{PINLastAttempt, Blocks, []string{"CKF_USER_PIN_FINAL_TRY"}, "PKCS#11 v3.1 §3.2 (CK_TOKEN_INFO)"},
	{PINNotSet, Blocks, []string{"CKF_USER_PIN_INITIALIZED", "CKR", "family"}, "PKCS#11 v3.1 §3.2 (CK_TOKEN_INFO), §5.6.3"},
	{PINMustChange, Blocks, []string{"CKF_USER_PIN_TO_BE_CHANGED", "CKR"}, "PKCS#11 v3.1 §3.2 (CK_TOKEN_INFO)"},
	{PinpadRequired, Notices, []string{"CKF_PROTECTED_AUTHENTICATION_PATH"}, "PKCS#11 v3.1 §3.2 (CK_TOKEN_INFO)"},
	{TokenNotInitialised, Blocks, []string{"CKF_TOKEN_INITIALIZED"}, "PKCS#11 v3.1 §3.2 (CK_TOKEN_INFO), §5.5.9"},
	{TokenAbsent, Blocks, []string{"slots", "function", "CKR"}, "PKCS#11 v3.1 §5.5.4 (CKF_TOKEN_PRESENT)"},
	{ModuleMissing, Blocks, []string{"module", "problem"}, "dlopen(3)"},
	{ModuleNotReadable, Blocks, []string{"module", "problem"}, "dlopen(3); path_resolution(7)"},
	{ModuleNotALibrary, Blocks, []string{"module", "problem"}, "elf(5); dlopen(3)"},
	{ModuleWrongArchitecture, Blocks, []string{"module", "problem"}, "elf(5) (e_machine, EI_CLASS)"},
	{ModuleDependencyMissing, Blocks, []string{"module", "problem"}, "dlopen(3); ld.so(8)"},
	{ModuleNotPKCS11, Blocks, []string{"module", "problem"}, "PKCS#11 v3.1 §5.4.4 (C_GetFunctionList)"},
	{ModuleFunctionListFailed, Blocks, []string{"module", "problem"}, "PKCS#11 v3.1 §5.4.4 (C_GetFunctionList)"},
	{ModuleInitializeFailed, Blocks, []string{"module", "function", "CKR", "problem"}, "PKCS#11 v3.1 §5.4.1 (C_Initialize), §5.4.3 (C_GetInfo)"},
	{ModuleCrashed, Blocks, []string{"module", "function", "signal"}, "signal(7)"},
	{ModuleExited, Blocks, []string{"module", "function"}, "PKCS#11 v3.1 §5.1 (function return values)"},
	{ModuleHung, Blocks, []string{"module", "function", "after"}, "PKCS#11 v3.1 §5.1 (function return values)"},
	{ModuleFailed, Blocks, []string{"module", "function", "CKR", "problem"}, "PKCS#11 v3.1 §5.1 (function return values)"},
	{ModulePrinted, Notices, []string{"module", "printed"}, "stdio(3)"},
	{NoModuleFound, Blocks, []string{"configurations"}, "pkcs11.conf(5)"},
	{PCSCDNotRunning, Blocks, []string{"socket", "problem", "process"}, "pcscd(8)"},
	{NoReader, Blocks, []string{"module", "slots"}, "PKCS#11 v3.1 §5.5.1 (C_GetSlotList)"},
	{SoftHSMConfiguration, Blocks, []string{"problem", "path", "SOFTHSM2_CONF"}, "softhsm2.conf(5)"},
	{SoftHSMEmpty, Blocks, []string{"CKF_TOKEN_INITIALIZED"}, "softhsm2-util(1)"},
	{TokenCouldNotProve, Notices, []string{"answers"}, "PKCS#11 v3.1 §5.18.4 (C_UnwrapKey), §5.13.2 (C_Sign)"},
	{SealedNotOpened, Notices, []string{"file"}, "RFC 5652 §6 (EnvelopedData), age-encryption.org/v1"},
	{SealedPasswordUnused, Notices, []string{"file"}, "RFC 5652 §6 (EnvelopedData), age-encryption.org/v1"},
	{MethodRefused, Notices, []string{"method", "answers"}, "PKCS#11 v3.1 §5.18.3 (C_WrapKey), §5.7.5 (C_GetAttributeValue)"},
	{OtherMethodUsed, Notices, []string{"method", "answers"}, "PKCS#11 v3.1 §5.18.3 (C_WrapKey)"},
	{NotAPFX, Spoils, []string{"format"}, "RFC 7292 §4"},
	{FileDamaged, Spoils, []string{"problem"}, "RFC 7292 §4"},
	{FileTooLarge, Unjudged, []string{"size", "limit"}, "RFC 7292 §4"},
	{FormatUnsupported, Unjudged, []string{"algorithm", "structure"}, "RFC 7292 §4"},
	{NoPrivateKey, Spoils, nil, "RFC 7292 §4.2"},
	{NoCertificate, Spoils, nil, "RFC 7292 §4.2.3"},
	{CertificateOnly, Spoils, []string{"format"}, "RFC 5280 §4.1"},
	{KeyOfAnotherCert, Spoils, []string{"certificate_key", "private_key"}, "RFC 7292 §4.2"},
	{PasswordMissing, Blocks, nil, "RFC 7292 §5.1"},
	{PasswordIncorrect, Spoils, nil, "RFC 7292 §5.1"},
	{SeveralKeys, Weakness, []string{"keys"}, "RFC 7292 §4.2"},
	{IntegrityNotProtected, Weakness, []string{"mac"}, "RFC 7292 §4 (macData)"},
	{WeakProtection, Weakness, []string{"algorithm", "iterations"}, "RFC 8018 §4.2; RFC 7292 appendix B"},
	{KeyNotProtected, Weakness, nil, "RFC 7292 §4.2.1 (keyBag)"},
	{IterationCountTooLarge, Unjudged, []string{"iterations", "limit"}, "RFC 8018 §4.2"},
	{BackupOfAnotherKey, Spoils, []string{"uri", "certificate_key", "private_key"}, "RFC 7292 §4.2; PKCS#11 v3.1 §5.13.2 (C_Sign)"},
	{FileEmpty, Spoils, nil, "RFC 7292 §4"},
	{FileBeyondLimits, Unjudged, []string{"what", "value", "limit"}, "RFC 7292 §4"},
	{FileAsText, Notices, []string{"encoding"}, "RFC 7292 §4; RFC 7468; RFC 4648 §4"},
	{TrailingData, Notices, []string{"bytes", "format"}, "RFC 7292 §4"},
	{JavaKeyStore, Spoils, []string{"format"}, "keytool(1)"},
	{PrivateKeyUnprotected, Spoils, []string{"format"}, "RFC 5958 §2; RFC 7468 §10"},
	{PrivateKeyAlone, Spoils, []string{"format"}, "RFC 5958 §3; RFC 7468 §11"},
	{PasswordEncoding, Notices, []string{"encoding"}, "RFC 7292 appendix B.1; RFC 8018 §3"},
	{PasswordEmpty, Weakness, nil, "RFC 7292 appendix B.1"},
	{InnerPasswordDiffers, Spoils, []string{"part"}, "RFC 7292 §3.1"},
	{KeyNotSound, Spoils, []string{"problem"}, "RFC 8017 §3.2; RFC 5915 §3"},
	{KeyNotForTokens, Notices, []string{"algorithm", "key"}, "PKCS#11 v3.1 §6"},
	{FurtherKeyIncomplete, Notices, []string{"key", "problem"}, "RFC 7292 §4.2"},
	{FurtherCertUnreadable, Weakness, []string{"certificates"}, "RFC 7292 §4.2.3; RFC 5280 §4.1"},
	{OtherContents, Notices, []string{"secret_keys", "others"}, "RFC 7292 §4.2.4, §4.2.5"},
	{AlreadyOnToken, Blocks, []string{"uri"}, "PKCS#11 v3.1 §4.9"},
	{TokenFull, Blocks, []string{"CKR"}, "PKCS#11 v3.1 §5.1.2 (CKR_DEVICE_MEMORY)"},
	{RestoreRefused, Blocks, []string{"answers"}, "PKCS#11 v3.1 §5.7.1 (C_CreateObject), §5.18.4 (C_UnwrapKey)"},
	{RestoredDifferently, Notices, []string{"CKA_EXTRACTABLE", "CKA_SENSITIVE", "CKA_PRIVATE", "CKA_TOKEN", "CKA_SIGN", "CKA_DECRYPT", "CKA_DERIVE", "CKA_ID", "CKA_LABEL"}, "PKCS#11 v3.1 §4.9 (table 26)"},
	{PublicKeyNotStored, Notices, []string{"function", "CKR"}, "PKCS#11 v3.1 §4.8"},
	{RestoredUnproven, Weakness, []string{"answers"}, "PKCS#11 v3.1 §5.13.2 (C_Sign)"},
	{BackupNeverMade, Weakness, []string{"CKA_ID"}, "docs/schema/p11bridge.record.schema.json"},
	{BackupOutdated, Weakness, []string{"file", "created", "not_before"}, "docs/schema/p11bridge.record.schema.json; RFC 5280 §4.1.2.5"},
	{BackupUpToDate, Notices, []string{"file", "created"}, "docs/schema/p11bridge.record.schema.json"},
	{BackupFileMissing, Weakness, []string{"file", "created"}, "docs/schema/p11bridge.record.schema.json"},
	{BackupFileChanged, Weakness, []string{"file", "sha256", "problem"}, "docs/schema/p11bridge.record.schema.json (sha256)"},
	{SealedPasswordMissing, Weakness, []string{"file", "sha256", "found"}, "docs/schema/p11bridge.record.schema.json (sealed_password)"},
	{BackupRecordUnreadable, Weakness, []string{"record", "problem"}, "docs/schema/p11bridge.record.schema.json"},
	{BackupUnproven, Weakness, []string{"file", "created", "proof"}, "docs/schema/p11bridge.record.schema.json (proof)"},
	{BackupKeyNotShown, Weakness, []string{"file", "CKA_ID"}, "PKCS#11 v3.1 §4.8 (CKA_ID, CKA_PUBLIC_KEY_INFO)"},
	{BackupKeyGone, Notices, []string{"file", "created"}, "docs/schema/p11bridge.record.schema.json (token)"},
	{BackupNotAsRecorded, Weakness, []string{"file", "record", "certificate_sha256"}, "docs/schema/p11bridge.record.schema.json (certificate, public_key_sha256)"},
	{FileNotCertain, Weakness, []string{"file", "problem"}, "POSIX.1-2017 fsync()"},
	{FilePutBack, Weakness, []string{"file", "problem"}, "POSIX.1-2017 rename()"},
	{FileMayNotLast, Notices, []string{"file_system"}, "statfs(2)"},
}

// Table lists every reason.
func Table() []Entry { return slices.Clone(table) }

// Lookup finds a reason by its code.
func Lookup(code Code) (Entry, bool) {
	i := slices.IndexFunc(table, func(e Entry) bool { return e.Code == code })
	if i < 0 {
		return Entry{}, false
	}
	return table[i], true
}

// Reason is one reason with what was seen.
type Reason struct {
	Code     Code     `json:"code"`
	Evidence Evidence `json:"evidence"`
}

// Evidence is what was seen, in the order of its weight. In JSON it is an object.
type Evidence []Fact

// Fact is one observation: a name of the specification and the value that was read. A nil value means that the token did
// not tell.
type Fact struct {
	Name  string
	Value any
}

// MarshalJSON writes an object whose members keep their order.
func (e Evidence) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, fact := range e {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(fact.Name)
		if err != nil {
			return nil, fmt.Errorf("evidence: %w", err)
		}
		value, err := json.Marshal(fact.Value)
		if err != nil {
			return nil, fmt.Errorf("evidence %s: %w", fact.Name, err)
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// Because gives a reason with its evidence.
func Because(code Code, evidence ...Fact) Reason { return Reason{Code: code, Evidence: evidence} }

// String writes the code and the evidence as JSON, for logs and tests: `ca-key {"is_ca":true}`.
func (r Reason) String() string {
	evidence, err := json.Marshal(r.Evidence)
	if err != nil {
		evidence = []byte(err.Error())
	}
	return string(r.Code) + " " + string(evidence)
}

// Text joins reasons as String writes them, by "; ".
func Text(reasons []Reason) string {
	texts := make([]string, len(reasons))
	for i, reason := range reasons {
		texts[i] = reason.String()
	}
	return strings.Join(texts, "; ")
}

// Validate reports whether the code is in the table, and the evidence is what the table lists for it, each fact once.
func (r Reason) Validate() error {
	entry, known := Lookup(r.Code)
	if !known {
		return fmt.Errorf("reason %s: it is not in the table", r.Code)
	}
	seen := map[string]bool{}
	for _, fact := range r.Evidence {
		if !slices.Contains(entry.Evidence, fact.Name) {
			return fmt.Errorf("reason %s: the table lists no evidence %q", r.Code, fact.Name)
		}
		if seen[fact.Name] {
			return fmt.Errorf("reason %s: the evidence %q is given twice", r.Code, fact.Name)
		}
		seen[fact.Name] = true
	}
	return nil
}
