#include "peer.h"

#include "base/failpoint.h"
#include "unit.h"

#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LOOK_MS = 1, TIME_STEP_MS = 1000 };

/* Is there something to read? If not, time passes, provided that the other side has begun another wait since
 * the last look and has read all that was sent to it. */
static bool look(struct peer *peer)
{
    int unread = 0;
    int64_t waits = lf_test_waits(); /* first: whatever was sent before that wait, this look sees */
    struct pollfd fd = {.fd = peer->fd, .events = POLLIN};
    if (poll(&fd, 1, LOOK_MS) > 0)
        return true;
    if (waits != peer->waits && ioctl(peer->fd, SIOCOUTQ, &unread) == 0 && !unread)
        UNIT_TIME_PASSES(TIME_STEP_MS);
    peer->waits = waits;
    return false;
}

/* Reads until the wanted bytes have come; *from moves behind them. NULL: until the other side closes. */
static bool await(struct peer *peer, size_t *from, const char *wanted, size_t len)
{
    const char *found = NULL;
    while (!wanted || !(found = memmem(peer->received + *from, peer->received_len - *from, wanted, len))) {
        if (!look(peer))
            continue;
        ssize_t got = read(peer->fd, peer->received + peer->received_len,
                           sizeof peer->received - peer->received_len);
        if (got <= 0)
            return false;
        peer->received_len += (size_t)got;
    }
    *from = (size_t)(found - peer->received) + len;
    return true;
}

/* Until the other side has read all that was sent and has begun another wait, or has closed. */
static void until_awaited(struct peer *peer)
{
    int unread = 0;
    int64_t before = lf_test_waits();
    struct pollfd fd = {.fd = peer->fd, .events = POLLIN};
    while (!poll(&fd, 1, LOOK_MS))
        if (lf_test_waits() != before && ioctl(peer->fd, SIOCOUTQ, &unread) == 0 && !unread)
            return;
}

static void answer(struct peer *peer, const struct peer_step *step)
{
    size_t piece = step->pieces ? 1 : step->reply_len;
    for (size_t at = 0; step->reply && at < step->reply_len; at += piece) {
        if (send(peer->fd, step->reply + at, piece, MSG_NOSIGNAL) < 0)
            return;
        if (step->pieces)
            usleep(1000); /* or the other side finds all pieces at once */
    }
}

static void *run(void *self)
{
    struct peer *peer = self;
    peer->fd = accept(peer->listener, NULL, NULL);
    size_t from = 0;
    for (peer->done = 0; peer->done < peer->count; peer->done++) {
        const struct peer_step *step = &peer->steps[peer->done];
        while (step->cue && sem_trywait(&peer->cue))
            if (look(peer))
                usleep(LOOK_MS * 1000); /* it is read by a later step */
        if (step->expect && !await(peer, &from, step->expect, step->expect_len))
            return NULL;
        if (step->awaited)
            until_awaited(peer);
        answer(peer, step);
        if (step->cancel)
            lf_cancel_set(peer->cancel);
        if (step->hang_up)
            shutdown(peer->fd, SHUT_RDWR);
        if (step->cue)
            sem_post(&peer->done_cue);
    }
    await(peer, &from, NULL, 0);
    return NULL;
}

void peer_cue(struct peer *peer)
{
    sem_post(&peer->cue);
    sem_wait(&peer->done_cue);
}

void peer_start(struct peer *peer, const struct peer_step *steps, size_t count)
{
    memset(peer, 0, sizeof *peer);
    UNIT_TIME_PASSES(0);
    sem_init(&peer->cue, 0, 0);
    sem_init(&peer->done_cue, 0, 0);
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
