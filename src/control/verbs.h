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
verb_function verb_audit, verb_audit_verify; /* verbs_audit.c */
verb_function verb_status, verb_instruments, verb_jobs, verb_job, verb_events, verb_event;
/* verbs_act.c */
verb_function verb_send, verb_run, verb_ask, verb_retry, verb_confirm, verb_cancel, verb_assign, verb_pause,
    verb_resume;

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
enum lf_status find_instrument(struct lf_context *context, const char *name,
                               struct lf_instrument **instrument, struct lf_error *err);

#endif
