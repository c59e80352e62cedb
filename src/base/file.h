/* Files: whole-file reading with a bound, durable writing, names that are safe to use. */
#ifndef LF_BASE_FILE_H
#define LF_BASE_FILE_H

#include "base/buffer.h"
#include "os/wait.h"

#include <stdint.h>

/* Reads a whole file of at most max bytes into *out (emptied first). */
enum lf_status lf_file_read(const char *path, size_t max, struct lf_buffer *out, struct lf_error *err);
/* Reads a secret: like lf_file_read, refuses a file that group or others may read (says: chmod 600), strips
 * one line end. */
enum lf_status lf_file_read_secret(const char *path, struct lf_buffer *out, struct lf_error *err);
/* Checks a secret file without reading it. */
enum lf_status lf_file_check_secret(const char *path, struct lf_error *err);

/* Writes all bytes; handles short writes and EINTR. */
enum lf_status lf_file_write_all(int fd, const void *data, size_t len, struct lf_error *err);
/* Writes path as a whole or not at all: temporary file, fsync, rename, fsync of the folder. */
enum lf_status lf_file_replace(const char *path, const void *data, size_t len, unsigned mode,
                               struct lf_error *err);

/* Copies the rest of `from` (a pipe will do) to `to` (-1: only computes), with its SHA-256 and size (may be
 * NULL); stops on cancel (may be NULL) or above max bytes (LF_TOO_LARGE). */
enum lf_status lf_file_copy(int from, int to, int64_t max, const struct lf_cancel *cancel, char sha256[65],
                            int64_t *size, struct lf_error *err);

/* fsync of the folder `path` is in, so that a rename or creation survives a power cut. */
enum lf_status lf_file_sync_parent(const char *path, struct lf_error *err);
enum lf_status lf_dir_sync(int dir_fd, struct lf_error *err);
/* mkdir -p with the given mode for what is created; what is created survives a power cut. */
enum lf_status lf_dir_make(const char *path, unsigned mode, struct lf_error *err);
/* Free bytes for us on the file system of path; -1 if unknown. */
int64_t lf_disk_free(const char *path);

/* Is `name` one plain file name that is safe on every target, Windows included? Refused with the reason:
 * empty, longer than 200 bytes, '/' or any of <>:"\|?*, control characters, invalid UTF-8, leading '.', '-'
 * or space, trailing '.' or space, "..", reserved Windows names (CON, PRN, AUX, NUL, COM1-9, LPT1-9, CONIN$,
 * CONOUT$) with or without an extension. Names are refused, never rewritten: a changed name would break the
 * lookup by the people who use it. */
enum lf_status lf_name_check(const char *name, struct lf_error *err);

/* Shell-style match of a whole name: * ? [set]; case-sensitive unless ignore_case. */
bool lf_glob_match(const char *glob, const char *name, bool ignore_case);

#endif
