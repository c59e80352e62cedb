#include "event/pattern_try.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static enum lf_status match(const char *pattern, const char *events, enum lf_try_style style, char **out,
                            struct lf_try_count *tally, struct lf_error *err)
{
    size_t size;
    FILE *p = fmemopen((void *)(uintptr_t)pattern, strlen(pattern), "r");
    FILE *e = fmemopen((void *)(uintptr_t)events, strlen(events), "r"), *o = open_memstream(out, &size);
    struct lf_try_count unused;
    enum lf_status status = lf_pattern_try(p, e, o, style, tally ? tally : &unused, err);
    fclose(p);
    fclose(e);
    fclose(o);
    return status;
}

static void one_answer_a_line(void)
{
    static const char events[] = "{\"a\":1}\n\n  \n{\"a\":2}\r\n[1]\n5\n{\"a\":[2,1]}";
    struct lf_try_count tally;
    struct lf_error err = {0};
    char *out;
    CHECK_INT(match("{\"a\":\n [1]}\n", events, LF_TRY_PLAIN, &out, &tally, &err), LF_OK);
    CHECK_STR(out, "1\n0\n0\n0\n1\n");
    CHECK_INT(tally.events, 5);
    CHECK_INT(tally.matched, 2);
    free(out);
    CHECK_INT(match("{\"a\":[1]}", "{\"a\":2}\n{\"a\":1}\n", LF_TRY_EXPLAIN, &out, NULL, &err), LF_OK);
    CHECK_STR(out, "0 a\n1\n");
    free(out);
    CHECK_INT(match("{\"a\":[1]}", "{\"a\":2}\n{\"a\":1}\n", LF_TRY_JSON, &out, NULL, &err), LF_OK);
    CHECK_STR(out, "{\"line\":1,\"match\":false,\"unsatisfied\":\"a\"}\n{\"line\":2,\"match\":true}\n");
    free(out);
}

static void bad_input_is_named(void)
{
    struct lf_error err = {0};
    char *out;
    CHECK_INT(match("{\"a\":[1]}", "{\"a\":1}\n{\"a\":\n", LF_TRY_PLAIN, &out, NULL, &err), LF_INVALID);
    CHECK_HAS(err.text, "events, line 2: not JSON");
    CHECK_STR(out, "1\n");
    free(out);
    CHECK_INT(match("{\"a\":[{\"prefix\":1}]}", "{}", LF_TRY_PLAIN, &out, NULL, &err), LF_INVALID);
    CHECK_HAS(err.text, "pattern: a[0].prefix");
    CHECK_STR(out, "");
    free(out);
    CHECK_INT(match(" ", "{}", LF_TRY_PLAIN, &out, NULL, &err), LF_INVALID);
    CHECK_HAS(err.text, "pattern: not JSON");
    free(out);
}

static void big_files_stream(void)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/events", unit_folder());
    FILE *events = fopen(path, "w+"), *out = tmpfile(), *pattern = tmpfile();
    NEED(events && out && pattern);
    fputs("{\"a\":[1]}", pattern);
    for (int i = 0; i < 50000; i++)
        fprintf(events, "{\"a\":%d,\"b\":\"some text to make the line longer\"}\n", i % 2);
    rewind(events);
    rewind(pattern);
    struct lf_try_count tally;
    struct lf_error err = {0};
    CHECK_INT(lf_pattern_try(pattern, events, out, LF_TRY_PLAIN, &tally, &err), LF_OK);
    CHECK_INT(tally.events, 50000);
    CHECK_INT(tally.matched, 25000);
    fclose(events);
    fclose(out);
    fclose(pattern);
}

UNIT_TESTS("match",
           {"each event is answered on a line of its own, plain, explained or as JSON", one_answer_a_line},
           {"a bad pattern or event is named with its line, after the answers before it", bad_input_is_named},
           {"big files are answered line by line", big_files_stream}, )
