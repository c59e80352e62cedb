/* Open files.
 *
 * A handle that is zeroed is not open. Closing one that is not open does nothing. Calls borrow the handle;
 * any number of threads may read from one, one at a time writes.
 *
 * Errors here and in dir.h carry the system's reason alone ("No such file or directory"), with the status and
 * class that follow from it: LF_NOT_FOUND, LF_EXISTS, LF_DENIED, LF_FULL, LF_INVALID (a link, or not a
 * regular file) ... The caller adds what it was doing (lf_error_prefix). */
#ifndef LF_OS_FILE_H
#define LF_OS_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct lf_file {
    intptr_t os; /* belongs to the system's side; 0: not open */
};

/* Who may use a new file or folder. Other Unix permission bits work too; a system without them considers only
 * whether others may read it. The umask applies. Who may read a folder may enter it. */
enum lf_access {
    LF_PRIVATE = 0600,
    LF_GROUP = 0640,  /* its group may read it */
    LF_SHARED = 0664, /* everybody may read it, its group may write */
    LF_PUBLIC = 0644, /* everybody may read it */
    LF_OPEN = 0666,   /* whatever the umask leaves */
};

enum lf_file_mode {
    LF_FILE_READ,    /* any kind, links followed; a pipe works too, and is read in order */
    LF_FILE_REGULAR, /* to read; a link or anything but a regular file is LF_INVALID. Never waits */
    LF_FILE_CHANGE,  /* to read and write what is there */
    LF_FILE_CREATE,  /* to read and write; LF_EXISTS when the name is taken */
    LF_FILE_REPLACE, /* to read and write; created, or emptied */
    LF_FILE_KEEP,    /* to read and write; created, or kept as it is */
};

/* Writing never follows a link in the last part of the path. `access` matters only when a file is created. */
enum lf_status lf_file_open(const char *path, enum lf_file_mode mode, unsigned access, struct lf_file *file,
                            struct lf_error *err);
bool lf_file_is_open(const struct lf_file *file);
void lf_file_close(struct lf_file *file);
/* Closes a file that was written; some network file systems report only here that a write failed. */
enum lf_status lf_file_finish(struct lf_file *file, struct lf_error *err);

/* Reads until `room` is full or the file ends; *got is how much there was. */
enum lf_status lf_file_read_at(const struct lf_file *file, int64_t offset, void *data, size_t room,
                               size_t *got, struct lf_error *err);
/* Writes all of it. */
enum lf_status lf_file_write_at(const struct lf_file *file, int64_t offset, const void *data, size_t len,
                                struct lf_error *err);
enum lf_status lf_file_append(const struct lf_file *file, const void *data, size_t len, struct lf_error *err);
enum lf_status lf_file_truncate(const struct lf_file *file, int64_t size, struct lf_error *err);
/* What was written survives a power cut once this returns LF_OK. A file system that cannot sync is not an
 * error. */
enum lf_status lf_file_sync(const struct lf_file *file, struct lf_error *err);
/* Makes the next read come from the disk or the server instead of memory, where the system can. */
void lf_file_uncache(const struct lf_file *file);

/* Has any program the file, open to read here, open for writing? LF_OK: none has; LF_BUSY: one has;
 * LF_UNSUPPORTED: it is unknown (a network file system; or the file of another user, without the right
 * CAP_LEASE). */
enum lf_status lf_file_check_unwritten(const struct lf_file *file);

/* Takes the file's lock for as long as it stays open. Never waits. LF_BUSY: another process holds it;
 * LF_UNSUPPORTED: the file system has no locks. */
enum lf_status lf_file_lock(const struct lf_file *file, struct lf_error *err);

enum lf_kind { LF_KIND_FILE, LF_KIND_FOLDER, LF_KIND_OTHER /* a link, a device, a pipe */ };

struct lf_file_info {
    enum lf_kind kind;
    int64_t size;
    int64_t read_ns, written_ns; /* last access and last change of the content; wall clock */
    uint64_t volume,
        id;         /* together they name the file as long as it exists; a remote id may change at a mount */
    unsigned names; /* how many names it has (hard links) */
};

enum lf_status lf_file_look(const struct lf_file *file, struct lf_file_info *info, struct lf_error *err);
/* Looks at what `path` leads to; links are followed. */
enum lf_status lf_path_look(const char *path, struct lf_file_info *info, struct lf_error *err);
/* May we read what `path` leads to? */
enum lf_status lf_path_check_readable(const char *path, struct lf_error *err);
/* When the file was made; no copy of it has the same. Wall clock; 0: the file system does not tell. */
int64_t lf_file_born_ns(const struct lf_file *file);
bool lf_file_is_same(const struct lf_file_info *a, const struct lf_file_info *b);

/* Both do what the file system allows, and ignore what it does not. */
void lf_file_set_times(const struct lf_file *file, const struct lf_file_info *like);
void lf_file_set_access(const struct lf_file *file, unsigned access);

/* A stream for reading and writing the file; closing it closes the file. Takes the handle, which is closed
 * when this fails. Returns owned; NULL: failed. */
FILE *lf_file_stream(struct lf_file *file, struct lf_error *err);
/* Writes out what the stream has buffered, then does as lf_file_sync. */
enum lf_status lf_stream_sync(FILE *stream, struct lf_error *err);

#endif
