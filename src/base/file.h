/* Complete files: reading with a limit, copying with a digest; names that are safe to use. */
#ifndef LF_BASE_FILE_H
#define LF_BASE_FILE_H

#include "base/buffer.h"
#include "os/file.h"
#include "os/text.h"
#include "os/wait.h"

#include <stdint.h>
#include <stdio.h>

/* Reads a file of at most max bytes into *out (emptied first). */
enum lf_status lf_file_read(const char *path, size_t max, struct lf_buffer *out, struct lf_error *err);
/* Reads a secret: like lf_file_read, but refuses a file that others may read (see os/secret.h) and strips one
 * line end. */
enum lf_status lf_file_read_secret(const char *path, struct lf_buffer *out, struct lf_error *err);

/* Copies `from` (a pipe will do) to the start of `to` (NULL: only computes), with its SHA-256 and size (may
 * be NULL). Stops on cancel (may be NULL) and above max bytes (LF_TOO_LARGE). */
enum lf_status lf_file_copy(const struct lf_file *from, const struct lf_file *to, int64_t max,
                            const struct lf_cancel *cancel, char sha256[65], int64_t *size,
                            struct lf_error *err);

/* Reads a line of a stream into *line (emptied first), with its line end if it has one. False at the end of
 * the stream, and when reading or memory fails (!feof). */
bool lf_stream_line(FILE *in, struct lf_buffer *line);

/* Is `name` one plain file name that is safe on every target, Windows included? Refused with the reason:
 * empty, longer than 200 bytes, '/' or any of <>:"\|?*, control characters, invalid UTF-8, leading '.', '-'
 * or space, trailing '.' or space, "..", reserved Windows names (CON, PRN, AUX, NUL, COM1-9, LPT1-9, CONIN$,
 * CONOUT$) with or without an extension. Names are refused, never changed: people look for the name they
 * know. */
enum lf_status lf_name_check(const char *name, struct lf_error *err);

#endif
