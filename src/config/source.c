/* From files to libconfig's tree.
 *
 * libconfig ends the program when it is given a folder, and reads without limit: so the file and everything
 * that it includes is checked here first. The same pass makes the digest. Paths in @include are relative to
 * the folder of the main file.
 */
#include "config/load.h"

#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { INCLUDE_DEPTH = 10 /* libconfig's own */, INCLUDES_MAX = 100, NAME_ROOM = 1024 };

struct scan {
    struct lf_load *load;
    int depth, files;
    int missing_line; /* the last @include whose file is missing: libconfig's error does not name it */
    char missing[NAME_ROOM];
};

static bool scan_includes(struct scan *scan, const char *file, const char *text);

/* Reads a regular file of bounded size. */
static enum lf_status read_plain(const char *path, struct lf_buffer *text, struct lf_error *err)
{
    struct lf_file_info info;
    if (lf_path_look(path, &info, err) != LF_OK)
        return lf_error_prefix(err, "cannot open %s", path);
    if (info.kind != LF_KIND_FILE)
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, "%s is not a regular file", path);
    enum lf_status status = lf_file_read(path, LF_CONFIG_FILE_MAX, text, err);
    if (status == LF_OK && strlen(text->data) != text->len)
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, "%s is not a text file (it has NUL bytes)", path);
    return status;
}

static void add_to_digest(struct lf_load *load, const struct lf_buffer *text)
{
    char length[32];
    int len = snprintf(length, sizeof length, "%zu:", text->len);
    lf_digest_add(load->digest, length, (size_t)len); /* moving text between files changes the digest */
    lf_digest_add(load->digest, text->data, text->len);
}

/* One included file. A missing one is left to libconfig, which knows whether the line counts or is in a
 * comment. */
static bool scan_include(struct scan *scan, const char *from, int line, const char *name)
{
    bool good = false;
    struct lf_buffer text = {0};
    struct lf_error err;
    char *path = lf_format("%s/%s", scan->load->folder, name);
    if (!path) {
        scan->load->no_memory = true;
        return false;
    }
    enum lf_status status = read_plain(path, &text, &err);
    if (status == LF_NOT_FOUND) {
        scan->missing_line = line;
        snprintf(scan->missing, sizeof scan->missing, "%s", name);
        good = true;
    } else if (status != LF_OK || !config__load_trusted(scan->load, path, &err)) {
        char message[LF_ERROR_TEXT + 64];
        config__load_note(scan->load, &err);
        snprintf(message, sizeof message, "@include: %s", err.text);
        config__load_error_in(scan->load, from, line, message);
    } else {
        add_to_digest(scan->load, &text);
        good = scan_includes(scan, path, text.data);
    }
    lf_buffer_free(&text);
    free(path);
    return good;
}

/* Will libconfig treat this line as an @include? *name is set to the start of its name. */
static bool is_include(const char *line, const char **name)
{
    static const char word[] = "@include";
    line += strspn(line, " \t");
    if (strncmp(line, word, sizeof word - 1) != 0)
        return false;
    line += sizeof word - 1;
    line += strspn(line, " \t");
    *name = line + 1;
    return *line == '"';
}

/* Accepts only names that libconfig reads literally: not empty, on one line, without escapes. */
static bool copy_name(const char *from, char *name)
{
    size_t len = strcspn(from, "\"\\\n");
    if (len == 0 || len >= NAME_ROOM || from[len] != '"')
        return false;
    memcpy(name, from, len);
    name[len] = '\0';
    return true;
}

static bool scan_line(struct scan *scan, const char *file, int line, const char *text)
{
    const char *from;
    char name[NAME_ROOM];
    if (!is_include(text, &from))
        return true;
    if (!copy_name(from, name)) {
        config__load_error_in(
            scan->load, file, line,
            "@include needs one file name in quotes, without backslashes, relative to the folder of the main "
            "file");
        return false;
    }
    if (++scan->files > INCLUDES_MAX) {
        config__load_error_in(scan->load, file, line, "more than 100 files are included; merge some");
        return false;
    }
    return scan_include(scan, file, line, name);
}

static bool scan_includes(struct scan *scan, const char *file, const char *text)
{
    if (scan->depth >= INCLUDE_DEPTH)
        return true; /* libconfig refuses it with the line */
    scan->depth++;
    bool good = true;
    for (int line = 1; good && text; line++) {
        good = scan_line(scan, file, line, text);
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    scan->depth--;
    return good;
}

/* ---- libconfig's errors ---- */

static const char *remedy_for(const char *text)
{
    if (strstr(text, "duplicate"))
        return "it is set twice in this group; keep one";
    if (strstr(text, "include"))
        return "@include needs an existing file, relative to the folder of the main file";
    if (strstr(text, "mismatched element type"))
        return "all values in [ ] must have one type; write ( ) for a mixed list";
    return "check for a missing ';', quote or bracket here or just before; a list of groups is written "
           "( { ... } ), only texts and numbers go into [ ]; numbers have no unit, and texts are in quotes";
}

static void report_parse_error(struct lf_load *load, const struct scan *scan)
{
    if (config_error_type(&load->file) != CONFIG_ERR_PARSE) {
        config__load_error(load, NULL, "cannot be read");
        return;
    }
    const char *text = config_error_text(&load->file);
    const char *file = config_error_file(&load->file);
    char message[LF_ERROR_TEXT];
    text = text ? text : "syntax error";
    bool missing = strstr(text, "include") && scan->missing_line == config_error_line(&load->file);
    snprintf(message, sizeof message, "%s%s%.200s: %s", text, missing ? " " : "",
             missing ? scan->missing : "", remedy_for(text));
    config__load_error_in(load, file ? file : load->path, config_error_line(&load->file), message);
    load->report->more = true;
}

bool config__load_source(struct lf_load *load)
{
    bool good = false;
    struct lf_buffer text = {0};
    struct lf_error err;
    struct scan scan = {.load = load};
    enum lf_status status = read_plain(load->path, &text, &err);
    if (status != LF_OK) {
        config__load_note(load, &err);
        config__load_error(load, NULL, "%s%s", err.text,
                           status == LF_NOT_FOUND
                               ? "; give another one with --config, or start from labferry.conf.example"
                               : "");
    } else {
        if (!config__load_trusted(load, load->path, &err))
            config__load_error(load, NULL, "%s", err.text);
        add_to_digest(load, &text);
        config_set_include_dir(&load->file, load->folder);
        good = scan_includes(&scan, load->path, text.data);
    }
    if (good && config_read_string(&load->file, text.data) != CONFIG_TRUE) {
        report_parse_error(load, &scan);
        good = false;
    }
    lf_buffer_free(&text);
    return good;
}

cJSON *config__load_json_file(struct lf_load *load, const config_setting_t *at, const char *path)
{
    struct lf_buffer text = {0};
    struct lf_error err;
    cJSON *json = NULL;
    if (read_plain(path, &text, &err) != LF_OK) {
        config__load_note(load, &err);
        config__load_error(load, at, "\"%s\": %s", config_setting_name(at), err.text);
    } else if (lf_json_parse(lf_buffer_slice(&text), &json, &err) != LF_OK) {
        config__load_note(load, &err);
        config__load_error(load, at, "\"%s\": %s: %s", config_setting_name(at), path, err.text);
    } else {
        add_to_digest(load, &text);
    }
    lf_buffer_free(&text);
    return json;
}

const char *config__load_file_of(const struct lf_load *load, const config_setting_t *setting)
{
    const char *file = config_setting_source_file(setting);
    return file ? file : load->path;
}

const char *config__load_at(struct lf_load *load, const config_setting_t *setting)
{
    return config__load_format(load, "%s:%u", config__load_file_of(load, setting),
                               config_setting_source_line(setting));
}
