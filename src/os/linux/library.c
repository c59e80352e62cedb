#include "os/library.h"

#include "os/path.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* lstat: what a link leads to may lie in any folder. */
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

static enum lf_status check(const char *path, struct lf_error *err)
{
    char *folder = lf_path_parent(path);
    enum lf_status status = folder ? check_owner(folder, S_IFDIR, err)
                                   : lf_fail_memory(err, "loading a library");
    free(folder);
    return status == LF_OK ? check_owner(path, S_IFREG, err) : status;
}

enum lf_status lf_library_symbol(const char *path, const char *name, const void **symbol,
                                 struct lf_error *err)
{
    if (check(path, err) != LF_OK)
        return err->status;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return lf_fail(err, LF_UNSUPPORTED, LF_NEEDS_PERSON,
                       "cannot load a library (%s): build it for this machine, with everything it needs",
                       dlerror());
    *symbol = dlsym(library, name);
    return *symbol ? LF_OK
                   : lf_fail(err, LF_NOT_FOUND, LF_NEEDS_PERSON,
                             "%s has no symbol \"%s\": define it there, visible to others", path, name);
}
