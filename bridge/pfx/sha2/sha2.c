//go:build cgo && linux && (amd64 || arm64)

#include "sha2.h"

#include <stddef.h>
#include <string.h>

/*
 * A part for each architecture gives: `state`, the eight words of SHA-256 in the form that its instructions want; `words`, four words
 * of a block or of a digest; and the functions below that are declared `static` in it. Everything is inlined into two loops, for one
 * and for two streams.
 */
enum { MOST = 2 };

#define INLINE static inline __attribute__((always_inline)) WITH_SHA

/* The round constants (FIPS 180-4 section 4.2.2) and the first state (section 5.3.3). */
static const uint32_t constants[64] __attribute__((aligned(16))) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
	0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
	0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
	0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
	0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
static const uint32_t first[8] __attribute__((aligned(16))) = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define WITH_SHA __attribute__((target("sha,sse4.1,ssse3")))
typedef __m128i words;
typedef struct { words abef, cdgh; } state;

int p11b_sha2_available(void)
{
	unsigned a, b, c, d;
	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_SSSE3) == 0 || (c & bit_SSE4_1) == 0)
		return 0;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1); /* SHA */
}

INLINE words load(const uint32_t *from) { return _mm_loadu_si128((const words *)from); }
INLINE void store(uint32_t *to, words w) { _mm_storeu_si128((words *)to, w); }
INLINE words plus(words a, words b) { return _mm_add_epi32(a, b); }
INLINE words either(words a, words b) { return _mm_xor_si128(a, b); }

/* digest gives the words of a state in their order. */
INLINE void digest(words w[2], state s)
{
	words ab = _mm_shuffle_epi32(s.abef, 0x1B), cd = _mm_shuffle_epi32(s.cdgh, 0x1B);
	w[0] = _mm_unpacklo_epi64(ab, cd);
	w[1] = _mm_unpackhi_epi64(ab, cd);
}

INLINE state state_of(const words w[2])
{
	words ab = _mm_shuffle_epi32(_mm_unpacklo_epi64(w[0], w[1]), 0x1B), cd = _mm_shuffle_epi32(_mm_unpackhi_epi64(w[0], w[1]), 0x1B);
	return (state){ ab, cd };
}

INLINE words next(words w0, words w1, words w2, words w3)
{
	return _mm_sha256msg2_epu32(plus(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4)), w3);
}

INLINE void four_rounds(state *s, words w)
{
	s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, w);
	s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(w, 0x0E));
}

INLINE state sum(state a, state b) { return (state){ plus(a.abef, b.abef), plus(a.cdgh, b.cdgh) }; }

INLINE void forget_registers(void)
{
	__asm__ volatile("pxor %%xmm0,%%xmm0\n pxor %%xmm1,%%xmm1\n pxor %%xmm2,%%xmm2\n pxor %%xmm3,%%xmm3\n pxor %%xmm4,%%xmm4\n"
		"pxor %%xmm5,%%xmm5\n pxor %%xmm6,%%xmm6\n pxor %%xmm7,%%xmm7\n pxor %%xmm8,%%xmm8\n pxor %%xmm9,%%xmm9\n"
		"pxor %%xmm10,%%xmm10\n pxor %%xmm11,%%xmm11\n pxor %%xmm12,%%xmm12\n pxor %%xmm13,%%xmm13\n pxor %%xmm14,%%xmm14\n"
		"pxor %%xmm15,%%xmm15\n"
		::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

#elif defined(__aarch64__)
#include <arm_neon.h>
#include <sys/auxv.h>

#define WITH_SHA __attribute__((target("+crypto")))
typedef uint32x4_t words;
typedef struct { words abcd, efgh; } state;

int p11b_sha2_available(void) { return (getauxval(AT_HWCAP) >> 6 & 1) != 0; } /* HWCAP_SHA2 */

INLINE words load(const uint32_t *from) { return vld1q_u32(from); }
INLINE void store(uint32_t *to, words w) { vst1q_u32(to, w); }
INLINE words plus(words a, words b) { return vaddq_u32(a, b); }
INLINE words either(words a, words b) { return veorq_u32(a, b); }

INLINE void digest(words w[2], state s)
{
	w[0] = s.abcd;
	w[1] = s.efgh;
}

INLINE state state_of(const words w[2]) { return (state){ w[0], w[1] }; }

INLINE words next(words w0, words w1, words w2, words w3) { return vsha256su1q_u32(vsha256su0q_u32(w0, w1), w2, w3); }

INLINE void four_rounds(state *s, words w)
{
	words abcd = s->abcd;
	s->abcd = vsha256hq_u32(abcd, s->efgh, w);
	s->efgh = vsha256h2q_u32(s->efgh, abcd, w);
}

INLINE state sum(state a, state b) { return (state){ plus(a.abcd, b.abcd), plus(a.efgh, b.efgh) }; }

INLINE void forget_registers(void)
{
	__asm__ volatile("movi v0.16b,#0\n movi v1.16b,#0\n movi v2.16b,#0\n movi v3.16b,#0\n movi v4.16b,#0\n movi v5.16b,#0\n movi v6.16b,#0\n"
		"movi v7.16b,#0\n movi v16.16b,#0\n movi v17.16b,#0\n movi v18.16b,#0\n movi v19.16b,#0\n movi v20.16b,#0\n movi v21.16b,#0\n"
		"movi v22.16b,#0\n movi v23.16b,#0\n movi v24.16b,#0\n movi v25.16b,#0\n movi v26.16b,#0\n movi v27.16b,#0\n movi v28.16b,#0\n"
		"movi v29.16b,#0\n movi v30.16b,#0\n movi v31.16b,#0\n"
		::: "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27",
		"v28", "v29", "v30", "v31");
}
#endif

/* compress is SHA-256's compression function (FIPS 180-4 section 6.2.2) on n streams in step. It uses up the blocks. */
INLINE void compress(state s[], words block[][4], const int n)
{
	state before[MOST];
	for (int i = 0; i < n; i++)
		before[i] = s[i];
#pragma GCC unroll 16
	for (int round = 0; round < 16; round++) {
		const words k = load(constants + 4 * round);
#pragma GCC unroll 2
		for (int i = 0; i < n; i++) {
			words *w = block[i];
			if (round >= 4)
				w[round % 4] = next(w[round % 4], w[(round + 1) % 4], w[(round + 2) % 4], w[(round + 3) % 4]);
			four_rounds(&s[i], plus(w[round % 4], k));
		}
	}
	for (int i = 0; i < n; i++)
		s[i] = sum(s[i], before[i]);
}

/* The second half of a block whose first half is a digest, when so many bits are hashed in all. */
static const uint32_t behind_block[8] __attribute__((aligned(16))) = { 0x80000000, 0, 0, 0, 0, 0, 0, 8 * (64 + 32) };
static const uint32_t alone[8] __attribute__((aligned(16))) = { 0x80000000, 0, 0, 0, 0, 0, 0, 8 * 32 };

INLINE void read_block(words block[4], const uint8_t bytes[64], uint8_t change)
{
	uint32_t w[16];
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)(bytes[4 * i] ^ change) << 24 | (uint32_t)(bytes[4 * i + 1] ^ change) << 16 | (uint32_t)(bytes[4 * i + 2] ^ change) << 8 |
			(uint32_t)(bytes[4 * i + 3] ^ change);
	for (int i = 0; i < 4; i++)
		block[i] = load(w + 4 * i);
}

/* finish_hmac makes HMAC's outer hash of the inner one. */
INLINE void finish_hmac(state s[], const state outer[], const int n)
{
	words block[MOST][4];
	for (int i = 0; i < n; i++) {
		digest(block[i], s[i]);
		block[i][2] = load(behind_block);
		block[i][3] = load(behind_block + 4);
		s[i] = outer[i];
	}
	compress(s, block, n);
}

/* derive_first makes HMAC's two states of each key, and in s the first iteration of PBKDF2. */
INLINE void derive_first(const p11b_derivation *derivations, state inner[], state outer[], state s[], words block[][4], const int n)
{
	const words begin[2] = { load(first), load(first + 4) };
	for (int i = 0; i < n; i++) {
		read_block(block[i], derivations[i].key, 0x36);
		inner[i] = state_of(begin);
	}
	compress(inner, block, n);
	for (int i = 0; i < n; i++) {
		read_block(block[i], derivations[i].key, 0x5C);
		outer[i] = state_of(begin);
	}
	compress(outer, block, n);
	for (int i = 0; i < n; i++) {
		read_block(block[i], derivations[i].message, 0);
		s[i] = inner[i];
	}
	compress(s, block, n);
	finish_hmac(s, outer, n);
}

INLINE void derive(p11b_derivation *derivations, uint32_t iterations, const int n)
{
	state inner[MOST], outer[MOST], s[MOST];
	words block[MOST][4], result[MOST][2];
	derive_first(derivations, inner, outer, s, block, n);
	for (int i = 0; i < n; i++)
		digest(result[i], s[i]);
	while (--iterations > 0) {
		for (int i = 0; i < n; i++) {
			digest(block[i], s[i]);
			block[i][2] = load(behind_block);
			block[i][3] = load(behind_block + 4);
			s[i] = inner[i];
		}
		compress(s, block, n);
		finish_hmac(s, outer, n);
		for (int i = 0; i < n; i++) {
			words u[2];
			digest(u, s[i]);
			result[i][0] = either(result[i][0], u[0]);
			result[i][1] = either(result[i][1], u[1]);
		}
	}
	for (int i = 0; i < n; i++) {
		store(derivations[i].result, result[i][0]);
		store(derivations[i].result + 4, result[i][1]);
	}
	forget_registers();
}

static __attribute__((noinline)) WITH_SHA void repeat(uint32_t value[8], uint32_t times)
{
	const words begin[2] = { load(first), load(first + 4) };
	words block[1][4] = { { load(value), load(value + 4) } };
	for (; times > 0; times--) {
		state s[1] = { state_of(begin) };
		block[0][2] = load(alone);
		block[0][3] = load(alone + 4);
		compress(s, block, 1);
		digest(block[0], s[0]);
	}
	store(value, block[0][0]);
	store(value + 4, block[0][1]);
	forget_registers();
}

/* beside is one PBKDF2, with the repeated hash of another value in the gaps of it: one hash in each iteration. What is left of the hashes
 * goes on alone. */
static __attribute__((noinline)) WITH_SHA void beside(p11b_derivation *derivation, uint32_t iterations, uint32_t value[8], uint32_t times)
{
	const words begin[2] = { load(first), load(first + 4) };
	state inner[1], outer[1], s[MOST];
	words block[MOST][4], result[2], u[2], repeated[2] = { load(value), load(value + 4) };
	derive_first(derivation, inner, outer, s, block, 1);
	digest(result, s[0]);
	while (--iterations > 0) {
		digest(block[0], s[0]);
		block[0][2] = load(behind_block);
		block[0][3] = load(behind_block + 4);
		s[0] = inner[0];
		if (times > 0) {
			block[1][0] = repeated[0];
			block[1][1] = repeated[1];
			block[1][2] = load(alone);
			block[1][3] = load(alone + 4);
			s[1] = state_of(begin);
			compress(s, block, 2);
			digest(repeated, s[1]);
			times--;
		} else {
			compress(s, block, 1);
		}
		finish_hmac(s, outer, 1);
		digest(u, s[0]);
		result[0] = either(result[0], u[0]);
		result[1] = either(result[1], u[1]);
	}
	store(derivation->result, result[0]);
	store(derivation->result + 4, result[1]);
	store(value, repeated[0]);
	store(value + 4, repeated[1]);
	forget_registers();
	if (times > 0)
		repeat(value, times);
}

static __attribute__((noinline)) WITH_SHA void derive_one(p11b_derivation *derivations, uint32_t iterations) { derive(derivations, iterations, 1); }
static __attribute__((noinline)) WITH_SHA void derive_two(p11b_derivation *derivations, uint32_t iterations) { derive(derivations, iterations, 2); }

/* forget_stack overwrites what a function that has returned left below: more than the largest of these needs. */
static __attribute__((noinline)) void forget_stack(void)
{
	volatile uint8_t left[4096];
	for (size_t i = 0; i < sizeof left; i++)
		left[i] = 0;
}

void p11b_pbkdf2(p11b_derivation *derivations, int count, uint32_t iterations)
{
	if (count == 2)
		derive_two(derivations, iterations);
	else
		derive_one(derivations, iterations);
	forget_stack();
}

void p11b_pbkdf2_beside(p11b_derivation *derivation, uint32_t iterations, uint32_t digest[8], uint32_t times)
{
	beside(derivation, iterations, digest, times);
	forget_stack();
}

void p11b_sha256_repeat(uint32_t value[8], uint32_t times)
{
	repeat(value, times);
	forget_stack();
}
