/* A dialogue of the line driver with an instrument that sends anything at any time, on a clock of its own.
 *
 * The first byte chooses a shipped profile, or '!': a profile follows, up to a NUL. Then come actions and
 * what the instrument does, one after the other: an action takes a byte (and a line for its inputs), and
 * whenever the driver reads, a byte says what arrives: 0 silence until the deadline, 255 unplugged, else
 * that many bytes (modulo 64), which follow. When nothing is left, the instrument is silent.
 */
#include "fuzz.h"
#include "fuzz_clock.h"

#include "base/log.h"
#include "drivers/kit/findings.h"
#include "drivers/line/procedure.h"

#include <stdlib.h>
#include <string.h>

enum {
    SILENCE = 0,
    UNPLUGGED = 255,
    ACTIONS_MAX = 12,
    ACT_LISTEN = 255,
    ACT_BEGIN = 254,
    ACT_PROCEDURE = 200
};

static const char *const shipped[] = {"mt-sics", "and-balance",   "ismatec", "metrohm",
                                      "new-era", "sartorius-sbi", "scpi"};
enum { SHIPPED = sizeof shipped / sizeof *shipped };

static struct {
    struct fuzz_input input;
    struct lf_line_dialogue dialogue;
    struct lf_findings findings;
    bool unplugged;
    size_t writes;
} bench;

/* ---- the stream ---- */

enum lf_status __wrap_lf_stream_open(const char *spec, const char *line, int64_t deadline,
                                     const struct lf_cancel *cancel, struct lf_stream **stream,
                                     struct lf_error *err);
void __wrap_lf_stream_close(struct lf_stream *stream);
enum lf_status __wrap_lf_stream_write(struct lf_stream *stream, const void *data, size_t len,
                                      int64_t deadline, size_t *written, struct lf_error *err);
enum lf_status __wrap_lf_stream_read(struct lf_stream *stream, void *data, size_t room, int64_t deadline,
                                     size_t *got, struct lf_error *err);
enum lf_status __wrap_lf_stream_drain(struct lf_stream *stream, struct lf_error *err);
enum lf_status __wrap_lf_stream_wait(struct lf_stream *stream, const struct lf_wake *wake, int64_t deadline,
                                     bool *readable, struct lf_error *err);
const char *__wrap_lf_stream_name(const struct lf_stream *stream);
void __wrap_lf_stream_watch(struct lf_stream *stream, const struct lf_cancel *cancel);

enum lf_status __wrap_lf_stream_open(const char *spec, const char *line, int64_t deadline,
                                     const struct lf_cancel *cancel, struct lf_stream **stream,
                                     struct lf_error *err)
{
    (void)spec, (void)line, (void)deadline, (void)cancel, (void)err;
    *stream = (struct lf_stream *)&bench;
    return LF_OK;
}

void __wrap_lf_stream_close(struct lf_stream *stream)
{
    (void)stream;
}

static enum lf_status gone(struct lf_error *err)
{
    bench.unplugged = true;
    return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "unplugged");
}

/* What had arrived before a command leaves must not be taken for its answer. */
enum lf_status __wrap_lf_stream_write(struct lf_stream *stream, const void *data, size_t len,
                                      int64_t deadline, size_t *written, struct lf_error *err)
{
    (void)stream, (void)data, (void)deadline;
    size_t left;
    written = written ? written : &left;
    *written = 0;
    MUST(bench.dialogue.in.len == 0, "%zu old bytes would answer the next command", bench.dialogue.in.len);
    if (bench.unplugged)
        return gone(err);
    *written = len;
    bench.writes += len > 0;
    return LF_OK;
}

enum lf_status __wrap_lf_stream_read(struct lf_stream *stream, void *data, size_t room, int64_t deadline,
                                     size_t *got, struct lf_error *err)
{
    (void)stream;
    *got = 0;
    uint8_t what = fuzz_byte(&bench.input);
    if (bench.unplugged || what == UNPLUGGED || (what == SILENCE && deadline == LF_NEVER))
        return gone(err);
    *got = what % 64 < room ? what % 64 : room;
    *got = *got < bench.input.left ? *got : bench.input.left;
    if (!*got) {
        fuzz_clock_to(deadline);
        return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "nothing came");
    }
    memcpy(data, bench.input.data, *got);
    bench.input.data += *got;
    bench.input.left -= *got;
    fuzz_clock_to(fuzz_clock_now() + 1);
    return LF_OK;
}

enum lf_status __wrap_lf_stream_drain(struct lf_stream *stream, struct lf_error *err)
{
    (void)stream;
    return bench.unplugged ? gone(err) : LF_OK;
}

enum lf_status __wrap_lf_stream_wait(struct lf_stream *stream, const struct lf_wake *wake, int64_t deadline,
                                     bool *readable, struct lf_error *err)
{
    (void)stream, (void)wake;
    *readable = bench.input.left > 0;
    if (bench.unplugged || (!*readable && deadline == LF_NEVER))
        return gone(err);
    if (*readable)
        return LF_OK;
    fuzz_clock_to(deadline);
    return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "nothing came");
}

void __wrap_lf_stream_watch(struct lf_stream *stream, const struct lf_cancel *cancel)
{
    (void)stream, (void)cancel;
}

const char *__wrap_lf_stream_name(const struct lf_stream *stream)
{
    (void)stream;
    return "the fuzzed port";
}

/* ---- what the driver reports ---- */

static enum lf_status unsolicited(void *self, const struct lf_line_listen *listen, struct lf_slice line,
                                  const struct lf_outcome *values, struct lf_error *err)
{
    (void)self;
    MUST(line.len, "an empty line was reported");
    return lf_findings_add(&bench.findings, listen->name, listen->form, line, values, err);
}

static enum lf_status found(void *self, const struct lf_finding *finding, struct lf_error *err)
{
    (void)self, (void)err;
    MUST(finding->id && finding->name && !strpbrk(finding->name, "/\\"), "a finding called %s",
         finding->name);
    MUST(finding->data && finding->len, "a finding without content");
    return LF_OK;
}

static void check_values(const struct lf_outcome *values)
{
    MUST(values->count <= LF_CAPTURES_MAX, "%zu values", values->count);
    for (size_t i = 0; i < values->count; i++)
        MUST(values->captures[i].name && values->captures[i].value, "value %zu is incomplete", i);
}

/* ---- actions ---- */

static size_t make_inputs(const struct lf_line_input_rules *rules, const char *text, struct lf_input *inputs,
                          size_t most)
{
    size_t made = 0;
    for (size_t i = 0; i < rules->count && made < most; i++) {
        const struct lf_line_input_rule *rule = &rules->items[i];
        const char *value = rule->choice_count ? rule->choices[0] : "1";
        if (*text || !rule->fallback)
            inputs[made++] = (struct lf_input){rule->name, *text ? text : value};
    }
    return made;
}

/* A `once` command that may have been performed is never reported as certainly not performed. */
static void check_command(const struct lf_line_command *command, enum lf_status status,
                          const struct lf_error *err, bool doubted, size_t written)
{
    fuzz_check_error(status, err);
    MUST(status != LF_OK || !bench.dialogue.doubt, "%s: in doubt after a good answer", command->name);
    MUST(err->class != LF_UNKNOWN_OUTCOME || written, "%s: nothing was sent, but it may have been done: %s",
         command->name, err->text);
    if (status != LF_OK && command->repeat == LF_ONCE && written && !doubted && status != LF_REFUSED
        && status != LF_BUSY)
        MUST(err->class == LF_UNKNOWN_OUTCOME, "%s: sent, then %s: %s", command->name,
             lf_class_name(err->class), err->text);
    if ((status == LF_TIMEOUT || status == LF_PROTOCOL) && written && !doubted)
        MUST(bench.dialogue.doubt, "%s: no complete answer, but no doubt: %s", command->name, err->text);
}

static void command(const struct lf_line_command *command, const char *text)
{
    struct lf_input inputs[8];
    struct lf_line_input_set set = {.given = inputs,
                                    .given_count = make_inputs(&command->inputs, text, inputs, 8)};
    struct lf_outcome values = {0};
    struct lf_error err = {0};
    bool doubted = bench.dialogue.doubt;
    size_t before = bench.writes;
    enum lf_status status = line__dialogue_command(&bench.dialogue, command, &set, lf_deadline_in(60000),
                                                   &values, &err);
    check_command(command, status, &err, doubted, bench.writes - before);
    check_values(&values);
    lf_outcome_free(&values);
}

static void progress(void *self, const char *text)
{
    (void)self;
    MUST(text && *text, "progress without a text");
}

static void procedure(const struct lf_line_procedure *procedure, const char *text)
{
    struct lf_input inputs[8];
    struct lf_line_input_set set = {.given = inputs,
                                    .given_count = make_inputs(&procedure->inputs, text, inputs, 8)};
    struct lf_outcome values = {0};
    struct lf_error err = {0};
    size_t before = bench.writes;
    enum lf_status status = line__procedure_run(&bench.dialogue, procedure, &set, progress, NULL, &values,
                                                &(bool){false}, &err);
    fuzz_check_error(status, &err);
    MUST(err.class != LF_UNKNOWN_OUTCOME || bench.writes > before,
         "%s: nothing was sent, but it may have been done: %s", procedure->name, err.text);
    check_values(&values);
    lf_outcome_free(&values);
}

static void act(const struct lf_line_profile *profile)
{
    struct lf_buffer identity = {0};
    struct lf_error err = {0};
    uint8_t what = fuzz_byte(&bench.input);
    if (what == ACT_LISTEN) {
        fuzz_check_error(line__dialogue_listen(&bench.dialogue, NULL, lf_deadline_in(10000), &err), &err);
    } else if (what == ACT_BEGIN) {
        fuzz_check_error(line__dialogue_begin(&bench.dialogue, &identity, &err), &err);
        lf_buffer_free(&identity);
    } else {
        char *text = fuzz_text(fuzz_until(&bench.input, '\n'));
        if (what >= ACT_PROCEDURE && profile->procedure_count)
            procedure(&profile->procedures[what % profile->procedure_count], text);
        else if (profile->command_count)
            command(&profile->commands[what % profile->command_count], text);
        free(text);
    }
}

static void act_all(const struct lf_line_profile *profile)
{
    static const struct lf_host host = {.instrument = "balance-1", .found = found};
    struct lf_error err = {0};
    bench.dialogue = (struct lf_line_dialogue){.profile = profile,
                                               .instrument = "balance-1",
                                               .unsolicited = unsolicited};
    bench.unplugged = false;
    bench.writes = 0;
    lf_findings_init(&bench.findings, "balance-1");
    MUST(line__dialogue_open(&bench.dialogue, "tcp:fuzzed:1", LF_NEVER, &err) == LF_OK, "%s", err.text);
    for (int actions = 0; actions < ACTIONS_MAX && bench.input.left && !bench.unplugged; actions++)
        act(profile);
    line__dialogue_close(&bench.dialogue); /* an unfinished report becomes a finding */
    MUST(lf_findings_report(&bench.findings, &host, &err) == LF_OK, "%s", err.text);
    lf_findings_free(&bench.findings);
}

static struct lf_line_profile **load_shipped(void)
{
    static struct lf_line_profile *profiles[SHIPPED];
    for (size_t i = 0; i < SHIPPED && !profiles[i]; i++) {
        struct lf_error err = {0};
        char *path = lf_format(FUZZ_SOURCE "/etc/profiles/%s.profile", shipped[i]);
        fuzz_need(path && lf_profile_load(path, &profiles[i], &err) == LF_OK, err.text);
        free(path);
    }
    return profiles;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lf_line_profile **profiles = load_shipped(), *own = NULL;
    struct lf_error err;
    lf_log_setup(LF_LOG_ERROR, LF_LOG_TEXT);
    fuzz_clock_start();
    bench.input = fuzz_input(data, size);
    uint8_t which = fuzz_byte(&bench.input);
    if (which == '!' && line__profile_parse(fuzz_until(&bench.input, '\0'), "own", NULL, &own, &err) != LF_OK)
        return 0;
    act_all(own ? own : profiles[which % SHIPPED]);
    lf_profile_free(own);
    return 0;
}
