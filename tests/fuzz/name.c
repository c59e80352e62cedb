/* File names and paths from outside: what is accepted stays where it belongs, on every target. */
#include "fuzz.h"

#include "base/file.h"
#include "base/json.h"
#include "drivers/folder/beneath.h"
#include "os/linux/native.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_name(const char *name)
{
    struct lf_error err = {0};
    enum lf_status status = lf_name_check(name, &err);
    size_t len = strlen(name);
    fuzz_check_error(status, &err);
    MUST(lf_utf8_valid(lf_slice_text(err.text)), "the message is not UTF-8");
    for (const char *at = err.text; *at; at++)
        MUST(!iscntrl((unsigned char)*at), "byte 0x%02x of the name went into the message",
             (unsigned)(unsigned char)*at);
    MUST(!strstr(err.text, "\xE2\x80\xAE"), "the message runs backwards");
    if (status != LF_OK)
        return;
    MUST(len > 0 && len <= 200, "a name of %zu bytes", len);
    MUST(!strpbrk(name, "/\\<>:\"|?*"), "\"%s\"", name);
    MUST(strcmp(name, ".") != 0 && strcmp(name, "..") != 0, "\"%s\"", name);
    MUST(!strchr(".- ", *name) && !strchr(". ", name[len - 1]), "\"%s\"", name);
    MUST(lf_utf8_valid(lf_slice_text(name)), "not UTF-8");
    for (size_t i = 0; i < len; i++)
        MUST((unsigned char)name[i] >= 0x20 && name[i] != 0x7F, "a control character");
    MUST(strncasecmp(name, "nul", 3) != 0 || (name[3] && name[3] != '.' && name[3] != ' ')
             || strspn(name + 3, " ") == 0 || name[3 + strspn(name + 3, " ")] != '.',
         "\"%s\"", name);
    MUST(folder__beneath_path_ok(name), "a good name \"%s\" is no path", name);
    MUST(lf_glob_match("*", name, false), "* does not match \"%s\"", name);
    if (!strpbrk(name, "["))
        MUST(lf_glob_match(name, name, false) && lf_glob_match(name, name, true),
             "\"%s\" does not match itself", name);
}

/* No path leads out of an open folder. There is a file "secret" one
 * level up, and links "up" (to ..) and "out" (to the secret) inside. */
static void check_path(const char *path)
{
    static struct lf_dir inside;
    struct lf_file file;
    struct lf_dir parent;
    struct lf_file_info info;
    struct lf_error err = {0};
    if (!lf_dir_is_open(&inside)) {
        int outside = open(fuzz_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fuzz_need(outside >= 0 && mkdirat(outside, "in", 0700) == 0, "no folder");
        int in = openat(outside, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int secret = openat(outside, "secret", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        fuzz_need(in >= 0 && write(secret, "secret", 6) == 6, "no secret");
        fuzz_need(symlinkat("..", in, "up") == 0 && symlinkat("../secret", in, "out") == 0, "no links");
        fuzz_need(mkdirat(in, "sub", 0700) == 0, "no folder");
        int empty = openat(in, "sub/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        fuzz_need(empty >= 0, "no file");
        close(empty);
        close(secret);
        close(outside);
        inside.os = os__handle(in);
    }
    bool ok = folder__beneath_path_ok(path);
    bool opened = folder__beneath_open(&inside, path, &file, &info, &err) == LF_OK;
    MUST(!opened || (ok && info.size == 0), "\"%s\" reached the outside", path);
    MUST(opened || *err.text, "no reason");
    lf_file_close(&file);
    bool entered = folder__beneath_parent(&inside, path, false, &parent, &err) == LF_OK;
    MUST(!entered || ok, "\"%s\" is no path, but has a folder", path);
    lf_dir_close(&parent);
    const char *base = folder__beneath_base(path);
    MUST(!strchr(base, '/') && strlen(base) <= strlen(path), "\"%s\"", path);
    if (ok) {
        MUST(*path != '/' && *base, "\"%s\"", path);
        for (const char *at = path; at; at = strchr(at, '/'))
            MUST(*(at += *at == '/') != '.' && *at != '/' && *at, "\"%s\"", path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    char *first = fuzz_text(fuzz_until(&input, '\n')), *second = fuzz_text(fuzz_rest(&input));
    check_name(first);
    check_path(first);
    bool cased = lf_glob_match(first, second, false);
    MUST(!cased || lf_glob_match(first, second, true), "\"%s\" matches \"%s\" only when case counts", first,
         second);
    free(first);
    free(second);
    return 0;
}
