/* Inside the folder driver: the device, and what its files share. Only the bench thread calls it. */
#ifndef LF_FOLDER_FOLDER_H
#define LF_FOLDER_FOLDER_H

#include "base/digest.h"
#include "options.h"
#include "os/dir.h"
#include "os/watch.h"

/* A watched outbox is also read once per this many scan intervals, in case a change was not reported. */
enum { FOLDER_SCANS_SKIPPED = 12 };

/* What is known about one file in the outbox. */
enum lf_entry_state { LF_ENTRY_WATCHED, LF_ENTRY_REPORTED, LF_ENTRY_REFUSED };
/* A folder that is not read, and why. */
enum lf_unread { LF_UNREAD_NONE, LF_UNREAD_DEEP, LF_UNREAD_DENIED };

struct lf_entry {
    char *path; /* below the outbox; owned */
    struct lf_file_info info;
    enum lf_unread unread; /* none: it is no folder */
    bool concerned;        /* a concern about it stands */
    bool early;            /* there at the first scan, and unchanged since */
    enum lf_entry_state state;
    int64_t since; /* mono ms: unchanged since */
    int64_t looks; /* how often it was seen unchanged */
    int64_t pause; /* ms: the longest that it stayed unchanged before it changed again */
};

struct lf_entries {
    struct lf_entry *items; /* sorted by path */
    size_t count, room;
};

/* How a file becomes visible, best way first; deliver.c says why. */
enum lf_way { LF_WAY_RENAME_NEW, LF_WAY_LINK, LF_WAY_RENAME };

/* A result that was taken and perhaps archived; kept to compare it with what lies in the archive. */
enum { LF_TAKEN_MAX = 500, LF_VERSION_TEXT = 80 };

struct lf_taken {
    char *id; /* owned */
    char version[LF_VERSION_TEXT];
    char sha256[65];    /* of what was read; empty: not since the start, or too long ago */
    char *archived;     /* below the archive folder; owned; NULL: not archived yet */
    int64_t look_again; /* mono ms: when to look at it in the archive for the last time */
};

struct lf_taken_list {
    struct lf_taken *items; /* oldest first */
    size_t count, room;
};

struct lf_folder {
    const struct lf_host *host;
    struct lf_folder_options options;
    struct lf_dir inbox, outbox; /* open while connected and used */
    struct lf_dir marks;         /* our own folder for the inbox */
    struct lf_file inbox_lock, outbox_lock;
    enum lf_way way;            /* the best one that this inbox has not proved unable to do */
    int64_t prepared;           /* the job whose unfinished file is complete; 0: none */
    char sha256[LF_SHA256_HEX]; /* of that file */
    int64_t next_sweep;
    struct lf_watch watch;
    bool outbox_remote, watching;
    struct lf_entries entries;
    int64_t next_scan;
    bool scanned;  /* the first scan is over */
    bool overfull; /* a concern about too many files stands */
    struct lf_taken_list taken;
    const char *told_way; /* how it is known that a result is finished, as reported; NULL: not yet */
};

/* folder.c: do the configured folders still lie where they were opened? LF_DISCONNECTED when not. */
enum lf_status folder__alive(struct lf_folder *folder, struct lf_error *err);
/* Stops watching, and logs why. */
void folder__watch_failed(struct lf_folder *folder, const struct lf_error *err);

/* deliver_check.c: refuses a name that the inbox cannot hold, and a file that does not fit. */
enum lf_status folder__check_delivery(struct lf_folder *folder, const struct lf_action *action,
                                      struct lf_error *err);

/* deliver.c */
enum lf_status folder__prepare(struct lf_folder *folder, const struct lf_action *action,
                               struct lf_error *err);
enum lf_status folder__deliver(struct lf_folder *folder, const struct lf_action *action,
                               struct lf_outcome *outcome, struct lf_error *err);
enum lf_verdict folder__verify(struct lf_folder *folder, const struct lf_action *action,
                               struct lf_outcome *outcome, struct lf_error *err);

/* scan.c: reads the outbox, reports what is finished, and sets next_scan. */
enum lf_status folder__scan(struct lf_folder *folder, struct lf_error *err);
void folder__forget(struct lf_folder *folder); /* all entries */
/* Notes what a person must know about an entry, until it has changed for the better or is gone. */
void folder__concern(struct lf_folder *folder, struct lf_entry *entry, const char *text, const char *todo);

/* finished.c: is this entry finished? Also reads its sidecar (*sidecar owned, may stay NULL). When it is not,
 * *wait says when to look again and, after some patience, what to tell a person. */
struct lf_unfinished {
    int64_t ms;       /* 0: at the next scan */
    int64_t patience; /* ms unchanged, then it is a concern */
    const char *todo; /* NULL: no reason for a concern */
    char text[200];
};
bool folder__finished(struct lf_folder *folder, struct lf_entry *entry, char **sidecar,
                      struct lf_unfinished *wait);
/* Has a program the result, open here, open for writing? Known by a lease, or by the watch. */
bool folder__is_written(struct lf_folder *folder, const char *path, const struct lf_file *file, bool *known);
/* Is this a done marker or a sidecar, and so no result? */
bool folder__is_companion(const struct lf_folder *folder, const char *name);
/* The companion of `path` by a pattern with {name} or {stem}, in the same folder. Returns owned; NULL: the
 * pattern is NULL or has neither, or memory ran out. */
char *folder__companion(const char *path, const char *pattern);

/* names.c: the id of a result for its path, and back. Returns owned; NULL: memory ran out. */
enum { FOLDER_NAME_ROOM = 260 };
char *folder__id(const char *path);
char *folder__id_path(const char *id);
/* A name that can be used everywhere; true: it is the same one. */
bool folder__safe_name(const char *name, char out[FOLDER_NAME_ROOM]);
/* Does it end like the temporary name of a file that is renamed once it is complete (x.csv.aB3dEf)? */
bool folder__is_temporary(const char *name);

/* collect.c, archive.c: take and archive are slots of the driver. The version of a result changes when it is
 * written again. */
void folder__version(const struct lf_folder *folder, const struct lf_file_info *info,
                     char text[LF_VERSION_TEXT]);
bool folder__is_version(const struct lf_folder *folder, const struct lf_file_info *info, const char *version);
enum lf_status folder__take(void *device, const char *id, const char *version, const struct lf_file *to,
                            int64_t max, struct lf_error *err);

/* taken.c: what was taken of this version; NULL: not since the start, or too long ago. */
struct lf_taken *folder__taken(const struct lf_folder *folder, const char *id, const char *version);
/* Adds one, in place of what is known of this version. If there are too many, the oldest leaves, and what it
 * has in the archive is looked at right then. NULL: no memory. Borrowed until the next change. */
struct lf_taken *folder__taken_add(struct lf_folder *folder, const char *id, const char *version,
                                   const char *sha256);
/* Looks once more at what was archived some time ago. */
void folder__taken_check(struct lf_folder *folder);
void folder__taken_free(struct lf_folder *folder); /* all */

enum lf_status folder__archive(void *device, const char *id, const char *version, struct lf_error *err);
/* Opens the archive folder; without `make` LF_NOT_FOUND while there is none. */
enum lf_status folder__archive_open(const struct lf_folder *folder, bool make, struct lf_dir *dir,
                                    struct lf_error *err);
/* Looks once more at what was archived: if it has grown, it is put back, with a concern. */
void folder__archive_check(struct lf_folder *folder, const struct lf_taken *taken);

#endif
