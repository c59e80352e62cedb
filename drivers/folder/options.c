/* The settings of a folder instrument, and the rules between them. */
#include "options.h"

#include "base/file.h"
#include "os/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct lf_choice folder__names[] = {{"ascii", LF_NAMES_ASCII}, {"utf-8", LF_NAMES_UTF8}, {0}};
const struct lf_choice folder__finishes[] = {{"stable", LF_FINISH_STABLE},
                                             {"marker", LF_FINISH_MARKER},
                                             {"rename", LF_FINISH_RENAME},
                                             {0}};
const struct lf_choice folder__eols[] = {{"keep", LF_EOL_KEEP},
                                         {"crlf", LF_EOL_CRLF},
                                         {"lf", LF_EOL_LF},
                                         {0}};
const struct lf_choice folder__encodings[] = {{"keep", LF_ENCODING_KEEP},
                                              {"utf-8-bom", LF_ENCODING_UTF8_BOM},
                                              {"windows-1252", LF_ENCODING_WINDOWS_1252},
                                              {0}};

#define REMOVED .type = LF_REMOVED, .place = 0

const struct lf_setting folder__settings[] = {
#define X(member_type, member, type, ...)                                                                    \
    {#member, LF_INTO(type, struct lf_folder_options, member), __VA_ARGS__},
    FOLDER_OPTIONS(X)
#undef X
        {"work_dir", REMOVED, NULL, "unfinished files lie in the inbox under names that begin with a dot"},
    {"stable_polls", REMOVED, NULL, "three looks within stable_for must find the file unchanged"},
    {"watch", REMOVED, NULL, "changes are watched wherever the file system reports them"},
    {"safety_interval", REMOVED, NULL, "a watched outbox is also read every 12 scan intervals"},
    {0},
};

static bool read_mode(const char *text, unsigned *mode)
{
    char *end;
    if (!text || !*text || strlen(text) > 4 || strspn(text, "01234567") != strlen(text))
        return false;
    *mode = (unsigned)strtoul(text, &end, 8);
    return (*mode & ~0777u) == 0 && (*mode & 0400u);
}

void folder__read_options(const struct lf_values *values, struct lf_folder_options *o)
{
    *o = (struct lf_folder_options){0};
    lf_values_fill(values, o);
    const char **texts[] = {&o->inbox,       &o->outbox,     &o->mount_marker, &o->file_mode, &o->marks_dir,
                            &o->done_marker, &o->end_marker, &o->sidecar,      &o->archive};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i] && !**texts[i])
            *texts[i] = NULL; /* an empty text counts as not given */
    if (o->archive && !strcmp(o->archive, "none"))
        o->archive = NULL;
    /* Below the outbox, where others may write, it is opened as everything there. */
    size_t len = o->outbox ? strlen(o->outbox) : 0;
    if (len && o->archive && !strncmp(o->archive, o->outbox, len) && o->archive[len] == '/')
        o->archive += len + strspn(o->archive + len, "/");
    if (!read_mode(o->file_mode, &o->mode))
        o->mode = 0; /* refused by folder__check */
}

static bool bad_path(const char *path)
{
    return path && !lf_path_is_absolute(path);
}

static bool bad_globs(const struct lf_texts *globs)
{
    for (size_t i = 0; i < globs->count; i++)
        if (!*globs->items[i] || strchr(globs->items[i], '/'))
            return true;
    return false;
}

/* {name}.done is a companion; "done" (one for all) and "{name}" (the result itself) are not. */
static bool bad_companion(const char *pattern)
{
    return pattern
           && (strchr(pattern, '/') || !strstr(pattern, "{name}") == !strstr(pattern, "{stem}")
               || strlen(pattern) == 6);
}

/* "CopyComplete.txt": one marker for a whole folder. */
static bool bad_marker(const char *pattern)
{
    return pattern && bad_companion(pattern) && (strpbrk(pattern, "{}/") || *pattern == '.');
}

static bool leaves_the_outbox(const char *archive)
{
    return archive && !lf_path_is_absolute(archive)
           && (!strncmp(archive, "..", 2) || strstr(archive, "/..") || strstr(archive, "//"));
}

static bool same(const char *a, const char *b)
{
    return a && b && !strcmp(a, b);
}

static enum lf_status check_all(const struct lf_values *values, const struct lf_folder_options *o,
                                struct lf_error *err)
{
    static const char glob[] = "an entry must be a file name pattern without '/'",
                      companion[] = "give one {name} or {stem} and more text, like {name}.done, without '/'";
    bool marker = o->finish == LF_FINISH_MARKER;
    const struct {
        const char *setting;
        bool bad;
        const char *why;
    } rules[] = {
        {"inbox", bad_path(o->inbox), "give an absolute path"},
        {"outbox", bad_path(o->outbox), "give an absolute path"},
        {"marks_dir", bad_path(o->marks_dir), "give an absolute path"},
        {"file_mode", !o->mode, "give an octal mode between 0400 and 0777, like 0664"},
        {"results", bad_globs(&o->results), glob},
        {"ignore", bad_globs(&o->ignore), glob},
        {"done_marker", bad_marker(o->done_marker),
         "give one {name} or {stem} and more text, like {name}.done, or a plain name for a whole folder"},
        {"sidecar", bad_companion(o->sidecar), companion},
        {"finish", marker && !o->done_marker && !o->end_marker,
         "marker needs done_marker or end_marker, or both"},
        {o->done_marker ? "done_marker" : "end_marker", !marker && (o->done_marker || o->end_marker),
         "is only used with finish = \"marker\""},
        {"end_marker", o->end_marker && strlen(o->end_marker) > 1024, "is longer than 1024 bytes"},
        {"sidecar_required", o->sidecar_required && !o->sidecar, "needs sidecar"},
        {"archive", same(o->archive, o->outbox), "must not be the outbox"},
        {"archive", leaves_the_outbox(o->archive),
         "give an absolute path for a folder that is not below the outbox"},
        {"outbox", same(o->inbox, o->outbox) && !lf_values_given(values, "results"),
         "is also the inbox: list the names of the instrument's own files in results"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].bad) {
            const char *at = lf_values_at(values, rules[i].setting);
            return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s%s%s: %s", at ? at : "", at ? ": " : "",
                           rules[i].setting, rules[i].why);
        }
    return LF_OK;
}

static void name_resource(const char *path, void (*resource)(void *, const char *), void *context)
{
    /* The agent must start, and a configuration be checked, while the server of a share is gone. */
    char *real = lf_path_may_hang(path) ? NULL : lf_path_real(path),
         *text = lf_format("folder %s", real ? real : path);
    if (text)
        resource(context, text);
    free(text);
    free(real);
}

enum lf_status folder__check(const struct lf_values *values, void (*resource)(void *, const char *),
                             void *context, struct lf_error *err)
{
    struct lf_folder_options o;
    folder__read_options(values, &o);
    if (!o.inbox && !o.outbox)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "a folder instrument needs an inbox (to deliver), an outbox (to collect), or both");
    enum lf_status status = check_all(values, &o, err);
    if (status != LF_OK || !resource)
        return status;
    if (o.inbox)
        name_resource(o.inbox, resource, context);
    if (o.outbox && !same(o.inbox, o.outbox))
        name_resource(o.outbox, resource, context);
    return LF_OK;
}
