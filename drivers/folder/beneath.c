#include "beneath.h"

#include "base/buffer.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>

bool folder__beneath_path_ok(const char *path)
{
    for (const char *at = path;; at++) {
        size_t len = strcspn(at, "/");
        if (!len || at[0] == '.')
            return false;
        at += len;
        if (!*at)
            return true;
    }
}

const char *folder__beneath_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static enum lf_status enter_one(struct lf_dir *at, const char *name, bool make, struct lf_error *err)
{
    struct lf_dir inner = {0};
    if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "not a plain path below the folder");
    if (lf_dir_enter(at, name, make, &inner, err) == LF_INVALID)
        lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                "\"%.80s\" is a link or not a folder, and links are not followed here", name);
    lf_dir_close(at);
    *at = inner;
    return err->status;
}

/* The folder of the first `len` bytes of the path. */
static enum lf_status enter(const struct lf_dir *dir, const char *path, size_t len, bool make,
                            struct lf_dir *inner, struct lf_error *err)
{
    lf_error_clear(err);
    enum lf_status status = lf_dir_enter(dir, ".", false, inner, err);
    for (const char *end = path + len; status == LF_OK && path < end;) {
        size_t part = strcspn(path, "/");
        char *name = lf_format("%.*s", (int)part, path);
        status = name ? enter_one(inner, name, make, err) : lf_fail_memory(err, "opening a folder");
        free(name);
        path += part + 1;
    }
    if (status != LF_OK)
        lf_dir_close(inner);
    return status;
}

enum lf_status folder__beneath_enter(const struct lf_dir *dir, const char *path, bool make,
                                     struct lf_dir *inner, struct lf_error *err)
{
    return enter(dir, path, strlen(path), make, inner, err);
}

enum lf_status folder__beneath_look(const struct lf_dir *dir, const char *path, struct lf_file_info *info,
                                    struct lf_error *err)
{
    struct lf_dir parent;
    const char *base = folder__beneath_base(path);
    enum lf_status status = enter(dir, path, (size_t)(base - path), false, &parent, err);
    if (status == LF_OK)
        status = lf_dir_look(&parent, base, info, err);
    lf_dir_close(&parent);
    return status;
}

enum lf_status folder__beneath_parent(const struct lf_dir *dir, const char *path, bool make,
                                      struct lf_dir *parent, struct lf_error *err)
{
    *parent = (struct lf_dir){0};
    if (!folder__beneath_path_ok(path))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "not a plain path below the folder");
    return enter(dir, path, (size_t)(folder__beneath_base(path) - path), make, parent, err);
}

enum lf_status folder__beneath_open(const struct lf_dir *dir, const char *path, struct lf_file *file,
                                    struct lf_file_info *info, struct lf_error *err)
{
    struct lf_dir parent;
    *file = (struct lf_file){0};
    enum lf_status status = folder__beneath_parent(dir, path, false, &parent, err);
    if (status == LF_OK)
        status = lf_dir_open_file(&parent, folder__beneath_base(path), LF_FILE_REGULAR, 0, file, err);
    lf_dir_close(&parent);
    if (status == LF_OK && (status = lf_file_look(file, info, err)) != LF_OK)
        lf_file_close(file);
    return status;
}

enum lf_status folder__digest(const struct lf_dir *dir, const char *name, const struct lf_cancel *cancel,
                              char *sha256, struct lf_error *err)
{
    struct lf_file file;
    if (lf_dir_open_file(dir, name, LF_FILE_REGULAR, 0, &file, err) != LF_OK)
        return lf_error_prefix(err, "cannot read %s", name);
    lf_file_uncache(&file);
    enum lf_status status = lf_file_copy(&file, NULL, INT64_MAX, cancel, sha256, NULL, err);
    lf_file_close(&file);
    return status;
}
