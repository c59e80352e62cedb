/* The settings of a folder instrument, and what must hold between them. */
#include "folder.h"

#include "base/file.h"
#include "os/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names_choices[] = {"ascii", "utf-8", NULL};
static const char *const eol_choices[] = {"keep", "crlf", "lf", NULL};
static const char *const encoding_choices[] = {"keep", "utf-8-bom", "windows-1252", NULL};
static const char *const finish_choices[] = {"stable", "marker", "rename", NULL};
static const char *const watch_choices[] = {"auto", "poll", NULL};

const struct lf_setting folder__settings[] = {
    {"inbox", LF_PATH, NULL,
     "Folder that the instrument takes its worklists from; leave out to only collect.", 0, 0, NULL},
    {"outbox", LF_PATH, NULL, "Folder that the instrument writes its results to; leave out to only deliver.",
     0, 0, NULL},
    {"work_dir", LF_PATH, NULL,
     "Folder for unfinished files and delivery marks, on the file system of the inbox; without it they lie "
     "in the inbox under names that begin with a dot.",
     0, 0, NULL},
    {"mount_marker", LF_TEXT, NULL,
     "File that must exist (a name is looked for in inbox and outbox): shows that the share is really "
     "mounted. Its first line, if any, is the identity of the instrument.",
     0, 0, NULL},
    {"lock", LF_BOOL, "true",
     "Keep a second agent out with a lock file; turn off for folders that may only be read.", 0, 0, NULL},
    {"overwrite", LF_BOOL, "false",
     "Replace a worklist of the same name and other content instead of asking a person.", 0, 0, NULL},
    {"names", LF_CHOICE, "ascii", "Characters that a worklist's name may have.", 0, 0, names_choices},
    {"file_mode", LF_TEXT, "0664", "Permissions of delivered files, in octal.", 0, 0, NULL},
    {"eol", LF_CHOICE, "keep", "Line ends of delivered text files.", 0, 0, eol_choices},
    {"encoding", LF_CHOICE, "keep",
     "Encoding of delivered text files; from UTF-8, and refused when a character has no place.", 0, 0,
     encoding_choices},
    {"results", LF_LIST, "*", "Names that are results, with * ? [set]; upper and lower case are the same.", 0,
     0, NULL},
    {"ignore", LF_LIST, NULL, "Names that are no results, beside hidden and temporary files.", 0, 0, NULL},
    {"depth", LF_INT, "0", "How many levels of folders below the outbox are read.", 0, 8, NULL},
    {"finish", LF_CHOICE, "stable",
     "When a result is finished: stable (unchanged for a while), marker (done_marker or end_marker), or "
     "rename (the instrument writes under another name first, so a name that matches is finished).",
     0, 0, finish_choices},
    {"stable_for", LF_DURATION, "10s", "With finish = stable: how long size and time must stay unchanged.", 0,
     86400000, NULL},
    {"stable_polls", LF_INT, "3", "With finish = stable: how many looks must find it unchanged.", 1, 1000,
     NULL},
    {"done_marker", LF_TEXT, NULL,
     "With finish = marker: file that says a result is finished, like {name}.done or {stem}.ok.", 0, 0, NULL},
    {"end_marker", LF_TEXT, NULL,
     "With finish = marker: text that ends a finished result (white space after it is allowed).", 0, 0, NULL},
    {"sidecar", LF_TEXT, "{name}.labferry.json",
     "File beside a result that says what it belongs to, with {name} or {stem}.", 0, 0, NULL},
    {"sidecar_required", LF_BOOL, "false", "Wait with a result until its sidecar is there.", 0, 0, NULL},
    {"watch", LF_CHOICE, "auto",
     "auto listens for changes where the file system tells of them; poll only looks.", 0, 0, watch_choices},
    {"scan_interval", LF_DURATION, "5s",
     "How often the outbox is read where no changes are told (network mounts).", 100, 86400000, NULL},
    {"safety_interval", LF_DURATION, "1m",
     "How often the outbox is read, to be safe, where changes are told.", 100, 86400000, NULL},
    {"archive", LF_TEXT, "archive",
     "Folder for results that the cloud has, by day; below the outbox unless it begins with /. \"none\" "
     "leaves them where they are.",
     0, 0, NULL},
    {0},
};

static bool is(const struct lf_values *values, const char *name, const char *choice)
{
    const char *text = lf_values_text(values, name);
    return text && !strcmp(text, choice);
}

/* A text that was left empty counts as not given. */
static const char *text_of(const struct lf_values *values, const char *name)
{
    const char *text = lf_values_text(values, name);
    return text && *text ? text : NULL;
}

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
    *o = (struct lf_folder_options){
        .inbox = text_of(values, "inbox"),
        .outbox = text_of(values, "outbox"),
        .work_dir = text_of(values, "work_dir"),
        .mount_marker = text_of(values, "mount_marker"),
        .lock = lf_values_bool(values, "lock"),
        .overwrite = lf_values_bool(values, "overwrite"),
        .ascii_names = is(values, "names", "ascii"),
        .mode = 0664,
        .eol = is(values, "eol", "crlf") ? LF_EOL_CRLF
               : is(values, "eol", "lf") ? LF_EOL_LF
                                         : LF_EOL_KEEP,
        .encoding = is(values, "encoding", "utf-8-bom")      ? LF_ENCODING_UTF8_BOM
                    : is(values, "encoding", "windows-1252") ? LF_ENCODING_WINDOWS_1252
                                                             : LF_ENCODING_KEEP,
        .finish = is(values, "finish", "marker")   ? LF_FINISH_MARKER
                  : is(values, "finish", "rename") ? LF_FINISH_RENAME
                                                   : LF_FINISH_STABLE,
        .depth = (int)lf_values_int(values, "depth"),
        .stable_polls = (int)lf_values_int(values, "stable_polls"),
        .stable_for = lf_values_int(values, "stable_for"),
        .scan_interval = lf_values_int(values, "scan_interval"),
        .safety_interval = lf_values_int(values, "safety_interval"),
        .done_marker = text_of(values, "done_marker"),
        .end_marker = text_of(values, "end_marker"),
        .sidecar = text_of(values, "sidecar"),
        .sidecar_required = lf_values_bool(values, "sidecar_required"),
        .watch = is(values, "watch", "auto"),
        .archive = is(values, "archive", "none") ? NULL : text_of(values, "archive"),
    };
    read_mode(text_of(values, "file_mode"), &o->mode);
}

static enum lf_status wrong(struct lf_error *err, const struct lf_values *values, const char *setting,
                            const char *why)
{
    const char *at = lf_values_at(values, setting);
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s%s%s: %s", at ? at : "", at ? ": " : "", setting, why);
}

static enum lf_status check_path(const struct lf_values *values, const char *setting, struct lf_error *err)
{
    const char *path = text_of(values, setting);
    if (path && !lf_path_is_absolute(path))
        return wrong(err, values, setting, "give the full path, from / on");
    return LF_OK;
}

static enum lf_status check_globs(const struct lf_values *values, const char *setting, struct lf_error *err)
{
    for (size_t i = 0; i < lf_values_count(values, setting); i++) {
        const char *glob = lf_values_item(values, setting, i);
        if (!*glob || strchr(glob, '/'))
            return wrong(err, values, setting, "an entry must be a file name pattern without '/'");
    }
    return LF_OK;
}

/* {name}.done is a companion; "done" (one for all) and "{name}" (the result itself) are not. */
static enum lf_status check_companion(const struct lf_values *values, const char *setting,
                                      struct lf_error *err)
{
    const char *pattern = text_of(values, setting);
    if (!pattern)
        return LF_OK;
    const char *name = strstr(pattern, "{name}"), *stem = strstr(pattern, "{stem}");
    if (strchr(pattern, '/') || (!name == !stem) || strlen(pattern) == 6)
        return wrong(err, values, setting,
                     "give one {name} or {stem} and more text, like {name}.done, without '/'");
    return LF_OK;
}

static enum lf_status check_delivery(const struct lf_values *values, const struct lf_folder_options *o,
                                     struct lf_error *err)
{
    unsigned mode;
    if (!read_mode(text_of(values, "file_mode"), &mode))
        return wrong(err, values, "file_mode", "give an octal mode between 0400 and 0777, like 0664");
    if (o->work_dir && !o->inbox)
        return wrong(err, values, "work_dir", "is for deliveries, but there is no inbox");
    return LF_OK;
}

static enum lf_status check_collection(const struct lf_values *values, const struct lf_folder_options *o,
                                       struct lf_error *err)
{
    enum lf_status status = check_globs(values, "results", err);
    if (status == LF_OK)
        status = check_globs(values, "ignore", err);
    if (status == LF_OK)
        status = check_companion(values, "done_marker", err);
    if (status == LF_OK)
        status = check_companion(values, "sidecar", err);
    if (status != LF_OK)
        return status;
    if (o->finish == LF_FINISH_MARKER && !o->done_marker && !o->end_marker)
        return wrong(err, values, "finish", "marker needs done_marker or end_marker, or both");
    if (o->finish != LF_FINISH_MARKER && (o->done_marker || o->end_marker))
        return wrong(err, values, o->done_marker ? "done_marker" : "end_marker",
                     "is only used with finish = \"marker\"");
    if (o->end_marker && strlen(o->end_marker) > 1024)
        return wrong(err, values, "end_marker", "is longer than 1024 bytes");
    if (o->sidecar_required && !o->sidecar)
        return wrong(err, values, "sidecar_required", "needs sidecar");
    if (o->archive && o->outbox && !strcmp(o->archive, o->outbox))
        return wrong(err, values, "archive", "must be another folder than the outbox");
    if (o->inbox && o->outbox && !strcmp(o->inbox, o->outbox) && !lf_values_given(values, "results"))
        return wrong(err, values, "outbox",
                     "is also the inbox: say in results which names are the instrument's own");
    return LF_OK;
}

static void name_resource(const char *path, void (*resource)(void *, const char *), void *context)
{
    char *real = lf_path_real(path), *text = lf_format("folder %s", real ? real : path);
    if (text)
        resource(context, text);
    free(text);
    free(real);
}

enum lf_status folder__check(const struct lf_values *values, void (*resource)(void *, const char *),
                             void *context, struct lf_error *err)
{
    static const char *const paths[] = {"inbox", "outbox", "work_dir"};
    struct lf_folder_options o;
    folder__read_options(values, &o);
    if (!o.inbox && !o.outbox)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "a folder instrument needs an inbox (to deliver), an outbox (to collect), or both");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        enum lf_status status = check_path(values, paths[i], err);
        if (status != LF_OK)
            return status;
    }
    enum lf_status status = check_delivery(values, &o, err);
    if (status == LF_OK)
        status = check_collection(values, &o, err);
    if (status != LF_OK || !resource)
        return status;
    if (o.inbox)
        name_resource(o.inbox, resource, context);
    if (o.outbox && (!o.inbox || strcmp(o.inbox, o.outbox) != 0))
        name_resource(o.outbox, resource, context);
    return LF_OK;
}
