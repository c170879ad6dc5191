/*
 * hostile: a PKCS#11 module that hands every call on to a real one and lies in one way, which P11HOSTILE names when it is loaded.
 * faulty.c fails calls and answers more than there is room for; this one answers what could be true and is not.
 *
 *   P11HOSTILE_MODULE   the real module
 *
 *   changing:ATTR       the attribute has other bytes every time it is read, as many as there should be
 *   another:ATTR        the attribute of another object of the same class
 *   longer:ATTR         CKR_OK and one byte more than there should be, where there is room for it
 *   shorter:ATTR        CKR_OK and one byte less
 *   claims:C_X:N        C_GetSlotList, C_GetMechanismList, C_WrapKey or C_Sign ask for room for N where they are asked how much they need
 *   forever             C_FindObjects gives the same handle for ever
 *   login               C_Login answers CKR_OK and logs nobody in
 *   label               the token's label and serial number are 32 and 16 letters without an end, and then the next bytes are letters, too
 *   nul                 the token's label ends in NUL, as a C string
 *   slow:MS             every call takes so many milliseconds
 *   write:FROM:TO       writes rubbish to these descriptors in C_Initialize and C_GetSlotList
 *   close:FROM:TO       closes these descriptors in C_Initialize
 *   other:C_X           C_CreateObject, C_UnwrapKey, C_GenerateKeyPair make the object and give the handle of a private key that was there
 *   stale               C_Sign gives the first signature that it made again
 *   nothing             C_Sign answers CKR_OK and 0 bytes
 */
#ifdef _WIN32
#include "onwindows.h"
#else
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#define EXPORTED
#endif

typedef unsigned char CK_BYTE;
typedef unsigned long CK_ULONG, CK_RV;
typedef struct { CK_ULONG type; void *value; CK_ULONG length; } CK_ATTRIBUTE;
typedef CK_RV (*CK_FUNCTION)(); /* each takes what PKCS#11 says it takes */
enum { FUNCTIONS = 68, MOST = 8192 };
typedef struct { CK_BYTE major, minor; CK_FUNCTION functions[FUNCTIONS]; } CK_FUNCTION_LIST;

enum { /* places in CK_FUNCTION_LIST */
	INITIALIZE = 0, GET_SLOT_LIST = 4, GET_TOKEN_INFO = 6, GET_MECHANISM_LIST = 7, LOGIN = 18, CREATE_OBJECT = 20, GET_ATTRIBUTE_VALUE = 24,
	FIND_OBJECTS_INIT = 26, FIND_OBJECTS = 27, FIND_OBJECTS_FINAL = 28, SIGN = 43, GENERATE_KEY_PAIR = 59, WRAP_KEY = 60, UNWRAP_KEY = 61,
};
enum { CKR_OK = 0, CKR_GENERAL_ERROR = 5, CKR_ARGUMENTS_BAD = 7, CKA_CLASS = 0, CKA_TOKEN = 1, CKA_ID = 0x102, CKO_PRIVATE_KEY = 3 };

static CK_FUNCTION_LIST *real, ours;
static char mode[16], function[32];
static CK_ULONG first, second;

static int is(const char *wanted) { return strcmp(mode, wanted) == 0; }
static int of(const char *wanted) { return strcmp(function, wanted) == 0; }
static int claims(const char *wanted) { return is("claims") && of(wanted); }

static void rubbish(CK_BYTE *bytes, CK_ULONG n)
{
	for (CK_ULONG i = 0; i < n; i++)
		bytes[i] = (CK_BYTE)(rand() | 2);
}

static void scribble(void)
{
	static const char text[] = "P11HOSTILE-RUBBISH \033[2J{\"exit_code\": 0}\n";
	if (is("write"))
		for (CK_ULONG fd = first; fd <= second; fd++)
			if (fcntl((int)fd, F_GETFD) >= 0 && write((int)fd, text, sizeof text - 1) < 0)
				continue; /* it may be open for reading only */
}

static CK_RV initialize(void *arguments)
{
	CK_RV rv = real->functions[INITIALIZE](arguments);
	scribble();
	if (is("close"))
		for (CK_ULONG fd = first; fd <= second; fd++)
			close((int)fd);
	return rv;
}

static CK_RV get_slot_list(CK_ULONG present, CK_ULONG *slots, CK_ULONG *n)
{
	CK_RV rv = real->functions[GET_SLOT_LIST]((CK_BYTE)present, slots, n);
	scribble();
	if (slots == NULL && claims("C_GetSlotList"))
		*n = first;
	return rv;
}

static CK_RV get_mechanism_list(CK_ULONG slot, CK_ULONG *list, CK_ULONG *n)
{
	CK_RV rv = real->functions[GET_MECHANISM_LIST](slot, list, n);
	if (list == NULL && claims("C_GetMechanismList"))
		*n = first;
	return rv;
}

static CK_RV get_token_info(CK_ULONG slot, CK_BYTE *info)
{
	enum { LABEL = 0, MANUFACTURER = 32, SERIAL = 80 };
	CK_RV rv = real->functions[GET_TOKEN_INFO](slot, info);
	if (rv == CKR_OK && is("label")) {
		memset(info + LABEL, 'L', 64);
		memset(info + SERIAL, 'S', 16);
	}
	if (rv == CKR_OK && is("nul"))
		for (int i = 31; i > 0 && info[i] == ' '; i--)
			info[i] = '\0';
	return rv;
}

static CK_RV login(CK_ULONG session, CK_ULONG user, CK_BYTE *pin, CK_ULONG n)
{
	return is("login") ? CKR_OK : real->functions[LOGIN](session, user, pin, n);
}

/* another_object finds an object of the class that is not this one and has the attribute: that with the smallest CKA_ID, because the
   order in which a token finds its objects is chance. Where there is none, it is this one. */
static CK_ULONG another_object(CK_ULONG session, CK_ULONG object, CK_ULONG class, CK_ULONG attribute)
{
	CK_ULONG found[64], n = 0, chosen = object, least = 0;
	CK_BYTE yes = 1, ids[2][256], value[MOST];
	CK_ATTRIBUTE t[] = { { CKA_CLASS, &class, sizeof class }, { CKA_TOKEN, &yes, 1 } };
	if (real->functions[FIND_OBJECTS_INIT](session, t, 2UL) != CKR_OK)
		return object;
	if (real->functions[FIND_OBJECTS](session, found, 64UL, &n) != CKR_OK)
		n = 0;
	real->functions[FIND_OBJECTS_FINAL](session);
	memset(ids, 0, sizeof ids);
	for (CK_ULONG i = 0; i < n; i++) {
		CK_BYTE *id = ids[1 - least];
		memset(id, 0, sizeof ids[0]);
		CK_ATTRIBUTE has[] = { { CKA_ID, id, sizeof ids[0] }, { attribute, value, sizeof value } };
		if (found[i] == object || real->functions[GET_ATTRIBUTE_VALUE](session, found[i], has, 2UL) != CKR_OK)
			continue;
		if (chosen == object || memcmp(id, ids[least], sizeof ids[0]) < 0) {
			chosen = found[i];
			least = 1 - least;
		}
	}
	return chosen;
}

static CK_RV get_attribute_value(CK_ULONG session, CK_ULONG object, CK_ATTRIBUTE *t, CK_ULONG n)
{
	CK_RV rv = real->functions[GET_ATTRIBUTE_VALUE](session, object, t, n);
	for (CK_ULONG i = 0; i < n; i++) {
		CK_ATTRIBUTE *a = &t[i];
		if (a->type != first || a->value == NULL || a->length > MOST)
			continue;
		if (is("changing")) {
			rubbish(a->value, a->length);
			if (a->type == CKA_CLASS && a->length >= 4)
				((CK_BYTE *)a->value)[3] &= 0x7f; /* where a CK_ULONG has four bytes, it could be a vendor's class */
		}
		if (is("longer"))
			a->length++;
		if (is("shorter") && a->length > 0)
			a->length--;
		if (is("another")) {
			CK_BYTE value[MOST];
			CK_ULONG class;
			CK_ATTRIBUTE its = { CKA_CLASS, &class, sizeof class }, other = { a->type, value, MOST };
			if (real->functions[GET_ATTRIBUTE_VALUE](session, object, &its, 1UL) == CKR_OK &&
			    real->functions[GET_ATTRIBUTE_VALUE](session, another_object(session, object, class, first), &other, 1UL) == CKR_OK && other.length <= a->length) {
				memcpy(a->value, value, other.length);
				a->length = other.length;
			}
		}
	}
	return rv;
}

static CK_RV find_objects(CK_ULONG session, CK_ULONG *objects, CK_ULONG most, CK_ULONG *n)
{
	static CK_ULONG seen;
	CK_RV rv = real->functions[FIND_OBJECTS](session, objects, most, n);
	if (rv != CKR_OK || !is("forever"))
		return rv;
	if (*n > 0)
		seen = objects[0];
	objects[0] = seen;
	*n = seen != 0;
	return CKR_OK;
}

/* mislead gives the handle of a key that was there before. */
static CK_RV mislead(const char *wanted, CK_ULONG session, CK_ULONG *object, CK_RV rv)
{
	if (rv == CKR_OK && is("other") && of(wanted))
		*object = another_object(session, *object, CKO_PRIVATE_KEY, CKA_CLASS);
	return rv;
}

static CK_RV create_object(CK_ULONG session, CK_ATTRIBUTE *t, CK_ULONG n, CK_ULONG *object)
{
	return mislead("C_CreateObject", session, object, real->functions[CREATE_OBJECT](session, t, n, object));
}

static CK_RV unwrap_key(CK_ULONG session, void *mechanism, CK_ULONG kek, CK_BYTE *in, CK_ULONG inn, CK_ATTRIBUTE *t, CK_ULONG n, CK_ULONG *key)
{
	return mislead("C_UnwrapKey", session, key, real->functions[UNWRAP_KEY](session, mechanism, kek, in, inn, t, n, key));
}

static CK_RV generate_key_pair(CK_ULONG session, void *mechanism, CK_ATTRIBUTE *t, CK_ULONG n, CK_ATTRIBUTE *u, CK_ULONG un, CK_ULONG *public, CK_ULONG *private)
{
	return mislead("C_GenerateKeyPair", session, private, real->functions[GENERATE_KEY_PAIR](session, mechanism, t, n, u, un, public, private));
}

static CK_RV wrap_key(CK_ULONG session, void *mechanism, CK_ULONG kek, CK_ULONG key, CK_BYTE *out, CK_ULONG *n)
{
	CK_RV rv = real->functions[WRAP_KEY](session, mechanism, kek, key, out, n);
	if (rv == CKR_OK && out == NULL && claims("C_WrapKey"))
		*n = first;
	return rv;
}

static CK_RV sign(CK_ULONG session, CK_BYTE *in, CK_ULONG inn, CK_BYTE *out, CK_ULONG *n)
{
	static CK_BYTE kept[MOST];
	static CK_ULONG length;
	CK_RV rv = real->functions[SIGN](session, in, inn, out, n);
	if (rv != CKR_OK)
		return rv;
	if (out == NULL && claims("C_Sign"))
		*n = first;
	if (out == NULL)
		return rv;
	if (is("nothing"))
		*n = 0;
	if (is("stale") && length == 0 && *n <= MOST)
		memcpy(kept, out, length = *n);
	else if (is("stale") && length <= *n)
		memcpy(out, kept, *n = length);
	return rv;
}

/* Every function of the list, behind a delay. */
static void wait_a_while(void)
{
	struct timespec time = { (time_t)(first / 1000), (long)(first % 1000) * 1000000 };
	if (is("slow"))
		nanosleep(&time, NULL);
}

#define DELAYED(number) \
	static CK_RV delayed_##number(size_t a, size_t b, size_t c, size_t d, size_t e, size_t f, size_t g, size_t h) \
	{ \
		wait_a_while(); \
		return ours.functions[number](a, b, c, d, e, f, g, h); \
	}
#define EACH(X) \
	X(0) X(1) X(2) X(4) X(5) X(6) X(7) X(8) X(12) X(13) X(15) X(18) X(20) X(22) X(24) X(25) X(26) X(27) X(28) X(42) X(43) X(58) X(59) X(60) X(61)
EACH(DELAYED)

static CK_RV load(void)
{
	const char *chosen = getenv("P11HOSTILE"), *path = getenv("P11HOSTILE_MODULE");
	void *library = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
	CK_RV (*get)(CK_FUNCTION_LIST **);
	char *rest, *word;
	if (library == NULL || chosen == NULL)
		return CKR_GENERAL_ERROR;
	*(void **)&get = dlsym(library, "C_GetFunctionList");
	if (get == NULL || get(&real) != CKR_OK)
		return CKR_GENERAL_ERROR;
	rest = strdup(chosen);
	snprintf(mode, sizeof mode, "%s", strsep(&rest, ":"));
	while ((word = strsep(&rest, ":")) != NULL) {
		if (*word == 'C')
			snprintf(function, sizeof function, "%s", word);
		else if (first == 0)
			first = strtoul(word, NULL, 0);
		else
			second = strtoul(word, NULL, 0);
	}
	if (strstr("changing another longer shorter claims forever login label nul slow write close other stale nothing none", mode) == NULL)
		return CKR_ARGUMENTS_BAD;
	ours = *real;
	ours.functions[INITIALIZE] = initialize;
	ours.functions[GET_SLOT_LIST] = get_slot_list;
	ours.functions[GET_TOKEN_INFO] = get_token_info;
	ours.functions[GET_MECHANISM_LIST] = get_mechanism_list;
	ours.functions[LOGIN] = login;
	ours.functions[CREATE_OBJECT] = create_object;
	ours.functions[GET_ATTRIBUTE_VALUE] = get_attribute_value;
	ours.functions[FIND_OBJECTS] = find_objects;
	ours.functions[SIGN] = sign;
	ours.functions[GENERATE_KEY_PAIR] = generate_key_pair;
	ours.functions[WRAP_KEY] = wrap_key;
	ours.functions[UNWRAP_KEY] = unwrap_key;
	return CKR_OK;
}

static CK_FUNCTION_LIST shown;

EXPORTED CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	CK_RV rv = real == NULL ? load() : CKR_OK;
	if (rv != CKR_OK)
		return rv;
	shown = ours;
#define SHOW(number) shown.functions[number] = delayed_##number;
	if (is("slow")) {
		EACH(SHOW)
	}
	*list = &shown;
	return CKR_OK;
}
