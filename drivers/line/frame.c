#include "drivers/line/frame.h"

#include <ctype.h>
#include <string.h>

enum { LENGTH_BYTE_MAX = 255, BLOCK_DIGITS_MAX = 9, CHECKSUM_ROOM = 4 };

static struct lf_slice part(struct lf_slice bytes, size_t from, size_t to)
{
    return lf_slice(bytes.data + from, to - from);
}

/* Offset of `wanted` at or after `from`, SIZE_MAX if it is not there. */
static size_t find_from(struct lf_slice bytes, size_t from, struct lf_slice wanted)
{
    if (from >= bytes.len || !wanted.len)
        return SIZE_MAX;
    const char *found = lf_slice_find(lf_slice(bytes.data + from, bytes.len - from), wanted);
    return found ? (size_t)(found - bytes.data) : SIZE_MAX;
}

static bool in_set(struct lf_slice set, char c)
{
    return set.len && memchr(set.data, c, set.len);
}

static enum lf_line_frame_state bad(struct lf_line_frame *frame, size_t used, const char *why)
{
    *frame = (struct lf_line_frame){.used = used ? used : 1, .why = why};
    return LF_FRAME_BAD;
}

static enum lf_line_frame_state done(struct lf_line_frame *frame, size_t used, struct lf_slice body)
{
    *frame = (struct lf_line_frame){.used = used, .body = body};
    return LF_FRAME_DONE;
}

/* ---- checksums on the wire ---- */

static size_t wire_size(const struct lf_line_check *check)
{
    return line__checksum_size(check->kind) * (check->hex ? 2 : 1);
}

static size_t wire_form(const struct lf_line_check *check, uint16_t sum, char wire[CHECKSUM_ROOM])
{
    static const char digits[] = "0123456789ABCDEF";
    size_t size = line__checksum_size(check->kind);
    uint8_t bytes[2] = {(uint8_t)(sum >> 8), (uint8_t)sum};
    if (size == 1 || check->low_first) {
        bytes[0] = (uint8_t)sum;
        bytes[1] = (uint8_t)(sum >> 8);
    }
    for (size_t i = 0; i < size && i < sizeof bytes; i++) {
        if (check->hex) {
            wire[2 * i] = digits[bytes[i] >> 4];
            wire[2 * i + 1] = digits[bytes[i] & 15];
        } else {
            wire[i] = (char)bytes[i];
        }
    }
    return wire_size(check);
}

static size_t expected(const struct lf_line_ending *ending, struct lf_slice body, char wire[CHECKSUM_ROOM])
{
    const struct lf_line_check *check = &ending->check;
    struct lf_slice pieces[3], none = {0};
    pieces[0] = check->with_start ? ending->start : none;
    pieces[1] = body;
    pieces[2] = check->after_end ? ending->end : none;
    return wire_form(check, line__checksum(check->kind, pieces, 3), wire);
}

/* Instruments send hexadecimal digits in either case. */
static bool checksum_good(const struct lf_line_ending *ending, struct lf_slice body, struct lf_slice given)
{
    char wire[CHECKSUM_ROOM] = {0};
    size_t size = expected(ending, body, wire);
    if (given.len != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int c = ending->check.hex ? toupper((unsigned char)given.data[i]) : given.data[i];
        if ((char)c != wire[i])
            return false;
    }
    return true;
}

/* A checksum in the last bytes of the body. */
static enum lf_line_frame_state done_checked(const struct lf_line_ending *ending, struct lf_line_frame *frame,
                                             size_t used, struct lf_slice body)
{
    size_t size = wire_size(&ending->check);
    if (!size)
        return done(frame, used, body);
    if (body.len < size)
        return bad(frame, used, "it is too short for its checksum");
    struct lf_slice text = part(body, 0, body.len - size);
    if (!checksum_good(ending, text, part(body, body.len - size, body.len)))
        return bad(frame, used, "its checksum is wrong");
    return done(frame, used, text);
}

/* ---- the kinds of units ---- */

static struct lf_slice without_trailing_blanks(struct lf_slice line)
{
    while (line.len && strchr(" \t\r", line.data[line.len - 1]) && line.data[line.len - 1])
        line.len--;
    return line;
}

static enum lf_line_frame_state find_line(const struct lf_line_ending *ending, struct lf_slice bytes,
                                          struct lf_line_frame *frame)
{
    size_t end = find_from(bytes, 0, ending->end);
    if (end == SIZE_MAX)
        return LF_FRAME_MORE;
    enum lf_line_frame_state state = done_checked(ending, frame, end + ending->end.len, part(bytes, 0, end));
    frame->body = without_trailing_blanks(frame->body);
    return state;
}

static enum lf_line_frame_state find_prompt(const struct lf_line_ending *ending, struct lf_slice bytes,
                                            struct lf_line_frame *frame)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (in_set(ending->end, bytes.data[i]))
            return done(frame, i + 1, part(bytes, 0, i + 1));
    return LF_FRAME_MORE;
}

static enum lf_line_frame_state find_block(const struct lf_line_ending *ending, struct lf_slice bytes,
                                           struct lf_line_frame *frame)
{
    if (!bytes.len)
        return LF_FRAME_MORE;
    if (bytes.data[0] != '#')
        return find_line(ending, bytes, frame);
    if (bytes.len < 2)
        return LF_FRAME_MORE;
    if (bytes.data[1] == '0')
        return bad(frame, bytes.len,
                   "it is a block of unknown length (#0), whose end this connection cannot signal");
    if (!isdigit((unsigned char)bytes.data[1]))
        return bad(frame, bytes.len, "its block has no length after '#'");
    size_t digits = (size_t)(bytes.data[1] - '0'), size = 0;
    for (size_t i = 0; i < digits; i++) {
        if (bytes.len <= 2 + i)
            return LF_FRAME_MORE;
        if (!isdigit((unsigned char)bytes.data[2 + i]))
            return bad(frame, bytes.len, "the length of its block is not a number");
        size = size * 10 + (size_t)(bytes.data[2 + i] - '0');
    }
    if (size > LF_REPLY_BYTES_MAX)
        return bad(frame, bytes.len, "the length of its block is out of bounds");
    size_t data = 2 + digits, end = data + size;
    if (bytes.len > end && bytes.data[end] == '\r' && ending->end.data[0] != '\r')
        end++; /* as in lines, which may end with CR LF too */
    size_t total = end + ending->end.len;
    if (bytes.len < total)
        return LF_FRAME_MORE;
    if (!lf_slice_equal(part(bytes, end, total), ending->end))
        return bad(frame, bytes.len, "no line end follows its block: the length of the block is wrong");
    return done(frame, total, part(bytes, data, data + size));
}

/* The tail and what precedes the frame count as used. `end` is the offset after all but the tail. */
static enum lf_line_frame_state finish_frame(const struct lf_line_ending *ending, struct lf_slice bytes,
                                             size_t end, struct lf_slice body, struct lf_line_frame *frame)
{
    size_t total = end + ending->tail.len;
    if (bytes.len < total)
        return LF_FRAME_MORE;
    if (!lf_slice_equal(part(bytes, end, total), ending->tail))
        return bad(frame, end, "its frame is not followed by the tail");
    return done(frame, total, body);
}

static enum lf_line_frame_state find_counted(const struct lf_line_ending *ending, struct lf_slice bytes,
                                             size_t start, struct lf_line_frame *frame)
{
    size_t length_at = start + ending->start.len;
    if (bytes.len <= length_at)
        return LF_FRAME_MORE;
    size_t length = (unsigned char)bytes.data[length_at], stop = length_at + length;
    if (length < 1 + wire_size(&ending->check) + ending->end.len)
        return bad(frame, length_at + 1, "its length byte is too small");
    if (bytes.len < stop)
        return LF_FRAME_MORE;
    size_t end = stop - ending->end.len, text = end - wire_size(&ending->check);
    if (!lf_slice_equal(part(bytes, end, stop), ending->end))
        return bad(frame, length_at + 1, "its length byte does not lead to the end of the frame");
    struct lf_slice body = part(bytes, length_at + 1, text);
    if (wire_size(&ending->check) && !checksum_good(ending, body, part(bytes, text, end)))
        return bad(frame, stop, "its checksum is wrong");
    return finish_frame(ending, bytes, stop, body, frame);
}

/* ... body, end, checksum, tail */
static enum lf_line_frame_state find_sum_behind(const struct lf_line_ending *ending, struct lf_slice bytes,
                                                size_t start, struct lf_line_frame *frame)
{
    size_t text = start + ending->start.len, end = find_from(bytes, text, ending->end);
    if (end == SIZE_MAX)
        return LF_FRAME_MORE;
    size_t sum = end + ending->end.len, stop = sum + wire_size(&ending->check);
    if (bytes.len < stop)
        return LF_FRAME_MORE;
    if (!checksum_good(ending, part(bytes, text, end), part(bytes, sum, stop)))
        return bad(frame, stop, "its checksum is wrong");
    return finish_frame(ending, bytes, stop, part(bytes, text, end), frame);
}

/* ... body, checksum, end, tail. The checksum may hold the end character: then the true end is at most the
 * checksum's size further on. */
static enum lf_line_frame_state find_sum_inside(const struct lf_line_ending *ending, struct lf_slice bytes,
                                                size_t start, struct lf_line_frame *frame)
{
    size_t size = wire_size(&ending->check), text = start + ending->start.len;
    size_t first = find_from(bytes, text, ending->end), last = first + size;
    for (size_t end = first; end != SIZE_MAX && end <= last; end = find_from(bytes, end + 1, ending->end)) {
        if (end < text + size)
            continue;
        struct lf_slice body = part(bytes, text, end - size);
        if (!size || checksum_good(ending, body, part(bytes, end - size, end)))
            return finish_frame(ending, bytes, end + ending->end.len, body, frame);
    }
    if (first == SIZE_MAX || bytes.len < last + ending->end.len)
        return LF_FRAME_MORE;
    return bad(frame, first + ending->end.len, "its checksum is wrong");
}

static enum lf_line_frame_state find_frame(const struct lf_line_ending *ending, struct lf_slice bytes,
                                           struct lf_line_frame *frame)
{
    size_t start = find_from(bytes, 0, ending->start);
    if (start == SIZE_MAX)
        return LF_FRAME_MORE;
    if (ending->length_byte)
        return find_counted(ending, bytes, start, frame);
    return ending->check.after_end && wire_size(&ending->check)
               ? find_sum_behind(ending, bytes, start, frame)
               : find_sum_inside(ending, bytes, start, frame);
}

enum lf_line_frame_state line__frame_find(const struct lf_line_ending *ending, struct lf_slice bytes,
                                          bool quiet, struct lf_line_frame *frame)
{
    *frame = (struct lf_line_frame){0};
    if (bytes.len
        && (in_set(ending->alone, bytes.data[0])
            || (ending->unit == LF_UNIT_CHAR && in_set(ending->end, bytes.data[0]))))
        return done(frame, 1, part(bytes, 0, 1));
    switch (ending->unit) {
    case LF_UNIT_NONE: return done(frame, 0, bytes);
    case LF_UNIT_LINE: return find_line(ending, bytes, frame);
    case LF_UNIT_PROMPT: return find_prompt(ending, bytes, frame);
    case LF_UNIT_CHAR:
        return bytes.len ? bad(frame, 1, "it is none of the expected characters") : LF_FRAME_MORE;
    case LF_UNIT_FIXED:
        if (bytes.len < ending->size)
            return LF_FRAME_MORE;
        return done_checked(ending, frame, ending->size, part(bytes, 0, ending->size));
    case LF_UNIT_FRAME: return find_frame(ending, bytes, frame);
    case LF_UNIT_BLOCK: return find_block(ending, bytes, frame);
    case LF_UNIT_IDLE:
        return quiet && bytes.len ? done_checked(ending, frame, bytes.len, bytes) : LF_FRAME_MORE;
    }
    return LF_FRAME_MORE;
}

enum lf_status line__frame_wrap(const struct lf_line_ending *ending, struct lf_slice payload,
                                struct lf_buffer *out, struct lf_error *err)
{
    char wire[CHECKSUM_ROOM] = {0};
    size_t sum = expected(ending, payload, wire), length = 1 + payload.len + sum + ending->end.len;
    if (ending->length_byte && length > LENGTH_BYTE_MAX)
        return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "the command is too long for its frame (%zu bytes)",
                       payload.len);
    char length_byte = (char)length;
    bool behind = ending->check.after_end;
    struct lf_slice pieces[] = {
        ending->start, lf_slice(&length_byte, ending->length_byte ? 1 : 0),
        payload,       lf_slice(wire, behind ? 0 : sum),
        ending->end,   lf_slice(wire, behind ? sum : 0),
        ending->tail,
    };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        if (lf_buffer_append(out, pieces[i].data, pieces[i].len) != LF_OK)
            return lf_fail_memory(err, "framing a command");
    return LF_OK;
}
