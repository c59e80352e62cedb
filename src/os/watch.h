/* Folders that report when something in them changes. */
#ifndef LF_OS_WATCH_H
#define LF_OS_WATCH_H

#include "os/dir.h"
#include "os/wait.h"

/* Watches folders for files that appear, are closed after writing, are renamed or go away. One thread at a
 * time. Zeroed: closed. It says only *that* something happened: read the folder again. Blind to what other
 * machines do on a network mount. A watch that is open must not move. */
struct lf_watch {
    struct lf_waitable changed; /* readable when something happened */
};

/* Any number of watches take one resource of the system together, and a thread while one is open. */
enum lf_status lf_watch_open(struct lf_watch *watch, struct lf_error *err);
/* Adds an open folder (not what is below it) under a name of the caller's, which is copied: a path from
 * wherever the caller likes, "" for none. Adding one again is harmless. LF_FULL when the system's limit of
 * watches is reached. */
enum lf_status lf_watch_add(struct lf_watch *watch, const struct lf_dir *dir, const char *name,
                            struct lf_error *err);
/* Forgets what has happened so far. True if there was anything. Never waits. */
bool lf_watch_drain(struct lf_watch *watch);
/* Was the file (the name of its folder, '/', its own) written and not closed since? Nothing is known of a
 * writer that has not written since the folder was added. */
bool lf_watch_writing(const struct lf_watch *watch, const char *path);
void lf_watch_close(struct lf_watch *watch);

#endif
