/* The dialogue with one instrument over one stream: one command at a time, its reply, and what the instrument
 * says unasked.
 *
 * The promise: a late reply never answers a later command. When a reply did not come, came in pieces or could
 * not be understood, the dialogue is *in doubt*; before the next command it then proves with the profile's
 * handshake ([resync], else [identify]) and by silence that nothing is under way any more. Belongs to one
 * thread.
 */
#ifndef LABFERRY_LINE_DIALOGUE_H
#define LABFERRY_LINE_DIALOGUE_H

#include "drivers/line/frame.h"
#include "drivers/line/inputs.h"
#include "drivers/stream/stream.h"

enum lf_line_trace { LF_TRACE_SENT, LF_TRACE_RECEIVED, LF_TRACE_DROPPED };

/* Fill profile, instrument and what follows; zero the rest. All borrowed until line__dialogue_close. */
struct lf_line_dialogue {
    const struct lf_line_profile *profile;
    const char *instrument; /* name for messages */
    const struct lf_cancel *cancel;
    const struct lf_input *fixed; /* inputs from the configuration */
    size_t fixed_count;
    void *self; /* for the two calls */
    /* Told of a line that the instrument said unasked and that matches `listen`; NULL when nobody wants it.
     */
    enum lf_status (*unasked)(void *self, const struct lf_line_listen *listen, struct lf_slice line,
                              const struct lf_outcome *values, struct lf_error *err);
    void (*trace)(void *self, enum lf_line_trace what, struct lf_slice bytes); /* may be NULL */

    struct lf_stream *stream; /* NULL when closed */
    struct lf_buffer in;      /* bytes that arrived and were not used yet */
    bool doubt;
    int64_t doubt_quiet_ms; /* silence that proves the end, where there is no handshake */
    int64_t last_end;       /* when the last reply ended, for the pause */
    uint64_t dropped;       /* units that nothing matched */
};

/* Opens the stream; the profile's port settings are added to a serial stream that does not say them. */
enum lf_status line__dialogue_open(struct lf_line_dialogue *dialogue, const char *stream, int64_t deadline,
                                   struct lf_error *err);
/* Closes the stream and forgets what arrived. The dialogue can be opened again. */
void line__dialogue_close(struct lf_line_dialogue *dialogue);

/* Gets in step with an instrument in an unknown state, and finds out who it is. *identity (emptied first)
 * stays empty when the profile cannot tell. */
enum lf_status line__dialogue_begin(struct lf_line_dialogue *dialogue, struct lf_buffer *identity,
                                    struct lf_error *err);

/* Sends a command and reads its reply until the deadline at the latest; captured values are added to
 * `values`. The error's class follows the driver contract: LF_UNKNOWN_OUTCOME when a command of class once
 * may have been done. */
enum lf_status line__dialogue_command(struct lf_line_dialogue *dialogue,
                                      const struct lf_line_command *command,
                                      const struct lf_line_input_set *inputs, int64_t deadline,
                                      struct lf_outcome *values, struct lf_error *err);

/* Reads what the instrument says unasked until the deadline or `wake`. LF_OK for both; LF_CANCELLED;
 * LF_DISCONNECTED. Gets in step first when in doubt. */
enum lf_status line__dialogue_listen(struct lf_line_dialogue *dialogue, const struct lf_wake *wake,
                                     int64_t deadline, struct lf_error *err);

/* Sends bytes as they are and reads for listen_ms what comes back, which only the trace sees: for people who
 * try things out. The dialogue is in doubt afterwards. */
enum lf_status line__dialogue_raw(struct lf_line_dialogue *dialogue, struct lf_slice bytes, int64_t listen_ms,
                                  struct lf_error *err);

#endif
