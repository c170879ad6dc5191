/*
 * census: says what is on a token, over the real module and with no code of p11bridge's.
 *
 *   census MODULE TOKEN-LABEL PIN
 *
 * One line an object:  CLASS ID LABEL PROOF.  ID and LABEL are hexadecimal, "-" where they are empty. PROOF is the
 * certificate itself, or for a private key the signature that it makes over the SHA-256 of "census": RSASSA-PKCS1-v1_5 of an
 * RSA key, ECDSA of an EC key, "-" of any other; "fails" is a private key that does not sign. Whoever knows the public key can
 * tell from it that the key is there and whole. The last line is "end": without it the census is not one.
 *
 * Exit codes: 0; 2 where there is no token with this label, 3 where the login fails, 1 for all else.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned char CK_BYTE;
typedef unsigned long CK_ULONG, CK_RV;
typedef struct { CK_ULONG type; void *value; CK_ULONG length; } CK_ATTRIBUTE;
typedef struct { CK_ULONG mechanism; void *parameter; CK_ULONG length; } CK_MECHANISM;
typedef struct { CK_BYTE label[32]; CK_BYTE rest[176]; } CK_TOKEN_INFO;
typedef CK_RV (*CK_FUNCTION)(); /* each takes what PKCS#11 says it takes */
typedef struct { CK_BYTE major, minor; CK_FUNCTION functions[68]; } CK_FUNCTION_LIST;

enum { /* places in CK_FUNCTION_LIST */
	INITIALIZE = 0, FINALIZE = 1, GET_SLOT_LIST = 4, GET_TOKEN_INFO = 6, OPEN_SESSION = 12, LOGIN = 18, GET_ATTRIBUTE_VALUE = 24,
	FIND_OBJECTS_INIT = 26, FIND_OBJECTS = 27, FIND_OBJECTS_FINAL = 28, SIGN_INIT = 42, SIGN = 43,
};
enum {
	CKF_SERIAL_SESSION = 4, CKU_USER = 1, CKA_CLASS = 0, CKA_TOKEN = 1, CKA_LABEL = 3, CKA_VALUE = 0x11, CKA_KEY_TYPE = 0x100, CKA_ID = 0x102,
	CKO_CERTIFICATE = 1, CKO_PRIVATE_KEY = 3, CKK_RSA = 0, CKK_EC = 3, CKM_RSA_PKCS = 1, CKM_ECDSA = 0x1041, MOST = 16384,
};

static CK_FUNCTION_LIST *p11;

static void must(const char *what, CK_RV rv)
{
	if (rv == 0)
		return;
	fprintf(stderr, "census: %s: 0x%lx\n", what, rv);
	exit(1);
}

static void put(const CK_BYTE *bytes, CK_ULONG n)
{
	if (n == 0)
		putchar('-');
	for (CK_ULONG i = 0; i < n; i++)
		printf("%02x", bytes[i]);
}

/* read_attribute gives the attribute's length, 0 where the object has none. */
static CK_ULONG read_attribute(CK_ULONG session, CK_ULONG object, CK_ULONG type, CK_BYTE *value)
{
	CK_ATTRIBUTE a = { type, value, MOST };
	return p11->functions[GET_ATTRIBUTE_VALUE](session, object, &a, 1UL) == 0 && a.length <= MOST ? a.length : 0;
}

/* The SHA-256 of "census", behind the DigestInfo that PKCS #1 wants. */
static CK_BYTE digest_info[] = {
	0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
	0x79, 0x69, 0xbf, 0x2d, 0x3a, 0x9c, 0xef, 0xf9, 0xf7, 0x74, 0x53, 0x1d, 0x05, 0xbe, 0x19, 0x23,
	0xd0, 0x71, 0x9b, 0x2b, 0x75, 0xdb, 0x0e, 0x14, 0x5e, 0x8a, 0xf7, 0xb1, 0x49, 0xaa, 0xf7, 0x1f,
};

static void put_signature(CK_ULONG session, CK_ULONG key)
{
	static CK_BYTE signature[MOST];
	CK_ULONG type = ~0UL, n = MOST;
	CK_ATTRIBUTE a = { CKA_KEY_TYPE, &type, sizeof type };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
	CK_BYTE *data = digest_info;
	CK_ULONG length = sizeof digest_info;
	must("C_GetAttributeValue", p11->functions[GET_ATTRIBUTE_VALUE](session, key, &a, 1UL));
	if (type != CKK_RSA && type != CKK_EC) {
		putchar('-');
		return;
	}
	if (type == CKK_EC) {
		mechanism.mechanism = CKM_ECDSA;
		data += sizeof digest_info - 32;
		length = 32;
	}
	if (p11->functions[SIGN_INIT](session, &mechanism, key) != 0 || p11->functions[SIGN](session, data, length, signature, &n) != 0)
		printf("fails");
	else
		put(signature, n);
}

static void count(CK_ULONG session)
{
	static const char *const classes[] = { "data", "certificate", "public", "private", "secret" };
	static CK_ULONG objects[4096];
	static CK_BYTE value[MOST];
	CK_BYTE yes = 1;
	CK_ATTRIBUTE on_token = { CKA_TOKEN, &yes, 1 };
	CK_ULONG n = 0, class;
	must("C_FindObjectsInit", p11->functions[FIND_OBJECTS_INIT](session, &on_token, 1UL));
	must("C_FindObjects", p11->functions[FIND_OBJECTS](session, objects, 4096UL, &n));
	must("C_FindObjectsFinal", p11->functions[FIND_OBJECTS_FINAL](session));
	for (CK_ULONG i = 0; i < n; i++) {
		CK_ATTRIBUTE a = { CKA_CLASS, &class, sizeof class };
		must("C_GetAttributeValue", p11->functions[GET_ATTRIBUTE_VALUE](session, objects[i], &a, 1UL));
		printf("%s ", class < sizeof classes / sizeof *classes ? classes[class] : "other");
		put(value, read_attribute(session, objects[i], CKA_ID, value));
		putchar(' ');
		put(value, read_attribute(session, objects[i], CKA_LABEL, value));
		putchar(' ');
		if (class == CKO_PRIVATE_KEY)
			put_signature(session, objects[i]);
		else if (class == CKO_CERTIFICATE)
			put(value, read_attribute(session, objects[i], CKA_VALUE, value));
		else
			putchar('-');
		putchar('\n');
	}
	puts("end");
}

int main(int argc, char **argv)
{
	CK_RV (*get)(CK_FUNCTION_LIST **);
	CK_ULONG slots[64], n = 64, session;
	CK_TOKEN_INFO info;
	void *library = argc == 4 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	if (library == NULL) {
		fprintf(stderr, "census: %s\n", argc == 4 ? dlerror() : "usage: census MODULE TOKEN-LABEL PIN");
		return 1;
	}
	*(void **)&get = dlsym(library, "C_GetFunctionList");
	must("C_GetFunctionList", get == NULL ? 1 : get(&p11));
	must("C_Initialize", p11->functions[INITIALIZE](NULL));
	must("C_GetSlotList", p11->functions[GET_SLOT_LIST](1, slots, &n));
	for (CK_ULONG i = 0; i < n; i++) {
		char label[33] = "";
		if (p11->functions[GET_TOKEN_INFO](slots[i], &info) != 0)
			continue;
		memcpy(label, info.label, 32);
		for (int end = 31; end >= 0 && label[end] == ' '; end--)
			label[end] = '\0';
		if (strcmp(label, argv[2]) != 0)
			continue;
		must("C_OpenSession", p11->functions[OPEN_SESSION](slots[i], (CK_ULONG)CKF_SERIAL_SESSION, NULL, NULL, &session));
		if (p11->functions[LOGIN](session, (CK_ULONG)CKU_USER, argv[3], (CK_ULONG)strlen(argv[3])) != 0)
			return 3;
		count(session);
		return p11->functions[FINALIZE](NULL) != 0;
	}
	return 2;
}
