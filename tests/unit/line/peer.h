/* A scripted instrument behind a Unix socket: it waits for bytes, answers, waits ... in its own thread.
 *
 * No test waits for real time. While the instrument has nothing to say and the other side waits for it, time
 * passes, a second for each look of the other side; so a time-out of a minute takes milliseconds, and none
 * passes early because the machine is busy.
 */
#ifndef TEST_LINE_PEER_H
#define TEST_LINE_PEER_H

#include "drivers/line/dialogue.h"

#include <pthread.h>
#include <semaphore.h>

/* Bytes with their length: they may hold NUL. */
#define B(text) (text), sizeof(text) - 1
/* For steps: wait for these bytes; answer these. */
#define E(text) .expect = (text), .expect_len = sizeof(text) - 1
#define R(text) .reply = (text), .reply_len = sizeof(text) - 1

struct peer_step {
    bool cue;           /* wait for peer_cue */
    bool awaited;       /* wait until the other side has read all and waits; no time passes meanwhile */
    const char *expect; /* read until this has come, NULL: do not wait */
    size_t expect_len;
    const char *reply; /* NULL: say nothing */
    size_t reply_len;
    bool pieces;  /* byte by byte */
    bool cancel;  /* set peer->cancel after that */
    bool hang_up; /* close after that */
};

struct peer {
    char path[200], spec[220];
    int listener, fd;
    const struct peer_step *steps;
    size_t count;
    char received[4096]; /* all that came; read it after peer_stop */
    size_t received_len;
    size_t done; /* steps done */
    struct lf_cancel *cancel;
    sem_t cue, done_cue;
    int64_t waits; /* of the other side, when it was looked at last */
    pthread_t thread;
};

/* Starts; ends the test's program when it cannot. The steps are borrowed until peer_stop. */
void peer_start(struct peer *peer, const struct peer_step *steps, size_t count);
/* Lets the step that waits for its cue go on, and waits until it is done. */
void peer_cue(struct peer *peer);
/* To be called when the other side has closed. */
void peer_stop(struct peer *peer);

/* A profile made of its text; ends the program with the error when it is wrong. */
struct lf_line_profile *need_profile(const char *text);

/* A dialogue over the peer, in step (no handshake done). */
void need_dialogue(struct lf_line_dialogue *dialogue, const struct lf_line_profile *profile,
                   const struct peer *peer);
/* Runs a command by name with one "name=value" input or none, and without time limit of its own. */
enum lf_status ask(struct lf_line_dialogue *dialogue, const char *command, struct lf_outcome *values,
                   struct lf_error *err);
const char *value_of(const struct lf_outcome *values, const char *name);

#endif
