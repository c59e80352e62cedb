#include "own.h"

#include "base/buffer.h"
#include "beneath.h"
#include "os/path.h"

#include <stdlib.h>

static const char OWN_NAME[] = ".labferry";

/* May our folder be made there? An existing one that refuses us is no reason to go elsewhere. */
static bool is_usable(const struct lf_dir *parent, const struct lf_dir *dir)
{
    struct lf_file_info above, here;
    struct lf_error ignored;
    bool one_disk = lf_dir_look_self(parent, &above, &ignored) == LF_OK
                    && lf_dir_look_self(dir, &here, &ignored) == LF_OK && above.volume == here.volume
                    && !lf_file_is_same(&above, &here);
    return one_disk
           && (lf_dir_look(parent, OWN_NAME, &above, &ignored) == LF_OK
               || lf_dir_check_writable(parent, &ignored) == LF_OK);
}

static enum lf_status open_named(const struct lf_dir *shared, const char *path, struct lf_dir *own,
                                 struct lf_error *err)
{
    char *real = lf_path_real(path);
    enum lf_status status = real ? lf_dir_enter(shared, folder__beneath_base(real), true, own, err)
                                 : lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "%s is gone", path);
    free(real);
    return status;
}

static enum lf_status open_beside(const char *path, const struct lf_dir *dir, struct lf_dir *own,
                                  struct lf_error *err)
{
    struct lf_dir parent = {0}, shared = {0};
    struct lf_error none = {0};
    enum lf_status status = lf_dir_enter(dir, OWN_NAME, false, own, &none);
    if (status != LF_NOT_FOUND) {
        *err = none;
        return status;
    }
    if (lf_dir_enter(dir, "..", false, &parent, &none) == LF_OK && is_usable(&parent, dir)) {
        status = lf_dir_enter(&parent, OWN_NAME, true, &shared, err);
        if (status == LF_OK)
            status = open_named(&shared, path, own, err);
    } else {
        status = lf_dir_enter(dir, OWN_NAME, true, own, err);
    }
    lf_dir_close(&shared);
    lf_dir_close(&parent);
    return status;
}

enum lf_status folder__own_open(const char *path, const struct lf_dir *dir, const char *configured,
                                struct lf_dir *own, struct lf_error *err)
{
    struct lf_dir shared = {0};
    enum lf_status status = configured ? lf_dir_open(configured, &shared, err)
                                       : open_beside(path, dir, own, err);
    if (configured && status == LF_OK)
        status = open_named(&shared, path, own, err);
    lf_dir_close(&shared);
    if (status == LF_OK)
        status = lf_dir_check_writable(own, err);
    if (status == LF_OK)
        return LF_OK;
    return lf_error_prefix(err,
                           "the agent's own folder for %s (.labferry beside it, or marks_dir) cannot be made "
                           "or written to: give the agent's user permission, or set marks_dir to a folder on "
                           "the same share that it may write to",
                           path);
}
