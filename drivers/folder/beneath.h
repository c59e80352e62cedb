/* Files strictly below an open folder: no symbolic link is followed, and nothing above it is ever touched.
 * Whatever the driver does below an instrument's folders goes through here, or through a handle from here.
 * Errors carry the reason alone, as in os/file.h. Any thread. */
#ifndef LF_FOLDER_BENEATH_H
#define LF_FOLDER_BENEATH_H

#include "os/dir.h"
#include "os/wait.h"

/* Is it a relative path of plain parts: not empty, and none of them empty or with a leading '.'? */
bool folder__beneath_path_ok(const char *path);
/* What follows the last '/'. */
const char *folder__beneath_base(const char *path);

/* Opens a folder below: none of the parts of its path may be a link, "." or "..". With `make`, missing
 * folders are created and made durable. LF_INVALID (needs a person), with a sentence: a part is a link, or no
 * folder. */
enum lf_status folder__beneath_enter(const struct lf_dir *dir, const char *path, bool make,
                                     struct lf_dir *inner, struct lf_error *err);
/* Looks at what is there, a link itself included. */
enum lf_status folder__beneath_look(const struct lf_dir *dir, const char *path, struct lf_file_info *info,
                                    struct lf_error *err);
/* Opens the folder that `path` (of a result) is in. */
enum lf_status folder__beneath_parent(const struct lf_dir *dir, const char *path, bool make,
                                      struct lf_dir *parent, struct lf_error *err);
/* Opens a regular file to read, and looks at it. LF_INVALID for a link or anything else. */
enum lf_status folder__beneath_open(const struct lf_dir *dir, const char *path, struct lf_file *file,
                                    struct lf_file_info *info, struct lf_error *err);
/* SHA-256 of the regular file `name` directly in dir, read from the disk or the server where the system can.
 */
enum lf_status folder__digest(const struct lf_dir *dir, const char *name, const struct lf_cancel *cancel,
                              char *sha256, struct lf_error *err);

#endif
