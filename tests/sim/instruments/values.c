#include "values.h"

#include <inttypes.h>
#include <stdio.h>
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

static enum lf_status value_whole(const char *name, const char *text, int64_t least, int64_t most,
                                  int64_t *number, struct lf_error *err)
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

static enum lf_status value_choice(const char *name, const char *words, const char *text, bool *choice,
                                   struct lf_error *err)
{
    size_t no = strcspn(words, "|");
    *choice = !strcmp(text, words + no + 1);
    if (*choice || (strlen(text) == no && !strncmp(text, words, no)))
        return LF_OK;
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "%s: '%s' is neither '%.*s' nor '%s'", name, text, (int)no,
                   words, words + no + 1);
}

enum lf_status value_set(const struct value *value, const char *name, const char *words, void *self,
                         const char *text, struct lf_error *err)
{
    void *to = (char *)self + value->at;
    int64_t whole = 0;
    enum lf_status status = LF_OK;
    switch (value->kind) {
    case VALUE_NUMBER: return value_number(name, text, value->least, value->most, to, err);
    case VALUE_WHOLE: return value_whole(name, text, (int64_t)value->least, (int64_t)value->most, to, err);
    case VALUE_WHOLE32:
        status = value_whole(name, text, (int64_t)value->least, (int64_t)value->most, &whole, err);
        if (status == LF_OK)
            memcpy(to, &(uint32_t){(uint32_t)whole}, sizeof(uint32_t));
        return status;
    case VALUE_MS: return value_ms(name, text, to, err);
    case VALUE_CHOICE: return value_choice(name, words, text, to, err);
    case VALUE_TEXT: snprintf(to, (size_t)value->most, "%s", text); return LF_OK;
    case VALUE_OWN: break;
    }
    return LF_OK;
}
