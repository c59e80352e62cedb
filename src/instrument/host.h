/* Inside the instrument host. Not for other folders. */
#ifndef LF_INSTRUMENT_HOST_H
#define LF_INSTRUMENT_HOST_H

#include "instrument/instrument.h"

#include "journal/concern.h"
#include "os/thread.h"

enum { PROGRESS_TEXT = 160, IDENTITY_TEXT = 160 };

/* A command that an operator waits for. Lives on the stack of the thread that asks. */
struct question {
    const char *command;
    const struct lf_input *inputs;
    size_t input_count;
    bool allow_once;
    struct lf_outcome *outcome;
    struct lf_error *err;
    enum lf_status status;
    bool begun, answered;
};

struct lf_instrument {
    char *name, *expect_identity;
    const struct lf_driver *driver;
    struct lf_instrument_hooks hooks;
    struct lf_host host; /* what the device sees of us */
    struct lf_transfer *transfer;
    void *device;
    struct lf_journal *journal; /* NULL: none */
    int concerns;               /* bench only: how many have happened within a minute that began then */
    int64_t concerns_mono;
    struct lf_wake wake;     /* something changed: listen must return */
    struct lf_cancel cancel; /* what runs must end */
    struct lf_thread thread;
    struct lf_pulse pulse; /* of the bench thread, while it is in the driver */
    bool started;

    /* Guards everything below; only the bench thread writes `connected`, so it reads it without. */
    struct lf_mutex mutex;
    struct lf_cond answered;
    bool stopping, connected;
    bool ended;                 /* the bench thread has */
    bool silent;                /* the driver's call did not return, when lf_instrument_watch looked */
    char paused[LF_ERROR_TEXT]; /* why it is; "": it is not */
    int64_t pause_asked, pause_applied; /* number of the newest pause or resume, in the order of commits */
    char identity[IDENTITY_TEXT];
    char note[LF_ERROR_TEXT]; /* why it is offline */
    char progress[PROGRESS_TEXT], way[PROGRESS_TEXT];
    int64_t connections; /* so far */
    int64_t steady_mono; /* since when it has been connected and not paused */
    int64_t since_ms;    /* wall: when the shown state began */
    int64_t job;         /* that is on the bench; 0: none */
    bool busy;
    struct question *question;
};

/* What drivers are offered of other rooms: see lf_host. */
enum lf_status instrument__http(void *self, const struct lf_http_request *request,
                                struct lf_http_response *response, struct lf_error *err);
enum lf_status instrument__run(void *self, const struct lf_process *process, struct lf_process_result *result,
                               struct lf_error *err);

/* concern.c: see lf_host.concern; on the bench, from within the driver. */
void instrument__concern(void *self, const char *about, bool stands, const char *text, const char *todo);
/* The same from any thread; text NULL: it is over. Without a journal nothing is noted. */
void instrument__note(const struct lf_instrument *instrument, const char *about, bool stands,
                      const char *text, const char *todo);

/* bench.c: around every call of the driver, and the other way round for what the driver has the host do: that
 * takes its time elsewhere. */
void instrument__enter(struct lf_instrument *instrument);
void instrument__leave(struct lf_instrument *instrument);
void *instrument__bench_run(void *instrument);
/* With the mutex held: wakes the thread that asked, and frees the place for the next question. */
void instrument__end_question(struct lf_instrument *instrument, enum lf_status status);
/* Reports a change to the hook; without the mutex. */
void instrument__changed(struct lf_instrument *instrument);

#endif
