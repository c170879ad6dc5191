/*
 * apart: a PKCS#11 module whose token is in another process, so that what the caller's memory holds of a key can only have
 * come through the calls. p11-kit's remoting does the same, but version 0.24 carries no AES mechanism.
 *
 * The client, built with -shared: hands each call to the server on the unix socket that P11APART names.
 * The server, built with -DSERVER:  apart MODULE SOCKET [RESERVED]  serves one client after another from the real module;
 * RESERVED is what NSS wants in C_Initialize. After each call, and before its caller has the result, it writes a line
 *
 *     FUNCTION CKR CKA_CLASS CKA_TOKEN NUMBER NUMBER NUMBER : ATTRIBUTES…
 *
 * (all hexadecimal but the function's name; the class and whether it is a token object are of the object that was read,
 * made or wrapped; the attributes are those of the template) to its standard output and waits for one byte from its standard input: so the
 * caller stands still for as long as somebody looks at it. The first line is "listening", a client's is "client PID".
 *
 * P11APART_WRAP=wrong makes C_WrapKey wrap another private key than the one it was asked for, P11APART_WRAP=corrupt flips
 * one bit of what it gives.
 *
 * Only what exporting needs is carried. The server frees little: it serves one test. Both ends are on one machine and share its layout of CK_* (PKCS#11 v2.40).
 *
 * A client for Windows has that layout on the wire, too, and Windows' own towards its caller: packed structures and a
 * CK_ULONG of 4 bytes (PKCS#11 v3.1 section 2.1). It carries more calls, may be called by several threads, and connects to
 * the TCP port of this machine that P11APART names (or another variable, with -DPORT). The server that serves it is
 * apart MODULE tcp : it writes "listening PORT", serves each client in a process of its own, tells of no call, and ends when its
 * standard input does. What the caller says to C_Initialize in pReserved is carried, and so is the client's SOFTHSM2_CONF. In
 * both, and in that configuration, paths become those of Linux: Z: is /, C: is the folder that P11APART_C names.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef PORT
#define PORT "P11APART"
#endif
#ifdef _WIN32
#include <winsock2.h>
#define MSG_NOSIGNAL 0
#define explicit_bzero SecureZeroMemory
#define EXPORTED __declspec(dllexport)
#pragma pack(push, 1)
#else
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#define EXPORTED
#endif

typedef unsigned char CK_BYTE;
typedef unsigned long CK_ULONG, CK_RV;
typedef struct { CK_ULONG type; void *value; CK_ULONG length; } CK_ATTRIBUTE;
typedef struct { CK_ULONG mechanism; void *parameter; CK_ULONG length; } CK_MECHANISM;
typedef struct { CK_BYTE major, minor; void *functions[68]; } CK_FUNCTION_LIST;
typedef struct { void *mutexes[4]; CK_ULONG flags; char *reserved; } CK_C_INITIALIZE_ARGS;
typedef struct { CK_ULONG hash, mgf, source; void *data; CK_ULONG length; } CK_RSA_PKCS_OAEP_PARAMS;
#ifdef _WIN32
#pragma pack(pop)
#endif
enum {
	CKR_OK = 0, CKR_ARGUMENTS_BAD = 0x7, CKR_DEVICE_REMOVED = 0x32, CKR_FUNCTION_NOT_SUPPORTED = 0x54, CKR_BUFFER_TOO_SMALL = 0x150, CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191,
	INFO_SIZE = 88, SLOT_INFO_SIZE = 112, TOKEN_INFO_SIZE = 208, MECHANISM_INFO_SIZE = 24, SESSION_INFO_SIZE = 32,
};

/* The numbers are the places in CK_FUNCTION_LIST. */
#define CARRIED(X) \
	X(Initialize, 0) X(Finalize, 1) X(GetInfo, 2) X(GetSlotList, 4) X(GetSlotInfo, 5) X(GetTokenInfo, 6) X(GetMechanismList, 7) \
	X(GetMechanismInfo, 8) X(OpenSession, 12) X(CloseSession, 13) X(Login, 18) X(Logout, 19) X(CreateObject, 20) \
	X(DestroyObject, 22) X(GetAttributeValue, 24) X(FindObjectsInit, 26) X(FindObjects, 27) X(FindObjectsFinal, 28) X(SignInit, 42) \
	X(Sign, 43) X(WrapKey, 60) X(UnwrapKey, 61)
/* What is carried for Windows only: the tests of memory are written for the calls above. */
#define CARRIED_TOO(X) X(InitToken, 9) X(InitPIN, 10) X(GetSessionInfo, 15) X(SetAttributeValue, 25) X(EncryptInit, 29) X(Encrypt, 30) X(DecryptInit, 33) X(Decrypt, 34) \
	X(GenerateKey, 58) X(GenerateKeyPair, 59)
enum {
#define X(name, place) name = place,
	CARRIED(X) CARRIED_TOO(X)
#undef X
};

/* A call and its result are both of this form. A buffer that is absent (a NULL pointer of the caller) is not one of no bytes. */
typedef struct {
	uint64_t function, rv, number[4], size[3], absent[3];
	CK_BYTE *data[3];
} message;
#define HEAD offsetof(message, data)

/* Where Windows has 4 bytes for a number, there are 8 on the wire. */
#define NARROW (sizeof(CK_ULONG) == 4)

/* isNumber knows the attributes whose value is a CK_ULONG. */
static int isNumber(CK_ULONG type) {
	static const CK_ULONG numbers[] = {0x0, 0x80, 0x87, 0x88, 0x100, 0x121, 0x133, 0x134, 0x160, 0x161, 0x166, 0x300, 0x500};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (numbers[i] == type)
			return 1;
	return 0;
}

static int all(ssize_t (*move)(int, void *, size_t), int fd, void *data, size_t size) {
	for (size_t done = 0; done < size;) {
		ssize_t n = move(fd, (CK_BYTE *)data + done, size - done);
		if (n <= 0)
			return 0;
		done += n;
	}
	return 1;
}

#if defined SERVER || defined _WIN32
/* atOnce sends each part of a message when it is there. TCP would hold the second one back for 40 ms, until the first is acknowledged. */
static int atOnce(int fd) {
	int on = 1;
	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (void *)&on, sizeof on);
}
#endif

static ssize_t put(int fd, void *data, size_t size) { return send(fd, data, size, MSG_NOSIGNAL); }
static ssize_t take(int fd, void *data, size_t size) { return recv(fd, data, size, 0); }

static int transmit(int fd, message *m) {
	if (!all(put, fd, m, HEAD))
		return 0;
	for (int i = 0; i < 3; i++)
		if (!all(put, fd, m->data[i], m->size[i]))
			return 0;
	return 1;
}

/* receive fills m with buffers that done must free. */
static int receive(int fd, message *m) {
	memset(m, 0, sizeof *m);
	if (!all(take, fd, m, HEAD))
		return 0;
	for (int i = 0; i < 3; i++) {
		m->data[i] = calloc(1, m->size[i] + 1);
		if (!m->data[i] || !all(take, fd, m->data[i], m->size[i]))
			return 0;
	}
	return 1;
}

/* done wipes, because the client's part lives in the process that is searched. */
static void done(message *m) {
	for (int i = 0; i < 3; i++) {
		if (m->data[i])
			explicit_bzero(m->data[i], m->size[i]);
		free(m->data[i]);
	}
}

/* A template travels as type, length, whether there is a value, and the value, for each attribute. */
static void pack(message *m, int i, CK_ATTRIBUTE *t, CK_ULONG n, int values) {
	size_t size = 0;
	for (CK_ULONG a = 0; a < n; a++)
		size += 24 + 8 + (values && t[a].value && t[a].length != (CK_ULONG)-1 ? t[a].length : 0);
	CK_BYTE *at = m->data[i] = calloc(1, size + 1);
	for (CK_ULONG a = 0; a < n; a++) {
		int wide = NARROW && isNumber(t[a].type) && t[a].length == sizeof(CK_ULONG);
		uint64_t length = t[a].length == (CK_ULONG)-1 ? ~0ULL : wide ? 8 : t[a].length;
		uint64_t head[3] = {t[a].type, length, t[a].value != NULL && length != ~0ULL};
		memcpy(at, head, 24);
		at += 24;
		if (!values || !head[2])
			continue;
		memcpy(at, t[a].value, t[a].length); /* the upper half of what is wide is 0 */
		at += length;
	}
	m->size[i] = at - m->data[i];
	m->number[3] = n;
}

#ifndef SERVER

static int server = -1;

#ifdef _WIN32
static SRWLOCK lock = SRWLOCK_INIT;
#define LOCK() AcquireSRWLockExclusive(&lock)
#define UNLOCK() ReleaseSRWLockExclusive(&lock)
#else
#define LOCK()
#define UNLOCK()
#endif

/* carry makes the call at the other end and takes the result into m. The request's buffers are the caller's own, but for a
 * template that was packed. */
static CK_RV carry(message *m, int packed) {
	LOCK();
	int carried = transmit(server, m);
	for (; packed >= 0 && packed < 3; packed++) { /* what is packed comes last */
		explicit_bzero(m->data[packed], m->size[packed]);
		free(m->data[packed]);
	}
	memset(m->data, 0, sizeof m->data);
	carried = carried && receive(server, m);
	UNLOCK();
	return carried ? m->rv : CKR_DEVICE_REMOVED;
}

static CK_RV plain(uint64_t function, uint64_t a, uint64_t b, CK_ULONG *result) {
	message m = {.function = function, .number = {a, b}};
	CK_RV rv = carry(&m, -1);
	if (result && rv == CKR_OK)
		*result = m.number[0];
	done(&m);
	return rv;
}

/* numbers copies numbers, and gives what follows them. */
static void *numbers(void *to, const CK_BYTE *from, size_t count) {
	CK_BYTE *out = to;
	for (size_t i = 0; i < count; i++, out += sizeof(CK_ULONG)) {
		uint64_t wide;
		memcpy(&wide, from + 8 * i, 8);
		CK_ULONG number = (CK_ULONG)wide;
		memcpy(out, &number, sizeof number);
	}
	return out;
}

/* fixed is for a struct of bytes, numbers and bytes again; the numbers begin, on the wire, at a multiple of 8. */
static CK_RV fixed(uint64_t function, uint64_t a, uint64_t b, void *out, size_t before, size_t count, size_t after) {
	message m = {.function = function, .number = {a, b}};
	CK_RV rv = carry(&m, -1);
	if (rv == CKR_OK) {
		size_t first = (before + 7) / 8 * 8;
		memcpy(out, m.data[0], before);
		memcpy(numbers((CK_BYTE *)out + (NARROW ? before : first), m.data[0] + first, count), m.data[0] + first + 8 * count, after);
	}
	done(&m);
	return rv;
}

/* output is for what the caller asks twice for: the size, then the content, in bytes or in numbers. */
static CK_RV output(message *m, void *out, CK_ULONG *n, int listed) {
	m->number[2] = *n;
	m->absent[2] = out == NULL;
	CK_RV rv = carry(m, -1);
	if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)
		*n = m->number[0];
	if (rv == CKR_OK && out && listed)
		numbers(out, m->data[0], m->size[0] / 8);
	else if (rv == CKR_OK && out)
		memcpy(out, m->data[0], m->size[0]);
	done(m);
	return rv;
}

static CK_RV refuse(void) { return CKR_FUNCTION_NOT_SUPPORTED; }

/* connected connects to the server. */
static CK_RV connected(void) {
	const char *named = getenv(PORT);
#ifdef _WIN32
	WSADATA started;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(named ? atoi(named) : 0)};
	if (!named || WSAStartup(MAKEWORD(2, 2), &started))
		return CKR_ARGUMENTS_BAD;
	server = socket(AF_INET, SOCK_STREAM, 0);
	if (atOnce(server))
		return CKR_DEVICE_REMOVED;
#else
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!named || strlen(named) >= sizeof address.sun_path)
		return CKR_ARGUMENTS_BAD;
	strcpy(address.sun_path, named);
	server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
#endif
	return connect(server, (void *)&address, sizeof address) ? CKR_DEVICE_REMOVED : CKR_OK;
}

static CK_RV c_Initialize(CK_C_INITIALIZE_ARGS *args) {
	char *reserved = args && args->reserved && NARROW ? args->reserved : "", *configuration = "";
	if (server >= 0)
		return CKR_CRYPTOKI_ALREADY_INITIALIZED;
	CK_RV rv = connected();
	if (rv != CKR_OK)
		return rv;
#ifdef _WIN32
	static char named[1024]; /* not getenv, which does not know what the program itself has set */
	if (GetEnvironmentVariableA("SOFTHSM2_CONF", named, sizeof named))
		configuration = named;
#endif
	message m = {.function = Initialize, .size = {strlen(reserved), strlen(configuration)}, .data = {(CK_BYTE *)reserved, (CK_BYTE *)configuration}};
	rv = carry(&m, -1);
	done(&m);
	return rv;
}

static CK_RV c_Finalize(void *reserved) {
	CK_RV rv = plain(Finalize, 0, 0, NULL);
	(void)reserved;
#ifdef _WIN32
	closesocket(server);
#else
	close(server);
#endif
	server = -1;
	return rv;
}

static CK_RV c_GetInfo(void *info) { return fixed(GetInfo, 0, 0, info, 34, 1, 34); }
static CK_RV c_GetSlotInfo(CK_ULONG slot, void *info) { return fixed(GetSlotInfo, slot, 0, info, 96, 1, 4); }
static CK_RV c_GetTokenInfo(CK_ULONG slot, void *info) { return fixed(GetTokenInfo, slot, 0, info, 96, 11, 20); }
static CK_RV c_GetMechanismInfo(CK_ULONG slot, CK_ULONG type, void *info) { return fixed(GetMechanismInfo, slot, type, info, 0, 3, 0); }

static CK_RV c_GetSlotList(CK_BYTE present, CK_ULONG *slots, CK_ULONG *n) {
	message m = {.function = GetSlotList, .number = {present}};
	return output(&m, slots, n, 1);
}

static CK_RV c_GetMechanismList(CK_ULONG slot, CK_ULONG *list, CK_ULONG *n) {
	message m = {.function = GetMechanismList, .number = {slot}};
	return output(&m, list, n, 1);
}

static CK_RV c_OpenSession(CK_ULONG slot, CK_ULONG flags, void *application, void *notify, CK_ULONG *s) {
	(void)application, (void)notify;
	return plain(OpenSession, slot, flags, s);
}

static CK_RV c_CloseSession(CK_ULONG s) { return plain(CloseSession, s, 0, NULL); }
static CK_RV c_Logout(CK_ULONG s) { return plain(Logout, s, 0, NULL); }
static CK_RV c_DestroyObject(CK_ULONG s, CK_ULONG o) { return plain(DestroyObject, s, o, NULL); }
static CK_RV c_FindObjectsFinal(CK_ULONG s) { return plain(FindObjectsFinal, s, 0, NULL); }

static CK_RV c_Login(CK_ULONG s, CK_ULONG user, CK_BYTE *pin, CK_ULONG n) {
	message m = {.function = Login, .number = {s, user}, .size = {n}, .data = {pin}};
	CK_RV rv = carry(&m, -1);
	done(&m);
	return rv;
}

static CK_RV c_CreateObject(CK_ULONG s, CK_ATTRIBUTE *t, CK_ULONG n, CK_ULONG *o) {
	message m = {.function = CreateObject, .number = {s}};
	pack(&m, 0, t, n, 1);
	CK_RV rv = carry(&m, 0);
	*o = m.number[0];
	done(&m);
	return rv;
}

static CK_RV c_FindObjectsInit(CK_ULONG s, CK_ATTRIBUTE *t, CK_ULONG n) {
	message m = {.function = FindObjectsInit, .number = {s}};
	pack(&m, 0, t, n, 1);
	CK_RV rv = carry(&m, 0);
	done(&m);
	return rv;
}

static CK_RV c_FindObjects(CK_ULONG s, CK_ULONG *o, CK_ULONG most, CK_ULONG *n) {
	message m = {.function = FindObjects, .number = {s}};
	*n = most;
	return output(&m, o, n, 1);
}

static CK_RV c_GetAttributeValue(CK_ULONG s, CK_ULONG o, CK_ATTRIBUTE *t, CK_ULONG n) {
	message m = {.function = GetAttributeValue, .number = {s, o}};
	pack(&m, 0, t, n, 0);
	CK_RV rv = carry(&m, 0);
	CK_BYTE *at = m.data[0];
	for (CK_ULONG a = 0; a < n && at && m.size[0]; a++) {
		uint64_t head[3];
		memcpy(head, at, 24);
		at += 24;
		int wide = NARROW && isNumber(t[a].type) && head[1] == 8;
		if (t[a].value && head[2]) {
			memcpy(t[a].value, at, wide ? sizeof(CK_ULONG) : head[1]);
			at += head[1];
		}
		t[a].length = wide ? sizeof(CK_ULONG) : (CK_ULONG)head[1];
	}
	done(&m);
	return rv;
}

/* mechanism leaves in the message what a mechanism takes with it: nothing, bytes, or numbers, of which room holds the wide form. */
static void mechanism(message *m, CK_MECHANISM *mech, uint64_t room[5]) {
	CK_ULONG parts = 0, *numbers = mech->parameter;
	if (NARROW && numbers && mech->length == 3 * sizeof(CK_ULONG)) /* CK_RSA_PKCS_PSS_PARAMS */
		parts = 3;
	if (NARROW && numbers && mech->length == sizeof(CK_RSA_PKCS_OAEP_PARAMS)) /* without its source's data, which nobody gives */
		parts = 5;
	memset(room, 0, 5 * sizeof *room);
	for (CK_ULONG i = 0; i < parts && i < 3; i++)
		room[i] = numbers[i];
	m->size[0] = parts ? 8 * parts : mech->length;
	m->absent[0] = mech->parameter == NULL;
	m->data[0] = parts ? (CK_BYTE *)room : mech->parameter;
}

/* begin is for what begins with a mechanism and a key. */
static CK_RV begin(uint64_t function, CK_ULONG s, CK_MECHANISM *mech, CK_ULONG key) {
	uint64_t wide[5];
	message m = {.function = function, .number = {s, key, mech->mechanism}};
	mechanism(&m, mech, wide);
	CK_RV rv = carry(&m, -1);
	done(&m);
	return rv;
}

static CK_RV c_SignInit(CK_ULONG s, CK_MECHANISM *mech, CK_ULONG key) { return begin(SignInit, s, mech, key); }

static CK_RV c_Sign(CK_ULONG s, CK_BYTE *in, CK_ULONG size, CK_BYTE *out, CK_ULONG *n) {
	message m = {.function = Sign, .number = {s}, .size = {size}, .data = {in}};
	return output(&m, out, n, 0);
}

static CK_RV c_WrapKey(CK_ULONG s, CK_MECHANISM *mech, CK_ULONG wrapping, CK_ULONG key, CK_BYTE *out, CK_ULONG *n) {
	uint64_t more[2] = {mech->mechanism, key}, wide[5];
	message m = {.function = WrapKey, .number = {s, wrapping}, .size = {0, sizeof more}, .data = {NULL, (CK_BYTE *)more}};
	mechanism(&m, mech, wide);
	return output(&m, out, n, 0);
}

static CK_RV c_UnwrapKey(CK_ULONG s, CK_MECHANISM *mech, CK_ULONG unwrapping, CK_BYTE *in, CK_ULONG size, CK_ATTRIBUTE *t, CK_ULONG n, CK_ULONG *key) {
	uint64_t wide[5];
	message m = {.function = UnwrapKey, .number = {s, unwrapping, mech->mechanism}, .size = {0, size}, .data = {NULL, in}};
	mechanism(&m, mech, wide);
	pack(&m, 2, t, n, 1);
	CK_RV rv = carry(&m, 2);
	*key = m.number[0];
	done(&m);
	return rv;
}

#ifdef _WIN32
static CK_RV c_InitToken(CK_ULONG slot, CK_BYTE *pin, CK_ULONG n, CK_BYTE *label) {
	message m = {.function = InitToken, .number = {slot}, .size = {n, 32}, .data = {pin, label}};
	CK_RV rv = carry(&m, -1);
	done(&m);
	return rv;
}

static CK_RV c_InitPIN(CK_ULONG s, CK_BYTE *pin, CK_ULONG n) {
	message m = {.function = InitPIN, .number = {s}, .size = {n}, .data = {pin}};
	CK_RV rv = carry(&m, -1);
	done(&m);
	return rv;
}

static CK_RV c_GetSessionInfo(CK_ULONG s, void *info) { return fixed(GetSessionInfo, s, 0, info, 0, 4, 0); }

static CK_RV c_SetAttributeValue(CK_ULONG s, CK_ULONG o, CK_ATTRIBUTE *t, CK_ULONG n) {
	message m = {.function = SetAttributeValue, .number = {s, o}};
	pack(&m, 2, t, n, 1);
	CK_RV rv = carry(&m, 2);
	done(&m);
	return rv;
}

static CK_RV c_EncryptInit(CK_ULONG s, CK_MECHANISM *mech, CK_ULONG key) { return begin(EncryptInit, s, mech, key); }
static CK_RV c_DecryptInit(CK_ULONG s, CK_MECHANISM *mech, CK_ULONG key) { return begin(DecryptInit, s, mech, key); }

static CK_RV c_Encrypt(CK_ULONG s, CK_BYTE *in, CK_ULONG size, CK_BYTE *out, CK_ULONG *n) {
	message m = {.function = Encrypt, .number = {s}, .size = {size}, .data = {in}};
	return output(&m, out, n, 0);
}

static CK_RV c_Decrypt(CK_ULONG s, CK_BYTE *in, CK_ULONG size, CK_BYTE *out, CK_ULONG *n) {
	message m = {.function = Decrypt, .number = {s}, .size = {size}, .data = {in}};
	return output(&m, out, n, 0);
}

/* The mechanism that generates an AES key has no parameter. */
static CK_RV c_GenerateKey(CK_ULONG s, CK_MECHANISM *mech, CK_ATTRIBUTE *t, CK_ULONG n, CK_ULONG *key) {
	message m = {.function = GenerateKey, .number = {s, mech->mechanism}};
	pack(&m, 2, t, n, 1);
	CK_RV rv = carry(&m, 2);
	*key = m.number[0];
	done(&m);
	return rv;
}

/* The mechanisms that generate key pairs have no parameter. */
static CK_RV c_GenerateKeyPair(CK_ULONG s, CK_MECHANISM *mech, CK_ATTRIBUTE *public, CK_ULONG publics, CK_ATTRIBUTE *private, CK_ULONG privates, CK_ULONG *publicKey, CK_ULONG *privateKey) {
	message m = {.function = GenerateKeyPair, .number = {s, mech->mechanism, publics}};
	pack(&m, 1, public, publics, 1);
	pack(&m, 2, private, privates, 1);
	CK_RV rv = carry(&m, 1);
	*publicKey = m.number[0], *privateKey = m.number[1];
	done(&m);
	return rv;
}
#endif

static CK_FUNCTION_LIST list;

EXPORTED CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out) {
	list.major = 2, list.minor = 40;
	for (int i = 0; i < 68; i++)
		list.functions[i] = refuse;
	list.functions[3] = C_GetFunctionList;
#define X(name, place) list.functions[place] = c_##name;
	CARRIED(X)
#ifdef _WIN32
	CARRIED_TOO(X)
#endif
#undef X
	*out = &list;
	return CKR_OK;
}

#else

static CK_FUNCTION_LIST *module;
#define CALL(place, ...) ((CK_RV(*)())module->functions[place])(__VA_ARGS__)

static const char *nameOf(uint64_t function) {
	switch (function) {
#define X(name, place) case place: return "C_" #name;
	CARRIED(X) CARRIED_TOO(X)
#undef X
	}
	return "?";
}

/* unpack gives a template of n attributes with room for the values. */
static CK_ATTRIBUTE *unpack(message *m, int i, CK_ULONG n, int values) {
	CK_ATTRIBUTE *t = calloc(n + 1, sizeof *t);
	CK_BYTE *at = m->data[i];
	for (CK_ULONG a = 0; a < n; a++) {
		uint64_t head[3];
		memcpy(head, at, 24);
		at += 24;
		t[a].type = head[0];
		t[a].length = head[1];
		if (!head[2])
			continue;
		t[a].value = calloc(1, head[1] + 1);
		if (values) {
			memcpy(t[a].value, at, head[1]);
			at += head[1];
		}
	}
	return t;
}

/* Whether nobody is told of calls. */
static int silent;

/* Two private keys that were looked at. */
static CK_ULONG keys[2];

/* tell writes the line and waits. */
static int tell(message *m, CK_ULONG session, CK_ULONG object, CK_ATTRIBUTE *t, CK_ULONG n) {
	CK_ULONG class = ~0UL;
	CK_BYTE stored = 2;
	CK_ATTRIBUTE ask[] = {{0, &class, sizeof class}, {1, &stored, sizeof stored}};
	if (object)
		CALL(GetAttributeValue, session, object, ask, 2UL);
	if (class == 3 && stored == 1 && !keys[1] && object != keys[0])
		keys[keys[0] != 0] = object;
	printf("%s %lx %lx %x %lx %lx %lx :", nameOf(m->function), (long)m->rv, class, stored, (long)m->number[0], (long)m->number[1], (long)m->number[2]);
	for (CK_ULONG a = 0; a < n; a++)
		printf(" %lx", t[a].type);
	printf("\n");
	fflush(stdout);
	return getchar() != EOF;
}

/* onLinux gives a text in which a path of Windows, with its separators once or (since the text escapes them) twice, is one of Linux. A path ends
 * where a character says so. */
static char *onLinux(const char *text, char last) {
	const char *c = getenv("P11APART_C") ? getenv("P11APART_C") : "";
	char *out = calloc(1, strlen(text) * (1 + strlen(c)) + 1), *end = out;
	int within = 0;
	for (; *text; text++) {
		if ((*text == 'Z' || *text == 'C') && text[1] == ':' && text[2] == '\\') {
			end = stpcpy(end, *text == 'C' ? c : "");
			text += 2, within = 1;
		}
		within = within && *text != last;
		if (within && *text == '\\' && text[1] == last)
			*end++ = *text++; /* it is part of the path */
		else if (within && *text == '\\') {
			*end++ = '/', text += text[1] == '\\';
			continue;
		}
		*end++ = *text;
	}
	return out;
}

/* configure has SoftHSM read the client's configuration. */
static void configure(const char *path) {
	static char copy[64];
	char text[4096];
	FILE *file = fopen(path, "r");
	size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
	setenv("SOFTHSM2_CONF", path, 1);
	if (file)
		fclose(file);
	text[size] = 0;
	if (!strstr(text, ":\\"))
		return;
	int fd = memfd_create("softhsm2.conf", 0);
	char *translated = onLinux(text, '\n');
	if (fd >= 0 && write(fd, translated, strlen(translated)) > 0)
		setenv("SOFTHSM2_CONF", (snprintf(copy, sizeof copy, "/proc/self/fd/%d", fd), copy), 1);
}

/* answer makes the call and leaves the result in r. The line names the numbers of the request. */
static int answer(message *m, message *r, void *reserved) {
	uint64_t *in = m->number;
	CK_ULONG n = in[2], handle = 0, session = in[0], object = 0, more[2] = {0, 0};
	CK_ATTRIBUTE *t = NULL;
	CK_MECHANISM mech = {0, m->absent[0] ? NULL : m->data[0], m->size[0]};
	size_t unit = 1;
	const char *wrap = getenv("P11APART_WRAP");
	void *args[6] = {NULL, NULL, NULL, NULL, NULL, NULL}, *out = NULL;
	enum { NOTHING, HANDLE, FIXED, LISTED } result = NOTHING;
	switch (m->function) {
	case GetSlotList: case GetMechanismList: case FindObjects:
		unit = sizeof(CK_ULONG);
		/* fall through */
	case Sign: case WrapKey: case Encrypt: case Decrypt:
		result = LISTED;
		out = m->absent[2] ? NULL : calloc(n + 1, unit);
		break;
	case GetInfo: case GetSlotInfo: case GetTokenInfo: case GetMechanismInfo: case GetSessionInfo:
		result = FIXED;
		out = calloc(1, 256);
		break;
	case OpenSession: case CreateObject: case UnwrapKey: case GenerateKey:
		result = HANDLE;
	}
	if (m->function == CreateObject || m->function == FindObjectsInit || m->function == GetAttributeValue)
		t = unpack(m, 0, in[3], m->function != GetAttributeValue);
	if (m->function == UnwrapKey || m->function == SetAttributeValue || m->function == GenerateKey || m->function == GenerateKeyPair)
		t = unpack(m, 2, in[3], 1);
	CK_ULONG told = t ? in[3] : 0, size = 0;
	switch (m->function) {
	case Initialize:
		if (m->size[0])
			reserved = onLinux((char *)m->data[0], '\'');
		if (m->size[1])
			configure(onLinux((char *)m->data[1], '\n'));
		args[4] = (void *)2, args[5] = reserved; /* CKF_OS_LOCKING_OK, pReserved */
		r->rv = CALL(Initialize, reserved ? args : NULL);
		break;
	case Finalize: r->rv = CALL(Finalize, NULL); break;
	case GetInfo: r->rv = CALL(GetInfo, out); size = INFO_SIZE; break;
	case GetSlotInfo: r->rv = CALL(GetSlotInfo, in[0], out); size = SLOT_INFO_SIZE; break;
	case GetTokenInfo: r->rv = CALL(GetTokenInfo, in[0], out); size = TOKEN_INFO_SIZE; break;
	case GetMechanismInfo: r->rv = CALL(GetMechanismInfo, in[0], in[1], out); size = MECHANISM_INFO_SIZE; break;
	case GetSessionInfo: r->rv = CALL(GetSessionInfo, session, out); size = SESSION_INFO_SIZE; break;
	case InitToken: r->rv = CALL(InitToken, in[0], m->data[0], m->size[0], m->data[1]); break;
	case InitPIN: r->rv = CALL(InitPIN, session, m->data[0], m->size[0]); break;
	case SetAttributeValue: r->rv = CALL(SetAttributeValue, session, in[1], t, told); break;
	case GenerateKeyPair: {
		CK_ULONG pair[2] = {0, 0};
		mech = (CK_MECHANISM){in[1], NULL, 0};
		r->rv = CALL(GenerateKeyPair, session, &mech, unpack(m, 1, in[2], 1), (CK_ULONG)in[2], t, told, &pair[0], &pair[1]);
		r->number[0] = pair[0], r->number[1] = pair[1];
		break;
	}
	case GenerateKey:
		mech = (CK_MECHANISM){in[1], NULL, 0};
		r->rv = CALL(GenerateKey, session, &mech, t, told, &handle);
		break;
	case EncryptInit:
		mech.mechanism = in[2];
		r->rv = CALL(EncryptInit, session, &mech, in[1]);
		break;
	case Encrypt: r->rv = CALL(Encrypt, session, m->data[0], m->size[0], out, &n); break;
	case DecryptInit:
		mech.mechanism = in[2];
		r->rv = CALL(DecryptInit, session, &mech, in[1]);
		break;
	case Decrypt: r->rv = CALL(Decrypt, session, m->data[0], m->size[0], out, &n); break;
	case GetSlotList: r->rv = CALL(GetSlotList, (CK_BYTE)in[0], out, &n); break;
	case GetMechanismList: r->rv = CALL(GetMechanismList, in[0], out, &n); break;
	case OpenSession: r->rv = CALL(OpenSession, in[0], in[1], NULL, NULL, &handle); break;
	case CloseSession: r->rv = CALL(CloseSession, session); break;
	case Login: r->rv = CALL(Login, session, in[1], m->data[0], m->size[0]); break;
	case Logout: r->rv = CALL(Logout, session); break;
	case CreateObject: r->rv = CALL(CreateObject, session, t, told, &handle); break;
	case DestroyObject: r->rv = CALL(DestroyObject, session, in[1]); break;
	case FindObjectsInit: r->rv = CALL(FindObjectsInit, session, t, told); break;
	case FindObjects: r->rv = CALL(FindObjects, session, out, n, &n); break;
	case FindObjectsFinal: r->rv = CALL(FindObjectsFinal, session); break;
	case GetAttributeValue:
		object = in[1];
		r->rv = CALL(GetAttributeValue, session, object, t, told);
		pack(r, 0, t, told, 1);
		break;
	case SignInit:
		object = in[1], mech.mechanism = in[2];
		r->rv = CALL(SignInit, session, &mech, in[1]);
		break;
	case Sign: r->rv = CALL(Sign, session, m->data[0], m->size[0], out, &n); break;
	case WrapKey:
		memcpy(more, m->data[1], sizeof more);
		mech.mechanism = more[0], object = more[1];
		if (wrap && !strcmp(wrap, "wrong"))
			more[1] = keys[object == keys[0]];
		r->rv = CALL(WrapKey, session, &mech, in[1], more[1], out, &n);
		if (wrap && !strcmp(wrap, "corrupt") && out && r->rv == CKR_OK)
			((CK_BYTE *)out)[n / 2] ^= 1;
		in[2] = more[0];
		break;
	case UnwrapKey:
		mech.mechanism = in[2];
		r->rv = CALL(UnwrapKey, session, &mech, in[1], m->data[1], m->size[1], t, told, &handle);
		break;
	default: r->rv = CKR_FUNCTION_NOT_SUPPORTED;
	}
	if (result == HANDLE)
		r->number[0] = handle, object = r->rv == CKR_OK && m->function != OpenSession ? handle : 0;
	if (result == LISTED)
		r->number[0] = n, size = out ? n * unit : 0;
	if (out && r->rv == CKR_OK)
		r->size[0] = size, r->data[0] = out;
	m->rv = r->rv;
	return silent || tell(m, session, object, t, told);
}

/* serve answers a client until it goes. */
static int serve(int client, void *reserved) {
	for (message m, r; receive(client, &m); done(&m)) {
		memset(&r, 0, sizeof r);
		if (!answer(&m, &r, reserved))
			return 0;
		if (!transmit(client, &r))
			break;
	}
	close(client);
	return 1;
}

/* serveMany serves each client in a process of its own, until standard input ends. */
static int serveMany(void *reserved) {
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (void *)&address, size) || listen(listener, 8) || getsockname(listener, (void *)&address, &size)) {
		perror("listen");
		return 1;
	}
	silent = 1;
	signal(SIGCHLD, SIG_IGN);
	printf("listening %d\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;) {
		fd_set ready;
		FD_ZERO(&ready);
		FD_SET(0, &ready);
		FD_SET(listener, &ready);
		if (select(listener + 1, &ready, NULL, NULL, NULL) < 0 || FD_ISSET(0, &ready))
			return 0;
		int client = accept(listener, NULL, NULL);
		if (client >= 0 && fork() == 0) {
			close(listener);
			_exit(atOnce(client) || !serve(client, reserved));
		}
		close(client);
	}
}

int main(int argc, char **argv) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	void *library = argc < 3 ? NULL : dlopen(argv[1], RTLD_NOW);
	CK_RV (*get)(CK_FUNCTION_LIST **) = library ? dlsym(library, "C_GetFunctionList") : NULL;
	if (!get || get(&module) != CKR_OK || strlen(argv[2]) >= sizeof address.sun_path) {
		fprintf(stderr, "apart MODULE SOCKET [RESERVED]: %s\n", library ? "no functions" : dlerror());
		return 1;
	}
	void *reserved = argc > 3 ? argv[3] : NULL;
	if (!strcmp(argv[2], "tcp"))
		return serveMany(reserved);
	strcpy(address.sun_path, argv[2]);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (void *)&address, sizeof address) || listen(listener, 1)) {
		perror(argv[2]);
		return 1;
	}
	printf("listening\n");
	fflush(stdout);
	if (getchar() == EOF)
		return 0;
	for (;;) {
		int client = accept(listener, NULL, NULL);
		struct ucred peer;
		socklen_t size = sizeof peer;
		if (client < 0 || getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size)) {
			perror("accept");
			return 1;
		}
		printf("client %d\n", peer.pid);
		fflush(stdout);
		if (getchar() == EOF)
			return 0;
		if (!serve(client, reserved))
			return 0;
	}
}

#endif
