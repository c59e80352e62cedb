#include "os/path.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool lf_path_is_absolute(const char *path)
{
    return path[0] == '/';
}

char *lf_path_join(const char *folder, const char *name)
{
    char *path;
    if (lf_path_is_absolute(name))
        return strdup(name);
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

char *lf_path_parent(const char *path)
{
    char *copy = strdup(path), *parent = copy ? strdup(dirname(copy)) : NULL;
    free(copy);
    return parent;
}

/* ---- what is mounted, from /proc/self/mountinfo: proc(5) ---- */

/* Decodes \040 and the like in place. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; at++) {
        if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] && at[3]) {
            *to++ = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
            at += 3;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
}

static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return !strcmp(folder, "/") || (!strncmp(path, folder, len) && (!path[len] || path[len] == '/'));
}

static bool type_may_hang(const char *type)
{
    static const char *const types[] = {"nfs",  "nfs4",    "cifs",     "smb3",   "smbfs",  "9p",   "afs",
                                        "ceph", "coda",    "ncpfs",    "vboxsf", "lustre", "gpfs", "beegfs",
                                        "fuse", "fuseblk", "virtiofs", "autofs", NULL};
    for (const char *const *known = types; *known; known++)
        if (!strcmp(type, *known))
            return true;
    return !strncmp(type, "fuse.", 5);
}

bool lf_path_may_hang(const char *path)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char *line = NULL, folder[4096], type[64];
    size_t room = 0, longest = 0;
    bool may = false;
    while (mounts && getline(&line, &room, mounts) > 0) {
        const char *rest = strstr(line, " - ");
        if (!rest || sscanf(line, "%*s %*s %*s %*s %4095s", folder) != 1
            || sscanf(rest, " - %63s", type) != 1)
            continue;
        unescape(folder);
        if (is_below(path, folder) && strlen(folder) >= longest) { /* a later mount covers an earlier one */
            longest = strlen(folder);
            may = type_may_hang(type);
        }
    }
    free(line);
    if (mounts)
        fclose(mounts);
    return may;
}

char *lf_path_real(const char *path)
{
    return realpath(path, NULL);
}
