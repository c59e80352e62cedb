/* What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput, made by lf_fuzz_target.
 *
 * A target shows that no input makes the code crash, leak, hang or read memory that is not its own (the
 * sanitizers and the limits of tests/fuzz/run see to that), and checks the promises of the header it
 * exercises with MUST. One input must not change what the next one sees: only what is the same for all calls
 * is kept between them.
 */
#ifndef LF_FUZZ_H
#define LF_FUZZ_H

#include "base/buffer.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise of the code under test. The rest is a printf text that explains the finding. */
#define MUST(condition, ...)                                                                                 \
    ((condition) ? (void)0 : fuzz_broken(__FILE__, __LINE__, #condition, __VA_ARGS__))
void fuzz_broken(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((noreturn, format(printf, 4, 5)));

/* Ends the program: it cannot start. That is not a finding. */
void fuzz_need(bool good, const char *what);

/* MUSTs of every call that can fail: LF_OK, or an error whose status is what was returned, with a class and
 * a text. */
void fuzz_check_error(enum lf_status status, const struct lf_error *err);

/* The input, taken piece by piece from the front. */
struct fuzz_input {
    const char *data;
    size_t left;
};

struct fuzz_input fuzz_input(const uint8_t *data, size_t size);
uint8_t fuzz_byte(struct fuzz_input *input); /* 0 when nothing is left */
/* Up to the next `end`, which is consumed but not returned, or all that is left. Borrowed from the input. */
struct lf_slice fuzz_until(struct fuzz_input *input, char end);
struct lf_slice fuzz_rest(struct fuzz_input *input);
/* As text in memory of its own, so that reading beyond its end is seen; ends at the first NUL. Returns
 * owned. */
char *fuzz_text(struct lf_slice bytes);

/* Writes a file that only its owner may read, in place of what was there. */
void fuzz_write(const char *path, const char *text);

/* A private folder in memory; removed at the end. Borrowed, the same for every call. */
const char *fuzz_folder(void);

#endif
