/* Control: the verbs, written once, reached in two ways: the control socket (CLI) and MQTT commands.
 */
#ifndef LF_CONTROL_CONTROL_H
#define LF_CONTROL_CONTROL_H

#include "base/json.h"
#include "os/wait.h"

struct lf_cloud;
struct lf_commands;
struct lf_config;
struct lf_intake;
struct lf_jobs;
struct lf_journal;
struct lf_link;
struct lf_outbox;
struct lf_poll;

/* What verbs act on; everything is borrowed and lives as long as the agent runs. */
struct lf_context {
    const struct lf_config *config;
    struct lf_journal *journal;
    struct lf_intake *intake;
    struct lf_jobs *jobs;
    struct lf_cloud *cloud;
    struct lf_link *link;             /* NULL: the agent runs without a broker */
    struct lf_poll *poll;             /* NULL: events come over MQTT only */
    struct lf_outbox *outbox;         /* kicked when a command was answered; NULL without a broker */
    struct lf_commands *commands;     /* NULL: none come over MQTT */
    int64_t started_ms, started_mono; /* wall and monotonic */
};

/* One request. */
struct lf_request_to_verb {
    const char *verb;
    const cJSON *args;          /* an object, may be NULL */
    const char *who;            /* "cli:maria", "mqtt:NAME": goes into histories */
    const struct lf_file *file; /* came with it (send over the control socket); NULL: none. Borrowed */
};

enum lf_arg_type { LF_ARG_TEXT, LF_ARG_INT, LF_ARG_BOOL, LF_ARG_OBJECT };

struct lf_arg {
    const char *name;
    enum lf_arg_type type;
    bool required;
    const char *help;
};

struct lf_verb {
    const char *name;
    const char *help;          /* one sentence */
    const struct lf_arg *args; /* ends with name NULL */
    bool changes;              /* does something (else it only looks) */
    bool remote;               /* also over MQTT */
    bool atomic; /* all that it changes is in the journal: it may run inside a transaction of its caller */
    /* Fills *result (owned JSON, may stay NULL for "done"). */
    enum lf_status (*perform)(struct lf_context *context, const struct lf_request_to_verb *request,
                              cJSON **result, struct lf_error *err);
};

/* The table, ends with name NULL. */
extern const struct lf_verb lf_verbs[];
const struct lf_verb *lf_verb_find(const char *name);

/* Only checks (name and args may be NULL); *verb is the one. LF_INVALID (permanent) with what would be
 * right. */
enum lf_status lf_verb_check(const char *name, const cJSON *args, const struct lf_verb **verb,
                             struct lf_error *err);

/* Checks verb and arguments (unknown names are refused with what would be right) and performs. Any thread. */
enum lf_status lf_verb_perform(struct lf_context *context, const struct lf_request_to_verb *request,
                               cJSON **result, struct lf_error *err);

/* ---- control socket ---------------------------------------------------------------------------------------
 *
 * A Unix stream socket; one JSON object a line. Request: {"verb": "...", "args": {...}}, with a file
 * descriptor passed along for `send`. Answer: {"ok": true, "result": ...} or {"ok": false, "error":
 * {"status", "class", "text"}}. Requests of at most LF_CONTROL_MAX bytes; callers are judged by their peer
 * credentials: root, the agent's own user, or a member of the group agent.operators; verbs that only look
 * are for everyone who can open the socket.
 */
enum { LF_CONTROL_MAX = 256 * 1024 };

struct lf_server;

/* Binds (mode 0660 and the operators' group, if there is one), starts the thread. */
enum lf_status lf_server_open(struct lf_context *context, struct lf_server **desk, struct lf_error *err);
void lf_server_close(struct lf_server *desk);

/* The other end, for the CLI: sends one request (file NULL: none) and waits for its answer. *answer is the
 * whole answer object, owned. LF_NOT_FOUND / LF_DISCONNECTED when the daemon does not run (the text says
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
 * - A repeated id gets the stored answer (or the state it is in), never a second action. While it is not
 *   finished, its answer goes to where it was asked for last.
 * - An expired or malformed one is failed, saying what would be right.
 * - Verbs that only change the journal are done in one transaction with their answer: a crash leaves them
 *   undone or done. Others (ask) that were begun before a crash are failed with class unknown outcome and
 *   never done again.
 * - When link.commands_max wait already it is failed as transient and not stored: the same id may come again.
 * - Retained messages are ignored: nobody sends a command by leaving it lying about.
 */
enum { LF_COMMAND_ID_MAX = 128 };

enum lf_status lf_commands_open(struct lf_context *context, struct lf_commands **commands,
                                struct lf_error *err);
void lf_commands_close(struct lf_commands *commands);

struct lf_message; /* link/link.h */
/* Takes one message on the command topic. Inside the transaction that is committed before it is
 * acknowledged; what is to be done begins with lf_commands_go, after the commit. An error means that the
 * journal could not store it. */
enum lf_status lf_commands_take(struct lf_commands *commands, const struct lf_message *message,
                                struct lf_error *err);
void lf_commands_go(struct lf_commands *commands);
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
void lf_outbox_kick(struct lf_outbox *outbox);                         /* something was queued; any thread */
void lf_outbox_online(struct lf_outbox *outbox); /* a session began: send anew from the oldest */
void lf_outbox_published(struct lf_outbox *outbox, int64_t ticket, const char *refused);

#endif
