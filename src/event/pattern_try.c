#include "event/pattern_try.h"

#include "base/buffer.h"
#include "event/pattern.h"
#include "event/text.h"

#include <stdlib.h>
#include <string.h>

/* Reads up to the next `end`, which is left out (EOF: the complete stream). *more: there was something. */
static enum lf_status read_until(FILE *file, int end, struct lf_buffer *buffer, bool *more,
                                 struct lf_error *err)
{
    lf_buffer_clear(buffer);
    *more = false;
    for (int c; (c = getc(file)) != EOF;) {
        char byte = (char)c;
        *more = true;
        if (c == end)
            return LF_OK;
        enum lf_status status = lf_buffer_append(buffer, &byte, 1);
        if (status == LF_TOO_LARGE)
            return lf_fail(err, status, LF_PERMANENT, "longer than %zu bytes", buffer->max);
        if (status != LF_OK)
            return lf_fail_memory(err, "reading");
    }
    return ferror(file) ? lf_fail_errno(err, "reading") : LF_OK;
}

static enum lf_status read_pattern(FILE *file, struct lf_pattern **pattern, struct lf_error *err)
{
    struct lf_buffer text = {.max = LF_TRY_MAX_LINE};
    bool more;
    enum lf_status status = read_until(file, EOF, &text, &more, err);
    if (status == LF_OK)
        status = event__pattern_parse(lf_buffer_slice(&text), pattern, err);
    lf_buffer_free(&text);
    return status ? lf_error_prefix(err, "pattern") : LF_OK;
}

static enum lf_status answer_json(FILE *out, int64_t line, const char *unsatisfied, struct lf_error *err)
{
    cJSON *answer = cJSON_CreateObject();
    bool made = answer && lf_json_set_int(answer, "line", line)
                && lf_json_set_bool(answer, "match", !unsatisfied)
                && (!unsatisfied || lf_json_set_text(answer, "unsatisfied", unsatisfied));
    char *text = made ? lf_json_print(answer) : NULL;
    cJSON_Delete(answer);
    if (!text)
        return lf_fail_memory(err, "answering");
    fprintf(out, "%s\n", text);
    free(text);
    return LF_OK;
}

static enum lf_status answer(FILE *out, enum lf_try_style style, int64_t line, const char *unsatisfied,
                             struct lf_error *err)
{
    if (style == LF_TRY_JSON)
        return answer_json(out, line, unsatisfied, err);
    bool explained = unsatisfied && style == LF_TRY_EXPLAIN;
    fprintf(out, "%d%s%s\n", !unsatisfied, explained ? " " : "", explained ? unsatisfied : "");
    return LF_OK;
}

static enum lf_status match_line(const struct lf_pattern *pattern, struct lf_slice text, int64_t line,
                                 FILE *out, enum lf_try_style style, struct lf_try_count *count,
                                 struct lf_error *err)
{
    cJSON *event = NULL;
    enum lf_status status = event__text_parse(text, &event, err);
    if (status == LF_OK) {
        const char *unsatisfied = event__pattern_mismatch(pattern, event);
        status = answer(out, style, line, unsatisfied, err);
        count->events++;
        count->matched += !unsatisfied;
    }
    cJSON_Delete(event);
    return status;
}

static enum lf_status match_lines(const struct lf_pattern *pattern, FILE *events, FILE *out,
                                  enum lf_try_style style, struct lf_try_count *count, struct lf_error *err)
{
    struct lf_buffer text = {.max = LF_TRY_MAX_LINE};
    enum lf_status status = LF_OK;
    bool more = true;
    int64_t line = 0;
    while (status == LF_OK && more) {
        line++;
        status = read_until(events, '\n', &text, &more, err);
        size_t blank = text.len > 0 ? strspn(text.data, " \t\r") : 0;
        if (status == LF_OK && text.len > blank)
            status = match_line(pattern, lf_buffer_slice(&text), line, out, style, count, err);
    }
    lf_buffer_free(&text);
    return status ? lf_error_prefix(err, "events, line %lld", (long long)line) : LF_OK;
}

enum lf_status lf_pattern_try(FILE *pattern, FILE *events, FILE *out, enum lf_try_style style,
                              struct lf_try_count *count, struct lf_error *err)
{
    struct lf_pattern *compiled = NULL;
    *count = (struct lf_try_count){0};
    enum lf_status status = read_pattern(pattern, &compiled, err);
    if (status == LF_OK)
        status = match_lines(compiled, events, out, style, count, err);
    lf_pattern_free(compiled);
    if (fflush(out) != 0 && status == LF_OK)
        status = lf_fail_errno(err, "writing the answers");
    return status;
}
