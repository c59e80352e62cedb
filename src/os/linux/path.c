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

char *lf_path_real(const char *path)
{
    return realpath(path, NULL);
}
