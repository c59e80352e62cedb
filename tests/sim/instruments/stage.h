/* The stage on which a simulated instrument plays: options, connection, faults, control socket, transcript,
 * state file. The instrument itself only hears lines and says replies.
 *
 * Its settings are rows: each is an option of the program (--weight 12.5) and, if live, a command of the
 * control socket (weight 12.5). One thread; everything is called from stage_run. */
#ifndef SIM_INSTRUMENTS_STAGE_H
#define SIM_INSTRUMENTS_STAGE_H

#include "fault.h"
#include "values.h"

#include "base/clock.h"
#include "base/json.h"

struct stage;

struct stage_row {
    const char *name;
    const char *value; /* what stands after it, for the help; NULL if nothing does */
    const char *help;
    struct value keep;
};

struct stage_instrument {
    const char *program, *about;
    const struct stage_row *rows;    /* end with a row without name */
    const struct fault_kind *faults; /* the same */

    /* Sets a row of kind VALUE_OWN; NULL when there is none. value is "" when the row takes none. */
    enum lf_status (*set)(void *self, struct stage *stage, const char *name, const char *value,
                          struct lf_error *err);
    /* One line came, terminator included. False: busy, offer it again after the next tick. */
    bool (*hear)(void *self, struct stage *stage, const char *line, size_t len);
    /* Does what is due at `now`; returns when to be called next (LF_NEVER: when a line comes). */
    int64_t (*tick)(void *self, struct stage *stage, int64_t now);
    /* Sends a line that nobody asked for (the print key). */
    void (*print)(void *self, struct stage *stage);
    /* A client has come: forget what the one before began. */
    void (*greet)(void *self, struct stage *stage);
    void (*describe)(void *self, cJSON *state);
};

/* Everything main() does. Returns the exit code. */
int stage_run(int argc, char **argv, const struct stage_instrument *instrument, void *self);

/* Sends a reply to `command` (NULL: unasked), through the faults. */
void stage_say(struct stage *stage, const char *command, const void *data, size_t len);
void stage_sayf(struct stage *stage, const char *command, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct faults *stage_faults(struct stage *stage);
/* Has the host sent more than the line being heard? */
bool stage_more_waiting(const struct stage *stage);
/* Forgets replies that are not sent yet; true if there were any. */
bool stage_forget_replies(struct stage *stage);
/* Writes an event into the transcript ("tared"). */
void stage_note(struct stage *stage, const char *text);

#endif
