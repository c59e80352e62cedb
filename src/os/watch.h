/* What a folder can do that differs between operating systems: tell of changes, lie on another machine,
 * rename without replacing, be locked. And which run of the machine this is.
 */
#ifndef LF_OS_WATCH_H
#define LF_OS_WATCH_H

#include "os/wait.h"

#include <stdbool.h>

/* Watches folders for files that appear, are closed after writing, are renamed or go away. One thread at a
 * time. Zeroed: closed. It says only *that* something happened: read the folder again. Blind to what other
 * machines do on a network mount. */
struct lf_watch {
    struct lf_waitable changed; /* readable when something happened */
};

enum lf_status lf_watch_open(struct lf_watch *watch, struct lf_error *err);
/* Adds a folder (not what is below it). Adding one again is harmless. LF_FULL when the system's limit of
 * watches is reached. */
enum lf_status lf_watch_add(struct lf_watch *watch, const char *path, struct lf_error *err);
/* Forgets what has happened so far. True if there was anything. Never waits. */
bool lf_watch_drain(struct lf_watch *watch);
void lf_watch_close(struct lf_watch *watch);

/* Does the open folder lie on a network or user-space file system, where changes may come from elsewhere
 * unseen and inode numbers may not last? */
bool lf_folder_is_remote(int dir_fd);

/* Renames without ever replacing. LF_OK; LF_EXISTS (nothing changed); LF_UNSUPPORTED (this file system cannot
 * promise it; nothing changed); LF_IO with errno set for all else. */
enum lf_status lf_rename_new(int from_dir, const char *from, int to_dir, const char *to);

/* Takes the lock of an open file for as long as it stays open. LF_OK, LF_BUSY (another process has it),
 * LF_UNSUPPORTED, or LF_IO with errno set. Never waits. */
enum lf_status lf_lock_take(int fd);

/* Names this run of the machine: differs after every restart of the operating system. False when it cannot be
 * told. */
enum { LF_BOOT_TEXT = 40 };
bool lf_boot_name(char name[LF_BOOT_TEXT]);

#endif
