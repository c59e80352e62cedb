#include "os/trust.h"

#include "base/file.h"
#include "os/path.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct lf_error err;

static const char *in_folder(const char *name)
{
    static char path[4300];
    snprintf(path, sizeof path, "%s/%s", unit_folder(), name);
    return path;
}

static const char *make(const char *name, unsigned mode)
{
    const char *path = in_folder(name);
    unit_write(path, "text");
    NEED(chmod(path, (mode_t)mode) == 0);
    return path;
}

static void own_files(void)
{
    CHECK_INT(lf_trust_check(make("a", 0644), false, &err), LF_OK);
    CHECK_INT(lf_trust_check(in_folder("."), false, &err), LF_OK);
    CHECK_INT(lf_trust_check("/etc/passwd", false, &err), LF_OK);
}

static void writable_by_others(void)
{
    CHECK_INT(lf_trust_check(make("a", 0666), false, &err), LF_DENIED);
    CHECK_INT(err.class, LF_NEEDS_PERSON);
    CHECK_HAS(err.text, "by every user of this machine (mode 0666");
    CHECK_HAS(err.text, "run chmod go-w ");
    CHECK_INT(lf_trust_check(make("b", 0664), true, &err), LF_DENIED);
    CHECK_HAS(err.text, "by its group (mode 0664");
}

static void replaceable(void)
{
    char path[4300];
    NEED(mkdir(in_folder("open"), 0700) == 0 && chmod(in_folder("open"), 0777) == 0);
    CHECK_INT(lf_trust_check(make("open/a", 0600), false, &err), LF_DENIED);
    CHECK_HAS(err.text, "can be replaced by every user of this machine");
    snprintf(path, sizeof path, "run chmod o-w %s", in_folder("open"));
    CHECK_HAS(err.text, path);
    CHECK_INT(lf_trust_check(in_folder("open/not/there"), false, &err), LF_DENIED);
    NEED(chmod(in_folder("open"), 01777) == 0);
    CHECK_INT(lf_trust_check(in_folder("open/a"), false, &err), LF_OK);
}

/* Where a link leads to counts, and so does where it lies. */
static void links(void)
{
    char target[4300];
    NEED(mkdir(in_folder("open"), 0700) == 0 && chmod(in_folder("open"), 0777) == 0);
    snprintf(target, sizeof target, "%s", make("open/a", 0600));
    NEED(symlink(target, in_folder("link")) == 0);
    CHECK_INT(lf_trust_check(in_folder("link"), false, &err), LF_DENIED);
    CHECK_HAS(err.text, "can be replaced");
}

/* Only root can give files away. */
static void owned_by_others(void)
{
    if (!lf_trust_is_root())
        return;
    NEED(chown(make("a", 0600), 65534, 65534) == 0);
    CHECK_INT(lf_trust_check(in_folder("a"), false, &err), LF_DENIED);
    CHECK_HAS(err.text, " belongs to nobody, who can change it at any time: give it to root (chown root ");
    CHECK_INT(lf_trust_check(in_folder("a"), true, &err), LF_OK);
    NEED(symlink("/etc/passwd", in_folder("link")) == 0 && lchown(in_folder("link"), 65534, 65534) == 0);
    CHECK_INT(lf_trust_check(in_folder("link"), false, &err), LF_DENIED);
    CHECK_HAS(err.text, "is a link of nobody");
}

static void nothing_there(void)
{
    CHECK_INT(lf_trust_check(in_folder("no/such/file"), false, &err), LF_OK);
}

UNIT_TESTS("trust", {"what we or root own, and only the owner can write, is trusted", own_files},
           {"what the group or everybody can write is refused, with the remedy", writable_by_others},
           {"what everybody can replace in a folder above is refused, but not in a sticky one", replaceable},
           {"a link is judged by both of its ends", links},
           {"what another user owns is refused, unless any owner will do", owned_by_others},
           {"where nothing is yet, nothing is refused", nothing_there}, )
