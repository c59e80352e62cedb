/* The dialogue with one instrument over one stream: one command at a time, its reply, and what the instrument
 * sends by itself.
 *
 * The promise: a late reply never answers a later command. When a reply did not come, came in pieces or could
 * not be understood, the dialogue is *in doubt*; before the next command it then proves with the profile's
 * handshake ([resync], else [identify]) and by silence that no reply is still on its way. One thread.
 */
#ifndef LABFERRY_LINE_DIALOGUE_H
#define LABFERRY_LINE_DIALOGUE_H

#include "drivers/line/frame.h"
#include "drivers/line/inputs.h"
#include "drivers/stream/stream.h"

enum lf_line_trace { LF_TRACE_SENT, LF_TRACE_RECEIVED, LF_TRACE_DROPPED };

/* A result of many lines that is arriving. */
struct lf_line_report {
    const struct lf_line_listen *listen; /* NULL: none */
    struct lf_buffer text;
    struct lf_outcome values; /* of the first line */
    size_t depth;             /* parts that are open */
    int64_t last;             /* when the last line came, monotonic */
};

/* Fill profile, instrument and what follows; zero the rest. All borrowed until line__dialogue_close. */
struct lf_line_dialogue {
    const struct lf_line_profile *profile;
    const char *instrument; /* name for messages */
    const struct lf_cancel *cancel;
    struct lf_texts fixed; /* inputs from the configuration */
    void *self;            /* for the two calls below */
    /* Called for each unsolicited line that matches `listen`; NULL: they are dropped. */
    enum lf_status (*unsolicited)(void *self, const struct lf_line_listen *listen, struct lf_slice line,
                                  const struct lf_outcome *values, struct lf_error *err);
    /* Called for each line or rest of a line that is dropped, with the reason; may be NULL. */
    void (*unmatched)(void *self, struct lf_slice line, const char *why);
    void (*trace)(void *self, enum lf_line_trace what, struct lf_slice bytes); /* may be NULL */

    struct lf_stream *stream; /* NULL when closed */
    struct lf_buffer in;      /* bytes received and not used yet */
    bool doubt;
    int64_t doubt_quiet_ms; /* silence that ends the doubt where there is no handshake */
    int64_t last_end;       /* when the last reply ended, for the pause */
    uint64_t dropped;       /* units that matched nothing */
    bool expecting;         /* a command without a reply was sent just now: what comes may answer it */
    bool mute;              /* the last command got no byte in answer */
    bool garbled;           /* the reply that was read last could not be understood */
    struct lf_line_report report;
    const struct lf_line_command *misread; /* whose replies could not be understood, */
    int misreads;                          /* and how many of them in a row */
    int64_t limit;                         /* ends every wait, whatever its deadline; 0: none */
};

/* Opens the stream. A serial stream takes the port settings that it does not set from the profile. */
enum lf_status line__dialogue_open(struct lf_line_dialogue *dialogue, const char *stream, int64_t deadline,
                                   struct lf_error *err);
/* Closes the stream and discards what has arrived. The dialogue can be opened again. */
void line__dialogue_close(struct lf_line_dialogue *dialogue);

/* Gets in step with an instrument in an unknown state and identifies it. *identity (emptied first) stays
 * empty if the profile has no [identify]. */
enum lf_status line__dialogue_begin(struct lf_line_dialogue *dialogue, struct lf_buffer *identity,
                                    struct lf_error *err);

/* Sends a command and reads its reply until the deadline at the latest; captured values are added to
 * `values`. If the reply cannot be understood and the command is not of class once, it asks again, three
 * times in all; then the error needs a person. A command that sends nothing waits for the next line that
 * fits. The error's class follows the driver contract: LF_UNKNOWN_OUTCOME when a command of class once
 * may have been done. */
enum lf_status line__dialogue_command(struct lf_line_dialogue *dialogue,
                                      const struct lf_line_command *command,
                                      const struct lf_line_input_set *inputs, int64_t deadline,
                                      struct lf_outcome *values, struct lf_error *err);

/* For what must be switched off in any case: a command that is not of class once leaves even when the
 * dialogue is in doubt, and again as line__dialogue_command once it is in step. */
enum lf_status line__dialogue_insist(struct lf_line_dialogue *dialogue, const struct lf_line_command *command,
                                     const struct lf_line_input_set *inputs, struct lf_error *err);

/* Reads unsolicited lines until the deadline or `wake`. LF_OK for both; LF_CANCELLED;
 * LF_DISCONNECTED. Gets in step first when in doubt. */
enum lf_status line__dialogue_listen(struct lf_line_dialogue *dialogue, const struct lf_wake *wake,
                                     int64_t deadline, struct lf_error *err);

/* Sends raw bytes and traces what comes back within listen_ms, for profile-try. The dialogue is in doubt
 * afterwards. */
enum lf_status line__dialogue_raw(struct lf_line_dialogue *dialogue, struct lf_slice bytes, int64_t listen_ms,
                                  struct lf_error *err);

#endif
