/*
 * many: a PKCS#11 module whose token is a file, with as many objects as that holds. It does nothing that takes time.
 *
 *   P11MANY        the file: for each object the number of its attributes, and for each of these type, length and value
 *   P11MANY_CALLS  how many calls were made is written here in C_Finalize, a handle that a search gave counting as one, too
 *
 * All numbers in the file are of 8 bytes, in the order of this machine. A private key signs by CKM_ECDSA on P-256: its CKA_VALUE is
 * below 2^32, and its nonce is always 1, so that a signature is r = x of the base point and s = hash + r * key. These keys are nobody's.
 * It is for one thread, and says so.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned char CK_BYTE;
typedef unsigned long CK_ULONG, CK_RV;
typedef struct { CK_ULONG type; void *value; CK_ULONG length; } CK_ATTRIBUTE;
typedef struct { CK_BYTE major, minor; } CK_VERSION;
typedef struct { CK_VERSION version; void *functions[68]; } CK_FUNCTION_LIST;
typedef struct { CK_VERSION version; CK_BYTE manufacturer[32]; CK_ULONG flags; CK_BYTE description[32]; CK_VERSION library; } CK_INFO;
typedef struct { CK_BYTE description[64], manufacturer[32]; CK_ULONG flags; CK_VERSION hardware, firmware; } CK_SLOT_INFO;
typedef struct {
	CK_BYTE label[32], manufacturer[32], model[16], serial[16];
	CK_ULONG flags, numbers[10];
	CK_VERSION hardware, firmware;
	CK_BYTE time[16];
} CK_TOKEN_INFO;
enum {
	CKR_OK = 0, CKR_GENERAL_ERROR = 0x5, CKR_CANT_LOCK = 0x0A, CKF_OS_LOCKING_OK = 2, CKR_ATTRIBUTE_TYPE_INVALID = 0x12, CKR_FUNCTION_NOT_SUPPORTED = 0x54, CKR_OBJECT_HANDLE_INVALID = 0x82,
	CKR_BUFFER_TOO_SMALL = 0x150, CKA_VALUE = 0x11, CKM_ECDSA = 0x1041, CKF_TOKEN_INITIALIZED = 0x400, CKF_TOKEN_PRESENT = 1, SIGNATURE = 64,
};

typedef struct { const CK_BYTE *attributes; uint64_t count; int gone; } object;
static object *objects;
static CK_ULONG all, calls, signer, *found, founds, given;
static CK_BYTE *file;

static uint64_t number(const CK_BYTE *at)
{
	uint64_t n;
	memcpy(&n, at, sizeof n);
	return n;
}

static CK_RV initialize(void *arguments)
{
	const struct { void *callbacks[4]; CK_ULONG flags; } *asked = arguments;
	const char *path = getenv("P11MANY");
	FILE *in;
	long size;
	calls++;
	if (asked != NULL && (asked->flags & CKF_OS_LOCKING_OK) != 0)
		return CKR_CANT_LOCK;
	in = path == NULL ? NULL : fopen(path, "rb");
	if (in == NULL || fseek(in, 0, SEEK_END) != 0 || (size = ftell(in)) < 0)
		return CKR_GENERAL_ERROR;
	rewind(in);
	file = malloc((size_t)size + 1);
	if (file == NULL || fread(file, 1, (size_t)size, in) != (size_t)size)
		return CKR_GENERAL_ERROR;
	fclose(in);
	for (const CK_BYTE *at = file; at < file + size; all++) {
		if (all % 1024 == 0)
			objects = realloc(objects, (all + 1024) * sizeof *objects);
		objects[all] = (object){ at + 8, number(at), 0 };
		at += 8;
		for (uint64_t n = objects[all].count; n > 0; n--)
			at += 16 + number(at + 8);
	}
	found = calloc(all + 1, sizeof *found);
	return CKR_OK;
}

static CK_RV finalize(void *reserved)
{
	const char *path = getenv("P11MANY_CALLS");
	FILE *out = path == NULL ? NULL : fopen(path, "w");
	(void)reserved;
	if (out != NULL && fprintf(out, "%lu\n", calls + 1) > 0)
		fclose(out);
	return CKR_OK;
}

static CK_RV get_info(CK_INFO *info)
{
	calls++;
	memset(info, ' ', sizeof *info);
	info->version = info->library = (CK_VERSION){ 2, 40 };
	info->flags = 0;
	return CKR_OK;
}

static CK_RV get_slot_list(CK_BYTE present, CK_ULONG *slots, CK_ULONG *n)
{
	(void)present;
	calls++;
	if (slots != NULL)
		slots[0] = 0;
	*n = 1;
	return CKR_OK;
}

static CK_RV get_slot_info(CK_ULONG slot, CK_SLOT_INFO *info)
{
	(void)slot;
	calls++;
	memset(info, ' ', sizeof *info);
	info->flags = CKF_TOKEN_PRESENT;
	info->hardware = info->firmware = (CK_VERSION){ 1, 0 };
	return CKR_OK;
}

static CK_RV get_token_info(CK_ULONG slot, CK_TOKEN_INFO *info)
{
	(void)slot;
	calls++;
	memset(info, ' ', sizeof *info);
	memcpy(info->label, "many", 4);
	memcpy(info->serial, "1", 1);
	info->flags = CKF_TOKEN_INITIALIZED; /* no login */
	memset(info->numbers, 0, sizeof info->numbers);
	info->hardware = info->firmware = (CK_VERSION){ 1, 0 };
	return CKR_OK;
}

static CK_RV get_mechanism_list(CK_ULONG slot, CK_ULONG *list, CK_ULONG *n)
{
	(void)slot;
	calls++;
	if (list != NULL)
		list[0] = CKM_ECDSA;
	*n = 1;
	return CKR_OK;
}

static CK_RV get_mechanism_info(CK_ULONG slot, CK_ULONG mechanism, CK_ULONG *info)
{
	(void)slot, (void)mechanism;
	calls++;
	info[0] = info[1] = 256;
	info[2] = 0x800; /* CKF_SIGN */
	return CKR_OK;
}

static CK_RV open_session(CK_ULONG slot, CK_ULONG flags, void *application, void *notify, CK_ULONG *session)
{
	(void)slot, (void)flags, (void)application, (void)notify;
	*session = ++calls;
	return CKR_OK;
}

static CK_RV done(CK_ULONG session)
{
	(void)session;
	calls++;
	return CKR_OK;
}

static CK_RV get_session_info(CK_ULONG session, CK_ULONG *info)
{
	(void)session;
	calls++;
	memset(info, 0, 4 * sizeof *info);
	return CKR_OK;
}

/* value finds an attribute of an object: NULL for none. */
static const CK_BYTE *value(const object *o, CK_ULONG type, CK_ULONG *length)
{
	const CK_BYTE *at = o->attributes;
	for (uint64_t n = o->count; n > 0; n--) {
		*length = number(at + 8);
		if (number(at) == type)
			return at + 16;
		at += 16 + *length;
	}
	return NULL;
}

static object *object_of(CK_ULONG handle)
{
	return handle == 0 || handle > all || objects[handle - 1].gone ? NULL : &objects[handle - 1];
}

static CK_RV get_attribute_value(CK_ULONG session, CK_ULONG handle, CK_ATTRIBUTE *t, CK_ULONG n)
{
	CK_RV rv = CKR_OK;
	object *o = object_of(handle);
	(void)session;
	calls++;
	if (o == NULL)
		return CKR_OBJECT_HANDLE_INVALID;
	for (CK_ULONG i = 0; i < n; i++) {
		CK_ULONG length;
		const CK_BYTE *v = value(o, t[i].type, &length);
		if (v == NULL) {
			t[i].length = ~0UL;
			rv = CKR_ATTRIBUTE_TYPE_INVALID;
		} else if (t[i].value != NULL && t[i].length < length) {
			t[i].length = ~0UL;
			rv = CKR_BUFFER_TOO_SMALL;
		} else {
			if (t[i].value != NULL)
				memcpy(t[i].value, v, length);
			t[i].length = length;
		}
	}
	return rv;
}

static CK_RV destroy_object(CK_ULONG session, CK_ULONG handle)
{
	object *o = object_of(handle);
	(void)session;
	calls++;
	if (o == NULL)
		return CKR_OBJECT_HANDLE_INVALID;
	o->gone = 1;
	return CKR_OK;
}

static CK_RV find_objects_init(CK_ULONG session, CK_ATTRIBUTE *t, CK_ULONG n)
{
	(void)session;
	calls++;
	founds = given = 0;
	for (CK_ULONG handle = 1; handle <= all; handle++) {
		object *o = object_of(handle);
		CK_ULONG i = 0, length;
		for (; o != NULL && i < n; i++) {
			const CK_BYTE *v = value(o, t[i].type, &length);
			if (v == NULL || length != t[i].length || memcmp(v, t[i].value, length) != 0)
				break;
		}
		if (o != NULL && i == n)
			found[founds++] = handle;
	}
	return CKR_OK;
}

static CK_RV find_objects(CK_ULONG session, CK_ULONG *handles, CK_ULONG most, CK_ULONG *n)
{
	(void)session;
	calls++;
	for (*n = 0; *n < most && given < founds; calls++)
		handles[(*n)++] = found[given++];
	return CKR_OK;
}

static CK_RV sign_init(CK_ULONG session, CK_ULONG *mechanism, CK_ULONG key)
{
	(void)session;
	calls++;
	signer = key;
	return *mechanism == CKM_ECDSA && object_of(key) != NULL ? CKR_OK : CKR_OBJECT_HANDLE_INVALID;
}

/* Numbers of 256 bits, the least 32 of them first, below the order of P-256. */
static const uint32_t order[8] = { 0xFC632551, 0xF3B9CAC2, 0xA7179E84, 0xBCE6FAAD, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0xFFFFFFFF };
static const CK_BYTE base[32] = { /* x of the base point */
	0x6B, 0x17, 0xD1, 0xF2, 0xE1, 0x2C, 0x42, 0x47, 0xF8, 0xBC, 0xE6, 0xE5, 0x63, 0xA4, 0x40, 0xF2,
	0x77, 0x03, 0x7D, 0x81, 0x2D, 0xEB, 0x33, 0xA0, 0xF4, 0xA1, 0x39, 0x45, 0xD8, 0x98, 0xC2, 0x96,
};

static void read_number(uint32_t *to, const CK_BYTE *from)
{
	for (int i = 0; i < 8; i++, from += 4)
		to[7 - i] = (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* add sets a to a + b modulo the order. */
static void add(uint32_t *a, const uint32_t *b)
{
	uint64_t carry = 0, sum[8];
	int64_t borrow = 0;
	uint32_t less[8];
	for (int i = 0; i < 8; i++, carry >>= 32)
		sum[i] = (carry += (uint64_t)a[i] + b[i]) & 0xFFFFFFFF;
	for (int i = 0; i < 8; i++, borrow >>= 32)
		less[i] = (uint32_t)(borrow += (int64_t)sum[i] - order[i]);
	for (int i = 0; i < 8; i++)
		a[i] = (int64_t)carry + borrow < 0 ? (uint32_t)sum[i] : less[i];
}

static CK_RV sign(CK_ULONG session, CK_BYTE *in, CK_ULONG size, CK_BYTE *out, CK_ULONG *n)
{
	CK_ULONG length = 0, room = *n;
	const CK_BYTE *key = object_of(signer) == NULL ? NULL : value(object_of(signer), CKA_VALUE, &length);
	uint32_t s[8] = { 0 }, hash[8], r[8];
	(void)session;
	calls++;
	*n = SIGNATURE;
	if (out == NULL)
		return CKR_OK;
	if (room < SIGNATURE || key == NULL || length != 32 || size != 32)
		return CKR_GENERAL_ERROR;
	read_number(r, base);
	read_number(hash, in);
	for (int bit = 31; bit >= 0; bit--) {
		add(s, s);
		if (key[31 - bit / 8] >> bit % 8 & 1)
			add(s, r);
	}
	add(s, (uint32_t[8]){ 0 });
	add(s, hash);
	memcpy(out, base, 32);
	for (int i = 0; i < 32; i++)
		out[32 + i] = (CK_BYTE)(s[7 - i / 4] >> 8 * (3 - i % 4));
	return CKR_OK;
}

static CK_RV unsupported(void) { return CKR_FUNCTION_NOT_SUPPORTED; }

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	static CK_FUNCTION_LIST ours = { { 2, 40 }, { 0 } };
	for (int i = 0; i < 68; i++)
		ours.functions[i] = (void *)unsupported;
#define AT(place, function) ours.functions[place] = (void *)function;
	AT(0, initialize) AT(1, finalize) AT(2, get_info) AT(3, C_GetFunctionList) AT(4, get_slot_list) AT(5, get_slot_info) AT(6, get_token_info)
	AT(7, get_mechanism_list) AT(8, get_mechanism_info) AT(12, open_session) AT(13, done) AT(15, get_session_info) AT(22, destroy_object)
	AT(24, get_attribute_value) AT(26, find_objects_init) AT(27, find_objects) AT(28, done) AT(42, sign_init) AT(43, sign)
	*list = &ours;
	return CKR_OK;
}
