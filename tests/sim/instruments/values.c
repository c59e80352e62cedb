#include "values.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const int64_t longest_ms = 1000000000; /* eleven days */

enum lf_status value_number(const char *name, const char *text, double least, double most, double *number,
                            struct lf_error *err)
{
    char *end;
    double got = strtod(text, &end);
    if (end == text || *end || !(got >= least && got <= most))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: '%s' is not a number from %g to %g", name, text,
                       least, most);
    *number = got;
    return LF_OK;
}

enum lf_status value_whole(const char *name, const char *text, int64_t least, int64_t most, int64_t *number,
                           struct lf_error *err)
{
    char *end;
    long long got = strtoll(text, &end, 10);
    if (end == text || *end || got < least || got > most)
        return lf_fail(err, LF_INVALID, LF_PERMANENT,
                       "%s: '%s' is not a whole number from %" PRId64 " to %" PRId64, name, text, least,
                       most);
    *number = got;
    return LF_OK;
}

enum lf_status value_ms(const char *name, const char *text, int64_t *ms, struct lf_error *err)
{
    return value_whole(name, text, 0, longest_ms, ms, err);
}

enum lf_status value_choice(const char *name, const char *text, const char *no, const char *yes, bool *choice,
                            struct lf_error *err)
{
    if (strcmp(text, no) != 0 && strcmp(text, yes) != 0)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: '%s' is neither '%s' nor '%s'", name, text, no,
                       yes);
    *choice = strcmp(text, yes) == 0;
    return LF_OK;
}
