/* Checksums and reply endings. */
#include "drivers/line/frame.h"

#include "peer.h"
#include "unit.h"

#include <string.h>

static uint16_t sum_of(enum line__checksum kind, const char *bytes, size_t len)
{
    struct lf_slice slice = lf_slice(bytes, len);
    return line__checksum(kind, &slice, 1);
}

/* Published vectors, and examples from instrument manuals. */
static void checksum_vectors(void)
{
    CHECK_INT(sum_of(LF_CHECKSUM_SUM8, B("7L|1|N\r\x03")), 0x0A);
    CHECK_INT(sum_of(LF_CHECKSUM_SUM8, B("2P|1||\r\x17")), 0x4B);
    CHECK_INT(sum_of(LF_CHECKSUM_SUM8, B("1H|\\^&\r\x03")), 0xE5);
    CHECK_INT(sum_of(LF_CHECKSUM_CRC16_XMODEM, B("123456789")), 0x31C3);
    CHECK_INT(sum_of(LF_CHECKSUM_CRC16_CCITT, B("123456789")), 0x29B1);
    CHECK_INT(sum_of(LF_CHECKSUM_CRC16_MODBUS, B("123456789")), 0x4B37);
    CHECK_INT(sum_of(LF_CHECKSUM_CRC16_MODBUS, B("\x01\x03\x00\x00\x00\x0A")), 0xCDC5);
    CHECK_INT(sum_of(LF_CHECKSUM_CRC16_XMODEM, B("SAF0")), 0x5543);
    CHECK_INT(sum_of(LF_CHECKSUM_LRC, B("\x01\x03\x00\x00\x00\x0A")), 0xF2);
    CHECK_INT(sum_of(LF_CHECKSUM_XOR, B("\x12\x34\x56")), 0x70);
}

/* The reply of a profile whose [line] says `reply`. */
static struct lf_line_profile *with_reply(const char *reply)
{
    char text[400];
    snprintf(text, sizeof text,
             "[line]\nsend_end = '<CR>'\nreply = %s\n[command c]\nclass = safe\nsend = 'c'\n"
             "expect = '{a}'\n",
             reply);
    return need_profile(text);
}

/* Feeds the bytes one by one: the unit must be found with the last one and not earlier. */
static void finds(const char *reply, const char *bytes, size_t len, const char *body, size_t body_len)
{
    struct lf_line_profile *profile = with_reply(reply);
    struct lf_line_frame frame;
    for (size_t i = 0; i < len; i++)
        CHECK_INT(line__frame_find(&profile->ending, lf_slice(bytes, i), false, &frame), LF_FRAME_MORE);
    CHECK_INT(line__frame_find(&profile->ending, lf_slice(bytes, len), false, &frame), LF_FRAME_DONE);
    CHECK_INT(frame.used, len);
    CHECK_BYTES(frame.body.data, frame.body.len, body, body_len);
    lf_profile_free(profile);
}

static void refuses(const char *reply, const char *bytes, size_t len, const char *why)
{
    struct lf_line_profile *profile = with_reply(reply);
    struct lf_line_frame frame;
    CHECK_INT(line__frame_find(&profile->ending, lf_slice(bytes, len), false, &frame), LF_FRAME_BAD);
    CHECK_HAS(frame.why ? frame.why : "", why);
    CHECK(frame.used > 0 && frame.used <= len);
    lf_profile_free(profile);
}

static void lines(void)
{
    finds("line '<CR><LF>'", B("S S     100.00 g\r\n"), B("S S     100.00 g"));
    finds("line '<LF>'", B("trailing  \r\n"), B("trailing"));
    finds("line '<CR><LF>'", B("a\rb\nc\r\n"), B("a\rb\nc"));
    finds("line '<CR>' checksum xor hex",
          B("\x12\x34\x56"
            "70\r"),
          B("\x12\x34\x56"));
    refuses("line '<CR>' checksum xor hex",
            B("\x12\x34\x56"
              "71\r"),
            "checksum is wrong");
    refuses("line '<CR>' checksum xor hex", B("7\r"), "too short");
}

static void characters(void)
{
    finds("one of '*#+-'", B("*"), B("*"));
    refuses("one of '*#+-'", B("x"), "none of the expected characters");
    finds("line '<CR><LF>' or one of '#'", B("#"), B("#"));
    finds("line '<CR><LF>' or one of '#'", B("12.5 rpm\r\n"), B("12.5 rpm"));
    finds("prompt one of ':<>'", B("12.5\r\n>"), B("12.5\r\n>"));
}

static void fixed_length(void)
{
    finds("fixed 4", B("a\r\nb"), B("a\r\nb"));
    finds("fixed 8 checksum crc16-modbus", B("\x01\x03\x00\x00\x00\x0A\xC5\xCD"),
          B("\x01\x03\x00\x00\x00\x0A"));
    refuses("fixed 8 checksum crc16-modbus", B("\x01\x03\x00\x00\x00\x0A\xCD\xC5"), "checksum is wrong");
}

static void frames(void)
{
    finds("frame '<STX>' to '<ETX>'",
          B("\x02"
            "00S\x03"),
          B("00S"));
    finds("frame '<STX>' to '<ETX>'",
          B("noise\x02"
            "00S\x03"),
          B("00S"));
    finds("frame '<STX>' to '<ETX>' tail '<CR><LF>' checksum sum8 hex after end",
          B("\x02"
            "7L|1|N\r\x03"
            "0A\r\n"),
          B("7L|1|N\r"));
    refuses("frame '<STX>' to '<ETX>' tail '<CR><LF>' checksum sum8 hex after end",
            B("\x02"
              "7L|1|N\r\x03"
              "0B\r\n"),
            "checksum is wrong");
    finds("frame '<STX>' length to '<ETX>' checksum crc16-xmodem", B("\x02\x08SAF0\x55\x43\x03"), B("SAF0"));
    refuses("frame '<STX>' length to '<ETX>' checksum crc16-xmodem", B("\x02\x08SAF0\x55\x44\x03"),
            "checksum is wrong");
    refuses("frame '<STX>' length to '<ETX>' checksum crc16-xmodem", B("\x02\x07SAF0\x55\x43\x03"),
            "length byte");
    refuses("frame '<STX>' length to '<ETX>' checksum crc16-xmodem", B("\x02\x01"), "too small");
}

/* "<STX>" 01 02, exclusive or = 03: the checksum is the end character itself. */
static void checksum_like_the_end(void)
{
    struct lf_line_profile *profile = with_reply("frame '<STX>' to '<ETX>' checksum xor");
    struct lf_line_frame frame;
    struct lf_slice bytes = lf_slice("\x02"
                                     "AB\x03\x03",
                                     5);
    CHECK_INT(line__frame_find(&profile->ending, bytes, false, &frame), LF_FRAME_DONE);
    CHECK_BYTES(frame.body.data, frame.body.len, "AB", 2);
    CHECK_INT(frame.used, 5);
    lf_profile_free(profile);
}

static void blocks(void)
{
    finds("block '<LF>'", B("#15a\nb\0c\n"), B("a\nb\0c"));
    finds("block '<LF>'", B("#210abcdefghij\n"), B("abcdefghij"));
    finds("block '<LF>'", B("+1.5E+01\n"), B("+1.5E+01"));
    finds("block '<LF>'", B("#15ABCDE\r\n"), B("ABCDE")); /* as lines may */
    finds("block '<CR><LF>'", B("#16ABCDE\r\r\n"), B("ABCDE\r"));
    refuses("block '<LF>'", B("#15ABCDE\r\r\n"), "no line end");
    refuses("block '<LF>'", B("#0abc\n"), "unknown length");
    refuses("block '<LF>'", B("#x"), "no length");
    refuses("block '<LF>'", B("#2x"), "not a number");
    refuses("block '<LF>'", B("#13abcd"), "no line end");
    refuses("block '<LF>'", B("#9999999999"), "out of bounds");
}

static void idle_time(void)
{
    struct lf_line_profile *profile = with_reply("idle 100ms");
    struct lf_line_frame frame;
    struct lf_slice bytes = lf_slice("a\r\nb", 4);
    CHECK_INT(line__frame_find(&profile->ending, bytes, false, &frame), LF_FRAME_MORE);
    CHECK_INT(line__frame_find(&profile->ending, bytes, true, &frame), LF_FRAME_DONE);
    CHECK_BYTES(frame.body.data, frame.body.len, "a\r\nb", 4);
    CHECK_INT(line__frame_find(&profile->ending, lf_slice("", 0), true, &frame), LF_FRAME_MORE);
    lf_profile_free(profile);
}

static void wraps(const char *reply, const char *payload, const char *wire, size_t wire_len)
{
    struct lf_line_profile *profile = with_reply(reply);
    struct lf_buffer out = {0};
    CHECK_INT(line__frame_wrap(&profile->ending, lf_slice_text(payload), &out, UNIT_ERROR), LF_OK);
    CHECK_BYTES(out.data, out.len, wire, wire_len);
    lf_buffer_free(&out);
    lf_profile_free(profile);
}

static void framing(void)
{
    wraps("frame '<STX>' length to '<ETX>' checksum crc16-xmodem", "SAF0", B("\x02\x08SAF0\x55\x43\x03"));
    wraps("frame '<STX>' to '<ETX>' tail '<CR><LF>' checksum sum8 hex after end", "7L|1|N\r",
          B("\x02"
            "7L|1|N\r\x03"
            "0A\r\n"));
}

UNIT_TESTS("frame", {"checksums give the published values", checksum_vectors},
           {"a line ends with its terminator, however its bytes arrive", lines},
           {"a reply can be one character, or end with one", characters},
           {"a reply can have a fixed length", fixed_length},
           {"a frame is found among noise and its checksum is verified", frames},
           {"a checksum that looks like the end of the frame does not end it", checksum_like_the_end},
           {"an IEEE 488.2 block ends where its length says", blocks},
           {"a reply can end with silence", idle_time},
           {"a framed command carries length and checksum", framing}, )
