/* Bytes of an instrument under every way a reply can end. The first line describes the ending in bytes, the
 * rest is what arrives. */
#include "fuzz.h"

#include "drivers/line/frame.h"
#include "drivers/line/show.h"

#include <string.h>

/* What the parser of profiles promises about endings: `end` is there where the unit needs it, times is at
 * least 1. */
static struct lf_line_ending read_ending(struct fuzz_input *input)
{
    struct lf_line_ending ending = {.times = 1, .idle_ms = 100};
    uint8_t check = fuzz_byte(input), more = fuzz_byte(input);
    ending.unit = (enum lf_line_unit)(fuzz_byte(input) % (LF_UNIT_BLOCK + 1));
    ending.check = (struct lf_line_check){.kind = (enum line__checksum)(check
                                                                        % (LF_CHECKSUM_CRC16_MODBUS + 1)),
                                          .hex = check & 16,
                                          .low_first = check & 32,
                                          .after_end = check & 64,
                                          .with_start = check & 128};
    ending.length_byte = more & 1;
    ending.size = 1 + more / 8;
    struct lf_slice set = fuzz_until(input, '\n');
    size_t start = set.len > 3 ? set.len / 2 : 0;
    if (ending.unit == LF_UNIT_FRAME) {
        ending.start = lf_slice(set.data, start ? start : set.len);
        ending.end = lf_slice(set.data + ending.start.len, set.len - ending.start.len);
        ending.tail = more & 2 ? ending.end : lf_slice("", 0);
        ending.alone = more & 4 ? lf_slice("\x06\x15", 2) : lf_slice("", 0);
    } else {
        ending.check.kind = LF_CHECKSUM_NONE;
        ending.length_byte = false;
        ending.end = set.len ? set : lf_slice("\r\n", 2);
    }
    return ending;
}

static void check_found(const struct lf_line_ending *ending, struct lf_slice bytes, bool quiet)
{
    struct lf_line_frame frame = {0}, again = {0};
    char room[LF_SHOW_ROOM];
    enum lf_line_frame_state state = line__frame_find(ending, bytes, quiet, &frame);
    MUST(state == line__frame_find(ending, bytes, quiet, &again)
             && (state == LF_FRAME_MORE || frame.used == again.used),
         "another answer the second time");
    if (state == LF_FRAME_MORE)
        return;
    MUST(frame.used <= bytes.len, "%zu of %zu bytes used", frame.used, bytes.len);
    MUST(frame.used > 0, "a unit of no bytes: it would be found again without end");
    MUST(state != LF_FRAME_BAD || (frame.why && *frame.why), "bad without a reason");
    if (state == LF_FRAME_DONE && frame.body.len) {
        MUST(frame.body.data >= bytes.data && frame.body.data + frame.body.len <= bytes.data + bytes.len,
             "the body lies outside the unit");
        MUST(frame.body.len <= frame.used, "a body of %zu in a unit of %zu", frame.body.len, frame.used);
    }
    MUST(strlen(line__show(frame.body, room)) < LF_SHOW_ROOM, "shown too long");
    if (state == LF_FRAME_DONE && !quiet && ending->unit != LF_UNIT_IDLE) { /* what follows changes nothing */
        enum lf_line_frame_state alone = line__frame_find(ending, lf_slice(bytes.data, frame.used), false,
                                                          &again);
        MUST(alone == LF_FRAME_DONE && again.used == frame.used && again.body.len == frame.body.len,
             "%zu bytes are a unit only with others behind them", frame.used);
    }
}

/* A wrapped body is found again, unless its bytes look like the ending. */
static void check_wrapped(const struct lf_line_ending *ending, struct lf_slice payload)
{
    struct lf_buffer out = {0};
    struct lf_error err = {0};
    struct lf_line_frame frame = {0};
    enum lf_status status = line__frame_wrap(ending, payload, &out, &err);
    fuzz_check_error(status, &err);
    if (status == LF_OK && out.len) {
        check_found(ending, lf_buffer_slice(&out), false);
        bool plain = ending->start.len && ending->end.len && payload.len && payload.len < 200
                     && !ending->length_byte && !ending->alone.len;
        for (size_t i = 0; plain && i < payload.len; i++)
            plain = payload.data[i] >= 'A' && payload.data[i] <= 'Z'
                    && !memchr(ending->end.data, payload.data[i], ending->end.len);
        plain = plain && ending->check.kind == LF_CHECKSUM_NONE;
        if (plain) {
            enum lf_line_frame_state state = line__frame_find(ending, lf_buffer_slice(&out), false, &frame);
            MUST(state == LF_FRAME_DONE && lf_slice_equal(frame.body, payload),
                 "wrapped, but not found again (%d)", (int)state);
        }
    }
    lf_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    struct lf_line_ending ending = read_ending(&input);
    struct lf_slice bytes = fuzz_rest(&input);
    if (ending.unit == LF_UNIT_NONE)
        return 0; /* no reply is expected */
    if (bytes.len) {
        check_found(&ending, bytes, false);
        check_found(&ending, bytes, true);
    }
    if (ending.unit == LF_UNIT_FRAME)
        check_wrapped(&ending, bytes);
    return 0;
}
