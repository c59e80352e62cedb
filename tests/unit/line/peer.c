#include "peer.h"

#include "unit.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PEER_PATIENCE_MS = 20000 };

/* Reads until the wanted bytes have come; *from moves behind them. */
static bool await(struct peer *peer, size_t *from, const char *wanted, size_t len)
{
    const char *found;
    while (!(found = memmem(peer->received + *from, peer->received_len - *from, wanted, len))) {
        struct pollfd fd = {.fd = peer->fd, .events = POLLIN};
        if (poll(&fd, 1, PEER_PATIENCE_MS) <= 0)
            return false;
        ssize_t got = read(peer->fd, peer->received + peer->received_len,
                           sizeof peer->received - peer->received_len);
        if (got <= 0)
            return false;
        peer->received_len += (size_t)got;
    }
    *from = (size_t)(found - peer->received) + len;
    return true;
}

static void answer(struct peer *peer, const struct peer_step *step)
{
    usleep((useconds_t)step->delay_ms * 1000);
    size_t piece = step->each_ms ? 1 : step->reply_len;
    for (size_t at = 0; step->reply && at < step->reply_len; at += piece) {
        if (send(peer->fd, step->reply + at, piece, MSG_NOSIGNAL) < 0)
            return;
        usleep((useconds_t)step->each_ms * 1000);
    }
}

static void *run(void *self)
{
    struct peer *peer = self;
    peer->fd = accept(peer->listener, NULL, NULL);
    size_t from = 0;
    for (peer->done = 0; peer->done < peer->count; peer->done++) {
        const struct peer_step *step = &peer->steps[peer->done];
        if (step->expect && !await(peer, &from, step->expect, step->expect_len))
            return NULL;
        answer(peer, step);
        if (step->hang_up)
            shutdown(peer->fd, SHUT_RDWR);
    }
    return NULL;
}

void peer_start(struct peer *peer, const struct peer_step *steps, size_t count)
{
    memset(peer, 0, sizeof *peer);
    static int number;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(peer->path, sizeof peer->path, "%.150s/p%d", unit_folder(), number++);
    snprintf(peer->spec, sizeof peer->spec, "unix:%s", peer->path);
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", peer->path);
    peer->steps = steps;
    peer->count = count;
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer->listener < 0 || bind(peer->listener, (struct sockaddr *)&address, sizeof address)
        || listen(peer->listener, 1) || pthread_create(&peer->thread, NULL, run, peer)) {
        perror("peer");
        exit(1);
    }
}

void peer_stop(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    if (peer->fd >= 0)
        close(peer->fd);
    close(peer->listener);
}

struct lf_line_profile *need_profile(const char *text)
{
    struct lf_line_profile *profile;
    struct lf_error err;
    if (line__profile_parse(lf_slice_text(text), "test", NULL, &profile, &err) != LF_OK) {
        fprintf(stderr, "%s\n", err.text);
        NEED(false);
    }
    return profile;
}

void need_dialogue(struct lf_line_dialogue *dialogue, const struct lf_line_profile *profile,
                   const struct peer *peer)
{
    struct lf_error err;
    dialogue->profile = profile;
    dialogue->instrument = "test";
    if (line__dialogue_open(dialogue, peer->spec, lf_deadline_in(5000), &err) != LF_OK) {
        fprintf(stderr, "%s\n", err.text);
        NEED(false);
    }
    dialogue->doubt = false;
}

enum lf_status ask(struct lf_line_dialogue *dialogue, const char *command, struct lf_outcome *values,
                   struct lf_error *err)
{
    struct lf_line_input_set none = {0};
    memset(err, 0, sizeof *err);
    memset(values, 0, sizeof *values);
    return line__dialogue_command(dialogue, line__profile_command(dialogue->profile, command), &none,
                                  LF_NEVER, values, err);
}

const char *value_of(const struct lf_outcome *values, const char *name)
{
    for (size_t i = 0; i < values->count; i++)
        if (!strcmp(values->captures[i].name, name))
            return values->captures[i].value;
    return NULL;
}
