#include "os/library.h"

#include "os/path.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* lstat for the file: a link could lead into any folder. */
static enum lf_status check_owner(const char *path, mode_t kind, struct lf_error *err)
{
    struct stat st;
    if ((kind == S_IFREG ? lstat(path, &st) : stat(path, &st)) != 0)
        return lf_fail_errno(err, "cannot look at %s", path);
    if ((st.st_mode & S_IFMT) != kind)
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, "%s must be a regular file, not a link", path);
    if ((st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & (S_IWGRP | S_IWOTH))
        return lf_fail(
            err, LF_DENIED, LF_NEEDS_PERSON,
            "others may write %s (owner %u, mode %04o), so no code is loaded from there: run chown "
            "root %s; chmod go-w %s",
            path, (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777), path, path);
    return LF_OK;
}

/* Write access to a folder above is enough to replace those below it. A group is trusted with that: on some
 * systems /usr/local belongs to one. */
static enum lf_status check_above(char *folder, struct lf_error *err)
{
    struct stat st;
    for (char *slash; (slash = strrchr(folder, '/')) && folder[1];) {
        slash[slash == folder] = '\0';
        if (stat(folder, &st) != 0)
            return lf_fail_errno(err, "cannot look at %s", folder);
        bool ours = st.st_uid == 0 || st.st_uid == geteuid();
        if (!ours || (st.st_mode & S_IWOTH && !(st.st_mode & S_ISVTX)))
            return lf_fail(
                err, LF_DENIED, LF_NEEDS_PERSON,
                "others may replace what is in %s (owner %u, mode %04o), so no code is loaded from "
                "below it: use another folder",
                folder, (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777));
    }
    return LF_OK;
}

/* *real is owned: the file without links in its path, which others cannot change. */
static enum lf_status check(const char *path, char **real, struct lf_error *err)
{
    char *parent = lf_path_parent(path), *folder = parent ? lf_path_real(parent) : NULL;
    const char *name = strrchr(path, '/');
    *real = folder ? lf_path_join(folder, name ? name + 1 : path) : NULL;
    enum lf_status status = *real    ? check_owner(folder, S_IFDIR, err)
                            : parent ? lf_fail_errno(err, "cannot look at %s", parent)
                                     : lf_fail_memory(err, "loading a library");
    if (status == LF_OK)
        status = check_owner(*real, S_IFREG, err);
    if (status == LF_OK)
        status = check_above(folder, err);
    free(parent);
    free(folder);
    return status;
}

enum lf_status lf_library_symbol(const char *path, const char *name, const void **symbol,
                                 struct lf_error *err)
{
    char *real;
    enum lf_status status = check(path, &real, err);
    void *library = status == LF_OK ? dlopen(real, RTLD_NOW | RTLD_LOCAL) : NULL;
    free(real);
    if (status != LF_OK)
        return status;
    if (!library)
        return lf_fail(err, LF_UNSUPPORTED, LF_NEEDS_PERSON,
                       "cannot load a library (%s): build it for this machine, with everything it needs",
                       dlerror());
    *symbol = dlsym(library, name);
    return *symbol ? LF_OK
                   : lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                             "%s has no symbol \"%s\": define it there, visible to others", path, name);
}
