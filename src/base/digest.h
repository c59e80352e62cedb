/* Digests and base64, from OpenSSL. */
#ifndef LF_BASE_DIGEST_H
#define LF_BASE_DIGEST_H

#include "base/buffer.h"

enum { LF_SHA256_HEX = 65, LF_MD5_HEX = 33 };

enum lf_digest_kind { LF_SHA256, LF_MD5 };

struct lf_digest; /* a digest being computed; one thread at a time */

/* Returns owned (end with lf_digest_finish or lf_digest_free); NULL when out of memory. */
struct lf_digest *lf_digest_new(enum lf_digest_kind kind);
void lf_digest_add(struct lf_digest *digest, const void *data, size_t len);
/* Writes lower-case hex with NUL (LF_SHA256_HEX or LF_MD5_HEX bytes) and frees the digest. */
void lf_digest_finish(struct lf_digest *digest, char *hex);
void lf_digest_free(struct lf_digest *digest);

/* One call for bytes in memory. */
enum lf_status lf_digest_bytes(enum lf_digest_kind kind, const void *data, size_t len, char *hex);
/* Appends base64 (no line breaks). */
enum lf_status lf_base64_append(struct lf_buffer *out, const void *data, size_t len);
/* Strict: no white space, correct padding. LF_INVALID otherwise. */
enum lf_status lf_base64_decode(struct lf_slice text, struct lf_buffer *out);

#endif
