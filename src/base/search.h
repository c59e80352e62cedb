/* Looking names up in a list of folders: "/etc/labferry/profiles:/usr/share/labferry/profiles". */
#ifndef LF_BASE_SEARCH_H
#define LF_BASE_SEARCH_H

#include <stdbool.h>

enum { LF_SEARCH_PATH = 4096 }; /* bytes in the path of what is found, the NUL included */

/* The list in the environment variable, or else `fallback`. Borrowed. */
const char *lf_search_folders(const char *variable, const char *fallback);
/* The path of NAME with the suffix in the first folder that has it; false: none has. */
bool lf_search_find(const char *folders, const char *name, const char *suffix, char path[LF_SEARCH_PATH]);
/* Calls `each` with every name that has the suffix, without it. Folders that cannot be read are skipped. */
void lf_search_list(const char *folders, const char *suffix, void (*each)(void *context, const char *name),
                    void *context);

#endif
