/* `labferry profile-try`: talk to an instrument from a terminal through its profile, and see what passes on
 * the wire. */
#include "drivers/line/procedure.h"

#include "base/file.h"
#include "base/setting.h"
#include "base/units.h"
#include "drivers/line/scan.h"
#include "drivers/line/show.h"

#include <stdlib.h>
#include <string.h>

enum { OPEN_MS = 10000, WORDS_MAX = 66, RAW_LISTEN_MS = 1000, LISTEN_MS = 10000 };

struct session {
    struct lf_line_dialogue dialogue;
    FILE *out;
    int64_t begun; /* of what runs, for the times that are shown */
    size_t failed; /* commands, and what could not be understood as one */
};

/* ---- showing ---- */

static void show_bytes(void *self, enum lf_line_trace what, struct lf_slice bytes)
{
    static const char *const marks[] = {"->", "<-", "drop"};
    struct session *session = self;
    char room[LF_SHOW_ROOM];
    fprintf(session->out, "  %6lld ms %-4s %s\n", (long long)(lf_clock_mono_ms() - session->begun),
            marks[what], line__show(bytes, room));
}

static void show_values(struct session *session, const struct lf_outcome *values)
{
    for (size_t i = 0; i < values->count; i++)
        fprintf(session->out, "  %s = %s (%s)\n", values->captures[i].name, values->captures[i].value,
                lf_capture_type_name(values->captures[i].type));
}

static enum lf_status show_unsolicited(void *self, const struct lf_line_listen *listen, struct lf_slice line,
                                       const struct lf_outcome *values, struct lf_error *err)
{
    struct session *session = self;
    char room[LF_SHOW_ROOM];
    (void)err;
    fprintf(session->out, "  unsolicited, [listen %s]: %s\n", listen->name, line__show(line, room));
    show_values(session, values);
    return LF_OK;
}

static void show_end(struct session *session, enum lf_status status, const struct lf_error *err)
{
    long long took = (long long)(lf_clock_mono_ms() - session->begun);
    session->failed += status != LF_OK;
    if (status == LF_OK)
        fprintf(session->out, "  OK, %lld ms\n", took);
    else
        fprintf(session->out, "  failed after %lld ms: %s (%s, %s)\n", took, err->text,
                lf_status_name(status), lf_class_name(err->class));
}

static void show_progress(void *self, const char *text)
{
    struct session *session = self;
    fprintf(session->out, "  step: %s\n", text);
}

/* ---- what people type ---- */

/* Splits a line into words; '...' and "..." may contain blanks. Changes the line. */
static size_t cut_words(char *line, char **words)
{
    size_t count = 0;
    char *at = line + strspn(line, " \t"), *to = line;
    while (*at && count < WORDS_MAX) {
        char quote = 0;
        words[count++] = to;
        for (; *at && (quote || !strchr(" \t", *at)); at++) {
            bool mark = quote ? *at == quote : *at == '\'' || *at == '"';
            if (mark)
                quote = quote ? 0 : *at;
            else
                *to++ = *at;
        }
        at += strspn(at, " \t");
        *to++ = '\0'; /* never beyond `at`: a blank was skipped, or the line has ended */
    }
    return count;
}

/* "name=value" words to inputs, in place. */
static bool cut_inputs(struct session *session, char **words, size_t count, struct lf_input *inputs)
{
    for (size_t i = 0; i < count; i++) {
        char *equals = strchr(words[i], '=');
        if (!equals) {
            session->failed++;
            fprintf(session->out, "  '%s' must look like name=value\n", words[i]);
            return false;
        }
        *equals = '\0';
        inputs[i] = (struct lf_input){words[i], equals + 1};
    }
    return true;
}

static void do_action(struct session *session, bool run, char **words, size_t count)
{
    struct lf_input inputs[WORDS_MAX];
    struct lf_outcome values = {0};
    struct lf_error err = {0};
    bool unfinished;
    const struct lf_line_command *command = run ? NULL
                                                : line__profile_command(session->dialogue.profile, words[0]);
    const struct lf_line_procedure *procedure = command ? NULL
                                                        : line__profile_procedure(session->dialogue.profile,
                                                                                  words[0]);
    if (!command && !procedure) {
        session->failed++;
        fprintf(session->out, "  unknown %s '%s'; type help\n", run ? "procedure" : "command", words[0]);
        return;
    }
    if (!cut_inputs(session, words + 1, count - 1, inputs))
        return;
    struct lf_line_input_set set = {.given = inputs, .given_count = count - 1};
    enum lf_status status = line__inputs_known(session->dialogue.profile,
                                               command ? &command->inputs : &procedure->inputs, &set, &err);
    if (status == LF_OK)
        status = command ? line__dialogue_command(&session->dialogue, command, &set, LF_NEVER, &values, &err)
                         : line__procedure_run(&session->dialogue, procedure, &set, show_progress, session,
                                               &values, &unfinished, &err);
    show_values(session, &values);
    show_end(session, status, &err);
    lf_outcome_free(&values);
}

static enum lf_status do_listen(struct session *session, const char *time, struct lf_error *err)
{
    int64_t ms = LISTEN_MS;
    if (time && lf_duration_parse(time, &ms) != LF_OK) {
        session->failed++;
        fprintf(session->out, "  '%s' is not a time such as 10s\n", time);
        return LF_OK;
    }
    return line__dialogue_listen(&session->dialogue, NULL, lf_deadline_in(ms), err);
}

/* Sends the bytes as typed, with the escapes of profiles, and shows what comes back. */
static enum lf_status do_raw(struct session *session, const char *text, struct lf_error *err)
{
    struct lf_line_profile none = {.name = (char[]){"bytes"}};
    const char *at = text, *end = text + strlen(text);
    struct lf_line_scan scan = {.profile = &none, .err = err, .line = 1, .line_start = text};
    struct lf_buffer bytes = {0};
    char byte;
    enum lf_status status = LF_OK;
    while (at < end && status == LF_OK)
        status = line__scan_char(&scan, &at, end, &byte) ? lf_buffer_append(&bytes, &byte, 1) : LF_INVALID;
    session->failed += status == LF_INVALID;
    if (status == LF_INVALID)
        fprintf(session->out, "  %s\n", err->text);
    else if (status == LF_OK)
        status = line__dialogue_raw(&session->dialogue, lf_buffer_slice(&bytes), RAW_LISTEN_MS, err);
    lf_buffer_free(&bytes);
    return status == LF_INVALID ? LF_OK : status;
}

static const char help[] =
    "  NAME [input=value]...      a command (or a procedure, where there is no such command)\n"
    "  run NAME [input=value]...  a procedure\n"
    "  > bytes                    raw bytes: > S<CR><LF>\n"
    "  listen [TIME]              show unsolicited messages\n"
    "  identify                   resynchronise and identify the instrument\n"
    "  list                       what the profile contains\n"
    "  quit\n";

static enum lf_status do_identify(struct session *session, struct lf_error *err)
{
    struct lf_buffer identity = {0};
    enum lf_status status = line__dialogue_begin(&session->dialogue, &identity, err);
    if (status == LF_OK)
        fprintf(session->out, "  %s%s\n",
                identity.len ? "identity: " : "connected; the profile cannot identify",
                identity.len ? identity.data : "");
    lf_buffer_free(&identity);
    return status;
}

/* One line. Sets *quit to end the session; an error ends it too. */
static enum lf_status do_line(struct session *session, char *line, bool *quit, struct lf_error *err)
{
    char *words[WORDS_MAX];
    session->begun = lf_clock_mono_ms();
    const char *start = line + strspn(line, " \t");
    if (*start == '>')
        return do_raw(session, start + 1 + strspn(start + 1, " "), err);
    size_t count = cut_words(line, words);
    if (!count || *words[0] == '#')
        return LF_OK;
    if (!strcmp(words[0], "quit") || !strcmp(words[0], "exit"))
        *quit = true;
    else if (!strcmp(words[0], "help"))
        fputs(help, session->out);
    else if (!strcmp(words[0], "list"))
        lf_profile_describe(session->dialogue.profile, session->out);
    else if (!strcmp(words[0], "identify"))
        return do_identify(session, err);
    else if (!strcmp(words[0], "listen"))
        return do_listen(session, count > 1 ? words[1] : NULL, err);
    else if (!strcmp(words[0], "run") && count > 1)
        do_action(session, true, words + 1, count - 1);
    else
        do_action(session, false, words, count);
    return LF_OK;
}

static enum lf_status talk(struct session *session, FILE *in, struct lf_error *err)
{
    struct lf_buffer line = {0};
    bool quit = false;
    enum lf_status status = LF_OK;
    fputs("Type help for help, quit to end.\n", session->out);
    while (status == LF_OK && !quit) {
        fputs("> ", session->out);
        fflush(session->out);
        if (!lf_stream_line(in, &line))
            break;
        line.data[strcspn(line.data, "\r\n")] = '\0';
        status = do_line(session, line.data, &quit, err);
    }
    lf_buffer_free(&line);
    return status;
}

enum lf_status lf_profile_try(const struct lf_line_profile *profile, const char *stream,
                              const struct lf_texts *inputs, FILE *in, FILE *out,
                              const struct lf_cancel *cancel, struct lf_error *err)
{
    struct session session = {.out = out, .begun = lf_clock_mono_ms()};
    session.dialogue = (struct lf_line_dialogue){.profile = profile,
                                                 .instrument = "try",
                                                 .cancel = cancel,
                                                 .fixed = *inputs,
                                                 .self = &session,
                                                 .unsolicited = show_unsolicited,
                                                 .trace = show_bytes};
    enum lf_status status = line__inputs_fixed(profile, inputs, err);
    if (status == LF_OK)
        status = line__dialogue_open(&session.dialogue, stream, lf_deadline_in(OPEN_MS), err);
    if (status == LF_OK) {
        fprintf(out, "%s on %s\n", profile->title ? profile->title : profile->name,
                lf_stream_name(session.dialogue.stream));
        /* People come here because an instrument does not answer: the session goes on. */
        if (do_identify(&session, err) != LF_OK)
            show_end(&session, err->status, err);
        status = talk(&session, in, err);
    }
    line__dialogue_close(&session.dialogue);
    if (status == LF_OK && session.failed)
        return lf_fail(err, LF_REFUSED, LF_PERMANENT, "%zu of what was asked failed", session.failed);
    return status;
}
