/* Paths: UTF-8, with '/' between their parts. Any thread. */
#ifndef LF_OS_PATH_H
#define LF_OS_PATH_H

#include <stdbool.h>

/* Where things are by default. Literals, since tables and help texts are made of them. */
#define LF_CONFIG_PATH "/etc/labferry/labferry.conf"
#define LF_STATE_PATH "/var/lib/labferry"
#define LF_SOCKET_PATH "/run/labferry/control.sock"

bool lf_path_is_absolute(const char *path);
/* `name` as seen from `folder`: itself when it is absolute. Returns owned; NULL: out of memory. */
char *lf_path_join(const char *folder, const char *name);
/* The folder that `path` lies in: "." when it names none. Returns owned; NULL: out of memory. */
char *lf_path_parent(const char *path);
/* The one absolute path of what exists at `path`, without links. Returns owned; NULL: nothing there. */
char *lf_path_real(const char *path);
/* Does `path`, absolute, lead to a network or user-space file system? Calls there may never return when the
 * server is gone, so the path itself is not touched. */
bool lf_path_may_hang(const char *path);

#endif
