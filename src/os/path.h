/* Paths: UTF-8, parts divided by '/'. Any thread. */
#ifndef LF_OS_PATH_H
#define LF_OS_PATH_H

#include "os/linux/places.h" /* LF_CONFIG_PATH, LF_STATE_PATH, LF_SOCKET_PATH: the defaults */

#include <stdbool.h>

bool lf_path_is_absolute(const char *path);
/* `name` as seen from `folder`: itself when it is absolute. Returns owned; NULL: out of memory. */
char *lf_path_join(const char *folder, const char *name);
/* The folder that `path` lies in: "." when it names none. Returns owned; NULL: out of memory. */
char *lf_path_parent(const char *path);
/* The one absolute path of what exists at `path`, without links. Returns owned; NULL: nothing there. */
char *lf_path_real(const char *path);

#endif
