#include "event/pattern_try.h"

#include "base/file.h"
#include "event/rules.h"
#include "event/text.h"

#include <stdlib.h>
#include <string.h>

static enum lf_status read_pattern(FILE *file, struct lf_pattern **pattern, struct lf_error *err)
{
    char *text = malloc(LF_PATTERN_MAX_BYTES + 1);
    if (!text)
        return lf_fail_memory(err, "reading the pattern");
    size_t len = fread(text, 1, LF_PATTERN_MAX_BYTES + 1, file);
    enum lf_status status = ferror(file) ? lf_fail_errno(err, "reading")
                                         : event__pattern_parse(lf_slice(text, len), pattern, err);
    free(text);
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
    int64_t line = 1;
    for (; lf_stream_line(events, &text); line++) {
        struct lf_slice json = lf_slice(text.data, text.len - (text.data[text.len - 1] == '\n'));
        if (json.len > strspn(text.data, " \t\r\n"))
            status = match_line(pattern, json, line, out, style, count, err);
        if (status != LF_OK)
            break;
    }
    if (status == LF_OK && ferror(events))
        status = lf_fail_errno(err, "reading");
    else if (status == LF_OK && !feof(events))
        status = text.len == text.max
                     ? lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "longer than %zu bytes", text.max)
                     : lf_fail_memory(err, "reading");
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
