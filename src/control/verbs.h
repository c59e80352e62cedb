/* Inside control: the tables of verbs, and reading arguments that lf_verb_perform has checked. */
#ifndef LF_CONTROL_VERBS_H
#define LF_CONTROL_VERBS_H

#include "control/control.h"
#include "instrument/instrument.h"

enum {
    LIST_LIMIT = 50, /* entries of a list unless asked otherwise */
    LIST_LIMIT_MAX = 1000,
    ARG_TEXT_MAX = 4096,  /* bytes of a text argument */
    ARG_MEMBERS_MAX = 64, /* members of an object argument */
};

/* Each ends with name NULL; verbs.c lists them. */
extern const struct lf_verb control__verbs_status[], control__verbs_look[], control__verbs_audit[],
    control__verbs_act[], control__verbs_jobs[];

/* ---- rows of arguments that several verbs have ---- */

#define ARG_JOB                                                                                              \
    {                                                                                                        \
        "job", LF_ARG_INT, LF_ARG_REQUIRED | LF_ARG_POSITIONAL, .help = "number of the job"                  \
    }
#define ARG_INSTRUMENT(text)                                                                                 \
    {                                                                                                        \
        "instrument", LF_ARG_TEXT, LF_ARG_REQUIRED | LF_ARG_POSITIONAL, .help = text                         \
    }
#define ARG_INSTRUMENTS                                                                                      \
    {                                                                                                        \
        "instrument", LF_ARG_TEXT, LF_ARG_REQUIRED | LF_ARG_POSITIONAL | LF_ARG_MANY,                        \
            .help = "its name, several names, or all"                                                        \
    }
/* All jobs that fit, in place of their numbers. */
#define ARGS_CHOICE                                                                                          \
    {"job", LF_ARG_INT, LF_ARG_REQUIRED | LF_ARG_POSITIONAL | LF_ARG_MANY,                                   \
     .help = "number of the job, or several", .not_with = {"all"}},                                          \
        {"all", LF_ARG_BOOL, 0, .help = "all jobs that fit; without --state, the open ones"},                \
        {"instrument", LF_ARG_TEXT, 0, .help = "with --all: jobs of this instrument", .only_with = "all"},   \
        {"state",                                                                                            \
         LF_ARG_TEXT,                                                                                        \
         0,                                                                                                  \
         .help = "with --all: jobs in this state",                                                           \
         .choice = control__state_choice,                                                                    \
         .only_with = "all"},                                                                                \
    {                                                                                                        \
        "kind", LF_ARG_TEXT, 0, .help = "with --all: jobs of this kind", .choice = control__kind_choice,     \
                                .only_with = "all"                                                           \
    }
#define ARG_LIMIT                                                                                            \
    {                                                                                                        \
        "limit", LF_ARG_INT, 0, .help = "number of entries", .fallback = "50", .value = "N",                 \
                                .max = LIST_LIMIT_MAX                                                        \
    }
#define ARG_WHY                                                                                              \
    {                                                                                                        \
        "why", LF_ARG_TEXT, 0, .help = "the reason, for the history", .value = "TEXT"                        \
    }
#define ARGS_WAIT                                                                                            \
    {"wait", LF_ARG_BOOL, LF_ARG_LOCAL, .help = "wait until the job ends or is held; see help exit-codes"},  \
    {                                                                                                        \
        "timeout", LF_ARG_DURATION, LF_ARG_LOCAL, .help = "with --wait: wait at most this long",             \
                                                  .value = "TIME"                                            \
    }

/* verbs_look.c: states, and "open"; kinds. */
const char *control__state_choice(int index);
const char *control__kind_choice(int index);

/* ---- arguments of a request ---- */

/* Borrowed from the request. */
static inline const char *arg_text(const struct lf_verb_request *request, const char *name)
{
    return lf_json_text(request->args, name);
}

int control__arg_limit(const struct lf_verb_request *request);

/* A text of type LF_ARG_TIME as wall time. False: it is none. */
bool control__parse_time(const char *text, int64_t *ms);

/* lf_json_parse for a request: what it names must not end early, at an escaped NUL. (From the cloud a text
 * that is cut there is better than a whole page of events that is refused for one of them.) */
enum lf_status control__parse(struct lf_slice text, cJSON **out, struct lf_error *err);
/* Checks that a request has only these members (NULL after the last), each once. `example` shows one. */
enum lf_status control__check_keys(const cJSON *json, const char *const *known, const char *example,
                                   struct lf_error *err);
/* Checks the arguments of a request. */
enum lf_status control__check_args(const struct lf_verb *verb, const cJSON *args, struct lf_error *err);

/* The end of a verb whose result is a list; takes list, NULL when memory ran out. Passes status on. */
enum lf_status control__answer_list(enum lf_status status, cJSON *list, cJSON **result, struct lf_error *err);
/* The end of a verb whose result is a job as it is now. Passes status on. */
enum lf_status control__answer_job(enum lf_status status, struct lf_context *context, int64_t id,
                                   bool history, cJSON **result, struct lf_error *err);

/* LF_NOT_FOUND names the instruments that there are. */
enum lf_status control__find_instrument(struct lf_context *context, const char *name,
                                        struct lf_instrument **instrument, struct lf_error *err);

#endif
