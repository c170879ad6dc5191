#include <stdlib.h>
#include <string.h>

#include "cryptoki.h"

/* clear_registers overwrites the vector registers. Copies of secrets go through them, nobody else clears the upper ones, and a
 * signal has the kernel write all of them to memory. */
static void clear_registers(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
	if (__builtin_cpu_supports("avx512f")) {
#define CLEAR(n) __asm__ volatile("vpxord %%zmm" #n ", %%zmm" #n ", %%zmm" #n ::: "memory")
		CLEAR(16); CLEAR(17); CLEAR(18); CLEAR(19); CLEAR(20); CLEAR(21); CLEAR(22); CLEAR(23);
		CLEAR(24); CLEAR(25); CLEAR(26); CLEAR(27); CLEAR(28); CLEAR(29); CLEAR(30); CLEAR(31);
#undef CLEAR
	}
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall" ::: "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
			"xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
#elif defined(__aarch64__)
	/* The compiler saves and restores the lower halves of v8 to v15, which belong to the caller (AAPCS64). */
#define CLEAR(n) __asm__ volatile("movi v" #n ".2d, #0" ::: "memory", "v" #n)
	CLEAR(0); CLEAR(1); CLEAR(2); CLEAR(3); CLEAR(4); CLEAR(5); CLEAR(6); CLEAR(7);
	CLEAR(8); CLEAR(9); CLEAR(10); CLEAR(11); CLEAR(12); CLEAR(13); CLEAR(14); CLEAR(15);
	CLEAR(16); CLEAR(17); CLEAR(18); CLEAR(19); CLEAR(20); CLEAR(21); CLEAR(22); CLEAR(23);
	CLEAR(24); CLEAR(25); CLEAR(26); CLEAR(27); CLEAR(28); CLEAR(29); CLEAR(30); CLEAR(31);
#undef CLEAR
#endif
}

/* CALL makes a call, if the module's list has the function. */
#define CALL(name, ...) \
	do { \
		p11b_result result = { 0, list->name == NULL }; \
		if (!result.missing) \
			result.rv = list->name(__VA_ARGS__); \
		clear_registers(); \
		return result; \
	} while (0)

p11b_result p11b_get_function_list(void *get, CK_FUNCTION_LIST **list)
{
	p11b_result result = { 0, 0 };
	*list = NULL;
	result.rv = ((CK_RV (*)(CK_FUNCTION_LIST **))get)(list);
	return result;
}

p11b_result p11b_initialize(CK_FUNCTION_LIST *list, CK_ULONG flags, void *reserved)
{
	CK_C_INITIALIZE_ARGS args;
	memset(&args, 0, sizeof args);
	args.flags = flags;
	args.reserved = reserved;
	CALL(C_Initialize, &args);
}

p11b_result p11b_finalize(CK_FUNCTION_LIST *list) { CALL(C_Finalize, NULL); }

p11b_result p11b_get_info(CK_FUNCTION_LIST *list, p11b_info *info)
{
	p11b_result result = { 0, list->C_GetInfo == NULL };
	CK_INFO told;
	memset(&told, 0, sizeof told);
	if (!result.missing)
		result.rv = list->C_GetInfo(&told);
	memcpy(info->manufacturer, told.manufacturer, sizeof told.manufacturer);
	memcpy(info->description, told.description, sizeof told.description);
	info->cryptoki = told.cryptoki;
	info->library = told.library;
	return result;
}

p11b_result p11b_get_slot_list(CK_FUNCTION_LIST *list, CK_SLOT *slots, CK_ULONG *count) { CALL(C_GetSlotList, 0, slots, count); }
p11b_result p11b_get_slot_info(CK_FUNCTION_LIST *list, CK_SLOT slot, CK_SLOT_INFO *info) { CALL(C_GetSlotInfo, slot, info); }
p11b_result p11b_get_token_info(CK_FUNCTION_LIST *list, CK_SLOT slot, CK_TOKEN_INFO *info) { CALL(C_GetTokenInfo, slot, info); }

p11b_result p11b_get_mechanism_list(CK_FUNCTION_LIST *list, CK_SLOT slot, CK_ULONG *types, CK_ULONG *count)
{
	CALL(C_GetMechanismList, slot, types, count);
}

p11b_result p11b_get_mechanism_info(CK_FUNCTION_LIST *list, CK_SLOT slot, CK_ULONG type, CK_MECHANISM_INFO *info)
{
	CALL(C_GetMechanismInfo, slot, type, info);
}

p11b_result p11b_init_token(CK_FUNCTION_LIST *list, CK_SLOT slot, CK_BYTE *pin, CK_ULONG length, CK_BYTE *label)
{
	CALL(C_InitToken, slot, pin, length, label);
}

p11b_result p11b_init_pin(CK_FUNCTION_LIST *list, CK_SESSION session, CK_BYTE *pin, CK_ULONG length) { CALL(C_InitPIN, session, pin, length); }

p11b_result p11b_open_session(CK_FUNCTION_LIST *list, CK_SLOT slot, CK_ULONG flags, CK_SESSION *session)
{
	CALL(C_OpenSession, slot, flags, NULL, NULL, session);
}

p11b_result p11b_close_session(CK_FUNCTION_LIST *list, CK_SESSION session) { CALL(C_CloseSession, session); }

p11b_result p11b_get_session_state(CK_FUNCTION_LIST *list, CK_SESSION session, CK_ULONG *state)
{
	p11b_result result = { 0, list->C_GetSessionInfo == NULL };
	CK_SESSION_INFO told;
	memset(&told, 0, sizeof told);
	if (!result.missing)
		result.rv = list->C_GetSessionInfo(session, &told);
	*state = told.state;
	return result;
}

p11b_result p11b_login(CK_FUNCTION_LIST *list, CK_SESSION session, CK_ULONG user, CK_BYTE *pin, CK_ULONG length)
{
	CALL(C_Login, session, user, pin, length);
}

p11b_result p11b_logout(CK_FUNCTION_LIST *list, CK_SESSION session) { CALL(C_Logout, session); }

p11b_result p11b_create_object(CK_FUNCTION_LIST *list, CK_SESSION session, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT *object)
{
	CALL(C_CreateObject, session, template, count, object);
}

p11b_result p11b_destroy_object(CK_FUNCTION_LIST *list, CK_SESSION session, CK_OBJECT object) { CALL(C_DestroyObject, session, object); }

p11b_result p11b_get_attribute_value(CK_FUNCTION_LIST *list, CK_SESSION session, CK_OBJECT object, CK_ATTRIBUTE *template, CK_ULONG count)
{
	CALL(C_GetAttributeValue, session, object, template, count);
}

p11b_result p11b_set_attribute_value(CK_FUNCTION_LIST *list, CK_SESSION session, CK_OBJECT object, CK_ATTRIBUTE *template, CK_ULONG count)
{
	CALL(C_SetAttributeValue, session, object, template, count);
}

p11b_result p11b_find_objects_init(CK_FUNCTION_LIST *list, CK_SESSION session, CK_ATTRIBUTE *template, CK_ULONG count)
{
	CALL(C_FindObjectsInit, session, template, count);
}

p11b_result p11b_find_objects(CK_FUNCTION_LIST *list, CK_SESSION session, CK_OBJECT *objects, CK_ULONG most, CK_ULONG *count)
{
	CALL(C_FindObjects, session, objects, most, count);
}

p11b_result p11b_find_objects_final(CK_FUNCTION_LIST *list, CK_SESSION session) { CALL(C_FindObjectsFinal, session); }

p11b_result p11b_sign_init(CK_FUNCTION_LIST *list, CK_SESSION session, CK_MECHANISM *mechanism, CK_OBJECT key)
{
	CALL(C_SignInit, session, mechanism, key);
}

p11b_result p11b_sign(CK_FUNCTION_LIST *list, CK_SESSION session, CK_BYTE *data, CK_ULONG length, CK_BYTE *signature, CK_ULONG *written)
{
	CALL(C_Sign, session, data, length, signature, written);
}

p11b_result p11b_decrypt_init(CK_FUNCTION_LIST *list, CK_SESSION session, CK_MECHANISM *mechanism, CK_OBJECT key)
{
	CALL(C_DecryptInit, session, mechanism, key);
}

p11b_result p11b_decrypt(CK_FUNCTION_LIST *list, CK_SESSION session, CK_BYTE *data, CK_ULONG length, CK_BYTE *clear, CK_ULONG *written)
{
	CALL(C_Decrypt, session, data, length, clear, written);
}

p11b_result p11b_generate_key_pair(CK_FUNCTION_LIST *list, CK_SESSION session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public, CK_ULONG publics,
	CK_ATTRIBUTE *private, CK_ULONG privates, CK_OBJECT *publicKey, CK_OBJECT *privateKey)
{
	CALL(C_GenerateKeyPair, session, mechanism, public, publics, private, privates, publicKey, privateKey);
}

p11b_result p11b_wrap_key(CK_FUNCTION_LIST *list, CK_SESSION session, CK_MECHANISM *mechanism, CK_OBJECT wrapping, CK_OBJECT key, CK_BYTE *wrapped,
	CK_ULONG *written)
{
	CALL(C_WrapKey, session, mechanism, wrapping, key, wrapped, written);
}

p11b_result p11b_unwrap_key(CK_FUNCTION_LIST *list, CK_SESSION session, CK_MECHANISM *mechanism, CK_OBJECT unwrapping, CK_BYTE *wrapped,
	CK_ULONG length, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT *key)
{
	CALL(C_UnwrapKey, session, mechanism, unwrapping, wrapped, length, template, count, key);
}

p11b_result p11b_derive_key(CK_FUNCTION_LIST *list, CK_SESSION session, CK_MECHANISM *mechanism, CK_OBJECT base, CK_ATTRIBUTE *template, CK_ULONG count,
	CK_OBJECT *key)
{
	CALL(C_DeriveKey, session, mechanism, base, template, count, key);
}

void p11b_rooms(p11b_piece *pieces, size_t count, int fill)
{
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].size == 0)
			continue;
		pieces[i].at = malloc(pieces[i].size);
		if (pieces[i].at == NULL)
			abort();
		memset(pieces[i].at, fill, pieces[i].size);
	}
}

/* The memory is overwritten by a call through volatile, so that no compiler leaves it out before a free. */
void p11b_release(p11b_piece *pieces, size_t count)
{
	static void *(*volatile set)(void *, int, size_t) = memset;
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].at == NULL)
			continue;
		set(pieces[i].at, 0, pieces[i].size);
		free(pieces[i].at);
	}
}

void p11b_set_attributes(CK_ATTRIBUTE *template, const CK_ULONG *types, const p11b_piece *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		template[i].type = types[i];
		template[i].value = values[i].at;
		template[i].length = (CK_ULONG)values[i].size;
	}
}

void p11b_attribute_lengths(const CK_ATTRIBUTE *template, CK_ULONG *lengths, size_t count)
{
	for (size_t i = 0; i < count; i++)
		lengths[i] = template[i].length;
}

void p11b_set_mechanism(CK_MECHANISM *mechanism, CK_ULONG type, void *parameter, CK_ULONG length)
{
	mechanism->type = type;
	mechanism->parameter = parameter;
	mechanism->length = length;
}

void p11b_set_ecdh1_derive(CK_ECDH1_DERIVE_PARAMS *parameters, void *public, CK_ULONG length)
{
	parameters->kdf = 1; /* CKD_NULL */
	parameters->sharedLength = 0;
	parameters->shared = NULL;
	parameters->publicLength = length;
	parameters->public = public;
}

void p11b_set_oaep(CK_RSA_PKCS_OAEP_PARAMS *parameters, CK_ULONG hash, CK_ULONG mgf)
{
	parameters->hash = hash;
	parameters->mgf = mgf;
	parameters->source = 1; /* CKZ_DATA_SPECIFIED */
	parameters->data = NULL;
	parameters->length = 0;
}

void p11b_set_rsa_aes_key_wrap(CK_RSA_AES_KEY_WRAP_PARAMS *parameters, CK_RSA_PKCS_OAEP_PARAMS *oaep, CK_ULONG bits, CK_ULONG hash, CK_ULONG mgf)
{
	parameters->bits = bits;
	parameters->oaep = oaep;
	p11b_set_oaep(oaep, hash, mgf);
}
