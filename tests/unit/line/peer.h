/* A scripted instrument behind a Unix socket: it waits for bytes, answers, waits ... in its own thread. */
#ifndef TEST_LINE_PEER_H
#define TEST_LINE_PEER_H

#include "drivers/line/dialogue.h"

#include <pthread.h>

/* Bytes with their length: they may hold NUL. */
#define B(text) (text), sizeof(text) - 1
/* For steps: wait for these bytes; answer these. */
#define E(text) .expect = (text), .expect_len = sizeof(text) - 1
#define R(text) .reply = (text), .reply_len = sizeof(text) - 1

struct peer_step {
    const char *expect; /* read until this has come, NULL: do not wait */
    size_t expect_len;
    const char *reply; /* NULL: say nothing */
    size_t reply_len;
    int delay_ms; /* before the reply */
    int each_ms;  /* not 0: byte by byte, with this pause */
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
    pthread_t thread;
};

/* Starts; ends the test's program when it cannot. The steps are borrowed until peer_stop. */
void peer_start(struct peer *peer, const struct peer_step *steps, size_t count);
/* Waits until the script is done (or the other side closed), then closes. */
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
