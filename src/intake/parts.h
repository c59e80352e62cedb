/* Inside intake: what its files share. Not for other folders. */
#ifndef LF_INTAKE_PARTS_H
#define LF_INTAKE_PARTS_H

#include "config/config.h"
#include "event/event.h"
#include "intake/intake.h"
#include "journal/journal.h"
#include "os/thread.h"

struct lf_pattern;

/* poll.c: asking for events. */
struct intake_poll {
    struct lf_worker worker;
    /* Of the intake thread alone: */
    int64_t began; /* monotonic: the first start of all, until its date is certain; then 0 */
    int64_t next;  /* when to ask again */
    int attempt;
    struct lf_mutex mutex; /* guards the rest. The journal may be called with it held, never the reverse */
    bool asked;            /* fill the gap now */
    bool open;             /* events may still be missed: the gap stays when it was filled */
    int64_t last_ms;       /* wall time of the last complete round */
    int64_t taken;         /* events taken in since the start */
    char error[LF_ERROR_TEXT];
};

struct lf_intake {
    struct lf_intake_options options;
    struct lf_journal *journal;
    struct lf_pattern **patterns; /* one per route; NULL: every event that `on` names */
    struct intake_poll poll;
    struct lf_mutex mutex; /* guards the counts */
    cJSON *deprecated;     /* type: count */
    cJSON *bad;            /* kind: count */
};

/* intake.c: begins a transaction if there is room for new work. */
enum lf_status intake__begin(struct lf_intake *intake, struct lf_error *err);
/* Counts under a name; true the first time. */
bool intake__count_first(struct lf_intake *intake, cJSON *counts, const char *name);

/* routes.c */
enum lf_status intake__routes_compile(struct lf_intake *intake, struct lf_error *err);
void intake__routes_free(struct lf_intake *intake);
/* Does any route's `on` name it, whatever its pattern says? */
bool intake__routes_name(const struct lf_intake *intake, const struct lf_event *event);
/* Makes the jobs of a stored event, in the caller's transaction, and settles its fate. */
enum lf_status intake__route(struct lf_intake *intake, const struct lf_event *event, struct lf_error *err);

/* poll.c */
enum lf_status intake__poll_open(struct lf_intake *intake, struct lf_error *err);
void intake__poll_close(struct lf_intake *intake);

/* reread.c: completes and routes one event that is due. False: none is, and *next_mono says when. */
bool intake__reread_one(struct lf_intake *intake, int64_t *next_mono);

#endif
