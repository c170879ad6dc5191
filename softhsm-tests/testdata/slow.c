/*
 * slow: everything goes on to a real module, which seems to be far away, and how many threads are in it at once is counted.
 *
 *   P11SLOW_MODULE   the real module
 *   P11SLOW_US       how many microseconds each call takes longer
 *   P11SLOW_ONE      set: the module is for one thread. C_Initialize with CKF_OS_LOCKING_OK is refused with CKR_CANT_LOCK
 *   P11SLOW_REPORT   C_Finalize writes here how many calls there were, and the most that were in the module at once
 *   P11SLOW_SESSIONS how many sessions C_GetTokenInfo tells of, and C_OpenSession gives
 *   P11SLOW_LIES     set: a search for certificates finds every object
 *   P11SLOW_LATE     so many objects that are no certificates come first in a search for all
 *   P11SLOW_OTHER    set: every session but the first shows other labels
 *   P11SLOW_ACTIVE   set: in a session that has signed once, nothing is signed any more, as if that were still under way
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long CK_ULONG, CK_RV;
typedef CK_RV (*CK_FUNCTION)(); /* each takes what PKCS#11 says it takes */
typedef struct { unsigned char major, minor; CK_FUNCTION functions[68]; } CK_FUNCTION_LIST;
typedef struct { CK_FUNCTION callbacks[4]; CK_ULONG flags; void *reserved; } CK_C_INITIALIZE_ARGS;

enum { INITIALIZE = 0, FINALIZE = 1, GET_FUNCTION_LIST = 3, GET_TOKEN_INFO = 6, OPEN_SESSION = 12, CLOSE_SESSION = 13, GET_ATTRIBUTE_VALUE = 24,
	FIND_OBJECTS_INIT = 26, FIND_OBJECTS = 27, SIGN_INIT = 42, SIGN = 43 };
struct attribute { CK_ULONG type; unsigned char *value; CK_ULONG length; };
enum { LABEL = 3, CKR_CANT_LOCK = 0x0A, CKR_SESSION_COUNT = 0xB1, CKR_OPERATION_ACTIVE = 0x90, MOST_SESSIONS = 4096, CKF_OS_LOCKING_OK = 2, MAX_SESSIONS_AT = 96 + sizeof(CK_ULONG) };

static CK_FUNCTION_LIST *real, ours;
static atomic_int inside, most, calls, sessions;

static long number(const char *name)
{
	const char *text = getenv(name);
	return text == NULL ? 0 : atol(text);
}

static void enter(void)
{
	int now = ++inside, before = most;
	calls++;
	while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
		;
	if (number("P11SLOW_US") > 0)
		usleep((useconds_t)number("P11SLOW_US"));
}

static CK_RV initialize(CK_C_INITIALIZE_ARGS *arguments)
{
	if (getenv("P11SLOW_ONE") != NULL && arguments != NULL && (arguments->flags & CKF_OS_LOCKING_OK) != 0)
		return CKR_CANT_LOCK;
	return real->functions[INITIALIZE](arguments);
}

static CK_RV finalize(void *reserved)
{
	FILE *report = fopen(getenv("P11SLOW_REPORT"), "w");
	if (report != NULL) {
		fprintf(report, "%d %d\n", calls, most);
		fclose(report);
	}
	return real->functions[FINALIZE](reserved);
}

static CK_RV get_token_info(CK_ULONG slot, unsigned char *info)
{
	CK_RV rv = real->functions[GET_TOKEN_INFO](slot, info);
	CK_ULONG limit = (CK_ULONG)number("P11SLOW_SESSIONS");
	if (rv == 0 && limit != 0)
		memcpy(info + MAX_SESSIONS_AT, &limit, sizeof limit);
	return rv;
}

static CK_ULONG first_session;

static CK_RV open_session(CK_ULONG slot, CK_ULONG flags, void *application, void *notify, CK_ULONG *session)
{
	CK_RV rv;
	long limit = number("P11SLOW_SESSIONS");
	if (++sessions > limit && limit != 0) {
		sessions--;
		return CKR_SESSION_COUNT;
	}
	if ((rv = real->functions[OPEN_SESSION](slot, flags, application, notify, session)) != 0)
		sessions--;
	else if (first_session == 0)
		first_session = *session;
	return rv;
}

static CK_RV close_session(CK_ULONG session)
{
	sessions--;
	return real->functions[CLOSE_SESSION](session);
}

enum { MOST_FOUND = 4096, CERTIFICATE = 1 };
static CK_ULONG found[MOST_FOUND], found_count, given;
static int reordered;

static CK_RV find_objects_init(CK_ULONG session, void *template, CK_ULONG count)
{
	reordered = count == 0 && number("P11SLOW_LATE") > 0;
	found_count = given = 0;
	return real->functions[FIND_OBJECTS_INIT](session, template, getenv("P11SLOW_LIES") != NULL ? 0UL : count);
}

static int is_certificate(CK_ULONG session, CK_ULONG object)
{
	CK_ULONG class = 0;
	struct attribute asked = {0, (unsigned char *)&class, sizeof class};
	return real->functions[GET_ATTRIBUTE_VALUE](session, object, &asked, 1UL) == 0 && class == CERTIFICATE;
}

/* gather takes all that the search finds, and puts others before the first certificates. */
static CK_RV gather(CK_ULONG session)
{
	CK_ULONG more = 1, late = (CK_ULONG)number("P11SLOW_LATE"), first = 0;
	CK_RV rv = 0;
	for (; more > 0 && found_count < MOST_FOUND && rv == 0; found_count += more)
		rv = real->functions[FIND_OBJECTS](session, found + found_count, MOST_FOUND - found_count, &more);
	for (CK_ULONG i = 0; i < found_count && first < late; i++) {
		CK_ULONG object = found[i];
		if (is_certificate(session, object))
			continue;
		memmove(found + first + 1, found + first, (i - first) * sizeof *found);
		found[first++] = object;
	}
	return rv;
}

static CK_RV find_objects(CK_ULONG session, CK_ULONG *objects, CK_ULONG most_wanted, CK_ULONG *count)
{
	CK_RV rv = 0;
	if (!reordered)
		return real->functions[FIND_OBJECTS](session, objects, most_wanted, count);
	if (found_count == 0)
		rv = gather(session);
	*count = found_count - given < most_wanted ? found_count - given : most_wanted;
	memcpy(objects, found + given, *count * sizeof *objects);
	given += *count;
	return rv;
}

static CK_RV get_attribute_value(CK_ULONG session, CK_ULONG object, struct attribute *template, CK_ULONG count)
{
	CK_RV rv = real->functions[GET_ATTRIBUTE_VALUE](session, object, template, count);
	for (CK_ULONG i = 0; i < count && session != first_session && getenv("P11SLOW_OTHER") != NULL; i++)
		if (template[i].type == LABEL && template[i].value != NULL && template[i].length != (CK_ULONG)-1 && template[i].length > 0)
			template[i].value[0] = '?';
	return rv;
}

static CK_ULONG signed_in[MOST_SESSIONS];
static atomic_int signatures;

static CK_RV sign_init(CK_ULONG session, void *mechanism, CK_ULONG key)
{
	for (int i = 0; i < signatures && getenv("P11SLOW_ACTIVE") != NULL; i++)
		if (signed_in[i] == session)
			return CKR_OPERATION_ACTIVE;
	return real->functions[SIGN_INIT](session, mechanism, key);
}

static CK_RV sign(CK_ULONG session, void *data, CK_ULONG length, void *signature, CK_ULONG *room)
{
	CK_RV rv = real->functions[SIGN](session, data, length, signature, room);
	if (rv == 0 && signature != NULL && signatures < MOST_SESSIONS - 64)
		signed_in[signatures++] = session;
	return rv;
}

static CK_FUNCTION replaced[68] = {
	[SIGN_INIT] = (CK_FUNCTION)sign_init, [SIGN] = (CK_FUNCTION)sign,
	[GET_ATTRIBUTE_VALUE] = (CK_FUNCTION)get_attribute_value, [FIND_OBJECTS] = (CK_FUNCTION)find_objects,
	[INITIALIZE] = (CK_FUNCTION)initialize, [FINALIZE] = (CK_FUNCTION)finalize, [GET_TOKEN_INFO] = (CK_FUNCTION)get_token_info,
	[OPEN_SESSION] = (CK_FUNCTION)open_session, [CLOSE_SESSION] = (CK_FUNCTION)close_session, [FIND_OBJECTS_INIT] = (CK_FUNCTION)find_objects_init,
};

/* A call of number n: no function of PKCS#11 has more than eight arguments of the size of a pointer. */
#define PASS(n) \
	static CK_RV pass##n(CK_ULONG a, CK_ULONG b, CK_ULONG c, CK_ULONG d, CK_ULONG e, CK_ULONG f, CK_ULONG g, CK_ULONG h) \
	{ \
		CK_RV rv; \
		enter(); \
		rv = (replaced[n] != NULL ? replaced[n] : real->functions[n])(a, b, c, d, e, f, g, h); \
		inside--; \
		return rv; \
	}
#define TEN(t) PASS(t##0) PASS(t##1) PASS(t##2) PASS(t##3) PASS(t##4) PASS(t##5) PASS(t##6) PASS(t##7) PASS(t##8) PASS(t##9)
#define NAMES(t) (CK_FUNCTION)pass##t##0, (CK_FUNCTION)pass##t##1, (CK_FUNCTION)pass##t##2, (CK_FUNCTION)pass##t##3, (CK_FUNCTION)pass##t##4, \
	(CK_FUNCTION)pass##t##5, (CK_FUNCTION)pass##t##6, (CK_FUNCTION)pass##t##7, (CK_FUNCTION)pass##t##8, (CK_FUNCTION)pass##t##9
TEN() TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) PASS(60) PASS(61) PASS(62) PASS(63) PASS(64) PASS(65) PASS(66) PASS(67)
static const CK_FUNCTION passed[68] = {
	NAMES(), NAMES(1), NAMES(2), NAMES(3), NAMES(4), NAMES(5), (CK_FUNCTION)pass60, (CK_FUNCTION)pass61, (CK_FUNCTION)pass62, (CK_FUNCTION)pass63,
	(CK_FUNCTION)pass64, (CK_FUNCTION)pass65, (CK_FUNCTION)pass66, (CK_FUNCTION)pass67,
};

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	void *handle = dlopen(getenv("P11SLOW_MODULE"), RTLD_NOW | RTLD_LOCAL);
	CK_RV (*get)(CK_FUNCTION_LIST **) = handle == NULL ? NULL : (CK_RV (*)(CK_FUNCTION_LIST **))dlsym(handle, "C_GetFunctionList");
	CK_RV rv = get == NULL ? 5 : get(&real);
	if (rv != 0)
		return rv;
	ours.major = real->major;
	ours.minor = real->minor;
	memcpy(ours.functions, passed, sizeof passed);
	ours.functions[GET_FUNCTION_LIST] = (CK_FUNCTION)C_GetFunctionList;
	*list = &ours;
	return 0;
}
