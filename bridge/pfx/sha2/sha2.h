/*
 * PBKDF2 with HMAC-SHA-256 (RFC 8018 section 5.2, RFC 2104, FIPS 180-4) on the SHA-256 instructions of the processor, for one or two
 * derivations at once: each step waits for the one before it, so that a second derivation costs little in the gaps of the first.
 */
#include <stdint.h>

/* One derivation. key is HMAC's key, filled up with zeros to one block of SHA-256; message is the salt with the block number behind it
 * and SHA-256's padding, which makes one block, too. result is the first block of the derived key, in words. */
typedef struct {
	uint8_t key[64], message[64];
	uint32_t result[8];
} p11b_derivation;

/* p11b_sha2_available tells whether this processor has the instructions. Without them, nothing else here may be called. */
int p11b_sha2_available(void);

/* p11b_pbkdf2 makes count derivations, one or two, of so many iterations, and wipes what it leaves. */
void p11b_pbkdf2(p11b_derivation *derivations, int count, uint32_t iterations);

/* p11b_pbkdf2_beside makes one derivation, and in the same time does what p11b_sha256_repeat does. */
void p11b_pbkdf2_beside(p11b_derivation *derivation, uint32_t iterations, uint32_t digest[8], uint32_t times);

/* p11b_sha256_repeat replaces a digest, in words, by the digest of it, so many times. */
void p11b_sha256_repeat(uint32_t digest[8], uint32_t times);
