/* Configuration: one libconfig file (with its @includes) becomes one immutable struct.
 *
 * Each setting is a row in config/settings.c or in its driver's table, and a member of a struct here. Loading
 * checks everything that can be checked without touching an instrument or the network, and reports all
 * problems at once, each with file, line and remedy. Floors above this one (drivers, events, matching) are
 * asked through hooks.
 */
#ifndef LF_CONFIG_CONFIG_H
#define LF_CONFIG_CONFIG_H

#include "base/json.h"
#include "base/log.h"
#include "base/setting.h"
#include "os/path.h"

#include <stdio.h>

enum { LF_CONFIG_FILE_MAX = 1024 * 1024 }; /* bytes of the file, and of each file that it includes or names */

/* What to do with what was there before the agent: events, and results on an instrument. */
enum lf_config_first { LF_FIRST_IGNORE, LF_FIRST_TAKE, LF_FIRST_ASK };

struct lf_config_agent {
    const char *name, *site; /* fit for an MQTT topic: A-Z a-z 0-9 _ . - */
    const char *state_dir;   /* folder of the journal */
    const char *spool_dir;   /* never NULL */
    const char *socket;      /* path of the control socket */
    const char *operators;   /* Unix group that may give commands; NULL: only root and the agent's user */
    enum lf_log_level log_level;
    enum lf_log_format log_format;
    enum lf_config_first first_start;
    int couriers;          /* threads for the cloud steps of jobs */
    int64_t not_after_ms;  /* after its event, a job may not start to act later; routes may differ */
    int64_t keep_ms;       /* how long finished jobs and events stay in the journal */
    int64_t audit_keep_ms; /* how long entries stay in the audit trail; 0: forever */
    int64_t file_max;      /* bytes of the largest file carried, either way */
    int64_t disk_reserve;  /* bytes to keep free on the disks of journal and spool */
    int64_t journal_max;   /* bytes; 0: no limit (tests only) */
    int64_t spool_max;     /* bytes; likewise */
};

enum lf_config_source { LF_SOURCE_MQTT, LF_SOURCE_POLL, LF_SOURCE_BOTH };

struct lf_config_cloud {
    const char *tenant;                         /* "https://acme.benchling.com": no path, no '/' at the end */
    const char *client_id, *client_secret_file; /* both, or neither and api_key_file */
    const char *api_key_file;
    const char *ca_file; /* NULL: the system's */
    const char *proxy;   /* NULL: from the environment; "": none */
    int64_t connect_timeout_ms, request_timeout_ms;
    enum lf_config_source events; /* where events come from; with MQTT, GET /events is asked as well */
    int64_t poll_interval_ms;
};

struct lf_config_link {
    bool used;          /* false: events = "poll" and no link group; nothing below is set then */
    const char *broker; /* as written; split into: */
    const char *host;
    int port;
    bool tls;
    const char *client_id;                      /* never NULL when used */
    const char *username, *password_file;       /* NULL: none; the file is read at each connect */
    const char *ca_file, *cert_file, *key_file; /* NULL: the system's CAs; no client certificate */
    const char *alpn;                           /* TLS application protocol to ask for; NULL: none */
    const char *proxy;                          /* as written, NULL: none; split into: */
    const char *proxy_host;
    int proxy_port;
    bool proxy_socks;                                 /* SOCKS5; else HTTP */
    const char *proxy_username, *proxy_password_file; /* NULL: none; read at each connect */
    int64_t keepalive_ms, session_expiry_ms;
    bool commands;            /* take commands over MQTT */
    const char *topic_prefix; /* "labferry" */
    struct lf_texts topics;   /* event filters to subscribe; derived from the routes unless given */
    /* derived: */
    const char *base;          /* "labferry/boston/agents/bench-3" */
    const char *site_topic;    /* "labferry/boston" */
    const char *status_topic;  /* base/status */
    const char *routes_topic;  /* base/routes: the task routes of this agent, for others of the site */
    const char *others_filter; /* site_topic/agents/+/routes; NULL: this agent has no task routes */
    const char *command_topic; /* base/command; NULL: no commands over MQTT */
    const char *audit_topic;   /* base/audit */
};

/* What to do with an instrument's results, by file name. The first rule that matches applies; a result that
 * matches none is held. */
struct lf_config_collect {
    const char *files;         /* shell-style: "*.csv" */
    struct lf_texts match;     /* ways to find the run, tried in order; lf_match_check knows their forms */
    const char *config;        /* output file configuration; NULL: from the match */
    bool process;              /* start processing after the upload and wait for it */
    bool complete_with_errors; /* accept good rows even if others fail */
    const char *type;          /* "RAW_FILE" or "VISUALIZATION" */
    const char *folder_id, *location_id, *timezone; /* NULL: left out of the request */
};

struct lf_config_instrument {
    const char *name; /* fit for an MQTT topic */
    const char *driver;
    const char *expect_identity;      /* NULL: any */
    bool paused;                      /* starts paused */
    const struct lf_values *settings; /* the driver's own */
    const struct lf_config_collect *collect;
    size_t collect_count;
    const char *at; /* "file:line" */
};

/* What the configuration must know about a kind of job. The kinds themselves live above, in job/kinds.h. */
struct lf_config_kind {
    const char *name;     /* "deliver": what route.job and lf_job.kind say */
    const char *resource; /* its events are about this: "automationInputGenerator"; NULL: any event */
    uint32_t ability;     /* what its driver must be able to do: LF_CAN_* */
    bool no_instrument;   /* its routes may leave the instrument out */
    bool collects;        /* its jobs bring an instrument's results: `collect` configures them */
    bool claims;          /* a job claims its workflow task, and no other job works on that task; `inputs`
                             are fields of the task */
    /* Conditions on one of these members of an event ("detail.workflowTask.fields"; NULL-terminated) can tell
     * the agent that its work is for from other agents; a route that has none must say only_agent. NULL: no
     * other agent would do the same work again. */
    const char *const *selectors;
    const char *const *settings; /* settings of a route for this kind only, NULL-terminated; NULL: none */
};

/* One entry of `inputs` (procedure input from a field of the workflow task or the event) or `outputs`
 * (captured value to output field). */
struct lf_config_map {
    const char *name;  /* in the procedure */
    const char *field; /* in Benchling: the field's system name */
};

/* Where the values that a task measured go. */
enum lf_config_report_as {
    LF_REPORT_OUTPUT, /* a workflow output of the task */
    LF_REPORT_FILE,   /* a CSV file for a run, through the instrument's `collect` */
};

/* When a task begins whose sample a person has to change. */
enum lf_config_start {
    LF_START_AUTO,     /* at the sign, where the procedure has one; else at once */
    LF_START_AT_ONCE,  /* an instrument that needs nobody */
    LF_START_SIGN,     /* at the procedure's sign */
    LF_START_OPERATOR, /* at `labferry start` */
};

struct lf_config_route {
    const char *name;
    struct lf_texts on;       /* event names; any of them */
    const char *pattern_file; /* read into: */
    const cJSON *pattern;     /* EventBridge pattern over the complete envelope; NULL: all that `on` names */
    const char *job;          /* name of the: */
    const struct lf_config_kind *kind;
    const char *instrument; /* NULL only if the kind allows it */
    int64_t not_after_ms;   /* the route's own or the agent's */
    /* Those that the kind takes: */
    const char *procedure;
    const struct lf_config_map *inputs; /* empty: the procedure gets no inputs */
    size_t input_count;
    const struct lf_config_map *outputs; /* empty: every value goes to the output field of its own name */
    size_t output_count;
    const char *claim_status, *done_status, *failed_status; /* display name or type of the status */
    enum lf_config_report_as report;
    enum lf_config_start start;
    bool only_agent;       /* no other agent of the tenant takes these tasks */
    const char *run_field; /* LF_REPORT_FILE: field of the task that holds the id of the run */
    const char *at;        /* "file:line" */
};

struct lf_config {
    struct lf_config_agent agent;
    struct lf_config_cloud cloud;
    struct lf_config_link link;
    const struct lf_config_instrument *instruments;
    size_t instrument_count;
    const struct lf_config_route *routes;
    size_t route_count;
    struct lf_texts event_types;     /* what routes, and collecting, want: "v2.workflowTask.created" */
    char digest[65];                 /* SHA-256 over the file, its includes and the pattern files */
    struct lf_config_memory *memory; /* private: everything above lives there */
};

/* What hears about a procedure: its inputs (needed: without a default) and the values that it can report
 * (always: it is never without). A driver that says nothing about them leaves all uncalled but `unknown`. */
struct lf_config_terms {
    void *context;
    void (*takes)(void *context, const char *input, bool needed);
    void (*gives)(void *context, const char *value, bool always);
    void (*unknown)(void *context);
};

/* What only the floors above know. Names are borrowed for the call. Only driver_settings and kind_at are
 * required; a check whose hook is NULL is skipped. */
struct lf_config_hooks {
    /* Static rows; NULL: there is no such driver, or it cannot be used. */
    const struct lf_setting *(*driver_settings)(const char *driver, struct lf_error *err);
    bool (*driver_can)(const char *driver, uint32_t ability);
    /* The kinds of job; NULL behind the last. */
    const struct lf_config_kind *(*kind_at)(size_t index);
    /* As lf_driver.check. */
    enum lf_status (*driver_check)(const char *driver, const struct lf_values *values,
                                   void (*resource)(void *context, const char *resource), void *context,
                                   struct lf_error *err);
    /* Does the instrument know this procedure? Tells `terms` (may be NULL) what it takes and gives. */
    enum lf_status (*procedure_check)(const char *driver, const struct lf_values *values,
                                      const char *procedure, const struct lf_config_terms *terms,
                                      struct lf_error *err);
    /* Can the instrument show that a person has changed the sample of this procedure? */
    bool (*procedure_signs)(const char *driver, const struct lf_values *values, const char *procedure);
    /* lf_event_on_check, lf_event_on_types. */
    enum lf_status (*on_check)(const char *on, struct lf_error *err);
    void (*on_types)(const char *on, void (*each)(void *context, const char *type), void *context);
    /* A pattern compiles. Calls `problem` for what it asks for in vain of the events of `on`; as
     * lf_pattern_check_names. */
    enum lf_status (*pattern_check)(const cJSON *pattern, const struct lf_texts *on,
                                    void (*problem)(void *context, const char *path, const char *text,
                                                    bool certain),
                                    void *context, struct lf_error *err);
    /* As lf_pattern_asks; false as well if the pattern does not compile. */
    bool (*pattern_asks)(const cJSON *pattern, const char *const *paths);
    /* Checks an entry of collect.match. *names_config: it can also find the output file configuration. */
    enum lf_status (*match_check)(const char *rule, bool *names_config, struct lf_error *err);
    /* Also checks what a start needs (folders, socket, group, certificates), and that nobody else can change
     * what the agent acts on. */
    bool check_start;
};

enum lf_config_severity { LF_CONFIG_ERROR, LF_CONFIG_WARNING };

struct lf_config_problem {
    enum lf_config_severity severity;
    char *file; /* as the user wrote it */
    int line;   /* 0: the file as a whole */
    char *text; /* what is wrong and what to do */
};

enum { LF_CONFIG_PROBLEMS_MAX = 100 };

/* Start with a zeroed one. */
struct lf_config_report {
    struct lf_config_problem *problems;
    size_t count;
    size_t errors; /* how many of them are errors */
    bool more;     /* because of errors, other checks were left out */
};

/* Reads and checks a file. LF_OK: *config is returned owned (the report may hold warnings). Otherwise *config
 * is NULL, and err has the first error and the number of further ones. report may be NULL; it is filled in
 * both cases, in the order of the file; free it with lf_config_report_free. Class: transient if nothing is
 * wrong with the file, but with a disk (read-only, I/O errors), or out of memory; else needs a person. */
enum lf_status lf_config_load(const char *path, const struct lf_config_hooks *hooks,
                              struct lf_config **config, struct lf_config_report *report,
                              struct lf_error *err);
void lf_config_free(struct lf_config *config);

/* Only one path of the group agent, "socket" or "state_dir", or its default if the file has none: reads no
 * secrets and checks nothing else. *place owned. */
enum lf_status lf_config_place(const char *path, const char *setting, char **place, struct lf_error *err);

void lf_config_report_free(struct lf_config_report *report);
/* One line each: "labferry.conf:12: error: ...". */
void lf_config_report_print(const struct lf_config_report *report, FILE *out);

const struct lf_config_instrument *lf_config_instrument(const struct lf_config *config, const char *name);
const struct lf_config_route *lf_config_route(const struct lf_config *config, const char *name);

/* The rows of a table as comments of a configuration, each line after `indent` spaces. */
void lf_config_print_rows(const struct lf_setting *rows, int indent, FILE *out);

#endif
