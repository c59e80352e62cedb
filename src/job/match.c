/* Finds the run that a result belongs to. The rules of collect.match are tried in order:
 *
 * - filename:REGEX: the name, or the path below the outbox, has a group (?<run>...), perhaps (?<config>...)
 * - content:REGEX: the same for the first CONTENT_MAX bytes, also read as UTF-16 or Latin-1
 * - last-job: the run of the only delivery that has no result yet (last_job.c)
 * - sidecar: a file beside the result contains {"run": "...", "config": "..."}
 *
 * Never a guess: a result that no rule matches is held, with the rules that were tried.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "job/spool.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTENT_MAX = 64 * 1024, MATCH_LIMIT = 1000000, ID_MAX = 200 };

static const char *skip_prefix(const char *rule, const char *prefix)
{
    size_t len = strlen(prefix);
    return !strncmp(rule, prefix, len) ? rule + len : NULL;
}

static enum lf_status compile_regex(const char *regex, pcre2_code **code, struct lf_error *err)
{
    int number;
    PCRE2_SIZE at;
    *code = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED, PCRE2_MULTILINE, &number, &at, NULL);
    if (!*code && number == PCRE2_ERROR_HEAP_FAILED)
        return lf_fail_memory(err, "reading a regular expression");
    if (!*code) {
        char why[160];
        pcre2_get_error_message(number, (PCRE2_UCHAR *)why, sizeof why);
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "the regular expression has an error at character %zu: %s", at + 1, why);
    }
    if (pcre2_substring_number_from_name(*code, (PCRE2_SPTR) "run") >= 0)
        return LF_OK;
    pcre2_code_free(*code);
    *code = NULL;
    return lf_fail(err, LF_INVALID, LF_PERMANENT,
                   "the regular expression needs a group (?<run>...) that captures the run");
}

enum lf_status lf_match_check(const char *rule, bool *names_config, struct lf_error *err)
{
    *names_config = !strcmp(rule, "sidecar");
    if (*names_config || !strcmp(rule, "last-job"))
        return LF_OK;
    const char *regex = skip_prefix(rule, "filename:");
    if (!regex)
        regex = skip_prefix(rule, "content:");
    if (!regex)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "\"%.100s\" is not a way to find the run; use \"filename:REGEX\", \"content:REGEX\", "
                       "\"last-job\" or \"sidecar\"",
                       rule);
    pcre2_code *code;
    if (compile_regex(regex, &code, err) != LF_OK)
        return lf_error_prefix(err, "\"%.80s\"", rule);
    *names_config = pcre2_substring_number_from_name(code, (PCRE2_SPTR) "config") >= 0;
    pcre2_code_free(code);
    return LF_OK;
}

/* Sets a run or configuration that a rule has found, if it is short and printable; otherwise a person
 * decides.
 */
static enum lf_status set_checked(struct job_work *work, enum lf_job_field field, const char *text,
                                  size_t len, struct lf_error *err)
{
    char value[ID_MAX];
    const char *fault = len == 0 ? "is empty" : len >= sizeof value ? "is too long" : NULL;
    for (size_t i = 0; !fault && i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            fault = "has control characters";
    if (!fault && !lf_utf8_valid(lf_slice(text, len)))
        fault = "is no text";
    if (fault)
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                       "the %s found for %.150s %s. Name the run: `labferry assign %lld RUN%s`",
                       lf_job_field_name(field), lf_job_text(work->job, LF_JOB_FILE_NAME), fault,
                       (long long)work->job->id, field == LF_JOB_CONFIG ? " CONFIG" : "");
    memcpy(value, text, len);
    value[len] = '\0';
    return lf_job_set_text(work->job, field, value, err);
}

static enum lf_status set_from_group(struct job_work *work, const pcre2_code *code, pcre2_match_data *match,
                                     enum lf_job_field field, const char *subject, struct lf_error *err)
{
    ptrdiff_t group = pcre2_substring_number_from_name(code, (PCRE2_SPTR)lf_job_field_name(field));
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(match);
    if (group < 0 || at[2 * group] == PCRE2_UNSET)
        return LF_NOT_FOUND;
    return set_checked(work, field, subject + at[2 * group], at[2 * group + 1] - at[2 * group], err);
}

/* LF_NOT_FOUND without err: no match. */
static enum lf_status by_regex(struct job_work *work, const char *regex, const char *subject, size_t len,
                               struct lf_error *err)
{
    pcre2_code *code = NULL;
    enum lf_status status = compile_regex(regex, &code, err);
    if (status != LF_OK)
        return status;
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(code, NULL);
    pcre2_match_context *bounds = pcre2_match_context_create(NULL);
    int found = PCRE2_ERROR_NOMEMORY;
    if (match && bounds) {
        pcre2_set_match_limit(bounds, MATCH_LIMIT);
        found = pcre2_match(code, (PCRE2_SPTR)subject, len, 0, 0, match, bounds);
    }
    if (found == PCRE2_ERROR_NOMATCH) {
        status = LF_NOT_FOUND;
    } else if (found == PCRE2_ERROR_NOMEMORY) {
        status = lf_fail_memory(err, "matching a result");
    } else if (found < 0) {
        status = lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                         "the regular expression %.200s takes too long; simplify it and `labferry retry "
                         "%lld`, or name the run: `labferry assign %lld RUN`",
                         regex, (long long)work->job->id, (long long)work->job->id);
    } else {
        status = set_from_group(work, code, match, LF_JOB_RUN, subject, err);
        if (status == LF_OK
            && (status = set_from_group(work, code, match, LF_JOB_CONFIG, subject, err)) == LF_NOT_FOUND)
            status = LF_OK;
    }
    pcre2_match_context_free(bounds);
    pcre2_match_data_free(match);
    pcre2_code_free(code);
    return status;
}

/* The same for its characters instead of its bytes. */
static enum lf_status by_text(struct job_work *work, const char *regex, const char *start, size_t len,
                              struct lf_error *err)
{
    struct lf_buffer text = {0};
    enum lf_status status = job__content_text(start, len, &text, err);
    if (status == LF_OK)
        status = by_regex(work, regex, text.data, text.len, err);
    lf_buffer_free(&text);
    return status;
}

/* A result whose name is odd or says little can be matched by where it lay. */
static enum lf_status by_name(struct job_work *work, const char *regex, struct lf_error *err)
{
    const char *name = lf_job_text(work->job, LF_JOB_FILE_NAME),
               *original = lf_job_text(work->job, LF_JOB_ORIGINAL);
    enum lf_status status = by_regex(work, regex, name, strlen(name), err);
    if (status == LF_NOT_FOUND && original)
        status = by_regex(work, regex, original, strlen(original), err);
    return status;
}

static enum lf_status by_content(struct job_work *work, const char *regex, struct lf_error *err)
{
    struct lf_file file;
    size_t got = 0;
    enum lf_status status = job__spool_open(work, &file, err);
    if (status != LF_OK)
        return status;
    char *start = malloc(CONTENT_MAX);
    status = start ? lf_file_read_at(&file, 0, start, CONTENT_MAX, &got, err)
                   : lf_fail_memory(err, "reading a spooled result");
    /* As text first: what is found there goes to Benchling. */
    bool converts = status == LF_OK && (memchr(start, 0, got) || !lf_utf8_valid(lf_slice(start, got)));
    if (converts)
        status = by_text(work, regex, start, got, err);
    if (converts ? status == LF_NOT_FOUND && !err->text[0] : status == LF_OK)
        status = by_regex(work, regex, start, got, err);
    free(start);
    lf_file_close(&file);
    return status;
}

static enum lf_status by_sidecar(struct job_work *work, struct lf_error *err)
{
    const char *text = lf_job_text(work->job, LF_JOB_SIDECAR);
    if (!text)
        return LF_NOT_FOUND;
    cJSON *says = NULL;
    enum lf_status status = lf_json_parse(lf_slice_text(text), &says, err);
    if (status == LF_NO_MEMORY)
        return status;
    const char *run = lf_json_text(says, "run"), *config = lf_json_text(says, "config");
    if (!run)
        status = lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                         "the sidecar file of %.150s %s%.150s. Name the run: `labferry assign %lld RUN`",
                         lf_job_text(work->job, LF_JOB_FILE_NAME),
                         says ? "names no \"run\"" : "cannot be read: ", says ? "" : err->text,
                         (long long)work->job->id);
    if (status == LF_OK)
        status = set_checked(work, LF_JOB_RUN, run, strlen(run), err);
    if (status == LF_OK && config)
        status = set_checked(work, LF_JOB_CONFIG, config, strlen(config), err);
    cJSON_Delete(says);
    return status;
}

static enum lf_status try_rule(struct job_work *work, const char *rule, struct lf_error *err)
{
    const char *regex;
    if ((regex = skip_prefix(rule, "filename:")))
        return by_name(work, regex, err);
    if ((regex = skip_prefix(rule, "content:")))
        return by_content(work, regex, err);
    return !strcmp(rule, "last-job") ? job__match_last_job(work, err) : by_sidecar(work, err);
}

enum lf_status job__match_result(struct job_work *work, const struct lf_config_collect *collect,
                                 struct lf_error *err)
{
    char tried[200] = "", why[360] = "";
    for (size_t i = 0; i < collect->match.count; i++) {
        const char *rule = collect->match.items[i];
        enum lf_status status = try_rule(work, rule, err);
        if (status == LF_OK) {
            job__note(work, "run %s, found by %.100s", lf_job_text(work->job, LF_JOB_RUN), rule);
            return LF_OK;
        }
        if (status != LF_NOT_FOUND)
            return status;
        if (err->text[0])
            snprintf(why, sizeof why, "; %s", err->text);
        lf_error_clear(err);
        size_t used = strlen(tried);
        snprintf(tried + used, sizeof tried - used, "%s%.80s", used ? ", " : "", rule);
    }
    return lf_fail(
        err, LF_NOT_FOUND, LF_NEEDS_PERSON,
        "no run found for the result %.100s%s. Name the run: `labferry assign %lld RUN` (tried: %s)",
        lf_job_text(work->job, LF_JOB_FILE_NAME), why, (long long)work->job->id, tried);
}
