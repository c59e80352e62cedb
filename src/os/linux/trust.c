#include "os/trust.h"

#include "os/path.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_ROOM = 80, ENTRY_ROOM = 16384 };

bool lf_trust_is_root(void)
{
    return geteuid() == 0;
}

/* "maria", or "uid 1000". */
static void name_of(uid_t user, char name[NAME_ROOM])
{
    struct passwd entry, *found = NULL;
    char *room = malloc(ENTRY_ROOM);
    snprintf(name, NAME_ROOM, "uid %lld", (long long)user);
    if (room && getpwuid_r(user, &entry, room, ENTRY_ROOM, &found) == 0 && found)
        snprintf(name, NAME_ROOM, "%.70s", found->pw_name);
    free(room);
}

static bool is_ours(uid_t owner)
{
    return owner == 0 || owner == geteuid();
}

static enum lf_status check_itself(const char *path, const struct stat *st, bool any_owner,
                                   struct lf_error *err)
{
    char owner[NAME_ROOM], self[NAME_ROOM];
    name_of(st->st_uid, owner);
    name_of(geteuid(), self);
    if (!any_owner && !is_ours(st->st_uid))
        return lf_fail(
            err, LF_DENIED, LF_NEEDS_PERSON,
            "%s belongs to %s, who can change it at any time: give it to %s (chown %s %s), or work as "
            "%s",
            path, owner, self, self, path, owner);
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return lf_fail(err, LF_DENIED, LF_NEEDS_PERSON,
                       "%s can be changed by %s (mode %04o, owner %s): run chmod go-w %s", path,
                       st->st_mode & S_IWOTH ? "every user of this machine" : "its group",
                       (unsigned)(st->st_mode & 07777), owner, path);
    return LF_OK;
}

/* In a sticky folder, such as /tmp, users rename and remove only what they own. */
static enum lf_status check_above(const char *path, struct lf_error *err)
{
    struct stat st;
    char *folder = lf_path_parent(path);
    enum lf_status status = folder ? LF_OK : lf_fail_memory(err, "checking a path");
    while (folder && status == LF_OK) {
        if (stat(folder, &st) == 0 && (st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
            status =
                lf_fail(err, LF_DENIED, LF_NEEDS_PERSON,
                        "%s can be replaced by every user of this machine, who may write to %s (mode %04o): "
                        "run chmod o-w %s",
                        path, folder, (unsigned)(st.st_mode & 07777), folder);
        char *above = lf_path_parent(folder);
        bool top = above && !strcmp(above, folder);
        free(folder);
        folder = top ? NULL : above;
        if (top)
            free(above);
        else if (!above && status == LF_OK)
            status = lf_fail_memory(err, "checking a path");
    }
    free(folder);
    return status;
}

enum lf_status lf_trust_check(const char *path, bool any_owner, struct lf_error *err)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && !any_owner && !is_ours(st.st_uid)) {
        char owner[NAME_ROOM];
        name_of(st.st_uid, owner);
        return lf_fail(err, LF_DENIED, LF_NEEDS_PERSON,
                       "%s is a link of %s, who can point it anywhere: remove it, or chown -h it", path,
                       owner);
    }
    char *real = lf_path_real(path);
    enum lf_status status = check_above(path, err);
    if (real && status == LF_OK)
        status = check_above(real, err);
    free(real);
    return status == LF_OK && stat(path, &st) == 0 ? check_itself(path, &st, any_owner, err) : status;
}
