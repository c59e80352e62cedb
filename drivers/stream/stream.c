/* Streams: parsing their names, and reading and writing with deadlines.
 *
 * A stream is open from lf_stream_open to lf_stream_close and belongs to one thread. After LF_DISCONNECTED
 * close it: while a dead serial port is open, the system gives the device another name when it comes back.
 * Every wait is for the connection, the cancel and the deadline at once. A hang-up is an error as soon as a
 * wait or a read sees it, so nothing here can spin.
 */
#include "drivers/stream/stream.h"

#include "base/units.h"
#include "drivers/stream/kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SPEC_MAX = 1024,
    DRAIN_MAX = 1024 * 1024, /* or a device that sends faster than we discard would keep us here */
    SENT_NAP_FIRST_MS = 1,   /* one byte takes 1 ms at 9600 baud */
    SENT_NAP_MAX_MS = 20,
};

static const struct lf_stream_kind *const kinds[] = {&stream__serial, &stream__tcp, &stream__unix};

/* ---- the name of a stream ---- */

struct spec {
    char text[SPEC_MAX]; /* cut into pieces */
    const struct lf_stream_kind *kind;
    char *place, *options;
};

static enum lf_status find_kind(struct spec *spec, const char *whole, struct lf_error *err)
{
    struct lf_nearest nearest = {.word = spec->text};
    const char *example = kinds[0]->example;
    char *colon = strchr(spec->text, ':');
    if (colon) {
        *colon = '\0';
        spec->place = colon + 1;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (colon && !strcmp(spec->text, kinds[i]->name)) {
            spec->kind = kinds[i];
            return LF_OK;
        }
        lf_nearest_try(&nearest, kinds[i]->name);
        if (nearest.name == kinds[i]->name)
            example = kinds[i]->example;
    }
    return lf_fail(
        err, LF_INVALID, LF_PERMANENT,
        "'%.200s' is not the name of a stream; write serial:PATH, tcp:HOST:PORT or unix:PATH, for example %s",
        whole, example);
}

/* Sets each name=value of the options; the table knows what is allowed. `fallback`: where it is not set yet.
 */
static enum lf_status parse_options(char *options, bool fallback, struct lf_values *values,
                                    struct lf_error *err)
{
    for (char *pair = *options ? options : NULL, *next; pair; pair = next) {
        next = strchr(pair, '&');
        if (next)
            *next++ = '\0';
        char *equals = strchr(pair, '=');
        if (!equals || equals == pair)
            return lf_fail(err, LF_INVALID, LF_PERMANENT,
                           "'%.80s' is not an option; write name=value, with '&' between", pair);
        *equals = '\0';
        if (fallback && lf_values_given(values, pair))
            continue;
        enum lf_status status = lf_values_set(values, pair, equals + 1, NULL, err);
        if (status != LF_OK)
            return status;
    }
    return LF_OK;
}

static enum lf_status cut(const char *whole, struct spec *spec, struct lf_error *err)
{
    size_t len = strlen(whole);
    memset(spec, 0, sizeof *spec);
    if (len >= sizeof spec->text)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "the name of the stream is longer than %d bytes",
                       SPEC_MAX - 1);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)whole[i] < ' ' || whole[i] == 0x7f)
            return lf_fail(err, LF_INVALID, LF_PERMANENT,
                           "the stream's name has a control character at byte %zu; remove it", i + 1);
    memcpy(spec->text, whole, len + 1);
    enum lf_status status = find_kind(spec, whole, err);
    if (status != LF_OK)
        return status;
    spec->options = spec->place + strcspn(spec->place, "?");
    if (*spec->options)
        *spec->options++ = '\0';
    if (!*spec->place)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "'%.200s' names no device or address; write for example %s", whole,
                       spec->kind->example);
    return LF_OK;
}

/* Cuts the text and fills *values (owned by the caller). `line`: see lf_stream_open. */
static enum lf_status parse_spec(const char *whole, const char *line, struct spec *spec,
                                 struct lf_values **values, struct lf_error *err)
{
    static const struct lf_setting none[] = {{0}};
    char where[LF_STREAM_NAME_MAX], more[SPEC_MAX];
    *values = NULL;
    enum lf_status status = cut(whole, spec, err);
    if (status != LF_OK)
        return status;
    snprintf(where, sizeof where, "stream %.280s", whole);
    *values = lf_values_new(spec->kind->settings ? spec->kind->settings : none, where);
    if (!*values)
        return lf_fail_memory(err, "the options of a stream");
    status = parse_options(spec->options, false, *values, err);
    snprintf(more, sizeof more, "%s", line && spec->kind == &stream__serial ? line : "");
    if (status == LF_OK)
        status = parse_options(more, true, *values, err);
    return status == LF_OK ? lf_values_finish(*values, err) : status;
}

enum lf_status lf_stream_check(const char *spec_text, char *resource, size_t room, struct lf_error *err)
{
    struct spec spec;
    struct lf_values *values;
    enum lf_status status = parse_spec(spec_text, NULL, &spec, &values, err);
    if (status == LF_OK)
        status = spec.kind->check(spec.place, values, resource, room, err);
    lf_values_free(values);
    return status;
}

enum lf_status lf_stream_open(const char *spec_text, const char *line, int64_t deadline,
                              const struct lf_cancel *cancel, struct lf_stream **out, struct lf_error *err)
{
    struct spec spec;
    struct lf_values *values;
    struct lf_stream *stream = NULL;
    *out = NULL;
    enum lf_status status = parse_spec(spec_text, line, &spec, &values, err);
    if (status == LF_OK)
        status = spec.kind->check(spec.place, values, NULL, 0, err);
    if (status == LF_OK && lf_cancel_is_set(cancel))
        status = lf_fail(err, LF_CANCELLED, LF_TRANSIENT, "%.200s: stopped before it was opened", spec_text);
    if (status == LF_OK && !(stream = calloc(1, sizeof *stream)))
        status = lf_fail_memory(err, "a stream");
    if (status == LF_OK) {
        stream->cancel = cancel;
        status = spec.kind->open(spec.place, values, deadline, stream, err);
    }
    if (status == LF_OK)
        *out = stream;
    else
        free(stream);
    lf_values_free(values);
    return status;
}

void lf_stream_close(struct lf_stream *stream)
{
    if (!stream)
        return;
    lf_serial_close(stream->serial);
    lf_socket_close(&stream->socket);
    free(stream);
}

void lf_stream_watch(struct lf_stream *stream, const struct lf_cancel *cancel)
{
    stream->cancel = cancel;
}

const char *lf_stream_name(const struct lf_stream *stream)
{
    return stream->name;
}

/* ---- reading and writing ---- */

static enum lf_status gone(const struct lf_stream *stream, const char *reason, struct lf_error *err)
{
    return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "%s: connection lost (%s)%s", stream->name, reason,
                   stream->serial ? "; unplugged, or the device lost power?" : "");
}

/* A wait ended with this status. */
static enum lf_status waited(const struct lf_stream *stream, enum lf_status status, struct lf_error *err)
{
    if (status == LF_CANCELLED)
        return lf_fail(err, status, LF_TRANSIENT, "%s: stopped on request", stream->name);
    if (status == LF_TIMEOUT)
        return lf_fail(err, status, LF_TRANSIENT, "%s: nothing arrived in the time allowed", stream->name);
    return gone(stream, "cannot wait for it", err);
}

static struct lf_waitable waitable(const struct lf_stream *stream)
{
    return stream->serial ? lf_serial_waitable(stream->serial) : stream->socket.waitable;
}

static bool hung_up(unsigned ready, unsigned wanted)
{
    return (ready & LF_HUNG_UP) && !(ready & wanted);
}

static enum lf_status read_some(struct lf_stream *stream, void *data, size_t room, size_t *count,
                                struct lf_error *why)
{
    return stream->serial ? lf_serial_read(stream->serial, data, room, count, why)
                          : lf_socket_read(&stream->socket, data, room, count, why);
}

static enum lf_status write_some(struct lf_stream *stream, const void *data, size_t len, size_t *count,
                                 struct lf_error *why)
{
    return stream->serial ? lf_serial_write(stream->serial, data, len, count, why)
                          : lf_socket_write(&stream->socket, data, len, count, why);
}

enum lf_status lf_stream_read(struct lf_stream *stream, void *data, size_t room, int64_t deadline,
                              size_t *got, struct lf_error *err)
{
    struct lf_error why = {0};
    unsigned ready = 0;
    *got = 0;
    for (;;) {
        if (lf_cancel_is_set(stream->cancel))
            return waited(stream, LF_CANCELLED, err);
        enum lf_status status = read_some(stream, data, room, got, &why);
        if (status == LF_OK)
            return LF_OK;
        if (status != LF_BUSY)
            return gone(stream, why.text, err);
        if (hung_up(ready, LF_READABLE))
            return gone(stream, "it hung up", err);
        status = lf_wait(waitable(stream), LF_READABLE, deadline, stream->cancel, &ready);
        if (status != LF_OK)
            return waited(stream, status, err);
    }
}

/* Bytes that the system has accepted and not sent yet. */
static size_t still_queued(const struct lf_stream *stream)
{
    return stream->serial ? lf_serial_unsent(stream->serial) : 0;
}

/* A command must not stay queued after a failure: the device would get it when nobody waits for its reply any
 * more. Returns how many of the `taken` bytes have left. */
static size_t give_up(const struct lf_stream *stream, size_t taken)
{
    size_t queued = still_queued(stream);
    if (stream->serial)
        lf_serial_drop_unsent(stream->serial);
    return queued < taken ? taken - queued : 0;
}

/* Waits until the queued bytes have left, so that "written" means on the wire. The system has no event for
 * that, so this naps for the time that a few bytes take. */
static enum lf_status wait_sent(const struct lf_stream *stream, int64_t deadline)
{
    for (int64_t nap = SENT_NAP_FIRST_MS; still_queued(stream) > 0;
         nap = nap < SENT_NAP_MAX_MS ? nap * 2 : nap) {
        enum lf_status status = lf_wait(waitable(stream), 0,
                                        lf_deadline_sooner(deadline, lf_deadline_in(nap)), stream->cancel,
                                        NULL);
        if (status == LF_OK) /* no event was asked for: this is a hang-up */
            return LF_DISCONNECTED;
        if (status != LF_TIMEOUT)
            return status;
        if (lf_deadline_passed(deadline))
            return still_queued(stream) > 0 ? LF_TIMEOUT : LF_OK;
    }
    return LF_OK;
}

/* Hands all bytes to the system. *taken counts those that it has accepted. */
static enum lf_status write_queue(struct lf_stream *stream, const char *data, size_t len, int64_t deadline,
                                  size_t *taken, struct lf_error *why)
{
    enum lf_status status = lf_cancel_is_set(stream->cancel) ? LF_CANCELLED : LF_OK;
    while (status == LF_OK && *taken < len) {
        size_t count;
        unsigned ready = 0;
        status = write_some(stream, data + *taken, len - *taken, &count, why);
        *taken += count;
        if (status == LF_BUSY)
            status = lf_wait(waitable(stream), LF_WRITABLE, deadline, stream->cancel, &ready);
        if (hung_up(ready, LF_WRITABLE))
            status = LF_DISCONNECTED;
    }
    return status;
}

enum lf_status lf_stream_write(struct lf_stream *stream, const void *data, size_t len, int64_t deadline,
                               size_t *written, struct lf_error *err)
{
    struct lf_error why = {.text = "it hung up"};
    size_t taken = 0;
    enum lf_status status = write_queue(stream, data, len, deadline, &taken, &why);
    if (status == LF_OK)
        status = wait_sent(stream, deadline);
    size_t left = status == LF_OK ? len : give_up(stream, taken);
    if (written)
        *written = left;
    if (status == LF_TIMEOUT)
        return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT,
                       "%s: only %zu of %zu bytes were sent in the time allowed; %s", stream->name, left, len,
                       stream->serial ? "is flow control holding the line (XOFF, or CTS low)?"
                                      : "the other side does not read");
    if (status == LF_CANCELLED)
        return waited(stream, status, err);
    return status == LF_OK ? LF_OK : gone(stream, why.text, err);
}

enum lf_status lf_stream_drain(struct lf_stream *stream, struct lf_error *err)
{
    char waste[4096];
    struct lf_error why = {0};
    enum lf_status status = LF_OK;
    for (size_t total = 0, count; status == LF_OK && total < DRAIN_MAX; total += count)
        status = read_some(stream, waste, sizeof waste, &count, &why);
    return status == LF_OK || status == LF_BUSY ? LF_OK : gone(stream, why.text, err);
}

enum lf_status lf_stream_wait(struct lf_stream *stream, const struct lf_wake *wake, int64_t deadline,
                              bool *readable, struct lf_error *err)
{
    struct lf_wait_item items[] = {{.what = waitable(stream), .events = LF_READABLE},
                                   {.what = wake ? wake->event : (struct lf_waitable){0},
                                    .events = LF_READABLE}};
    enum lf_status status = lf_wait_any(items, 2, deadline, stream->cancel);
    *readable = items[0].ready & LF_READABLE;
    if (status != LF_OK)
        return waited(stream, status, err);
    return hung_up(items[0].ready, LF_READABLE) ? gone(stream, "it hung up", err) : LF_OK;
}
