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

struct lf_entry {
    char *path; /* below the outbox; owned */
    struct lf_file_info info;
    bool complained; /* a reason for waiting was logged */
    bool early;      /* there at the first scan, and unchanged since */
    enum lf_entry_state state;
    int64_t since; /* mono ms: unchanged since */
    int64_t looks; /* how often it was seen unchanged */
};

struct lf_entries {
    struct lf_entry *items; /* sorted by path */
    size_t count, room;
};

/* How a file becomes visible, best way first; deliver.c says why. */
enum lf_way { LF_WAY_RENAME_NEW, LF_WAY_LINK, LF_WAY_RENAME };

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
    int64_t refused; /* results refused since the start */
    bool full_logged;
    bool scanned; /* the first scan is over */
};

/* folder.c: do the configured folders still lie where they were opened? LF_DISCONNECTED when not. */
enum lf_status folder__alive(struct lf_folder *folder, struct lf_error *err);
/* Stops watching, and logs why. */
void folder__watch_failed(struct lf_folder *folder, const struct lf_error *err);

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

/* finished.c: is this entry finished? Also reads its sidecar (*sidecar owned, may stay NULL). When it is not,
 * *wait_ms says when to look again (0: at the next scan). */
bool folder__finished(struct lf_folder *folder, struct lf_entry *entry, char **sidecar, int64_t *wait_ms);
/* Is this a done marker or a sidecar, and so no result? */
bool folder__is_companion(const struct lf_folder *folder, const char *name);
/* The companion of `path` by a pattern with {name} or {stem}, in the same folder. Returns owned; NULL: the
 * pattern is NULL, or memory ran out. */
char *folder__companion(const char *path, const char *pattern);

/* collect.c, archive.c: take and archive are slots of the driver. The version of a result changes when it is
 * written again. */
enum { LF_VERSION_TEXT = 80 };
void folder__version(const struct lf_folder *folder, const struct lf_file_info *info,
                     char text[LF_VERSION_TEXT]);
bool folder__is_version(const struct lf_folder *folder, const struct lf_file_info *info, const char *version);
enum lf_status folder__take(void *device, const char *id, const char *version, const struct lf_file *to,
                            int64_t max, struct lf_error *err);
enum lf_status folder__archive(void *device, const char *id, const char *version, struct lf_error *err);

#endif
