#include "os/dir.h"
#include "os/path.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct lf_error err;
static struct lf_dir dir; // the test's own folder

static const char *at(const char *name)
{
    static char paths[4][4300];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", unit_folder(), name);
    return path;
}

static void open_folder(void)
{
    NEED(lf_dir_open(unit_folder(), &dir, &err) == LF_OK);
}

static void put(const struct lf_dir *where, const char *name, const char *text)
{
    struct lf_file file;
    NEED(lf_dir_open_file(where, name, LF_FILE_REPLACE, LF_PRIVATE, &file, &err) == LF_OK);
    CHECK_INT(lf_file_append(&file, text, strlen(text), &err), LF_OK);
    CHECK_INT(lf_file_finish(&file, &err), LF_OK);
    CHECK(!lf_file_is_open(&file));
}

// The text of a file; "" when it cannot be opened. Valid until the next call.
static const char *text_of(const struct lf_dir *where, const char *name)
{
    static char text[100];
    struct lf_file file;
    size_t got = 0;
    if (lf_dir_open_file(where, name, LF_FILE_REGULAR, 0, &file, &err) == LF_OK)
        CHECK_INT(lf_file_read_at(&file, 0, text, sizeof text - 1, &got, &err), LF_OK);
    lf_file_close(&file);
    text[got] = '\0';
    return text;
}

static void reads_and_writes_anywhere(void)
{
    struct lf_file file;
    struct lf_file_info info;
    char text[20] = "";
    size_t got;
    open_folder();
    put(&dir, "a", "abc");
    NEED(lf_dir_open_file(&dir, "a", LF_FILE_CHANGE, 0, &file, &err) == LF_OK);
    CHECK_INT(lf_file_append(&file, "def", 3, &err), LF_OK);
    CHECK_INT(lf_file_write_at(&file, 1, "XY", 2, &err), LF_OK);
    CHECK_INT(lf_file_read_at(&file, 2, text, sizeof text, &got, &err), LF_OK);
    CHECK_BYTES(text, got, "Ydef", 4);
    CHECK_INT(lf_file_read_at(&file, 6, text, sizeof text, &got, &err), LF_OK);
    CHECK_INT(got, 0);
    CHECK_INT(lf_file_truncate(&file, 2, &err), LF_OK);
    CHECK_INT(lf_file_look(&file, &info, &err), LF_OK);
    CHECK_INT(info.size, 2);
    CHECK_INT(info.kind, LF_KIND_FILE);
    CHECK_INT(lf_file_sync(&file, &err), LF_OK);
    lf_file_close(&file);
    lf_file_close(&file); // harmless
    CHECK_STR(text_of(&dir, "a"), "aX");
    lf_dir_close(&dir);
    lf_dir_close(&dir);
}

static void modes_of_opening(void)
{
    struct lf_file file;
    open_folder();
    CHECK_INT(lf_dir_open_file(&dir, "a", LF_FILE_REGULAR, 0, &file, &err), LF_NOT_FOUND);
    CHECK_STR(err.text, "No such file or directory"); // the caller says what it was doing
    CHECK_INT(lf_dir_open_file(&dir, "a", LF_FILE_CHANGE, 0, &file, &err), LF_NOT_FOUND);
    CHECK(!lf_file_is_open(&file));
    put(&dir, "a", "abc");
    CHECK_INT(lf_dir_open_file(&dir, "a", LF_FILE_CREATE, LF_PRIVATE, &file, &err), LF_EXISTS);
    CHECK_INT(lf_dir_open_file(&dir, "a", LF_FILE_KEEP, LF_PRIVATE, &file, &err), LF_OK);
    lf_file_close(&file);
    CHECK_STR(text_of(&dir, "a"), "abc");
    CHECK_INT(lf_dir_open_file(&dir, "a", LF_FILE_REPLACE, LF_PRIVATE, &file, &err), LF_OK);
    lf_file_close(&file);
    CHECK_STR(text_of(&dir, "a"), "");
    lf_dir_close(&dir);
}

static void follows_no_link(void)
{
    struct lf_file file;
    struct lf_dir inner;
    struct lf_file_info info;
    static const enum lf_file_mode modes[] = {LF_FILE_READ,   LF_FILE_REGULAR, LF_FILE_CHANGE,
                                              LF_FILE_CREATE, LF_FILE_REPLACE, LF_FILE_KEEP};
    open_folder();
    put(&dir, "real", "safe");
    NEED(symlink("real", at("link")) == 0 && mkdir(at("folder"), 0700) == 0
         && symlink("folder", at("folder-link")) == 0);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        CHECK(lf_dir_open_file(&dir, "link", modes[i], LF_PRIVATE, &file, &err) != LF_OK);
    CHECK_INT(lf_file_open(at("link"), LF_FILE_REGULAR, 0, &file, &err), LF_INVALID);
    CHECK_INT(lf_file_open(at("link"), LF_FILE_REPLACE, LF_PRIVATE, &file, &err), LF_INVALID);
    CHECK_INT(lf_file_open(at("link"), LF_FILE_READ, 0, &file, &err), LF_OK);
    lf_file_close(&file);
    CHECK(lf_dir_enter(&dir, "folder-link", false, &inner, &err) != LF_OK);
    CHECK(!lf_dir_is_open(&inner));
    CHECK_INT(lf_dir_look(&dir, "link", &info, &err), LF_OK);
    CHECK_INT(info.kind, LF_KIND_OTHER);
    CHECK_STR(text_of(&dir, "real"), "safe");
    lf_dir_close(&dir);
}

static void no_pipe_holds_us_up(void)
{
    struct lf_file file;
    char text[10];
    size_t got;
    int ends[2];
    open_folder();
    NEED(mkfifo(at("fifo"), 0600) == 0 && pipe(ends) == 0);
    CHECK_INT(lf_dir_open_file(&dir, "fifo", LF_FILE_REGULAR, 0, &file, &err), LF_INVALID);
    CHECK_INT(write(ends[1], "abcd", 4), 4); // a pipe has no offsets, and is read in order
    CHECK_INT(lf_file_read_at(UNIT_FILE(ends[0]), 0, text, 3, &got, &err), LF_OK);
    close(ends[1]);
    CHECK_INT(lf_file_read_at(UNIT_FILE(ends[0]), 0, text, 3, &got, &err), LF_OK);
    CHECK_BYTES(text, got, "d", 1);
    close(ends[0]);
    lf_dir_close(&dir);
}

static void renames_without_replacing(void)
{
    open_folder();
    put(&dir, "a", "mine");
    put(&dir, "b", "theirs");
    CHECK_INT(lf_dir_rename_new(&dir, "a", &dir, "b", &err), LF_EXISTS);
    CHECK_INT(lf_dir_link(&dir, "a", &dir, "b", &err), LF_EXISTS);
    CHECK_STR(text_of(&dir, "b"), "theirs");
    CHECK_STR(text_of(&dir, "a"), "mine");
    CHECK_INT(lf_dir_rename_new(&dir, "a", &dir, "c", &err), LF_OK);
    struct lf_file_info info;
    CHECK_INT(lf_dir_link(&dir, "c", &dir, "d", &err), LF_OK);
    CHECK_INT(lf_dir_look(&dir, "c", &info, &err), LF_OK);
    CHECK_INT(info.names, 2);
    CHECK_INT(lf_dir_rename_replace(&dir, "c", &dir, "b", &err), LF_OK);
    CHECK_STR(text_of(&dir, "b"), "mine");
    CHECK_INT(lf_dir_remove(&dir, "b", &err), LF_OK);
    CHECK_INT(lf_dir_remove(&dir, "b", &err), LF_OK); // it is gone already
    CHECK_INT(lf_dir_rename_new(&dir, "none", &dir, "x", &err), LF_NOT_FOUND);
    lf_dir_close(&dir);
}

static void stays_what_was_opened(void)
{
    struct lf_file_info before, now;
    NEED(mkdir(at("inbox"), 0700) == 0);
    NEED(lf_dir_open(at("inbox"), &dir, &err) == LF_OK);
    NEED(rename(at("inbox"), at("old")) == 0 && mkdir(at("inbox"), 0700) == 0);
    put(&dir, "a", "abc");
    CHECK_INT(access(at("old/a"), F_OK), 0);
    CHECK(access(at("inbox/a"), F_OK) != 0);
    CHECK_INT(lf_dir_look_self(&dir, &before, &err), LF_OK);
    CHECK_INT(lf_path_look(at("inbox"), &now, &err), LF_OK);
    CHECK(!lf_file_is_same(&before, &now));
    CHECK_INT(lf_path_look(at("old"), &now, &err), LF_OK);
    CHECK(lf_file_is_same(&before, &now));
    lf_dir_close(&dir);
}

static void lists_each_name_once(void)
{
    struct lf_dir inner;
    struct lf_dir_list *list;
    struct lf_file_info info;
    unsigned seen = 0;
    const char *name;
    open_folder();
    put(&dir, ".hidden", "");
    put(&dir, "file", "12345");
    NEED(lf_dir_enter(&dir, "folder", true, &inner, &err) == LF_OK);
    NEED(lf_dir_list(&dir, &list, &err) == LF_OK);
    while ((name = lf_dir_next(list, &info, &err))) {
        unsigned bit = !strcmp(name, ".hidden")  ? 1
                       : !strcmp(name, "file")   ? 2
                       : !strcmp(name, "folder") ? 4
                                                 : 0;
        CHECK(bit && !(seen & bit));
        seen |= bit;
        CHECK_INT(info.kind, bit == 4 ? LF_KIND_FOLDER : LF_KIND_FILE);
        CHECK(bit != 2 || info.size == 5);
    }
    CHECK_INT(err.status, LF_OK);
    CHECK_INT(seen, 7);
    lf_dir_list_close(list);
    NEED(rmdir(at("folder")) == 0);
    NEED(lf_dir_list(&inner, &list, &err) == LF_OK); // a folder that was removed is empty
    CHECK(lf_dir_next(list, NULL, &err) == NULL);
    lf_dir_list_close(list);
    lf_dir_close(&inner);
    lf_dir_close(&dir);
}

static void one_process_has_the_lock(void)
{
    struct lf_file file, second;
    open_folder();
    NEED(lf_dir_open_file(&dir, "lock", LF_FILE_KEEP, LF_PRIVATE, &file, &err) == LF_OK);
    NEED(lf_dir_open_file(&dir, "lock", LF_FILE_KEEP, LF_PRIVATE, &second, &err) == LF_OK);
    CHECK_INT(lf_file_lock(&file, &err), LF_OK);
    CHECK_INT(lf_file_lock(&second, &err), LF_BUSY);
    lf_file_close(&file);
    CHECK_INT(lf_file_lock(&second, &err), LF_OK);
    lf_file_close(&second);
    lf_dir_close(&dir);
}

static void access_is_as_asked(void)
{
    struct lf_file file;
    struct stat st;
    mode_t before = umask(0);
    open_folder();
    NEED(lf_dir_open_file(&dir, "a", LF_FILE_CREATE, LF_PRIVATE, &file, &err) == LF_OK);
    NEED(stat(at("a"), &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    lf_file_set_access(&file, LF_GROUP);
    NEED(stat(at("a"), &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0640);
    lf_file_close(&file);
    CHECK_INT(lf_dir_make(at("x/y"), LF_GROUP, &err), LF_OK);
    NEED(stat(at("x/y"), &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0750);
    umask(before);
    lf_dir_close(&dir);
}

static void joins_paths(void)
{
    static const struct {
        const char *folder, *name, *joined, *parent;
    } cases[] = {
        {"/a/b", "c", "/a/b/c", "/a/b"},
        {"/a/b", "/c", "/c", "/"},
        {"a", "b/c", "a/b/c", "a/b"},
        {".", "c", "./c", "."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *joined = lf_path_join(cases[i].folder, cases[i].name);
        NEED(joined != NULL);
        CHECK_STR(joined, cases[i].joined);
        char *parent = lf_path_parent(joined);
        CHECK_STR(parent, cases[i].parent);
        free(parent);
        free(joined);
    }
    char *parent = lf_path_parent("file");
    CHECK_STR(parent, ".");
    free(parent);
    NEED(symlink(".", at("here")) == 0);
    char *real = lf_path_real(at("here")), *folder = lf_path_real(unit_folder());
    CHECK_STR(real, folder);
    free(real);
    free(folder);
    CHECK(lf_path_real(at("none")) == NULL);
}

UNIT_TESTS(
    "os/file, os/dir, os/path",
    {"a file can be read and written at any offset, and closed more than once", reads_and_writes_anywhere},
    {"a file is opened to read, change, create, replace or keep, and a refusal has the system's reason",
     modes_of_opening},
    {"no link is followed in an open folder or for writing", follows_no_link},
    {"opening a FIFO does not block, and a pipe is read in order", no_pipe_holds_us_up},
    {"a rename or link replaces nothing unless asked to", renames_without_replacing},
    {"a handle stays with the folder that was opened, even if another takes its path", stays_what_was_opened},
    {"a list has each name once, with its kind and size", lists_each_name_once},
    {"a lock keeps every other handle out until it is closed", one_process_has_the_lock},
    {"new files and folders get the access that was asked for", access_is_as_asked},
    {"paths are joined, split and made absolute", joins_paths}, )
