/* Event patterns: the first line is the pattern; the others are events to match, and so is the
 * pattern itself. */
#include "fuzz.h"

#include "event/rules.h"

#include <stdlib.h>
#include <string.h>

static struct lf_pattern *compile(struct lf_slice text, struct lf_error *err)
{
    struct lf_pattern *pattern = NULL;
    enum lf_status status = event__pattern_parse(text, &pattern, err);
    fuzz_check_error(status, err);
    MUST((status == LF_OK) == (pattern != NULL), "status %s", lf_status_name(status));
    return pattern;
}

/* The answer is the same twice, from both compilations, and the mismatch agrees with it. */
static void check_event(const struct lf_pattern *one, const struct lf_pattern *two, const cJSON *event)
{
    bool matches = lf_pattern_match(one, event);
    const char *why = event__pattern_mismatch(one, event);
    MUST(matches == lf_pattern_match(one, event), "a different answer the second time");
    MUST(matches == lf_pattern_match(two, event), "a different answer from the second compilation");
    MUST(matches == (why == NULL), "matches: %d, but not satisfied: %s", matches, why);
    cJSON *copy = cJSON_Duplicate(event, 1);
    MUST(copy && matches == lf_pattern_match(one, copy), "a different answer for a copy of the event");
    cJSON_Delete(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    struct lf_slice first = fuzz_until(&input, '\n');
    struct lf_error err = {0}, again = {0};
    struct lf_pattern *one = compile(first, &err), *two = NULL;
    cJSON *json = NULL;
    if (!one) {
        MUST(!compile(first, &again) && !strcmp(err.text, again.text), "%s, then %s", err.text, again.text);
        return 0;
    }
    MUST(lf_json_parse(first, &json, &err) == LF_OK, "a pattern that is not JSON: %s", err.text);
    MUST(lf_pattern_compile(json, &two, &err) == LF_OK, "parsed, but not compiled: %s", err.text);
    check_event(one, two, json);
    for (int events = 0; input.left && events < 8; events++) {
        cJSON *event = NULL;
        if (lf_json_parse(fuzz_until(&input, '\n'), &event, &(struct lf_error){0}) == LF_OK
            && cJSON_IsObject(event))
            check_event(one, two, event);
        cJSON_Delete(event);
    }
    cJSON_Delete(json);
    lf_pattern_free(two);
    lf_pattern_free(one);
    return 0;
}
