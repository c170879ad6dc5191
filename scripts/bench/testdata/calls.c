/*
 * calls: makes the calls of `p11bridge list` on one token, and nothing else: what is between the two is p11bridge's own.
 *
 *   calls MODULE LABEL FILE-WITH-PIN
 *
 * It reads every object by one call, of the first ones a certificate's value by another, searches for the certificates, and has each
 * private key of an elliptic curve sign. It prints how many objects of each class there are. What a call answers it does not judge.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned char CK_BYTE;
typedef unsigned long CK_ULONG, CK_RV;
typedef struct { CK_ULONG type; void *value; CK_ULONG length; } CK_ATTRIBUTE;
typedef struct { CK_ULONG type; void *parameter; CK_ULONG length; } CK_MECHANISM;
typedef struct { CK_BYTE version[2]; CK_RV (*functions[68])(); } CK_FUNCTION_LIST;
typedef struct { CK_BYTE label[32], others[172]; } CK_TOKEN_INFO;

/* Places in the list of functions (PKCS#11 v3.1, section 3.6). */
enum {
	C_Initialize = 0, C_Finalize = 1, C_GetInfo = 2, C_GetSlotList = 4, C_GetSlotInfo = 5, C_GetTokenInfo = 6, C_GetMechanismList = 7,
	C_GetMechanismInfo = 8, C_OpenSession = 12, C_CloseSession = 13, C_GetSessionInfo = 15, C_Login = 18, C_GetAttributeValue = 24,
	C_FindObjectsInit = 26, C_FindObjects = 27, C_FindObjectsFinal = 28, C_SignInit = 42, C_Sign = 43,
};
enum {
	CKA_CLASS = 0, CKA_VALUE = 0x11, CKA_CERTIFICATE_TYPE = 0x80, CKA_KEY_TYPE = 0x100, CKO_CERTIFICATE = 1, CKO_PRIVATE_KEY = 3, CKK_EC = 3, CKM_ECDSA = 0x1041,
	CKF_OS_LOCKING_OK = 2, CKF_SERIAL_SESSION = 4, CKU_USER = 1, FIRST = 8, CLASSES = 8, MANY = 1 << 16, SLOTS = 64, ROOM = 1 << 10, VALUE_ROOM = 8 << 10,
};

static CK_FUNCTION_LIST *list;
#define CALL(name, ...) list->functions[name](__VA_ARGS__)

/* What p11bridge asks of every object (token/reader.go), and what it asks of one that a search found to be a certificate. */
static const CK_ULONG every[] = { 0, 3, 1, 2, 0x102, 0x100, 0x80, 0x103, 0x162, 0x165, 0x164, 0x163, 0x210, 0x202, 0x108, 0x105, 0x10C, 0x120, 0x122, 0x180, 0x129, 0x181, 0x10 };
static const CK_ULONG of_certificate[] = { 0, 3, 1, 2, 0x102, 0x80, 0x11 };
static const CK_ULONG value_alone[] = { 0x11 };
enum { EVERY = sizeof every / sizeof *every, OF_CERTIFICATE = sizeof of_certificate / sizeof *of_certificate };

static CK_BYTE room[EVERY][VALUE_ROOM];

/* read_object gives the class, and the key type where there is one. */
static CK_ULONG read_object(CK_ULONG session, CK_ULONG handle, const CK_ULONG *types, CK_ULONG count, CK_ULONG *key_type)
{
	CK_ATTRIBUTE template[EVERY];
	CK_ULONG class = CLASSES - 1;
	for (CK_ULONG i = 0; i < count; i++) {
		int is_number = types[i] == CKA_CLASS || types[i] == CKA_CERTIFICATE_TYPE || types[i] == CKA_KEY_TYPE;
		template[i] = (CK_ATTRIBUTE){ types[i], room[i], is_number ? sizeof(CK_ULONG) : types[i] == CKA_VALUE ? VALUE_ROOM : ROOM };
	}
	CALL(C_GetAttributeValue, session, handle, template, count);
	for (CK_ULONG i = 0; i < count; i++) {
		if (template[i].length != sizeof(CK_ULONG))
			continue;
		if (types[i] == CKA_CLASS)
			memcpy(&class, room[i], sizeof class);
		else if (types[i] == CKA_KEY_TYPE)
			memcpy(key_type, room[i], sizeof *key_type);
	}
	return class < CLASSES ? class : CLASSES - 1;
}

/* find searches for all objects, or for those of one class. */
static CK_ULONG find(CK_ULONG session, CK_ULONG *class, CK_ULONG *handles)
{
	CK_ATTRIBUTE template = { CKA_CLASS, class, sizeof *class };
	CK_ULONG all = 0, given = 0;
	CALL(C_FindObjectsInit, session, &template, class == NULL ? 0UL : 1UL);
	do {
		if (CALL(C_FindObjects, session, handles + all, MANY - all, &given) != 0)
			break;
		all += given;
	} while (given > 0 && all < MANY);
	CALL(C_FindObjectsFinal, session);
	return all;
}

static int compare(const void *a, const void *b) { return (*(const CK_ULONG *)a > *(const CK_ULONG *)b) - (*(const CK_ULONG *)a < *(const CK_ULONG *)b); }

static void work(CK_ULONG slot, CK_ULONG session)
{
	static CK_ULONG handles[MANY], certificates[MANY], signers[MANY], mechanisms[MANY];
	CK_ULONG count[CLASSES] = { 0 }, all = find(session, NULL, handles), found = 0, keys = 0, known = MANY, certificate = CKO_CERTIFICATE, further;
	CK_BYTE signature[512], hash[32] = { 1 }, info[64];
	for (CK_ULONG i = 0; i < all; i++) {
		CK_ULONG key_type = ~0UL, class;
		if (i == FIRST) {
			found = find(session, &certificate, certificates);
			qsort(certificates, found, sizeof *certificates, compare);
		}
		if (bsearch(handles + i, certificates, found, sizeof *certificates, compare) != NULL)
			class = read_object(session, handles[i], of_certificate, OF_CERTIFICATE, &key_type);
		else if ((class = read_object(session, handles[i], every, EVERY, &key_type)) == CKO_CERTIFICATE)
			read_object(session, handles[i], value_alone, 1, &key_type);
		count[class]++;
		if (class == CKO_PRIVATE_KEY && key_type == CKK_EC)
			signers[keys++] = handles[i];
	}
	CALL(C_GetMechanismList, slot, mechanisms, &known);
	for (CK_ULONG i = 0; i < known && i < MANY; i++)
		CALL(C_GetMechanismInfo, slot, mechanisms[i], info);
	CALL(C_OpenSession, slot, (CK_ULONG)CKF_SERIAL_SESSION, NULL, NULL, &further);
	for (CK_ULONG i = 0; i < keys; i++) {
		CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
		CK_ULONG length = sizeof signature;
		if (CALL(C_SignInit, further, &mechanism, signers[i]) == 0)
			CALL(C_Sign, further, hash, (CK_ULONG)sizeof hash, signature, &length);
	}
	CALL(C_CloseSession, further);
	for (CK_ULONG class = 0; class < CLASSES; class++)
		if (count[class] > 0)
			printf("%lu objects of class %lu\n", count[class], class);
}

static size_t read_pin(const char *path, char *pin, size_t size)
{
	FILE *in = fopen(path, "r");
	if (in == NULL || fgets(pin, (int)size, in) == NULL)
		exit(1);
	fclose(in);
	return strcspn(pin, "\n");
}

int main(int argc, char **argv)
{
	struct { void *callbacks[4]; CK_ULONG flags; void *reserved; } arguments = { .flags = CKF_OS_LOCKING_OK };
	CK_ULONG slots[SLOTS], count = SLOTS, session;
	CK_BYTE info[256];
	char pin[256];
	void *module = argc == 4 ? dlopen(argv[1], RTLD_NOW) : NULL;
	CK_RV (*get)(CK_FUNCTION_LIST **) = module == NULL ? NULL : (CK_RV (*)(CK_FUNCTION_LIST **))dlsym(module, "C_GetFunctionList");
	if (get == NULL || get(&list) != 0 || CALL(C_Initialize, &arguments) != 0)
		return 1;
	size_t length = read_pin(argv[3], pin, sizeof pin);
	CALL(C_GetInfo, info);
	if (CALL(C_GetSlotList, 0, slots, &count) != 0)
		return 1;
	for (CK_ULONG i = 0; i < count; i++) {
		CK_TOKEN_INFO token;
		memset(&token, ' ', sizeof token);
		CALL(C_GetSlotInfo, slots[i], info);
		if (CALL(C_GetTokenInfo, slots[i], &token) != 0 || strncmp((char *)token.label, argv[2], strlen(argv[2])) != 0)
			continue;
		if (CALL(C_OpenSession, slots[i], (CK_ULONG)CKF_SERIAL_SESSION, NULL, NULL, &session) != 0 || CALL(C_Login, session, (CK_ULONG)CKU_USER, pin, length) != 0)
			return 1;
		CALL(C_GetSessionInfo, session, info);
		CALL(C_GetTokenInfo, slots[i], &token);
		work(slots[i], session);
		CALL(C_CloseSession, session);
	}
	CALL(C_Finalize, NULL);
	return 0;
}
