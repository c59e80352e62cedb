/* Open folders, and what is directly in them.
 *
 * A handle stays with the folder that was opened, even if another one takes its path. Names are single parts
 * of a path, and links are never followed: nothing outside the folder is reached. Handles and errors are as
 * in file.h. Any thread; a list belongs to one. */
#ifndef LF_OS_DIR_H
#define LF_OS_DIR_H

#include "os/file.h"

struct lf_dir {
    intptr_t os; /* belongs to the system's side; 0: not open */
};

/* Links in `path` are followed. */
enum lf_status lf_dir_open(const char *path, struct lf_dir *dir, struct lf_error *err);
/* A folder in an open one, or "." for the same one again. With `make`, a missing one is created (LF_OPEN) and
 * survives a power cut. */
enum lf_status lf_dir_enter(const struct lf_dir *dir, const char *name, bool make, struct lf_dir *inner,
                            struct lf_error *err);
bool lf_dir_is_open(const struct lf_dir *dir);
void lf_dir_close(struct lf_dir *dir);

/* As lf_file_open; LF_FILE_READ follows no link either. */
enum lf_status lf_dir_open_file(const struct lf_dir *dir, const char *name, enum lf_file_mode mode,
                                unsigned access, struct lf_file *file, struct lf_error *err);
enum lf_status lf_dir_look(const struct lf_dir *dir, const char *name, struct lf_file_info *info,
                           struct lf_error *err);
enum lf_status lf_dir_look_self(const struct lf_dir *dir, struct lf_file_info *info, struct lf_error *err);

/* Lists the names in the folder, "." and ".." left out, in no order. Returns owned. */
struct lf_dir_list;
enum lf_status lf_dir_list(const struct lf_dir *dir, struct lf_dir_list **list, struct lf_error *err);
/* The next name, valid until the next call, with what lies there (info may be NULL). NULL at the end, with
 * err->status saying whether it is one (LF_OK). */
const char *lf_dir_next(struct lf_dir_list *list, struct lf_file_info *info, struct lf_error *err);
void lf_dir_list_close(struct lf_dir_list *list); /* NULL is fine */

/* Renames, and never replaces. LF_EXISTS: the name is taken; LF_UNSUPPORTED: this file system cannot do it;
 * LF_MISMATCH: the folders are on two file systems. These change nothing; after any other error it may have
 * been renamed. */
enum lf_status lf_dir_rename_new(const struct lf_dir *from, const char *name, const struct lf_dir *to,
                                 const char *new_name, struct lf_error *err);
enum lf_status lf_dir_rename_replace(const struct lf_dir *from, const char *name, const struct lf_dir *to,
                                     const char *new_name, struct lf_error *err);
/* A second name for a file. Errors as lf_dir_rename_new; LF_UNSUPPORTED: no links here. */
enum lf_status lf_dir_link(const struct lf_dir *from, const char *name, const struct lf_dir *to,
                           const char *new_name, struct lf_error *err);
/* Removes a file. LF_OK also when it is not there. */
enum lf_status lf_dir_remove(const struct lf_dir *dir, const char *name, struct lf_error *err);

enum lf_status lf_file_remove(const char *path, struct lf_error *err);

/* Once this returns LF_OK, what was created, renamed or removed in the folder survives a power cut. */
enum lf_status lf_dir_sync(const struct lf_dir *dir, struct lf_error *err);
/* The same for the folder that `path` lies in. */
enum lf_status lf_dir_sync_parent(const char *path, struct lf_error *err);
/* Creates a folder and those above it that are missing; what is created survives a power cut. */
enum lf_status lf_dir_make(const char *path, unsigned access, struct lf_error *err);

/* May we create and remove files here? LF_DENIED when not. */
enum lf_status lf_dir_check_writable(const struct lf_dir *dir, struct lf_error *err);
/* Bytes that are free for us; below 0: unknown. */
int64_t lf_dir_free_room(const struct lf_dir *dir);
int64_t lf_disk_free(const char *path);
/* Is it on a network or user-space file system, where others may change it unnoticed and ids may change? */
bool lf_dir_is_remote(const struct lf_dir *dir);

#endif
