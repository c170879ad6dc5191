/*
 * What p11bridge needs of the PKCS#11 interface (PKCS#11 v2.40 base specification, sections 2 and 3), and one function for
 * each C_* call: it tells a function that the module's list does not have from one that refused.
 *
 * Structures that a module reads or writes are packed to 1 byte on Windows, where CK_ULONG has 4 bytes. Go code must not
 * reach into a packed structure: it uses the functions at the end.
 */
#ifndef P11BRIDGE_CRYPTOKI_H
#define P11BRIDGE_CRYPTOKI_H

#include <stddef.h>

typedef unsigned char CK_BYTE;
typedef unsigned long CK_ULONG, CK_RV;
typedef CK_ULONG CK_SLOT, CK_SESSION, CK_OBJECT;

#ifdef _WIN32
#pragma pack(push, 1)
#endif

typedef struct { CK_BYTE major, minor; } CK_VERSION;
typedef struct { CK_ULONG type; void *value; CK_ULONG length; } CK_ATTRIBUTE;
typedef struct { CK_ULONG type; void *parameter; CK_ULONG length; } CK_MECHANISM;
typedef struct { CK_ULONG hash, mgf, source; void *data; CK_ULONG length; } CK_RSA_PKCS_OAEP_PARAMS;
typedef struct { CK_ULONG bits; CK_RSA_PKCS_OAEP_PARAMS *oaep; } CK_RSA_AES_KEY_WRAP_PARAMS;
/* Of CKM_ECDH1_DERIVE (PKCS#11 v3.1 section 6.3.17). */
typedef struct { CK_ULONG kdf, sharedLength; void *shared; CK_ULONG publicLength; void *public; } CK_ECDH1_DERIVE_PARAMS;
typedef struct { CK_ULONG minKeySize, maxKeySize, flags; } CK_MECHANISM_INFO;
typedef struct { CK_VERSION cryptoki; CK_BYTE manufacturer[32]; CK_ULONG flags; CK_BYTE description[32]; CK_VERSION library; } CK_INFO;
typedef struct { CK_BYTE description[64], manufacturer[32]; CK_ULONG flags; CK_VERSION hardware, firmware; } CK_SLOT_INFO;
typedef struct {
	CK_BYTE label[32], manufacturer[32], model[16], serial[16];
	CK_ULONG flags, maxSessions, sessions, maxRWSessions, rwSessions, maxPIN, minPIN, publicMemory, freePublicMemory, privateMemory, freePrivateMemory;
	CK_VERSION hardware, firmware;
	CK_BYTE time[16];
} CK_TOKEN_INFO;
typedef struct { CK_SLOT slot; CK_ULONG state, flags, deviceError; } CK_SESSION_INFO;
typedef struct { void *createMutex, *destroyMutex, *lockMutex, *unlockMutex; CK_ULONG flags; void *reserved; } CK_C_INITIALIZE_ARGS;

/* The functions in the specification's order. Those without parameters here are not called. */
typedef struct CK_FUNCTION_LIST {
	CK_VERSION version;
	CK_RV (*C_Initialize)(void *);
	CK_RV (*C_Finalize)(void *);
	CK_RV (*C_GetInfo)(CK_INFO *);
	void *C_GetFunctionList;
	CK_RV (*C_GetSlotList)(CK_BYTE, CK_SLOT *, CK_ULONG *);
	CK_RV (*C_GetSlotInfo)(CK_SLOT, CK_SLOT_INFO *);
	CK_RV (*C_GetTokenInfo)(CK_SLOT, CK_TOKEN_INFO *);
	CK_RV (*C_GetMechanismList)(CK_SLOT, CK_ULONG *, CK_ULONG *);
	CK_RV (*C_GetMechanismInfo)(CK_SLOT, CK_ULONG, CK_MECHANISM_INFO *);
	CK_RV (*C_InitToken)(CK_SLOT, CK_BYTE *, CK_ULONG, CK_BYTE *);
	CK_RV (*C_InitPIN)(CK_SESSION, CK_BYTE *, CK_ULONG);
	void *C_SetPIN;
	CK_RV (*C_OpenSession)(CK_SLOT, CK_ULONG, void *, void *, CK_SESSION *);
	CK_RV (*C_CloseSession)(CK_SESSION);
	void *C_CloseAllSessions;
	CK_RV (*C_GetSessionInfo)(CK_SESSION, CK_SESSION_INFO *);
	void *C_GetOperationState, *C_SetOperationState;
	CK_RV (*C_Login)(CK_SESSION, CK_ULONG, CK_BYTE *, CK_ULONG);
	CK_RV (*C_Logout)(CK_SESSION);
	CK_RV (*C_CreateObject)(CK_SESSION, CK_ATTRIBUTE *, CK_ULONG, CK_OBJECT *);
	void *C_CopyObject;
	CK_RV (*C_DestroyObject)(CK_SESSION, CK_OBJECT);
	void *C_GetObjectSize;
	CK_RV (*C_GetAttributeValue)(CK_SESSION, CK_OBJECT, CK_ATTRIBUTE *, CK_ULONG);
	CK_RV (*C_SetAttributeValue)(CK_SESSION, CK_OBJECT, CK_ATTRIBUTE *, CK_ULONG);
	CK_RV (*C_FindObjectsInit)(CK_SESSION, CK_ATTRIBUTE *, CK_ULONG);
	CK_RV (*C_FindObjects)(CK_SESSION, CK_OBJECT *, CK_ULONG, CK_ULONG *);
	CK_RV (*C_FindObjectsFinal)(CK_SESSION);
	void *C_EncryptInit, *C_Encrypt, *C_EncryptUpdate, *C_EncryptFinal;
	CK_RV (*C_DecryptInit)(CK_SESSION, CK_MECHANISM *, CK_OBJECT);
	CK_RV (*C_Decrypt)(CK_SESSION, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *);
	void *C_DecryptUpdate, *C_DecryptFinal;
	void *C_DigestInit, *C_Digest, *C_DigestUpdate, *C_DigestKey, *C_DigestFinal;
	CK_RV (*C_SignInit)(CK_SESSION, CK_MECHANISM *, CK_OBJECT);
	CK_RV (*C_Sign)(CK_SESSION, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *);
	void *C_SignUpdate, *C_SignFinal, *C_SignRecoverInit, *C_SignRecover;
	void *C_VerifyInit, *C_Verify, *C_VerifyUpdate, *C_VerifyFinal, *C_VerifyRecoverInit, *C_VerifyRecover;
	void *C_DigestEncryptUpdate, *C_DecryptDigestUpdate, *C_SignEncryptUpdate, *C_DecryptVerifyUpdate, *C_GenerateKey;
	CK_RV (*C_GenerateKeyPair)(CK_SESSION, CK_MECHANISM *, CK_ATTRIBUTE *, CK_ULONG, CK_ATTRIBUTE *, CK_ULONG, CK_OBJECT *, CK_OBJECT *);
	CK_RV (*C_WrapKey)(CK_SESSION, CK_MECHANISM *, CK_OBJECT, CK_OBJECT, CK_BYTE *, CK_ULONG *);
	CK_RV (*C_UnwrapKey)(CK_SESSION, CK_MECHANISM *, CK_OBJECT, CK_BYTE *, CK_ULONG, CK_ATTRIBUTE *, CK_ULONG, CK_OBJECT *);
	CK_RV (*C_DeriveKey)(CK_SESSION, CK_MECHANISM *, CK_OBJECT, CK_ATTRIBUTE *, CK_ULONG, CK_OBJECT *);
	void *C_SeedRandom, *C_GenerateRandom, *C_GetFunctionStatus, *C_CancelFunction, *C_WaitForSlotEvent;
} CK_FUNCTION_LIST;

#ifdef _WIN32
#pragma pack(pop)
#endif

/* What came of a call. Where the list has no such function, missing is 1 and nothing was called. */
typedef struct { CK_RV rv; int missing; } p11b_result;

/* Memory for one call, or for a part of it. */
typedef struct { void *at; size_t size; } p11b_piece;

/* CK_INFO, not packed. */
typedef struct { CK_BYTE manufacturer[32], description[32]; CK_VERSION cryptoki, library; } p11b_info;

p11b_result p11b_get_function_list(void *get, CK_FUNCTION_LIST **list);
p11b_result p11b_initialize(CK_FUNCTION_LIST *list, CK_ULONG flags, void *reserved);
p11b_result p11b_finalize(CK_FUNCTION_LIST *list);
p11b_result p11b_get_info(CK_FUNCTION_LIST *list, p11b_info *info);
p11b_result p11b_get_slot_list(CK_FUNCTION_LIST *list, CK_SLOT *slots, CK_ULONG *count);
p11b_result p11b_get_slot_info(CK_FUNCTION_LIST *list, CK_SLOT slot, CK_SLOT_INFO *info);
p11b_result p11b_get_token_info(CK_FUNCTION_LIST *list, CK_SLOT slot, CK_TOKEN_INFO *info);
p11b_result p11b_get_mechanism_list(CK_FUNCTION_LIST *list, CK_SLOT slot, CK_ULONG *types, CK_ULONG *count);
p11b_result p11b_get_mechanism_info(CK_FUNCTION_LIST *list, CK_SLOT slot, CK_ULONG type, CK_MECHANISM_INFO *info);
p11b_result p11b_init_token(CK_FUNCTION_LIST *list, CK_SLOT slot, CK_BYTE *pin, CK_ULONG length, CK_BYTE *label);
p11b_result p11b_init_pin(CK_FUNCTION_LIST *list, CK_SESSION session, CK_BYTE *pin, CK_ULONG length);
p11b_result p11b_open_session(CK_FUNCTION_LIST *list, CK_SLOT slot, CK_ULONG flags, CK_SESSION *session);
p11b_result p11b_close_session(CK_FUNCTION_LIST *list, CK_SESSION session);
p11b_result p11b_get_session_state(CK_FUNCTION_LIST *list, CK_SESSION session, CK_ULONG *state);
p11b_result p11b_login(CK_FUNCTION_LIST *list, CK_SESSION session, CK_ULONG user, CK_BYTE *pin, CK_ULONG length);
p11b_result p11b_logout(CK_FUNCTION_LIST *list, CK_SESSION session);
p11b_result p11b_create_object(CK_FUNCTION_LIST *list, CK_SESSION session, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT *object);
p11b_result p11b_destroy_object(CK_FUNCTION_LIST *list, CK_SESSION session, CK_OBJECT object);
p11b_result p11b_get_attribute_value(CK_FUNCTION_LIST *list, CK_SESSION session, CK_OBJECT object, CK_ATTRIBUTE *template, CK_ULONG count);
p11b_result p11b_set_attribute_value(CK_FUNCTION_LIST *list, CK_SESSION session, CK_OBJECT object, CK_ATTRIBUTE *template, CK_ULONG count);
p11b_result p11b_find_objects_init(CK_FUNCTION_LIST *list, CK_SESSION session, CK_ATTRIBUTE *template, CK_ULONG count);
p11b_result p11b_find_objects(CK_FUNCTION_LIST *list, CK_SESSION session, CK_OBJECT *objects, CK_ULONG most, CK_ULONG *count);
p11b_result p11b_find_objects_final(CK_FUNCTION_LIST *list, CK_SESSION session);
p11b_result p11b_sign_init(CK_FUNCTION_LIST *list, CK_SESSION session, CK_MECHANISM *mechanism, CK_OBJECT key);
p11b_result p11b_sign(CK_FUNCTION_LIST *list, CK_SESSION session, CK_BYTE *data, CK_ULONG length, CK_BYTE *signature, CK_ULONG *written);
p11b_result p11b_decrypt_init(CK_FUNCTION_LIST *list, CK_SESSION session, CK_MECHANISM *mechanism, CK_OBJECT key);
p11b_result p11b_decrypt(CK_FUNCTION_LIST *list, CK_SESSION session, CK_BYTE *data, CK_ULONG length, CK_BYTE *clear, CK_ULONG *written);
p11b_result p11b_generate_key_pair(CK_FUNCTION_LIST *list, CK_SESSION session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public, CK_ULONG publics,
	CK_ATTRIBUTE *private, CK_ULONG privates, CK_OBJECT *publicKey, CK_OBJECT *privateKey);
p11b_result p11b_wrap_key(CK_FUNCTION_LIST *list, CK_SESSION session, CK_MECHANISM *mechanism, CK_OBJECT wrapping, CK_OBJECT key, CK_BYTE *wrapped,
	CK_ULONG *written);
p11b_result p11b_unwrap_key(CK_FUNCTION_LIST *list, CK_SESSION session, CK_MECHANISM *mechanism, CK_OBJECT unwrapping, CK_BYTE *wrapped,
	CK_ULONG length, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT *key);
p11b_result p11b_derive_key(CK_FUNCTION_LIST *list, CK_SESSION session, CK_MECHANISM *mechanism, CK_OBJECT base, CK_ATTRIBUTE *template, CK_ULONG count,
	CK_OBJECT *key);

/* What Go may not do itself. */
void p11b_set_attributes(CK_ATTRIBUTE *template, const CK_ULONG *types, const p11b_piece *values, size_t count);
void p11b_attribute_lengths(const CK_ATTRIBUTE *template, CK_ULONG *lengths, size_t count);
void p11b_set_mechanism(CK_MECHANISM *mechanism, CK_ULONG type, void *parameter, CK_ULONG length);
void p11b_set_ecdh1_derive(CK_ECDH1_DERIVE_PARAMS *parameters, void *public, CK_ULONG length);
void p11b_set_oaep(CK_RSA_PKCS_OAEP_PARAMS *parameters, CK_ULONG hash, CK_ULONG mgf);
void p11b_set_rsa_aes_key_wrap(CK_RSA_AES_KEY_WRAP_PARAMS *parameters, CK_RSA_PKCS_OAEP_PARAMS *oaep, CK_ULONG bits, CK_ULONG hash, CK_ULONG mgf);

/* p11b_rooms allocates pieces of the sizes that stand in them, each by itself, and fills them; one of no size stays NULL. p11b_release
 * wipes and frees them. One call serves all pieces: from Go, each call of a C function costs as much as one of these allocations. */
void p11b_rooms(p11b_piece *pieces, size_t count, int fill);
void p11b_release(p11b_piece *pieces, size_t count);

#endif
