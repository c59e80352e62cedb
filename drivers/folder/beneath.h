/* Files strictly below an open folder: no symbolic links followed, nothing above it ever touched. Any
 * thread. */
#ifndef LF_FOLDER_BELOW_H
#define LF_FOLDER_BELOW_H

#include "os/wait.h"

#include <sys/stat.h>

/* Is it a relative path of plain components: not empty, none of them empty or starting with '.', no control
 * characters? */
bool folder__beneath_path_ok(const char *path);
/* The part after the last '/'. Borrowed. */
const char *folder__beneath_base(const char *path);

/* Opens the folder that `path` (a file) is in. Returns the descriptor, or -1 with errno (EINVAL for a bad
 * path). With `make`, missing folders are created and made durable. */
int folder__beneath_parent(int dir, const char *path, bool make);
/* Opens a plain file for reading and looks at it. -1 with errno; ELOOP for a link, EINVAL when it is no plain
 * file. */
int folder__beneath_open(int dir, const char *path, struct stat *st);

/* Digest of the plain file at path, read anew rather than from memory where the system lets us. LF_NOT_FOUND
 * when it does not exist. */
enum lf_status folder__beneath_digest(int dir, const char *path, const struct lf_cancel *cancel, char *sha256,
                                      struct lf_error *err);
/* fsync of a file; file systems that cannot are forgiven. */
enum lf_status folder__beneath_sync(int fd, struct lf_error *err);

#endif
