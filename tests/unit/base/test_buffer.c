#include "base/buffer.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static void grows_and_stays_terminated(void)
{
    struct lf_buffer buffer = {0};
    for (int i = 0; i < 1000; i++) {
        NEED(lf_buffer_append(&buffer, "a\0b", 3) == LF_OK);
        CHECK_INT(buffer.data[buffer.len], '\0');
    }
    CHECK_INT(buffer.len, 3000);
    CHECK_BYTES(buffer.data + 2997, 3, "a\0b", 3);
    lf_buffer_free(&buffer);
    CHECK(buffer.data == NULL);
}

static void bound_holds(void)
{
    struct lf_buffer buffer = {.max = 10};
    CHECK_INT(lf_buffer_text(&buffer, "0123456789"), LF_OK);
    CHECK_INT(lf_buffer_text(&buffer, "x"), LF_TOO_LARGE);
    CHECK_INT(lf_buffer_format(&buffer, "%d", 5), LF_TOO_LARGE);
    CHECK(lf_buffer_reserve(&buffer, 1) == NULL);
    CHECK(lf_buffer_reserve(&buffer, SIZE_MAX) == NULL);
    CHECK_STR(buffer.data, "0123456789");
    lf_buffer_free(&buffer);
    struct lf_buffer common = {0};
    CHECK(lf_buffer_reserve(&common, (size_t)LF_BUFFER_DEFAULT_MAX + 1) == NULL);
    lf_buffer_free(&common);
}

static void formats(void)
{
    struct lf_buffer buffer = {0};
    CHECK_INT(lf_buffer_format(&buffer, "%s-%03d", "x", 7), LF_OK);
    CHECK_INT(lf_buffer_format(&buffer, "%.300f", 1.0), LF_OK);
    CHECK_INT(buffer.len, 5 + 302);
    CHECK_HAS(buffer.data, "x-0071.000");
    lf_buffer_free(&buffer);
    char *text = lf_format("%s/%d", "a", 5);
    CHECK_STR(text, "a/5");
    free(text);
}

static void reserve_then_count(void)
{
    struct lf_buffer buffer = {0};
    char *room = lf_buffer_reserve(&buffer, 5);
    NEED(room != NULL);
    memcpy(room, "hello", 5);
    CHECK_INT(buffer.len, 0);
    buffer.len += 5;
    CHECK(lf_slice_is(lf_buffer_slice(&buffer), "hello"));
    lf_buffer_free(&buffer);
}

static void consumes_from_the_front(void)
{
    struct lf_buffer buffer = {0};
    lf_buffer_text(&buffer, "abcdef");
    lf_buffer_consume(&buffer, 2);
    CHECK_STR(buffer.data, "cdef");
    lf_buffer_consume(&buffer, 99);
    CHECK_INT(buffer.len, 0);
    CHECK_STR(buffer.data, "");
    lf_buffer_free(&buffer);
    lf_buffer_consume(&buffer, 1);
}

static void taking_empties(void)
{
    struct lf_buffer buffer = {0};
    char *text = lf_buffer_take(&buffer);
    CHECK_STR(text, "");
    free(text);
    lf_buffer_text(&buffer, "abc");
    text = lf_buffer_take(&buffer);
    CHECK_STR(text, "abc");
    CHECK(buffer.data == NULL && buffer.len == 0);
    free(text);
    CHECK_INT(lf_buffer_text(&buffer, "again"), LF_OK);
    CHECK_STR(buffer.data, "again");
    lf_buffer_clear(&buffer);
    CHECK_STR(buffer.data, "");
    lf_buffer_wipe(&buffer);
    CHECK(buffer.data == NULL);
}

static void slices_compare_bytes(void)
{
    CHECK(lf_slice_equal(lf_slice("a\0b", 3), lf_slice("a\0b", 3)));
    CHECK(!lf_slice_equal(lf_slice("a\0b", 3), lf_slice("a\0c", 3)));
    CHECK(!lf_slice_is(lf_slice("abc", 2), "abc"));
    CHECK(lf_slice_is(lf_slice_text(NULL), ""));
    CHECK(lf_slice_equal(lf_slice(NULL, 0), lf_slice_text("")));
    struct lf_buffer empty = {0};
    CHECK(lf_slice_is(lf_buffer_slice(&empty), ""));
}

static void shown_to_people(void)
{
    char shown[10];
    lf_text_show("abcde\xC3\xA9\xE2\x82\xAC", shown, sizeof shown);
    CHECK_STR(shown, "abcde\xC3\xA9"); /* the next character has no room */
    lf_text_show("a\xff\x01z", shown, sizeof shown);
    CHECK_STR(shown, "a\\xFF\\x01");
    lf_text_show("\xC3\xA9\n", shown, sizeof shown);
    CHECK_STR(shown, "\xC3\xA9\\x0A");
    char wide[40];
    lf_text_show("a\xE2\x80\xAEz", wide, sizeof wide); /* U+202E: what follows runs from right to left */
    CHECK_STR(wide, "a\\xE2\\x80\\xAEz");
    lf_text_show("\xC2\x9B"
                 "1m",
                 wide, sizeof wide); /* U+009B starts a terminal's commands */
    CHECK_STR(wide, "\\xC2\\x9B1m");
    lf_text_show("\xD8\x9C", wide, sizeof wide); /* U+061C: the Arabic letter mark */
    CHECK_STR(wide, "\\xD8\\x9C");
    lf_text_show("a\xF3\xA0\x81\x81z", wide, sizeof wide); /* U+E0041: a tag, which nobody sees */
    CHECK_STR(wide, "a\\xF3\\xA0\\x81\\x81z");
    lf_text_show("\xF0\x9F\xA7\xAA", shown, sizeof shown); /* U+1F9EA: a test tube */
    CHECK_STR(shown, "\xF0\x9F\xA7\xAA");
    lf_text_show("", shown, sizeof shown);
    CHECK_STR(shown, "");
}

UNIT_TESTS("buffer", {"a buffer grows, holds any byte and stays terminated", grows_and_stays_terminated},
           {"a buffer never grows past its bound; an append that would is refused and changes nothing",
            bound_holds},
           {"formatted text of any length is appended", formats},
           {"reserved room counts only once it is filled", reserve_then_count},
           {"consuming removes bytes from the front, at most all of them", consumes_from_the_front},
           {"taking hands over the text and leaves an empty buffer", taking_empties},
           {"slices compare by bytes", slices_compare_bytes},
           {"text from outside is shown with its odd bytes escaped and cut between characters",
            shown_to_people}, )
