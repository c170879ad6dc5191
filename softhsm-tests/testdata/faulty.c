/*
 * faulty: a PKCS#11 module that hands every call on to a real one, with faults chosen when it is loaded.
 *
 *   P11FAULT          faults, separated by commas; an unknown one makes C_GetFunctionList fail
 *   P11FAULT_MODULE   the real module; by default SoftHSM2 where distributions put it
 *   P11FAULT_PIN      what is typed on the keypad that "pinpad" gives the token, and the PIN that "logged-in" has
 *   P11FAULT_COUNT    the file that "count" writes
 *   P11FAULT_ONE      set: the module is for one thread. C_Initialize with CKF_OS_LOCKING_OK is refused with CKR_CANT_LOCK, uncounted
 *   P11FAULT_LOG      the file that "log" writes
 *   P11FAULT_DEED     the command that "deed" runs
 *
 * C_X is any function's name. C_X@N is its Nth call only. Numbers are as in C.
 *
 * CKM_AES_CBC_PAD neither wraps nor unwraps, and CKM_RSA_AES_KEY_WRAP is not there, unless a fault says otherwise: SoftHSM2 2.6
 * has neither and 2.7 has both, and a fault at the Nth call strikes the same call in both.
 *
 *   crash:C_X            SIGSEGV           abort:C_X   SIGABRT
 *   exit:C_X             ends the process with exit code 0
 *   hang:C_X             never returns
 *   hang-after:C_X, abort-after:C_X, kill-after:C_X
 *                        makes the call, and then never returns, or dies of SIGABRT or SIGKILL
 *   deed:C_X             sh runs what P11FAULT_DEED says before the call is made
 *   error:C_X:RV         answers RV instead of making the call
 *   after:C_X:RV         makes the call and answers RV all the same
 *   dead:C_X:RV          answers RV instead of making the call, and so does every call from then on
 *   pulled:C_X:RV        makes the call and answers RV all the same, and every call from then on answers RV
 *   removed:N            every call after the Nth answers CKR_DEVICE_REMOVED
 *   print                writes rubbish to both standard streams in C_Initialize and C_GetSlotList
 *   flags:+MASK          sets, flags:-MASK clears bits of an initialised token's CK_TOKEN_INFO.flags
 *   pinpad               the PIN is typed on the token: C_Login takes no PIN but P11FAULT_PIN
 *   logged-in            the user is logged in with P11FAULT_PIN as soon as a session is open, as by a module that has the PIN
 *   unavailable:ATTR     CKR_OK and CK_UNAVAILABLE_INFORMATION
 *   unsupported:ATTR     CKR_ATTRIBUTE_TYPE_INVALID; the other attributes of the call are answered
 *   empty:ATTR           CKR_OK and no bytes
 *   garbage:ATTR         other bytes, as many as there should be
 *   huge:ATTR[:LENGTH]   an absurd length where the size is asked for, CKR_BUFFER_TOO_SMALL for any buffer
 *   overlong:ATTR        CKR_OK and a length beyond the caller's buffer
 *   short-ulong          every CK_ULONG attribute has four bytes
 *   endless[:N]          C_FindObjects gives N handles (default: as many as it may) and never ends
 *   at-most:N            no search gives more than N objects
 *   longer:C_X[:N]       CKR_OK and a count or length that is N (default: 1) more than the caller's room
 *   grows:C_X            CKR_BUFFER_TOO_SMALL and one more than the caller's room, whatever that is
 *   overrun:C_X          CKR_OK, and writes a byte behind the caller's room
 *   no-handle:C_X        makes the call, and gives CKR_OK and CK_INVALID_HANDLE
 *   null:C_X             the function list has no such function
 *   repeated             C_FindObjects gives its first object twice
 *   short:C_X            CKR_OK and a byte less than there should be: C_WrapKey
 *   rubbish:C_X          CKR_OK and other bytes, as many as there should be: C_WrapKey or C_Sign
 *   no-wrap              no mechanism wraps, and C_WrapKey answers CKR_FUNCTION_NOT_SUPPORTED
 *   hide-mechanisms      no key wrap mechanism is listed, but C_WrapKey works
 *   unlisted:MECH        the mechanism is not listed; it may stand there for several
 *   rsa-from:N           C_GenerateKeyPair answers CKR_KEY_SIZE_RANGE for RSA keys of fewer bits
 *   only:MECH            the one key wrap mechanism that is listed and works
 *   kwp                  only CKM_AES_KEY_WRAP_KWP, made of CKM_AES_KEY_WRAP_PAD
 *   rsa-aes              only CKM_RSA_AES_KEY_WRAP, made of the real module's parts; its OAEP knows SHA-1 only
 *   nss-dialect          only CKM_AES_KEY_WRAP_PAD, as RFC 3394 over PKCS#7 padding
 *   cbc-pad              CKM_AES_CBC_PAD wraps and unwraps too, made of the real module's parts
 *   unflagged            no mechanism is said to wrap or unwrap (CKF_WRAP, CKF_UNWRAP), and C_WrapKey works
 *   own-mechanisms       both are as the real module has them
 *   corrupt-unwrap       with cbc-pad, CKR_OK and one bit of what was unwrapped flipped: of an RSA key, in d
 *   corrupt-wrap         CKR_OK and one bit of the wrapped key flipped
 *   wrong-wrap           CKR_OK and another private key of the same type
 *   certificate-first    C_Sign answers CKR_HOST_MEMORY until a certificate was created, as OpenSC does for EC keys
 *   destroy-lies         C_DestroyObject answers CKR_OK and does nothing
 *   swapped:C_X          from this call of C_OpenSession on, the handles of the first two private keys stand for each other
 *   log                  writes a line "name" for every call as it comes, "name struck" where error, after, dead or pulled strike first
 *   count                at C_Finalize writes "name count" for every function called and every fault that struck
 *
 * Declarations follow PKCS#11 v2.40 (CK_ULONG is unsigned long; natural alignment on Unix, packed on Windows).
 */
#ifdef _WIN32
#include "onwindows.h"
#else
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define EXPORTED
#endif

typedef unsigned char CK_BYTE;
typedef unsigned long CK_ULONG, CK_RV, CK_SESSION, CK_OBJECT;
typedef struct { CK_BYTE major, minor; } CK_VERSION;
typedef struct { CK_ULONG type; void *value; CK_ULONG length; } CK_ATTRIBUTE;
typedef struct { CK_ULONG mechanism; void *parameter; CK_ULONG length; } CK_MECHANISM;
typedef struct { CK_ULONG minKeySize, maxKeySize, flags; } CK_MECHANISM_INFO;
typedef struct {
	CK_BYTE label[32], manufacturerID[32], model[16], serialNumber[16];
	CK_ULONG flags; /* what follows is not touched here */
} CK_TOKEN_INFO_HEAD;
typedef struct { CK_ULONG hashAlg, mgf, source; void *sourceData; CK_ULONG sourceDataLength; } CK_RSA_PKCS_OAEP_PARAMS;
typedef struct { CK_ULONG aesKeyBits; CK_RSA_PKCS_OAEP_PARAMS *oaep; } CK_RSA_AES_KEY_WRAP_PARAMS;
typedef struct CK_FUNCTION_LIST CK_FUNCTION_LIST;

enum {
	CKR_OK = 0, CKR_GENERAL_ERROR = 0x5, CKR_CANT_LOCK = 0x0A, CKF_OS_LOCKING_OK = 2, CKR_ARGUMENTS_BAD = 0x7, CKR_ATTRIBUTE_TYPE_INVALID = 0x12, CKR_DEVICE_REMOVED = 0x32,
	CKR_FUNCTION_CANCELED = 0x50, CKR_FUNCTION_NOT_SUPPORTED = 0x54, CKR_MECHANISM_INVALID = 0x70, CKR_MECHANISM_PARAM_INVALID = 0x71,
	CKR_BUFFER_TOO_SMALL = 0x150,
	CKA_CLASS = 0x0, CKA_TOKEN = 0x1, CKA_VALUE = 0x11, CKA_CERTIFICATE_TYPE = 0x80, CKA_CERTIFICATE_CATEGORY = 0x87, CKA_KEY_TYPE = 0x100,
	CKA_SENSITIVE = 0x103, CKA_WRAP = 0x106, CKA_UNWRAP = 0x107, CKA_MODULUS_BITS = 0x121, CKA_VALUE_LEN = 0x161, CKA_EXTRACTABLE = 0x162,
	CKA_KEY_GEN_MECHANISM = 0x166,
	CKO_PRIVATE_KEY = 3, CKO_SECRET_KEY = 4, CKK_GENERIC_SECRET = 0x10,
	CKM_RSA_PKCS_OAEP = 0x9, CKM_SHA_1 = 0x220, CKM_RSA_AES_KEY_WRAP = 0x1054, CKM_AES_KEY_GEN = 0x1080, CKM_AES_CBC_PAD = 0x1085, CKM_AES_KEY_WRAP = 0x2109,
	CKM_AES_KEY_WRAP_PAD = 0x210A, CKM_AES_KEY_WRAP_KWP = 0x210B, CKG_MGF1_SHA1 = 1,
	CKF_PROTECTED_AUTHENTICATION_PATH = 0x100, CKF_TOKEN_INITIALIZED = 0x400, CKF_WRAP = 0x20000, CKF_UNWRAP = 0x40000,
};
#define CK_UNAVAILABLE_INFORMATION (~0UL)

/* Every function in the order of CK_FUNCTION_LIST, with its parameters and its arguments. */
#define S CK_SESSION s
#define IN(x) CK_BYTE *x, CK_ULONG x##n
#define OUT(x) CK_BYTE *x, CK_ULONG *x##n
#define MECH CK_MECHANISM *m
#define ATTR(x) CK_ATTRIBUTE *x, CK_ULONG x##n
#define FUNCTIONS(X) \
	X(C_Initialize, (void *args), (args)) \
	X(C_Finalize, (void *reserved), (reserved)) \
	X(C_GetInfo, (void *info), (info)) \
	X(C_GetFunctionList, (CK_FUNCTION_LIST **list), (list)) \
	X(C_GetSlotList, (CK_BYTE present, CK_ULONG *slots, CK_ULONG *n), (present, slots, n)) \
	X(C_GetSlotInfo, (CK_ULONG slot, void *info), (slot, info)) \
	X(C_GetTokenInfo, (CK_ULONG slot, CK_TOKEN_INFO_HEAD *info), (slot, info)) \
	X(C_GetMechanismList, (CK_ULONG slot, CK_ULONG *list, CK_ULONG *n), (slot, list, n)) \
	X(C_GetMechanismInfo, (CK_ULONG slot, CK_ULONG type, CK_MECHANISM_INFO *info), (slot, type, info)) \
	X(C_InitToken, (CK_ULONG slot, IN(pin), CK_BYTE *label), (slot, pin, pinn, label)) \
	X(C_InitPIN, (S, IN(pin)), (s, pin, pinn)) \
	X(C_SetPIN, (S, IN(from), IN(to)), (s, from, fromn, to, ton)) \
	X(C_OpenSession, (CK_ULONG slot, CK_ULONG flags, void *application, void *notify, CK_SESSION *s), (slot, flags, application, notify, s)) \
	X(C_CloseSession, (S), (s)) \
	X(C_CloseAllSessions, (CK_ULONG slot), (slot)) \
	X(C_GetSessionInfo, (S, void *info), (s, info)) \
	X(C_GetOperationState, (S, OUT(state)), (s, state, staten)) \
	X(C_SetOperationState, (S, IN(state), CK_OBJECT encryption, CK_OBJECT authentication), (s, state, staten, encryption, authentication)) \
	X(C_Login, (S, CK_ULONG user, IN(pin)), (s, user, pin, pinn)) \
	X(C_Logout, (S), (s)) \
	X(C_CreateObject, (S, ATTR(t), CK_OBJECT *o), (s, t, tn, o)) \
	X(C_CopyObject, (S, CK_OBJECT from, ATTR(t), CK_OBJECT *o), (s, from, t, tn, o)) \
	X(C_DestroyObject, (S, CK_OBJECT o), (s, o)) \
	X(C_GetObjectSize, (S, CK_OBJECT o, CK_ULONG *size), (s, o, size)) \
	X(C_GetAttributeValue, (S, CK_OBJECT o, ATTR(t)), (s, o, t, tn)) \
	X(C_SetAttributeValue, (S, CK_OBJECT o, ATTR(t)), (s, o, t, tn)) \
	X(C_FindObjectsInit, (S, ATTR(t)), (s, t, tn)) \
	X(C_FindObjects, (S, CK_OBJECT *o, CK_ULONG most, CK_ULONG *n), (s, o, most, n)) \
	X(C_FindObjectsFinal, (S), (s)) \
	X(C_EncryptInit, (S, MECH, CK_OBJECT key), (s, m, key)) \
	X(C_Encrypt, (S, IN(in), OUT(out)), (s, in, inn, out, outn)) \
	X(C_EncryptUpdate, (S, IN(in), OUT(out)), (s, in, inn, out, outn)) \
	X(C_EncryptFinal, (S, OUT(out)), (s, out, outn)) \
	X(C_DecryptInit, (S, MECH, CK_OBJECT key), (s, m, key)) \
	X(C_Decrypt, (S, IN(in), OUT(out)), (s, in, inn, out, outn)) \
	X(C_DecryptUpdate, (S, IN(in), OUT(out)), (s, in, inn, out, outn)) \
	X(C_DecryptFinal, (S, OUT(out)), (s, out, outn)) \
	X(C_DigestInit, (S, MECH), (s, m)) \
	X(C_Digest, (S, IN(in), OUT(out)), (s, in, inn, out, outn)) \
	X(C_DigestUpdate, (S, IN(in)), (s, in, inn)) \
	X(C_DigestKey, (S, CK_OBJECT key), (s, key)) \
	X(C_DigestFinal, (S, OUT(out)), (s, out, outn)) \
	X(C_SignInit, (S, MECH, CK_OBJECT key), (s, m, key)) \
	X(C_Sign, (S, IN(in), OUT(out)), (s, in, inn, out, outn)) \
	X(C_SignUpdate, (S, IN(in)), (s, in, inn)) \
	X(C_SignFinal, (S, OUT(out)), (s, out, outn)) \
	X(C_SignRecoverInit, (S, MECH, CK_OBJECT key), (s, m, key)) \
	X(C_SignRecover, (S, IN(in), OUT(out)), (s, in, inn, out, outn)) \
	X(C_VerifyInit, (S, MECH, CK_OBJECT key), (s, m, key)) \
	X(C_Verify, (S, IN(in), IN(signature)), (s, in, inn, signature, signaturen)) \
	X(C_VerifyUpdate, (S, IN(in)), (s, in, inn)) \
	X(C_VerifyFinal, (S, IN(signature)), (s, signature, signaturen)) \
	X(C_VerifyRecoverInit, (S, MECH, CK_OBJECT key), (s, m, key)) \
	X(C_VerifyRecover, (S, IN(signature), OUT(out)), (s, signature, signaturen, out, outn)) \
	X(C_DigestEncryptUpdate, (S, IN(in), OUT(out)), (s, in, inn, out, outn)) \
	X(C_DecryptDigestUpdate, (S, IN(in), OUT(out)), (s, in, inn, out, outn)) \
	X(C_SignEncryptUpdate, (S, IN(in), OUT(out)), (s, in, inn, out, outn)) \
	X(C_DecryptVerifyUpdate, (S, IN(in), OUT(out)), (s, in, inn, out, outn)) \
	X(C_GenerateKey, (S, MECH, ATTR(t), CK_OBJECT *key), (s, m, t, tn, key)) \
	X(C_GenerateKeyPair, (S, MECH, ATTR(t), ATTR(u), CK_OBJECT *public, CK_OBJECT *private), (s, m, t, tn, u, un, public, private)) \
	X(C_WrapKey, (S, MECH, CK_OBJECT kek, CK_OBJECT key, OUT(out)), (s, m, kek, key, out, outn)) \
	X(C_UnwrapKey, (S, MECH, CK_OBJECT kek, IN(in), ATTR(t), CK_OBJECT *key), (s, m, kek, in, inn, t, tn, key)) \
	X(C_DeriveKey, (S, MECH, CK_OBJECT base, ATTR(t), CK_OBJECT *key), (s, m, base, t, tn, key)) \
	X(C_SeedRandom, (S, IN(seed)), (s, seed, seedn)) \
	X(C_GenerateRandom, (S, IN(out)), (s, out, outn)) \
	X(C_GetFunctionStatus, (S), (s)) \
	X(C_CancelFunction, (S), (s)) \
	X(C_WaitForSlotEvent, (CK_ULONG flags, CK_ULONG *slot, void *reserved), (flags, slot, reserved))

#define FIELD(name, parameters, arguments) CK_RV (*name) parameters;
struct CK_FUNCTION_LIST { CK_VERSION version; FUNCTIONS(FIELD) };

#define NUMBER(name, parameters, arguments) I_##name,
enum function { FUNCTIONS(NUMBER) FUNCTION_COUNT };

#define NAME(name, parameters, arguments) #name,
static const char *const function_names[] = { FUNCTIONS(NAME) };

/* The kinds of fault, with the arguments that each takes. */
#define KINDS(X) \
	X(CRASH, "crash", "f") X(ABORT, "abort", "f") X(EXIT, "exit", "f") X(HANG, "hang", "f") X(HANG_AFTER, "hang-after", "f") X(ABORT_AFTER, "abort-after", "f") X(KILL_AFTER, "kill-after", "f") X(DEED, "deed", "f") X(ERROR, "error", "fn") X(AFTER, "after", "fn") X(DEAD, "dead", "fn") X(PULLED, "pulled", "fn") X(REMOVED, "removed", "n") \
	X(PRINT, "print", "") X(FLAGS, "flags", "s") X(PINPAD, "pinpad", "") X(LOGGED_IN, "logged-in", "") \
	X(UNAVAILABLE, "unavailable", "n") X(UNSUPPORTED, "unsupported", "n") X(EMPTY, "empty", "n") X(GARBAGE, "garbage", "n") \
	X(HUGE_LENGTH, "huge", "no") X(OVERLONG, "overlong", "n") X(SHORT_ULONG, "short-ulong", "") X(ENDLESS, "endless", "o") \
	X(LONGER, "longer", "fo") X(GROWS, "grows", "f") X(OVERRUN, "overrun", "f") X(NO_HANDLE, "no-handle", "f") X(NULL_FUNCTION, "null", "f") \
	X(REPEATED, "repeated", "") X(AT_MOST, "at-most", "n") X(SHORT, "short", "f") X(RUBBISH, "rubbish", "f") \
	X(NO_WRAP, "no-wrap", "") X(HIDE, "hide-mechanisms", "") X(UNLISTED, "unlisted", "n") X(RSA_FROM, "rsa-from", "n") X(ONLY, "only", "n") X(KWP, "kwp", "") X(RSA_AES, "rsa-aes", "") \
	X(NSS, "nss-dialect", "") X(CBC_PAD, "cbc-pad", "") X(UNFLAGGED, "unflagged", "") X(OWN_MECHANISMS, "own-mechanisms", "") X(CORRUPT_UNWRAP, "corrupt-unwrap", "") X(CORRUPT, "corrupt-wrap", "") X(WRONG, "wrong-wrap", "") X(CERTIFICATE_FIRST, "certificate-first", "") X(DESTROY_LIES, "destroy-lies", "") X(SWAPPED, "swapped", "f") X(LOG, "log", "") X(COUNT, "count", "")
#define KIND_NUMBER(id, name, arguments) id,
#define KIND_ROW(id, name, arguments) { name, arguments },
enum kind { KINDS(KIND_NUMBER) KIND_COUNT };
static const struct { const char *name, *arguments; } kinds[] = { KINDS(KIND_ROW) };

struct fault {
	enum kind kind;
	enum function function;
	CK_ULONG nth;        /* the call that it strikes, 0 for each */
	char sign;           /* of flags */
	CK_ULONG numbers[2]; /* in the order given; 0 for one left out */
	CK_ULONG struck;
};

static struct fault faults[16];
static int fault_count;
static CK_ULONG calls[FUNCTION_COUNT], all_calls;
static CK_RV dead; /* what every call answers from now on, CKR_OK where it is made */
static CK_FUNCTION_LIST real, next; /* next: the real module's functions, ours in place of some */

/* on finds the fault of a kind, and notes that it strikes. */
static struct fault *on(enum kind kind)
{
	for (int i = 0; i < fault_count; i++)
		if (faults[i].kind == kind) {
			faults[i].struck++;
			return &faults[i];
		}
	return NULL;
}

/* on_attribute finds the fault of a kind for an attribute. */
static struct fault *on_attribute(enum kind kind, CK_ULONG attribute)
{
	for (int i = 0; i < fault_count; i++)
		if (faults[i].kind == kind && faults[i].numbers[0] == attribute) {
			faults[i].struck++;
			return &faults[i];
		}
	return NULL;
}

/* on_function finds the fault of a kind for the present call of a function. */
static struct fault *on_function(enum kind kind, enum function function)
{
	for (int i = 0; i < fault_count; i++)
		if (faults[i].kind == kind && faults[i].function == function && (faults[i].nth == 0 || faults[i].nth == calls[function])) {
			faults[i].struck++;
			return &faults[i];
		}
	return NULL;
}

/* --- reading the faults --- */

static int read_number(const char *text, CK_ULONG *number)
{
	char *end;
	*number = strtoul(text, &end, 0);
	return *text != '\0' && *end == '\0';
}

static int read_function(char *text, struct fault *fault)
{
	char *at = strchr(text, '@');
	if (at != NULL) {
		*at = '\0';
		if (!read_number(at + 1, &fault->nth))
			return 0;
	}
	for (fault->function = 0; fault->function < FUNCTION_COUNT; fault->function++)
		if (strcmp(text, function_names[fault->function]) == 0)
			return 1;
	return 0;
}

static int read_fault(char *text)
{
	struct fault fault = { .function = FUNCTION_COUNT };
	char *rest = text, *name = strsep(&rest, ":");
	int n = 0;
	while (fault.kind < KIND_COUNT && strcmp(name, kinds[fault.kind].name) != 0)
		fault.kind++;
	if (fault.kind == KIND_COUNT || fault_count == sizeof faults / sizeof *faults)
		return 0;
	for (const char *want = kinds[fault.kind].arguments; *want != '\0'; want++) {
		char *word = strsep(&rest, ":");
		if (word == NULL && *want == 'o')
			break;
		if (word == NULL || (*want == 'f' && !read_function(word, &fault)))
			return 0;
		if (*want == 's') {
			fault.sign = *word;
			if (fault.sign != '+' && fault.sign != '-')
				return 0;
			word++;
		}
		if (*want != 'f' && !read_number(word, &fault.numbers[n++]))
			return 0;
	}
	faults[fault_count++] = fault;
	return rest == NULL;
}

/* --- what strikes before a call --- */

static void write_counts(void)
{
	const char *path = getenv("P11FAULT_COUNT");
	FILE *file = path == NULL ? NULL : fopen(path, "w");
	if (file == NULL)
		abort(); /* a count that is lost must not look like a count of nothing */
	for (int i = 0; i < FUNCTION_COUNT; i++)
		if (calls[i] > 0)
			fprintf(file, "%s %lu\n", function_names[i], calls[i]);
	for (int i = 0; i < fault_count; i++)
		fprintf(file, "%s %lu\n", kinds[faults[i].kind].name, faults[i].struck);
	fclose(file);
}

static int *volatile nowhere; /* volatile, or the compiler would make a trap of the write through it */

/* strike gives CKR_OK where the call is to be made. */
static CK_RV strike(enum function function)
{
	if (dead != CKR_OK)
		return dead;
	for (int i = 0; i < fault_count; i++) {
		struct fault *fault = &faults[i];
		if (fault->kind == REMOVED && all_calls > fault->numbers[0]) {
			fault->struck++;
			return CKR_DEVICE_REMOVED;
		}
		if (fault->function != function || (fault->nth != 0 && fault->nth != calls[function]))
			continue;
		fault->struck++;
		switch (fault->kind) {
		case CRASH:
			*nowhere = 1;
			break;
		case ABORT:
			abort();
		case EXIT:
			exit(0);
		case HANG:
			for (;;)
				pause();
		case DEED:
			if (getenv("P11FAULT_DEED") == NULL || system(getenv("P11FAULT_DEED")) != 0)
				abort();
			break;
		case DEAD:
			dead = fault->numbers[0];
			return dead;
		case ERROR:
			return fault->numbers[0];
		default:
			break;
		}
	}
	return CKR_OK;
}

/* write_log writes a line at once, so that no end of the process can take it away. */
static void write_log(enum function function, const char *struck)
{
	const char *path = getenv("P11FAULT_LOG");
	int fd = path == NULL ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || dprintf(fd, "%s%s\n", function_names[function], struck) < 0 || close(fd) != 0)
		abort();
}

/* leave comes last in every function that was carried out, and says what it answers. */
static CK_RV leave(enum function function, CK_RV rv)
{
	for (int i = 0; i < fault_count; i++) {
		struct fault *fault = &faults[i];
		if (fault->function != function || (fault->nth != 0 && fault->nth != calls[function]))
			continue;
		if (fault->kind == ABORT_AFTER)
			abort();
		if (fault->kind == KILL_AFTER)
			kill(getpid(), SIGKILL);
		while (fault->kind == HANG_AFTER)
			pause();
		if (fault->kind != AFTER && fault->kind != PULLED)
			continue;
		rv = fault->numbers[0];
		if (fault->kind == PULLED)
			dead = rv;
		if (on(LOG) != NULL)
			write_log(function, " struck");
	}
	return rv;
}

/* enter comes first in every function. */
static CK_RV enter(enum function function)
{
	CK_RV rv, before = dead;
	calls[function]++;
	if (function != I_C_GetFunctionList)
		all_calls++;
	rv = strike(function);
	if (on(LOG) != NULL)
		write_log(function, rv != CKR_OK && before == CKR_OK ? " struck" : "");
	if (function == I_C_Finalize && on(COUNT) != NULL)
		write_counts();
	return rv;
}

/* overstate says that there is more than the caller's room, or writes more, where it is asked to. OVERRUN counts bytes. */
static CK_RV overstate(enum function function, void *out, CK_ULONG room, CK_ULONG *n, CK_RV rv)
{
	static void *(*volatile set)(void *, int, size_t) = memset; /* called, so that AddressSanitizer sees it */
	struct fault *fault;
	if (out == NULL || rv != CKR_OK)
		return rv;
	if ((fault = on_function(LONGER, function)) != NULL)
		*n = room + (fault->numbers[0] != 0 ? fault->numbers[0] : 1);
	if (on_function(OVERRUN, function) != NULL)
		set((CK_BYTE *)out + room, 1, 1);
	if (on_function(GROWS, function) != NULL) {
		*n = room + 1;
		return CKR_BUFFER_TOO_SMALL;
	}
	return CKR_OK;
}

/* withhold gives CK_INVALID_HANDLE in place of a handle, where it is asked to. */
static CK_RV withhold(enum function function, CK_ULONG *handle, CK_RV rv)
{
	if (rv == CKR_OK && on_function(NO_HANDLE, function) != NULL)
		*handle = 0;
	return rv;
}

static void spoil(enum function function, CK_BYTE *out, CK_ULONG n)
{
	if (out != NULL && on_function(RUBBISH, function) != NULL)
		for (CK_ULONG i = 0; i < n; i++)
			out[i] = (CK_BYTE)(rand() | 2);
}

/* --- general functions, slots and tokens --- */

static void print_rubbish(void)
{
	static const char rubbish[] = "P11FAULT-RUBBISH \033[2J\033]0;owned\007\r{\"exit_code\": 0}\n\377\376";
	if (on(PRINT) == NULL)
		return;
	printf("%s", rubbish);
	fflush(stdout);
	for (int fd = 1; fd <= 2; fd++)
		if (write(fd, rubbish, sizeof rubbish - 1) < 0)
			abort();
}

static CK_RV initialize(void *args)
{
	print_rubbish();
	return real.C_Initialize(args);
}

static CK_RV get_slot_list(CK_BYTE present, CK_ULONG *slots, CK_ULONG *n)
{
	CK_ULONG room = *n;
	print_rubbish();
	return overstate(I_C_GetSlotList, slots, room, n, real.C_GetSlotList(present, slots, n));
}

static CK_RV get_token_info(CK_ULONG slot, CK_TOKEN_INFO_HEAD *info)
{
	CK_RV rv = real.C_GetTokenInfo(slot, info);
	if (rv != CKR_OK || (info->flags & CKF_TOKEN_INITIALIZED) == 0)
		return rv;
	if (on(PINPAD) != NULL)
		info->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
	for (int i = 0; i < fault_count; i++) {
		if (faults[i].kind != FLAGS)
			continue;
		faults[i].struck++;
		if (faults[i].sign == '+')
			info->flags |= faults[i].numbers[0];
		else
			info->flags &= ~faults[i].numbers[0];
	}
	return CKR_OK;
}

static CK_OBJECT swapped[2];

/* meant is the object that a handle stands for. */
static CK_OBJECT meant(CK_OBJECT o)
{
	return o == 0 ? o : o == swapped[0] ? swapped[1] : o == swapped[1] ? swapped[0] : o;
}

static CK_RV swap_keys(CK_SESSION s)
{
	CK_ULONG class = CKO_PRIVATE_KEY, found = 0;
	CK_ATTRIBUTE t = { CKA_CLASS, &class, sizeof class };
	CK_RV rv = real.C_FindObjectsInit(s, &t, 1);
	if (rv != CKR_OK)
		return rv;
	rv = real.C_FindObjects(s, swapped, 2, &found);
	real.C_FindObjectsFinal(s);
	return rv != CKR_OK ? rv : found == 2 ? CKR_OK : CKR_GENERAL_ERROR;
}

static CK_RV open_session(CK_ULONG slot, CK_ULONG flags, void *application, void *notify, CK_SESSION *s)
{
	CK_RV rv = real.C_OpenSession(slot, flags, application, notify, s);
	char *pin = getenv("P11FAULT_PIN");
	if (rv == CKR_OK && on(LOGGED_IN) != NULL && pin != NULL)
		real.C_Login(*s, 1 /* CKU_USER */, (CK_BYTE *)pin, strlen(pin));
	if (rv == CKR_OK && on_function(SWAPPED, I_C_OpenSession) != NULL)
		rv = swap_keys(*s);
	return withhold(I_C_OpenSession, s, rv);
}

static CK_RV sign_init(S, MECH, CK_OBJECT key)
{
	return real.C_SignInit(s, m, meant(key));
}

static CK_RV login(S, CK_ULONG user, IN(pin))
{
	char *typed = getenv("P11FAULT_PIN");
	if (on(PINPAD) == NULL)
		return real.C_Login(s, user, pin, pinn);
	if (pin != NULL)
		return CKR_ARGUMENTS_BAD;
	return typed == NULL ? CKR_FUNCTION_CANCELED : real.C_Login(s, user, (CK_BYTE *)typed, strlen(typed));
}

/* give answers a list, or its size where there is no buffer for it (PKCS#11 v2.40 section 5.2). */
static CK_RV give(void *out, CK_ULONG *n, const void *list, CK_ULONG have, size_t size)
{
	CK_ULONG room = *n;
	*n = have;
	if (out == NULL)
		return CKR_OK;
	if (room < have)
		return CKR_BUFFER_TOO_SMALL;
	memcpy(out, list, have * size);
	return CKR_OK;
}

/* --- objects --- */

static CK_ULONG given; /* objects of the last search */

static CK_RV find_objects_init(S, ATTR(t))
{
	given = 0;
	return real.C_FindObjectsInit(s, t, tn);
}

static CK_RV find_objects(S, CK_OBJECT *o, CK_ULONG most, CK_ULONG *n)
{
	static CK_OBJECT invented = 1;
	struct fault *endless = on(ENDLESS), *limit = on(AT_MOST);
	if (endless == NULL) {
		CK_RV rv = real.C_FindObjects(s, o, most, n);
		if (rv == CKR_OK && limit != NULL) {
			if (*n > limit->numbers[0] - given)
				*n = limit->numbers[0] - given;
			given += *n;
		}
		if (rv == CKR_OK && *n > 0 && *n < most && on(REPEATED) != NULL)
			o[(*n)++] = o[0];
		if (rv == CKR_OK && *n > 0)
			rv = withhold(I_C_FindObjects, o, rv);
		return overstate(I_C_FindObjects, o, most, n, rv);
	}
	*n = endless->numbers[0] == 0 || endless->numbers[0] > most ? most : endless->numbers[0];
	for (CK_ULONG i = 0; i < *n; i++)
		o[i] = invented++;
	return CKR_OK;
}

static int certificate_made;

static CK_RV create_object(S, ATTR(t), CK_OBJECT *o)
{
	for (CK_ULONG i = 0; i < tn; i++)
		if (t[i].type == 0 /* CKA_CLASS */ && t[i].value != NULL && *(CK_ULONG *)t[i].value == 1 /* CKO_CERTIFICATE */)
			certificate_made = 1;
	return withhold(I_C_CreateObject, o, real.C_CreateObject(s, t, tn, o));
}

static CK_RV generate_key_pair(S, MECH, ATTR(t), ATTR(u), CK_OBJECT *public, CK_OBJECT *private)
{
	struct fault *from = on(RSA_FROM);
	for (CK_ULONG i = 0; from != NULL && i < tn; i++)
		if (t[i].type == CKA_MODULUS_BITS && *(CK_ULONG *)t[i].value < from->numbers[0])
			return 0x62; /* CKR_KEY_SIZE_RANGE */
	return withhold(I_C_GenerateKeyPair, private, real.C_GenerateKeyPair(s, m, t, tn, u, un, public, private));
}

static CK_RV sign(S, IN(in), OUT(out))
{
	CK_ULONG room = *outn;
	CK_RV rv = real.C_Sign(s, in, inn, out, outn);
	if (on(CERTIFICATE_FIRST) != NULL && !certificate_made)
		return 2; /* CKR_HOST_MEMORY */
	if (rv == CKR_OK)
		spoil(I_C_Sign, out, *outn);
	return overstate(I_C_Sign, out, room, outn, rv);
}

static CK_RV destroy_object(S, CK_OBJECT o)
{
	return on(DESTROY_LIES) != NULL ? CKR_OK : real.C_DestroyObject(s, meant(o));
}

static int is_ulong(CK_ULONG attribute)
{
	switch (attribute) {
	case CKA_CLASS: case CKA_CERTIFICATE_TYPE: case CKA_CERTIFICATE_CATEGORY: case CKA_KEY_TYPE: case CKA_MODULUS_BITS:
	case CKA_VALUE_LEN: case CKA_KEY_GEN_MECHANISM:
		return 1;
	}
	return 0;
}

/* get_one answers for one attribute. */
static CK_RV get_one(S, CK_OBJECT o, CK_ATTRIBUTE *a)
{
	struct fault *fault;
	if (on_attribute(UNAVAILABLE, a->type) != NULL) {
		a->length = CK_UNAVAILABLE_INFORMATION;
		return CKR_OK;
	}
	if (on_attribute(UNSUPPORTED, a->type) != NULL) {
		a->length = CK_UNAVAILABLE_INFORMATION;
		return CKR_ATTRIBUTE_TYPE_INVALID;
	}
	if (on_attribute(EMPTY, a->type) != NULL) {
		a->length = 0;
		return CKR_OK;
	}
	if (is_ulong(a->type) && on(SHORT_ULONG) != NULL) {
		CK_ULONG value;
		CK_ATTRIBUTE whole = { a->type, &value, sizeof value };
		unsigned int half;
		CK_RV rv = real.C_GetAttributeValue(s, o, &whole, 1);
		if (rv != CKR_OK) {
			a->length = CK_UNAVAILABLE_INFORMATION;
			return rv;
		}
		half = (unsigned int)value;
		return give(a->value, &a->length, &half, sizeof half, 1);
	}
	CK_RV rv = real.C_GetAttributeValue(s, o, a, 1);
	if (rv != CKR_OK)
		return rv;
	if ((fault = on_attribute(HUGE_LENGTH, a->type)) != NULL) {
		if (a->value != NULL) {
			a->length = CK_UNAVAILABLE_INFORMATION;
			return CKR_BUFFER_TOO_SMALL;
		}
		a->length = fault->numbers[1] != 0 ? fault->numbers[1] : (~0UL >> 2) + 17;
	}
	if (a->value != NULL && on_attribute(OVERLONG, a->type) != NULL)
		a->length += 256;
	if (a->value != NULL && on_attribute(GARBAGE, a->type) != NULL)
		for (CK_ULONG i = 0; i < a->length; i++)
			((CK_BYTE *)a->value)[i] = (CK_BYTE)(rand() | 2);
	return CKR_OK;
}

/* get_attribute_value answers for each attribute and gives the first that failed (PKCS#11 v2.40 section 5.7). */
static CK_RV get_attribute_value(S, CK_OBJECT o, ATTR(t))
{
	CK_RV first = CKR_OK;
	int wanted = 0;
	o = meant(o);
	for (int i = 0; i < fault_count; i++)
		wanted |= faults[i].kind >= UNAVAILABLE && faults[i].kind <= SHORT_ULONG;
	if (!wanted)
		return real.C_GetAttributeValue(s, o, t, tn);
	for (CK_ULONG i = 0; i < tn; i++) {
		CK_RV rv = get_one(s, o, &t[i]);
		if (first == CKR_OK)
			first = rv;
	}
	return first;
}

/* --- mechanisms --- */

static const CK_ULONG wrap_mechanisms[] = { CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD, CKM_AES_KEY_WRAP_KWP, CKM_RSA_AES_KEY_WRAP };
enum { WRAP_MECHANISMS = sizeof wrap_mechanisms / sizeof *wrap_mechanisms };
enum offer { NO, YES, AS_IT_IS };

/* offered tells whether a mechanism is listed. */
static enum offer offered(CK_ULONG type)
{
	const struct { enum kind kind; CK_ULONG type; } sole[] = {
		{ KWP, CKM_AES_KEY_WRAP_KWP }, { RSA_AES, CKM_RSA_AES_KEY_WRAP }, { NSS, CKM_AES_KEY_WRAP_PAD },
	};
	struct fault *only;
	int wraps = 0;
	for (int i = 0; i < WRAP_MECHANISMS; i++)
		wraps |= wrap_mechanisms[i] == type;
	if (!wraps)
		return AS_IT_IS;
	if (on(NO_WRAP) != NULL || on(HIDE) != NULL)
		return NO;
	if ((only = on(ONLY)) != NULL)
		return type == only->numbers[0] ? YES : NO;
	for (size_t i = 0; i < sizeof sole / sizeof *sole; i++)
		if (on(sole[i].kind) != NULL)
			return type == sole[i].type ? YES : NO;
	return type == CKM_RSA_AES_KEY_WRAP && on(OWN_MECHANISMS) == NULL ? NO : AS_IT_IS;
}

static int unlisted(CK_ULONG type)
{
	for (int i = 0; i < fault_count; i++)
		if (faults[i].kind == UNLISTED && faults[i].numbers[0] == type) {
			faults[i].struck++;
			return 1;
		}
	return 0;
}

static CK_RV get_mechanism_list(CK_ULONG slot, CK_ULONG *list, CK_ULONG *n)
{
	CK_ULONG all[512], have = sizeof all / sizeof *all - WRAP_MECHANISMS, kept = 0;
	CK_RV rv = real.C_GetMechanismList(slot, all, &have);
	if (rv != CKR_OK)
		return rv;
	for (CK_ULONG i = 0; i < have; i++)
		if (offered(all[i]) == AS_IT_IS && !unlisted(all[i]))
			all[kept++] = all[i];
	for (int i = 0; i < WRAP_MECHANISMS; i++)
		if (offered(wrap_mechanisms[i]) == YES)
			all[kept++] = wrap_mechanisms[i];
	have = *n;
	return overstate(I_C_GetMechanismList, list, have, n, give(list, n, all, kept, sizeof *all));
}

static CK_RV get_mechanism_info(CK_ULONG slot, CK_ULONG type, CK_MECHANISM_INFO *info)
{
	enum offer offer = offered(type);
	CK_RV rv;
	if (offer == NO)
		return CKR_MECHANISM_INVALID;
	rv = real.C_GetMechanismInfo(slot, type, info);
	if (offer == YES) {
		*info = (CK_MECHANISM_INFO){ 16, 4096, CKF_WRAP | CKF_UNWRAP };
		return CKR_OK;
	}
	if (rv == CKR_OK && type == CKM_AES_CBC_PAD && on(OWN_MECHANISMS) == NULL) {
		info->flags &= ~(CK_ULONG)(CKF_WRAP | CKF_UNWRAP);
		if (on(CBC_PAD) != NULL)
			info->flags |= CKF_WRAP | CKF_UNWRAP;
	}
	if (rv == CKR_OK && (on(NO_WRAP) != NULL || on(UNFLAGGED) != NULL))
		info->flags &= ~(CK_ULONG)(CKF_WRAP | CKF_UNWRAP);
	return rv;
}

/* --- wrapping, of the real module's parts --- */

enum { MOST = 16384 }; /* bytes of a wrapped key */
static CK_BYTE yes = 1, no = 0;

/* temporary_key makes an AES key that this process may read, as a session object. */
static CK_RV temporary_key(S, CK_OBJECT *key)
{
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG length = 32;
	CK_ATTRIBUTE t[] = {
		{ CKA_TOKEN, &no, 1 }, { CKA_SENSITIVE, &no, 1 }, { CKA_EXTRACTABLE, &yes, 1 }, { CKA_WRAP, &yes, 1 }, { CKA_UNWRAP, &yes, 1 },
		{ CKA_VALUE_LEN, &length, sizeof length },
	};
	return real.C_GenerateKey(s, &generate, t, sizeof t / sizeof *t, key);
}

/* wrap_rsa_aes is CKM_RSA_AES_KEY_WRAP (PKCS#11 v2.40 mechanisms, section 2.1.20). */
static CK_RV wrap_rsa_aes(S, MECH, CK_OBJECT kek, CK_OBJECT key, CK_BYTE *wrapped, CK_ULONG *n)
{
	CK_RSA_AES_KEY_WRAP_PARAMS *parameters = m->parameter;
	CK_MECHANISM pad = { CKM_AES_KEY_WRAP_PAD, NULL, 0 }, oaep = { CKM_RSA_PKCS_OAEP, NULL, sizeof(CK_RSA_PKCS_OAEP_PARAMS) };
	CK_OBJECT temporary;
	CK_ULONG first = *n, second = 0;
	CK_RV rv;
	if (parameters == NULL || m->length != sizeof *parameters || parameters->oaep == NULL || parameters->aesKeyBits != 256)
		return CKR_MECHANISM_PARAM_INVALID;
	if (parameters->oaep->hashAlg != CKM_SHA_1 || parameters->oaep->mgf != CKG_MGF1_SHA1)
		return CKR_MECHANISM_PARAM_INVALID;
	oaep.parameter = parameters->oaep;
	if ((rv = temporary_key(s, &temporary)) != CKR_OK)
		return rv;
	if ((rv = real.C_WrapKey(s, &oaep, kek, temporary, wrapped, &first)) == CKR_OK) {
		second = *n - first;
		rv = real.C_WrapKey(s, &pad, temporary, key, wrapped + first, &second);
	}
	*n = first + second;
	real.C_DestroyObject(s, temporary);
	return rv;
}

/* der_length is the length of the DER value that a PKCS#8 key is. */
static CK_ULONG der_length(const CK_BYTE *der)
{
	CK_ULONG n = 0;
	if (der[1] < 0x80)
		return 2 + der[1];
	for (int i = 0; i < (der[1] & 0x7F); i++)
		n = n << 8 | der[2 + i];
	return 2 + (der[1] & 0x7F) + n;
}

/* make_secret makes a session object of bytes. */
static CK_RV make_secret(S, CK_BYTE *bytes, CK_ULONG n, CK_OBJECT *secret)
{
	CK_ULONG class = CKO_SECRET_KEY, type = CKK_GENERIC_SECRET;
	CK_ATTRIBUTE t[] = {
		{ CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &type, sizeof type }, { CKA_TOKEN, &no, 1 }, { CKA_SENSITIVE, &no, 1 },
		{ CKA_EXTRACTABLE, &yes, 1 }, { CKA_VALUE, bytes, n },
	};
	return real.C_CreateObject(s, t, sizeof t / sizeof *t, secret);
}

/* carry_out reads a private key's PKCS#8 form: wrapped under a temporary key, and unwrapped as a generic secret. */
static CK_RV carry_out(S, CK_OBJECT key, CK_BYTE *clear, CK_ULONG *n)
{
	CK_MECHANISM pad = { CKM_AES_KEY_WRAP_PAD, NULL, 0 };
	CK_ULONG class = CKO_SECRET_KEY, type = CKK_GENERIC_SECRET, length = MOST;
	CK_BYTE wrapped[MOST];
	CK_ATTRIBUTE value = { CKA_VALUE, clear, MOST };
	CK_ATTRIBUTE t[] = {
		{ CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &type, sizeof type }, { CKA_TOKEN, &no, 1 }, { CKA_SENSITIVE, &no, 1 },
		{ CKA_EXTRACTABLE, &yes, 1 },
	};
	CK_OBJECT temporary, open;
	CK_RV rv = temporary_key(s, &temporary);
	if (rv != CKR_OK)
		return rv;
	if ((rv = real.C_WrapKey(s, &pad, temporary, key, wrapped, &length)) == CKR_OK &&
	    (rv = real.C_UnwrapKey(s, &pad, temporary, wrapped, length, t, sizeof t / sizeof *t, &open)) == CKR_OK) {
		rv = real.C_GetAttributeValue(s, open, &value, 1);
		real.C_DestroyObject(s, open);
	}
	real.C_DestroyObject(s, temporary);
	if (rv == CKR_OK)
		*n = der_length(clear);
	return rv;
}

/* carry_in is the way back, for an object that the template describes. */
static CK_RV carry_in(S, CK_BYTE *clear, CK_ULONG n, ATTR(t), CK_OBJECT *key)
{
	CK_MECHANISM pad = { CKM_AES_KEY_WRAP_PAD, NULL, 0 };
	CK_BYTE wrapped[MOST];
	CK_ULONG length = MOST;
	CK_OBJECT temporary, secret;
	CK_RV rv = temporary_key(s, &temporary);
	if (rv != CKR_OK)
		return rv;
	if ((rv = make_secret(s, clear, n, &secret)) == CKR_OK) {
		if ((rv = real.C_WrapKey(s, &pad, temporary, secret, wrapped, &length)) == CKR_OK)
			rv = real.C_UnwrapKey(s, &pad, temporary, wrapped, length, t, tn, key);
		real.C_DestroyObject(s, secret);
	}
	real.C_DestroyObject(s, temporary);
	return rv;
}

static CK_RV wrap_nss(S, CK_OBJECT kek, CK_OBJECT key, CK_BYTE *wrapped, CK_ULONG *n)
{
	CK_MECHANISM rfc3394 = { CKM_AES_KEY_WRAP, NULL, 0 };
	CK_BYTE clear[MOST];
	CK_ULONG length, padded;
	CK_OBJECT secret;
	CK_RV rv = carry_out(s, key, clear, &length);
	if (rv != CKR_OK)
		return rv;
	padded = (length / 8 + 1) * 8;
	memset(clear + length, (int)(padded - length), padded - length);
	if ((rv = make_secret(s, clear, padded, &secret)) == CKR_OK) {
		rv = real.C_WrapKey(s, &rfc3394, kek, secret, wrapped, n);
		real.C_DestroyObject(s, secret);
	}
	return rv;
}

static CK_RV wrap_cbc_pad(S, MECH, CK_OBJECT kek, CK_OBJECT key, CK_BYTE *wrapped, CK_ULONG *n)
{
	CK_BYTE clear[MOST];
	CK_ULONG length;
	CK_RV rv = carry_out(s, key, clear, &length);
	if (rv != CKR_OK || (rv = real.C_EncryptInit(s, m, kek)) != CKR_OK)
		return rv;
	return real.C_Encrypt(s, clear, length, wrapped, n);
}

static CK_RV unwrap_key(S, MECH, CK_OBJECT kek, IN(in), ATTR(t), CK_OBJECT *key)
{
	CK_BYTE clear[MOST];
	CK_ULONG n = MOST;
	CK_RV rv;
	if (m->mechanism == CKM_AES_CBC_PAD && on(CBC_PAD) == NULL && on(OWN_MECHANISMS) == NULL)
		return CKR_MECHANISM_INVALID;
	if (m->mechanism != CKM_AES_CBC_PAD || on(CBC_PAD) == NULL)
		return withhold(I_C_UnwrapKey, key, real.C_UnwrapKey(s, m, kek, in, inn, t, tn, key));
	if ((rv = real.C_DecryptInit(s, m, kek)) != CKR_OK || (rv = real.C_Decrypt(s, in, inn, clear, &n)) != CKR_OK)
		return rv;
	if (on(CORRUPT_UNWRAP) != NULL)
		clear[n * 35 / 100] ^= 1;
	return withhold(I_C_UnwrapKey, key, carry_in(s, clear, n, t, tn, key));
}

/* another_key finds another private key of the same type that can be wrapped. */
static CK_RV another_key(S, CK_OBJECT *key)
{
	CK_ULONG class = CKO_PRIVATE_KEY, type, found = 0, n;
	CK_BYTE clear[MOST];
	CK_OBJECT others[256];
	CK_ATTRIBUTE t[] = { { CKA_KEY_TYPE, &type, sizeof type }, { CKA_CLASS, &class, sizeof class } };
	CK_RV rv = real.C_GetAttributeValue(s, *key, t, 1);
	if (rv != CKR_OK || (rv = real.C_FindObjectsInit(s, t, 2)) != CKR_OK)
		return rv;
	rv = real.C_FindObjects(s, others, sizeof others / sizeof *others, &found);
	real.C_FindObjectsFinal(s);
	if (rv != CKR_OK)
		return rv;
	for (CK_ULONG i = 0; i < found; i++)
		if (others[i] != *key && carry_out(s, others[i], clear, &n) == CKR_OK) {
			*key = others[i];
			return CKR_OK;
		}
	return CKR_GENERAL_ERROR;
}

static CK_RV wrap_key(S, MECH, CK_OBJECT kek, CK_OBJECT key, OUT(out))
{
	CK_BYTE wrapped[MOST];
	CK_ULONG n = sizeof wrapped, room;
	CK_MECHANISM mechanism = *m;
	CK_RV rv;
	if (on(NO_WRAP) != NULL)
		return CKR_FUNCTION_NOT_SUPPORTED;
	if (offered(m->mechanism) == NO && on(HIDE) == NULL)
		return CKR_MECHANISM_INVALID;
	if (m->mechanism == CKM_AES_CBC_PAD && on(CBC_PAD) == NULL && on(OWN_MECHANISMS) == NULL)
		return CKR_MECHANISM_INVALID;
	if (on(WRONG) != NULL && (rv = another_key(s, &key)) != CKR_OK)
		return rv;
	if (on(KWP) != NULL)
		mechanism.mechanism = CKM_AES_KEY_WRAP_PAD;
	if (m->mechanism == CKM_AES_CBC_PAD && on(CBC_PAD) != NULL)
		rv = wrap_cbc_pad(s, m, kek, key, wrapped, &n);
	else if (on(RSA_AES) != NULL)
		rv = wrap_rsa_aes(s, &mechanism, kek, key, wrapped, &n);
	else if (on(NSS) != NULL)
		rv = wrap_nss(s, kek, key, wrapped, &n);
	else
		rv = real.C_WrapKey(s, &mechanism, kek, key, wrapped, &n);
	if (rv != CKR_OK)
		return rv;
	if (on(CORRUPT) != NULL)
		wrapped[n / 2] ^= 1;
	spoil(I_C_WrapKey, wrapped, n);
	if (on_function(SHORT, I_C_WrapKey) != NULL)
		n--;
	room = *outn;
	return overstate(I_C_WrapKey, out, room, outn, give(out, outn, wrapped, n, 1));
}

/* --- the module --- */

static CK_RV get_function_list(CK_FUNCTION_LIST **list);

#define FORWARD(name, parameters, arguments) \
	static CK_RV do_##name parameters \
	{ \
		CK_RV rv = enter(I_##name); \
		return rv != CKR_OK ? rv : leave(I_##name, next.name arguments); \
	}
FUNCTIONS(FORWARD)

#define ENTRY(name, parameters, arguments) do_##name,
static CK_FUNCTION_LIST ours = { { 2, 40 }, FUNCTIONS(ENTRY) };

/* one_at_a_time refuses calls by several threads, which are made where a machine is slow: so the calls of a run are the same each time. */
static CK_RV one_at_a_time(void *args)
{
	const struct { void *mutexes[4]; CK_ULONG flags; } *given = args;
	if (given != NULL && (given->flags & CKF_OS_LOCKING_OK) != 0)
		return CKR_CANT_LOCK;
	return do_C_Initialize(args);
}

static CK_RV get_function_list(CK_FUNCTION_LIST **list)
{
	if (getenv("P11FAULT_ONE") != NULL)
		ours.C_Initialize = one_at_a_time;
	for (int i = 0; i < fault_count; i++)
		if (faults[i].kind == NULL_FUNCTION) {
			faults[i].struck++;
			((void **)&ours.C_Initialize)[faults[i].function] = NULL;
		}
	*list = &ours;
	return CKR_OK;
}

static CK_RV load_real(void)
{
	const char *places[] = {
		getenv("P11FAULT_MODULE"), "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so",
	};
	void *library = NULL;
	CK_FUNCTION_LIST *list = NULL;
	CK_RV (*get)(CK_FUNCTION_LIST **);
	if (places[0] != NULL)
		library = dlopen(places[0], RTLD_NOW | RTLD_LOCAL);
	else
		for (size_t i = 1; i < sizeof places / sizeof *places && library == NULL; i++)
			library = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		return CKR_GENERAL_ERROR;
	*(void **)&get = dlsym(library, "C_GetFunctionList");
	if (get == NULL || get(&list) != CKR_OK)
		return CKR_GENERAL_ERROR;
	real = next = *list;
	return CKR_OK;
}

static CK_RV load(void)
{
	static int loaded;
	const char *chosen = getenv("P11FAULT");
	char *text, *word;
	CK_RV rv;
	if (loaded)
		return CKR_OK;
	if ((rv = load_real()) != CKR_OK)
		return rv;
	fault_count = 0;
	text = strdup(chosen == NULL ? "" : chosen);
	while ((word = strsep(&text, ",")) != NULL)
		if (*word != '\0' && !read_fault(word))
			return CKR_ARGUMENTS_BAD;
	next.C_Initialize = initialize;
	next.C_GetFunctionList = get_function_list;
	next.C_GetSlotList = get_slot_list;
	next.C_GetTokenInfo = get_token_info;
	next.C_GetMechanismList = get_mechanism_list;
	next.C_GetMechanismInfo = get_mechanism_info;
	next.C_OpenSession = open_session;
	next.C_CreateObject = create_object;
	next.C_GenerateKeyPair = generate_key_pair;
	next.C_SignInit = sign_init;
	next.C_Sign = sign;
	next.C_Login = login;
	next.C_GetAttributeValue = get_attribute_value;
	next.C_FindObjectsInit = find_objects_init;
	next.C_FindObjects = find_objects;
	next.C_DestroyObject = destroy_object;
	next.C_WrapKey = wrap_key;
	next.C_UnwrapKey = unwrap_key;
	loaded = 1;
	return CKR_OK;
}

EXPORTED CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	CK_RV rv = load();
	return rv != CKR_OK ? rv : do_C_GetFunctionList(list);
}
