/* Inside control: the verbs' functions, and reading arguments that lf_verb_perform has checked. */
#ifndef LF_CONTROL_VERBS_H
#define LF_CONTROL_VERBS_H

#include "control/control.h"
#include "instrument/instrument.h"

enum {
    LIST_LIMIT = 50, /* entries of a list unless asked otherwise */
    LIST_LIMIT_MAX = 1000,
    ARG_TEXT_MAX = 4096,  /* bytes of a text argument */
    ARG_MEMBERS_MAX = 64, /* members of an object argument */
    ASK_SECONDS = 30,
    ASK_SECONDS_MAX = 600,
};

typedef enum lf_status verb_function(struct lf_context *context, const struct lf_request_to_verb *request,
                                     cJSON **result, struct lf_error *err);

/* verbs_look.c, verbs_status.c: they only look */
verb_function control__verb_audit, control__verb_audit_verify; /* verbs_audit.c */
verb_function control__verb_status, control__verb_instruments, control__verb_jobs, control__verb_job,
    control__verb_events, control__verb_event;
/* verbs_act.c */
verb_function control__verb_send, control__verb_run, control__verb_ask, control__verb_retry,
    control__verb_confirm, control__verb_cancel, control__verb_assign, control__verb_pause,
    control__verb_resume;

/* Borrowed from the request. */
static inline const char *arg_text(const struct lf_request_to_verb *request, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(request->args, name));
}

static inline int64_t arg_int(const struct lf_request_to_verb *request, const char *name, int64_t fallback)
{
    return lf_json_int(request->args, name, fallback);
}

static inline const cJSON *arg_object(const struct lf_request_to_verb *request, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(request->args, name);
}

/* LF_NOT_FOUND names the instruments that there are. */
enum lf_status control__find_instrument(struct lf_context *context, const char *name,
                                        struct lf_instrument **instrument, struct lf_error *err);

#endif
