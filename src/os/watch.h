/* Folders that report when something in them changes. */
#ifndef LF_OS_WATCH_H
#define LF_OS_WATCH_H

#include "os/wait.h"

#include <stdbool.h>

/* Watches folders for files that appear, are closed after writing, are renamed or go away. One thread at a
 * time. Zeroed: closed. It says only *that* something happened: read the folder again. Blind to what other
 * machines do on a network mount. */
struct lf_watch {
    struct lf_waitable changed; /* readable when something happened */
};

enum lf_status lf_watch_open(struct lf_watch *watch, struct lf_error *err);
/* Adds a folder (not what is below it). Adding one again is harmless. LF_FULL when the system's limit of
 * watches is reached. */
enum lf_status lf_watch_add(struct lf_watch *watch, const char *path, struct lf_error *err);
/* Forgets what has happened so far. True if there was anything. Never waits. */
bool lf_watch_drain(struct lf_watch *watch);
void lf_watch_close(struct lf_watch *watch);

#endif
