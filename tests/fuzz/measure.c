/* Durations, sizes, times, settings: small texts that people write. The first byte says which. */
#include "fuzz.h"

#include "base/clock.h"
#include "base/setting.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    int baud;
    int64_t wait, room;
    enum { EVEN = 3, ODD = 8 } parity;
    bool lock;
    struct lf_texts names;
    const char *title;
};

#define INTO(type, member) LF_INTO(type, struct options, member)

static const struct lf_choice choices[] = {{"even", EVEN}, {"odd", ODD}, {0}};
static const struct lf_setting table[] = {
    {"baud", INTO(LF_INT, baud), "9600", "A number.", 1, 4000000},
    {"wait", INTO(LF_DURATION, wait), "5s", "A time.", 100, 86400000},
    {"room", INTO(LF_SIZE, room), "1MB", "A size.", 1, INT64_C(1) << 40},
    {"parity", INTO(LF_CHOICE, parity), "even", "A choice.", .choices = choices},
    {"lock", INTO(LF_BOOL, lock), "true", "A truth."},
    {"names", INTO(LF_LIST, names), "a,b", "A list."},
    {"title", INTO(LF_TEXT, title), NULL, "A text."},
    {"gone", .type = LF_REMOVED, .help = "it was of no use"},
    {0},
};

static void check_duration(const char *text)
{
    int64_t ms = -1;
    char shown[64];
    if (lf_duration_parse(text, &ms) == LF_OK) {
        MUST(ms >= 0, "\"%s\" is %" PRId64 " ms", text, ms);
        lf_duration_format(ms, shown, sizeof shown);
        MUST(*shown, "%" PRId64 " ms is shown as an empty text", ms);
    } else {
        MUST(ms == -1, "refused \"%s\" and still returned %" PRId64, text, ms);
    }
}

static void check_size(const char *text)
{
    int64_t bytes = -1;
    char shown[64];
    if (lf_size_parse(text, &bytes) == LF_OK) {
        MUST(bytes >= 0, "\"%s\" is %" PRId64 " bytes", text, bytes);
        lf_size_format(bytes, shown, sizeof shown);
        MUST(*shown, "%" PRId64 " bytes are shown as an empty text", bytes);
    } else {
        MUST(bytes == -1, "refused \"%s\" and still returned %" PRId64, text, bytes);
    }
}

static void check_time(const char *text)
{
    int64_t ms, again;
    char shown[LF_TIME_TEXT];
    if (lf_time_parse(text, &ms) != LF_OK)
        return;
    lf_time_format(ms, shown);
    if (ms >= INT64_C(-62167219200000) && ms < INT64_C(253402300800000)) /* the years 0000 to 9999 */
        MUST(lf_time_parse(shown, &again) == LF_OK && again == ms, "\"%s\" is shown as \"%s\"", text, shown);
}

static void check_setting(struct fuzz_input *input)
{
    struct lf_values *values = lf_values_new(table, "the table");
    struct lf_error err = {0};
    fuzz_need(values, "out of memory");
    while (input->left) {
        char *name = fuzz_text(fuzz_until(input, '=')), *value = fuzz_text(fuzz_until(input, '\n'));
        memset(&err, 0, sizeof err);
        fuzz_check_error(lf_values_set(values, name, value, "here:1", &err), &err);
        free(name);
        free(value);
    }
    memset(&err, 0, sizeof err);
    enum lf_status status = lf_values_finish(values, &err);
    fuzz_check_error(status, &err);
    struct options options;
    lf_values_fill(values, &options);
    if (status == LF_OK) {
        MUST(options.baud >= 1 && options.baud <= 4000000, "baud is %d", options.baud);
        MUST(options.wait >= 100 && options.wait <= 86400000, "wait is %" PRId64, options.wait);
        MUST(options.room >= 1 && options.room <= INT64_C(1) << 40, "room is %" PRId64, options.room);
        MUST(options.parity == EVEN || options.parity == ODD, "parity is %d", (int)options.parity);
        for (size_t i = 0; i < options.names.count; i++)
            MUST(options.names.items[i], "entry %zu is missing", i);
    }
    lf_values_free(values);
}

static void check_near(const char *text)
{
    struct lf_nearest near = {.word = text};
    char hint[LF_HINT];
    lf_nearest_setting(&near, table);
    MUST(!near.name || lf_setting_find(table, near.name), "suggests %s, which does not exist", near.name);
    MUST(lf_nearest_hint(&near, "", hint), "no hint");
    MUST(lf_edit_distance(text, text) == 0 || strlen(text) > 64, "\"%s\" is far from itself", text);
    MUST(lf_edit_distance(text, "parity") == lf_edit_distance("parity", text),
         "the distance is not symmetric: \"%s\"", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    uint8_t which = fuzz_byte(&input);
    if (which == 'v') {
        check_setting(&input);
        return 0;
    }
    char *text = fuzz_text(fuzz_rest(&input));
    if (which == 'd')
        check_duration(text);
    else if (which == 's')
        check_size(text);
    else if (which == 't')
        check_time(text);
    else
        check_near(text);
    free(text);
    return 0;
}
