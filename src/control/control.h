/* Control: the verbs, and two ways to use them: the control socket (CLI) and MQTT commands. */
#ifndef LF_CONTROL_CONTROL_H
#define LF_CONTROL_CONTROL_H

#include "base/json.h"
#include "link/link.h"
#include "os/wait.h"

struct lf_cloud;
struct lf_commands;
struct lf_config;
struct lf_intake;
struct lf_jobs;
struct lf_journal;
struct lf_outbox;

/* What verbs act on; everything is borrowed and lives as long as the agent runs. */
struct lf_context {
    const struct lf_config *config;
    struct lf_journal *journal;
    struct lf_intake *intake;
    struct lf_jobs *jobs;
    struct lf_cloud *cloud;
    struct lf_link *link;             /* NULL: the agent runs without a broker */
    struct lf_outbox *outbox;         /* kicked when a command was answered; NULL without a broker */
    struct lf_commands *commands;     /* NULL: none come over MQTT */
    int64_t started_ms, started_mono; /* wall and monotonic */
};

/* How far a request has come. */
enum lf_verb_state { LF_VERB_ACCEPTED, LF_VERB_RUNNING, LF_VERB_SUCCEEDED, LF_VERB_FAILED };

/* One request and its caller; everything is borrowed. */
struct lf_verb_request {
    const char *verb;
    const cJSON *args;          /* an object, may be NULL */
    const char *who;            /* "cli:maria", "mqtt:maria (ID)": goes into histories and the audit trail */
    const char *denied;         /* why this caller may not use verbs that change something; NULL: allowed */
    const struct lf_file *file; /* came with the request over the control socket; NULL: none */
    const struct lf_cancel *gone; /* the caller has gone, and what only it needs may stop; NULL: unknown */

    /* Records a state inside the transaction that it belongs to (result and why as far as there are any).
     * NULL: the caller keeps no records. */
    enum lf_status (*record)(void *context, enum lf_verb_state state, const cJSON *result,
                             const struct lf_error *why, struct lf_error *err);
    void *context;
    /* While the journal cannot store an outcome, it is tried again until this is set. NULL: tried once. */
    const struct lf_cancel *cancel;
};

/* ---- verbs ----------------------------------------------------------------------------------------------
 *
 * A verb is one row: name, arguments, help, examples and function. The rows stand beside their functions in
 * verbs_*.c. Everything else comes from them: checking on every way in, the command line with its help, the
 * MQTT commands, `labferry help --json`. Arguments have the same names everywhere.
 */
enum lf_arg_type {
    LF_ARG_TEXT,     /* not empty */
    LF_ARG_INT,      /* a whole number above 0 */
    LF_ARG_BOOL,     /* on the command line an option without a value */
    LF_ARG_TIME,     /* RFC 3339, or how long ago: "2h" */
    LF_ARG_DURATION, /* "30s" */
    LF_ARG_OBJECT,   /* an object of texts; on the command line NAME=VALUE ..., or the option several times */
    LF_ARG_FILE,     /* the path of a file, which comes with the request as an open file: not over MQTT */
};

enum {
    LF_ARG_REQUIRED = 1,   /* unless one of not_with is given */
    LF_ARG_POSITIONAL = 2, /* on the command line by position, in the order of the rows; else --name */
    LF_ARG_REST = 4,       /* the last positional: takes all words that are left */
    LF_ARG_LOCAL = 8,      /* only for the command line itself: never sent */
    LF_ARG_MANY = 16,      /* the last positional: one value, or a list of up to LF_ARG_MANY_MAX */
};

enum { LF_ARG_MANY_MAX = 1000 };

struct lf_arg {
    const char *name;
    enum lf_arg_type type;
    unsigned flags;
    const char *help;                 /* continues "name: " */
    const char *(*choice)(int index); /* the allowed values, NULL after the last; NULL: any value */
    const char *fallback;             /* the default, for help; NULL: none */
    const char *value;                /* what help calls the value; NULL: the name in capitals */
    int64_t max;                      /* of LF_ARG_INT, of LF_ARG_DURATION in ms; 0: none */
    const char *not_with[2];          /* arguments that stand in for this one: never both */
    const char *only_with;            /* it says more about this one; NULL: it stands alone */
};

/* Rows of arguments with their end. */
#define LF_ARGS(...)                                                                                         \
    (const struct lf_arg[])                                                                                  \
    {                                                                                                        \
        __VA_ARGS__,                                                                                         \
        {                                                                                                    \
            0                                                                                                \
        }                                                                                                    \
    }

enum {
    LF_VERB_CHANGES = 1, /* changes something: only for operators, and audited */
    LF_VERB_ATOMIC = 2,  /* all that it changes is in the journal: it runs in its caller's transaction */
    LF_VERB_JOB = 4,     /* the result is a job, which a caller can wait for */
    LF_VERB_SLOW = 8,    /* may take minutes */
    LF_VERB_TEXT = 16,   /* a command that talks to a person and has no JSON output */
};

struct lf_verb {
    const char *name;          /* "audit-verify" */
    const char *summary;       /* one line: "Show one job with its history." */
    const char *about;         /* more, lines of at most 96 characters; NULL: nothing */
    const char *examples;      /* command lines, one per line; the first without shell syntax and options of
                                * the command line: the JSON example is made from it */
    const struct lf_arg *args; /* ends with name NULL; NULL: none */
    unsigned flags;
    const char *wanted; /* of LF_VERB_JOB: the state in which the job is to end; NULL: "done" */
    /* Fills *result (owned JSON, may stay NULL). NULL: a command of the CLI that needs no agent. */
    enum lf_status (*perform)(struct lf_context *context, const struct lf_verb_request *request,
                              cJSON **result, struct lf_error *err);
};

/* A list of verbs: the one with this index, NULL after the last. */
typedef const struct lf_verb *lf_verb_list(size_t index);
/* The agent's verbs; those that can be used over MQTT. */
lf_verb_list lf_verb_at, lf_verb_remote_at;
/* NULL: there is no such verb. '_' and ' ' are the same as '-'. */
const struct lf_verb *lf_verb_find_in(lf_verb_list *list, const char *name);
const struct lf_verb *lf_verb_find(const char *name);
/* LF_INVALID, with the nearest name and all names. */
enum lf_status lf_verb_refuse(lf_verb_list *list, const char *name, struct lf_error *err);
/* The argument that is a file; NULL: none. Such a verb cannot be used over MQTT. */
const struct lf_arg *lf_verb_file(const struct lf_verb *verb);
bool lf_verb_is_remote(const struct lf_verb *verb);

/* Checks a request (name and args may be NULL) and finds its verb in the list. LF_INVALID (permanent) says
 * how to correct it. */
enum lf_status lf_verb_check(lf_verb_list *list, const char *name, const cJSON *args,
                             const struct lf_verb **verb, struct lf_error *err);

/* Reads the words of a command line, those behind the verb, into an object of arguments (owned). `common`
 * (may be NULL) are options that every command takes. Values are checked; missing ones are not. */
enum lf_status lf_verb_read_words(const struct lf_verb *verb, const struct lf_arg *common, int count,
                                  const char *const *words, cJSON **args, struct lf_error *err);
/* Required arguments are there, and none together that exclude each other. */
enum lf_status lf_verb_check_complete(const struct lf_verb *verb, const cJSON *args, struct lf_error *err);

enum { LF_ARG_SHOWN = 32 };
/* What help calls the value of an argument: "JOB". Returns room. */
const char *lf_arg_value(const struct lf_arg *arg, char room[LF_ARG_SHOWN]);
/* "all, ready, held": the choices of an argument that has some. */
void lf_arg_choices(const struct lf_arg *arg, char *list, size_t room);
/* ", at most 1000"; "" without a bound. Returns room. */
const char *lf_arg_bound(const struct lf_arg *arg, char room[LF_ARG_SHOWN]);
/* "run INSTRUMENT PROCEDURE [NAME=VALUE ...]"; owned, NULL when out of memory. */
char *lf_verb_synopsis(const struct lf_verb *verb);
/* The arguments of the first example; owned. */
enum lf_status lf_verb_example(const struct lf_verb *verb, cJSON **args, struct lf_error *err);
/* The row as JSON; owned, NULL when out of memory. */
cJSON *lf_verb_json(const struct lf_verb *verb);

/* Checks and performs a request, and records what came of it in the audit trail. *result is owned, NULL
 * unless LF_OK. *settled false: the outcome is not on record; if the verb only looks or is atomic, nothing
 * happened and it may be performed again. Any thread. */
enum lf_status lf_verb_perform(struct lf_context *context, const struct lf_verb_request *request,
                               bool *settled, cJSON **result, struct lf_error *err);

/* What the verb `status` answers; owned, NULL when out of memory. Its `needs` lists everything that wants a
 * person's attention. */
cJSON *lf_control_status(struct lf_context *context);

/* ---- control socket ---------------------------------------------------------------------------------------
 *
 * A Unix stream socket; one JSON object per line. Request: {"verb": "...", "args": {...}}, with an open
 * file passed along for `send`. Answer: {"ok": true, "result": ...} or {"ok": false, "error":
 * {"status", "class", "text"}}. Requests of at most LF_CONTROL_MAX bytes; callers are judged by their peer
 * credentials: root, the agent's own user, or a member of the group agent.operators; verbs that only look
 * are for everyone who can open the socket.
 */
enum { LF_CONTROL_MAX = 256 * 1024 };

struct lf_server;

/* Binds (mode 0660 and the operators' group, if there is one), starts the thread. */
enum lf_status lf_server_open(struct lf_context *context, struct lf_server **server, struct lf_error *err);
void lf_server_close(struct lf_server *server);

/* The other end, for the CLI: sends one request (file NULL: none) and waits for its answer. *answer is the
 * complete answer object, owned. LF_NOT_FOUND / LF_DISCONNECTED when the daemon does not run (the text says
 * how to start it), LF_DENIED. */
enum lf_status lf_control_request(const char *socket_path, const char *verb, const cJSON *args,
                                  const struct lf_file *file, int64_t deadline, cJSON **answer,
                                  struct lf_error *err);

/* ---- MQTT commands ----------------------------------------------------------------------------------------
 *
 * {"id", "verb", "args", "expires"} on .../command; id is a text of at most LF_COMMAND_ID_MAX bytes, expires
 * (RFC 3339) may be left out. Answers go to the response topic of the request, else to .../reply/<id> (with
 * '_' for '+', '#' and '/'), with its correlation data, as {"id", "verb", "state", "at"} and "result" or
 * "error"; state is accepted -> running -> succeeded or failed. Command and answers are in the journal:
 * answers leave through the outbox, in order, and survive an outage of the broker.
 *
 * - A repeated id with the same verb and arguments gets the stored answer (or the state it is in), never a
 *   second action. An unfinished one is answered where it was asked for last. With another verb or other
 *   arguments it is refused, and the first command stays as it is.
 * - An expired or malformed one fails, and the error says how to correct it.
 * - Atomic verbs run in one transaction with their answer: a crash leaves them undone or done. Others (ask)
 *   that a crash interrupted fail with class unknown outcome and are never retried.
 * - When LF_COMMANDS_MAX are already waiting, it fails as transient and is not stored: the same id may be
 *   sent again.
 * - Retained messages are ignored.
 * - Histories and the audit trail name the sender as the user property "user" (or "who") of the message does.
 *   Nobody checks that name: it says who should be asked, and proves nothing.
 */
enum { LF_COMMAND_ID_MAX = 128, LF_COMMANDS_MAX = 1000 };

enum lf_status lf_commands_open(struct lf_context *context, struct lf_commands **commands,
                                struct lf_error *err);
/* Ends the thread that performs them, which may ask about the link. The rest may still be asked, as the link
 * does for its status, until lf_commands_close. NULL is allowed in both. */
void lf_commands_stop(struct lf_commands *commands);
void lf_commands_close(struct lf_commands *commands);

struct lf_message; /* link/link.h */
/* Takes one message on the command topic, inside the transaction that is committed before the message is
 * acknowledged; the command is performed after that commit. An error means that the journal could not store
 * it. */
enum lf_status lf_commands_take(struct lf_commands *commands, const struct lf_message *message,
                                struct lf_error *err);
int64_t lf_commands_refused(struct lf_commands *commands); /* since the start, because too many waited */

/* ---- outbox -----------------------------------------------------------------------------------------------
 *
 * Carries the journal's outbox to the broker in order: a window of publications is on its way, a row is
 * removed when the broker has acknowledged it.
 */
struct lf_outbox;

enum lf_status lf_outbox_open(struct lf_journal *journal, struct lf_outbox **outbox, struct lf_error *err);
void lf_outbox_close(struct lf_outbox *outbox);
void lf_outbox_attach(struct lf_outbox *outbox, struct lf_link *link); /* NULL before the link is closed */
/* Wakes the sender after the commit of this thread's transaction, or at once. Any thread. */
void lf_outbox_kick(struct lf_outbox *outbox);
void lf_outbox_online(struct lf_outbox *outbox); /* a session began: start again at the oldest */
/* The link's answer to a row: see link/link.h. */
void lf_outbox_published(struct lf_outbox *outbox, int64_t ticket, enum lf_publish_outcome outcome);

#endif
