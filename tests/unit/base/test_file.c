#include "base/digest.h"
#include "base/file.h"
#include "os/dir.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *at(const char *name)
{
    static char paths[4][4300];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", unit_folder(), name);
    return path;
}

static void put(const char *path, const char *data, size_t len, unsigned mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    NEED(fd >= 0);
    CHECK(write(fd, data, len) == (ssize_t)len);
    NEED(fchmod(fd, (mode_t)mode) == 0);
    close(fd);
}

static void reads_whole(void)
{
    struct lf_buffer text = {0};
    struct lf_error err;
    put(at("a"), "a\0b", 3, 0644);
    CHECK_INT(lf_file_read(at("a"), 3, &text, &err), LF_OK);
    CHECK_BYTES(text.data, text.len, "a\0b", 3);
    CHECK_INT(lf_file_read(at("a"), 2, &text, &err), LF_TOO_LARGE);
    CHECK_HAS(err.text, "larger than 2 bytes");
    put(at("a"), "", 0, 0644);
    CHECK_INT(lf_file_read(at("a"), 2, &text, &err), LF_OK);
    CHECK_STR(text.data, "");
    CHECK_INT(lf_file_read(at("none"), 2, &text, &err), LF_NOT_FOUND);
    CHECK_HAS(err.text, "/none");
    CHECK(lf_file_read(unit_folder(), 2, &text, &err) != LF_OK);
    lf_buffer_free(&text);
}

static void reads_more_than_a_step(void)
{
    struct lf_buffer text = {0};
    char *data = malloc(300000);
    NEED(data != NULL);
    memset(data, 'x', 300000);
    put(at("a"), data, 300000, 0644);
    CHECK_INT(lf_file_read(at("a"), 300000, &text, UNIT_ERROR), LF_OK);
    CHECK_INT(text.len, 300000);
    CHECK_INT(lf_file_read(at("a"), 299999, &text, UNIT_ERROR), LF_TOO_LARGE);
    lf_buffer_free(&text);
    free(data);
}

static void secrets_must_be_private(void)
{
    struct lf_buffer text = {0};
    struct lf_error err;
    static const unsigned open_modes[] = {0640, 0604, 0620, 0601};
    for (size_t i = 0; i < 4; i++) {
        put(at("s"), "hush\n", 5, open_modes[i]);
        CHECK_INT(lf_file_read_secret(at("s"), &text, &err), LF_DENIED);
        CHECK_HAS(err.text, "chmod 600");
        CHECK(strstr(err.text, "hush") == NULL);
    }
    put(at("s"), "hush\n", 5, 0600);
    CHECK_INT(lf_file_read_secret(at("s"), &text, &err), LF_OK);
    CHECK_STR(text.data, "hush");
    put(at("s"), "hush\r\n", 6, 0400);
    CHECK_INT(lf_file_read_secret(at("s"), &text, &err), LF_OK);
    CHECK_STR(text.data, "hush");
    put(at("s"), "hu\nsh\n\n", 7, 0600);
    CHECK_INT(lf_file_read_secret(at("s"), &text, &err), LF_OK);
    CHECK_STR(text.data, "hu\nsh\n");
    put(at("s"), "\n", 1, 0600);
    CHECK_INT(lf_file_read_secret(at("s"), &text, &err), LF_INVALID);
    lf_buffer_free(&text);
}

static void secrets_must_be_files(void)
{
    struct lf_buffer text = {0};
    struct lf_error err;
    NEED(mkfifo(at("pipe"), 0600) == 0);
    CHECK_INT(lf_file_read_secret(at("pipe"), &text, &err), LF_INVALID);
    CHECK_INT(lf_file_read_secret(at("none"), &text, &err), LF_NOT_FOUND);
    lf_buffer_free(&text);
}

static void copies_with_digest(void)
{
    struct lf_error err;
    char sha256[65];
    int64_t size = 0;
    put(at("a"), "abc", 3, 0600);
    int from = open(at("a"), O_RDONLY), to = open(at("b"), O_RDWR | O_CREAT, 0600);
    NEED(from >= 0 && to >= 0);
    CHECK_INT(lf_file_copy(UNIT_FILE(from), UNIT_FILE(to), 3, NULL, sha256, &size, &err), LF_OK);
    CHECK_INT(size, 3);
    CHECK_STR(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256[0] = '\0';
    CHECK_INT(lf_file_copy(UNIT_FILE(from), NULL, 3, NULL, sha256, NULL, &err), LF_OK);
    CHECK_STR(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK_INT(lf_file_copy(UNIT_FILE(from), UNIT_FILE(to), 2, NULL, sha256, &size, &err), LF_TOO_LARGE);
    struct lf_cancel cancel;
    NEED(lf_cancel_open(&cancel, UNIT_ERROR) == LF_OK);
    lf_cancel_set(&cancel);
    CHECK_INT(lf_file_copy(UNIT_FILE(from), UNIT_FILE(to), 2, &cancel, sha256, &size, &err), LF_CANCELLED);
    lf_cancel_close(&cancel);
    close(from);
    CHECK_INT(lf_file_copy(UNIT_FILE(from), UNIT_FILE(to), 2, NULL, sha256, &size, &err), LF_IO);
    close(to);
}

static void copies_nothing_of_a_giant(void)
{
    struct lf_error err;
    struct lf_file_info copied;
    char sha256[65];
    int from = open(at("giant"), O_RDWR | O_CREAT, 0600), to = open(at("none"), O_RDWR | O_CREAT, 0600);
    NEED(from >= 0 && to >= 0 && ftruncate(from, 4 * 1024 * 1024) == 0);
    CHECK_INT(lf_file_copy(UNIT_FILE(from), UNIT_FILE(to), 1024 * 1024, NULL, sha256, NULL, &err),
              LF_TOO_LARGE);
    CHECK_HAS(err.text, "larger than the limit of 1048576 bytes");
    NEED(lf_file_look(UNIT_FILE(to), &copied, UNIT_ERROR) == LF_OK);
    CHECK_INT(copied.size, 0);
    close(from);
    close(to);
}

static void full_disk_is_said(void)
{
    struct lf_error err;
    int fd = open("/dev/full", O_WRONLY);
    NEED(fd >= 0);
    CHECK_INT(lf_file_append(UNIT_FILE(fd), "x", 1, &err), LF_FULL);
    CHECK_INT(err.class, LF_TRANSIENT);
    close(fd);
}

static void makes_folders(void)
{
    struct lf_error err;
    struct stat st;
    CHECK_INT(lf_dir_make(at("x/y/z"), LF_GROUP, &err), LF_OK);
    CHECK_INT(lf_dir_make(at("x/y/z"), LF_GROUP, &err), LF_OK);
    CHECK_INT(lf_dir_make(at("x//y/q/"), 0750, &err), LF_OK);
    NEED(stat(at("x/y/z"), &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0750);
    put(at("file"), "", 0, 0600);
    CHECK(lf_dir_make(at("file"), 0750, &err) != LF_OK);
    CHECK(lf_dir_make(at("file/x"), 0750, &err) != LF_OK);
    CHECK_INT(lf_dir_make("", 0750, &err), LF_INVALID);
    CHECK_INT(lf_dir_sync_parent(at("x/y"), &err), LF_OK);
    CHECK_INT(lf_dir_sync_parent(at("none/y"), &err), LF_NOT_FOUND);
    CHECK(lf_disk_free(unit_folder()) > 0);
    CHECK_INT(lf_disk_free(at("none")), -1);
}

static void good_names(void)
{
    static const char *const good[] = {"a",
                                       "worklist.csv",
                                       "Plate 1 (copy).xlsx",
                                       "caf\xc3\xa9.txt",
                                       "CONTROL.txt",
                                       "com.txt",
                                       "COM10.csv",
                                       "a..b",
                                       "lpt.x",
                                       "~x",
                                       "x-",
                                       "aux1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CHECK_INT(lf_name_check(good[i], UNIT_ERROR), LF_OK);
    char name[202];
    memset(name, 'a', sizeof name);
    name[200] = '\0';
    CHECK_INT(lf_name_check(name, UNIT_ERROR), LF_OK);
    name[200] = 'a';
    name[201] = '\0';
    CHECK_INT(lf_name_check(name, UNIT_ERROR), LF_INVALID);
}

static void bad_names(void)
{
    static const char *const bad[] = {"",         ".",      "..",        "../x",   "a/b",     "/etc/passwd",
                                      "a\\b",     "C:x",    "a*",        "a?",     "a|b",     "a<b",
                                      "a>b",      "a\"b",   "a\nb",      "a\x7f",  ".hid",    "-rf",
                                      " a",       "a ",     "a.",        "CON",    "con.txt", "Aux",
                                      "NUL.a",    "com1",   "LPT9.x",    "CONIN$", "conout$", "\xff",
                                      "\xc0\xaf", "nul .x", "prn.tar.gz"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct lf_error err = {0};
        CHECK_INT(lf_name_check(bad[i], &err), LF_INVALID);
        CHECK_INT(err.class, LF_NEEDS_PERSON);
        CHECK_HAS(err.text, "refused");
        CHECK(strchr(err.text, '\n') == NULL && strchr(err.text, '\xff') == NULL);
    }
}

static void globs(void)
{
    CHECK(lf_glob_match("*.csv", "a.csv", false));
    CHECK(!lf_glob_match("*.csv", "a.CSV", false));
    CHECK(lf_glob_match("*.csv", "a.CSV", true));
    CHECK(!lf_glob_match("*.csv", "a.csv.tmp", false));
    CHECK(lf_glob_match("plate_[0-9]?.txt", "plate_1a.txt", false));
    CHECK(lf_glob_match("a\\b*", "a\\bc", false));
    CHECK(!lf_glob_match("", "a", false));
}

UNIT_TESTS("file", {"a file is read completely or refused for its size", reads_whole},
           {"a file larger than one read is read completely", reads_more_than_a_step},
           {"a secret that others may use is refused and never shown", secrets_must_be_private},
           {"a secret must be a regular file, and a pipe does not block", secrets_must_be_files},
           {"a copy reports its size and digest and stays within its bound", copies_with_digest},
           {"of a file that is too large nothing is copied", copies_nothing_of_a_giant},
           {"a full disk is reported as full, and may be retried", full_disk_is_said},
           {"missing folders are created along the path, or the reason is reported", makes_folders},
           {"ordinary file names are accepted", good_names},
           {"names that leave the folder, steer a shell or upset Windows are refused", bad_names},
           {"file patterns match complete names", globs}, )
