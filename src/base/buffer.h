/* Slices (borrowed bytes) and buffers (owned bytes that grow up to a bound). */
#ifndef LF_BASE_BUFFER_H
#define LF_BASE_BUFFER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes; not NUL-terminated, may hold any byte. */
struct lf_slice {
    const char *data;
    size_t len;
};

struct lf_slice lf_slice(const char *data, size_t len);
struct lf_slice lf_slice_text(const char *text); /* borrows text; NULL gives the empty slice */
bool lf_slice_equal(struct lf_slice a, struct lf_slice b);
bool lf_slice_is(struct lf_slice slice, const char *text);

/* The first place of `what` in `in`; NULL: it is not there. */
const char *lf_slice_find(struct lf_slice in, struct lf_slice what);

/* Overwrites a secret, in a way that no compiler optimises away. */
void lf_wipe(void *data, size_t len);

/* Owned bytes. Always NUL-terminated when data is not NULL (the NUL is not counted). Start with {.max = N};
 * max 0 means LF_BUFFER_DEFAULT_MAX. A failed append leaves the buffer as it was. */
struct lf_buffer {
    char *data;
    size_t len, cap, max;
};

enum { LF_BUFFER_DEFAULT_MAX = 64 * 1024 * 1024 };

/* All return LF_OK, LF_NO_MEMORY or LF_TOO_LARGE (the bound). */
enum lf_status lf_buffer_append(struct lf_buffer *buffer, const void *data, size_t len);
enum lf_status lf_buffer_text(struct lf_buffer *buffer, const char *text);
enum lf_status lf_buffer_format(struct lf_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Makes room for len more bytes and returns where they go; *after* writing, add to buffer->len. NULL on
 * failure. */
char *lf_buffer_reserve(struct lf_buffer *buffer, size_t len);
/* Drops the first len bytes. */
void lf_buffer_consume(struct lf_buffer *buffer, size_t len);
void lf_buffer_clear(struct lf_buffer *buffer); /* keeps the memory */
void lf_buffer_free(struct lf_buffer *buffer);
/* Overwrites the bytes before freeing: for secrets. */
void lf_buffer_wipe(struct lf_buffer *buffer);
/* Returns the owned text (never NULL unless out of memory) and empties the buffer; free with free(). */
char *lf_buffer_take(struct lf_buffer *buffer);
struct lf_slice lf_buffer_slice(const struct lf_buffer *buffer);

/* Is it valid UTF-8? */
bool lf_utf8_valid(struct lf_slice text);
/* The first character of a valid UTF-8 text that is not empty. Returns its bytes. */
size_t lf_utf8_first(const char *text, uint32_t *code);
/* A control character, or one that has no width or changes the direction of writing: with it one text can
 * look like another. */
bool lf_character_misleads(uint32_t code);
/* Copies a text from outside for people: characters that mislead and bytes that are not UTF-8 become \xNN.
 * What exceeds `room` bytes is cut off between characters. */
void lf_text_show(const char *text, char *shown, size_t room);
/* Replaces each byte that is not part of a valid character by '?'. */
void lf_utf8_repair(char *text);

/* printf into freshly allocated text. Returns owned, NULL when out of memory. */
char *lf_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
