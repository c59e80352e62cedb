/* The control socket of a simulator: one line asks, one line answers. One thread. */
#ifndef SIM_INSTRUMENTS_CONTROL_H
#define SIM_INSTRUMENTS_CONTROL_H

#include "base/buffer.h"

#include <poll.h>

enum { CONTROL_CLIENTS = 8 };

struct control {
    char path[128];
    int listener; /* -1: no control socket */
    int clients[CONTROL_CLIENTS];
    struct lf_buffer input[CONTROL_CLIENTS];
};

enum lf_status control_open(struct control *control, const char *path, struct lf_error *err);
void control_close(struct control *control);
/* Fills at most CONTROL_CLIENTS + 1 entries; returns how many. */
size_t control_polls(const struct control *control, struct pollfd *polls);
/* Takes clients and commands. `answer` puts the answer to a line, without line end, into *reply. */
void control_serve(struct control *control,
                   void (*answer)(void *context, const char *line, struct lf_buffer *reply), void *context);
/* The other side: sends the words as one line and prints the answer. Returns the exit code. */
int control_tell(const char *path, int count, char **words);

#endif
