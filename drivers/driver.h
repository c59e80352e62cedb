/* The driver contract. With the kit (drivers/kit/) it is all that a driver needs; copy drivers/template/ to
 * start a new one.
 *
 * A driver speaks to a class of instruments (a folder, a line protocol, ASTM ...). The agent opens one
 * *device* of it for each configured instrument.
 *
 * Life of a device: open -> (connect -> (listen | act | verify | take | archive)* -> disconnect)* -> close.
 * After a failed connect, and when any call fails with LF_DISCONNECTED, the host calls disconnect and later
 * connect again, with back-off.
 *
 * Threads: one call at a time. connect to disconnect run on the instrument's own bench thread, open and close
 * on another one, so a device needs no locks. `check` may run on any thread, and so may open, repeat,
 * describe, accept, sign and close of a device that is never connected: that is how names in the
 * configuration and in commands are looked up. `open` may get another content of its files then.
 *
 * Errors: `err` is never NULL. A call that does not return LF_OK fills it with status, class and a sentence
 * that says what happened, where, and what to do.
 *
 * Waits: a call that waits has a deadline (given to listen, the driver's own elsewhere) and watches
 * host->cancel. It returns LF_TIMEOUT or LF_CANCELLED then.
 *
 * Physical actions: before `act` of an LF_ONCE action the host calls `prepare`, then commits "about to act"
 * to its journal. If `act` fails after the instrument may have moved, the class of the error must be
 * LF_UNKNOWN_OUTCOME; if the instrument certainly did nothing, LF_TRANSIENT or LF_PERMANENT. After a crash in
 * between, the host asks `verify`.
 */
#ifndef LABFERRY_DRIVER_H
#define LABFERRY_DRIVER_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/setting.h"
#include "os/file.h"
#include "os/process.h"
#include "os/wait.h"

/* The version of this contract. 0 promises nothing: before 1.0, build a driver against the agent's own
 * header. */
#define LF_DRIVER_ABI 0u

/* How often may an action be done? */
enum lf_repeat {
    LF_SAFE,       /* changes nothing: repeat freely (read a weight) */
    LF_IDEMPOTENT, /* repeating changes nothing more (put the same file at the same place) */
    LF_ONCE,       /* moves, consumes or prints something: the agent never repeats it (tare, dispense) */
};

/* What verify found out about an action that may have been done. */
enum lf_verdict { LF_VERDICT_UNKNOWN, LF_VERDICT_DONE, LF_VERDICT_NOT_DONE };

/* A value that the instrument reports. */
enum lf_capture_type { LF_CAPTURE_TEXT, LF_CAPTURE_INT, LF_CAPTURE_REAL, LF_CAPTURE_BOOL };

/* What hears about the terms of an action: a call for each input that it takes (needed: there is no default)
 * and for each value that it can report (always: it is never without). A name may come several times. */
struct lf_terms {
    void *context;
    void (*takes)(void *context, const char *input, bool needed);
    void (*gives)(void *context, const char *value, enum lf_capture_type type, bool always);
};

/* A file for an instrument. Everything is borrowed for the call. */
struct lf_parcel {
    const char *name;   /* file name for the instrument; has passed lf_name_check */
    const char *path;   /* of its bytes in the spool */
    int64_t size;       /* bytes */
    const char *sha256; /* lower-case hex */
    const char *mime;   /* may be NULL */
};

/* A named text value: an input of a procedure, a header of a request. */
struct lf_input {
    const char *name, *value;
};

enum lf_action_kind {
    LF_ACTION_DELIVER, /* put `parcel` on the instrument */
    LF_ACTION_RUN,     /* run the procedure `name` with `inputs` */
    LF_ACTION_ASK,     /* send one command, `name` with `inputs`, for an operator */
};

/* Everything is borrowed for the call. */
struct lf_action {
    enum lf_action_kind kind;
    int64_t job;                    /* number of the job, for temporary names and logs; 0: none */
    const struct lf_parcel *parcel; /* LF_ACTION_DELIVER */
    const char *name;               /* LF_ACTION_RUN, LF_ACTION_ASK */
    const struct lf_input *inputs;
    size_t input_count;
};

enum { LF_CAPTURES_MAX = 256 };

struct lf_capture {
    char *name;  /* owned by the outcome */
    char *value; /* the instrument's own digits or text; decimal point '.'; "true" or "false" */
    enum lf_capture_type type;
};

/* What came of an action. The host passes a zeroed one and frees it with lf_outcome_free. */
struct lf_outcome {
    struct lf_capture *captures;
    size_t count;
    char *place;     /* where a parcel lies on the instrument, for people; owned, may be NULL */
    char sha256[65]; /* digest read back from the instrument; empty if it cannot be read back */
};

/* Adds a capture; copies name and value. A repeated name keeps both values, in order (repeated
 * measurements). */
enum lf_status lf_outcome_add(struct lf_outcome *outcome, const char *name, enum lf_capture_type type,
                              const char *value, struct lf_error *err);
void lf_outcome_free(struct lf_outcome *outcome);

/* A result that the instrument has produced. Everything is borrowed for the call. */
struct lf_finding {
    const char *id;       /* for `take` and `archive`; the same after a restart (a path below the outbox) */
    const char *version;  /* changes with the content (size and time, or a digest) */
    const char *name;     /* file name for the cloud */
    const char *original; /* where it lies on the instrument, if `name` does not say it; NULL: `name` does */
    const char *sidecar;  /* text of a sidecar file that describes it; NULL: none */
    bool early;           /* it was there, as it is now, when the driver first looked after it was opened */
    int64_t written_ms;   /* when it was last written, wall clock; 0: unknown */
    const void *data;     /* bytes that exist only here (an unsolicited line); NULL: the host calls `take` */
    size_t len;
};

/* A delivery that a place outside the agent remembers. Everything is borrowed for the call. */
struct lf_witness {
    const char *agent;  /* name of the agent that made it; "" when it is not known */
    int64_t job;        /* number in that agent's journal */
    const char *name;   /* of the file */
    const char *sha256; /* of the parcel; "" when it is not known */
    int64_t at_ms;      /* wall clock: when it began */
    bool done;          /* false: it may have been cut short before the file became visible */
};

/* A request to a web interface of the instrument. Everything is borrowed for the call. */
struct lf_http_request {
    const char *method;             /* "GET", "POST" ... */
    const char *url;                /* https; plain http to this machine only */
    const struct lf_input *headers; /* Content-Type, Authorization ...; sent to this URL only */
    size_t header_count;
    struct lf_slice body;
    int64_t max_body; /* bytes of the response's body; 0: 1 MiB */
    int64_t deadline; /* for the request and its response */
    bool once;        /* it must not reach the server twice, not even after a broken connection */
};

/* The host passes a response on even if the call fails; pass a zeroed one and free it with
 * lf_http_response_free. */
struct lf_http_response {
    int status;               /* HTTP status; 0: none came */
    bool sent;                /* the request may have reached the server */
    struct lf_buffer headers; /* "name: value\n" lines, names in lower case */
    struct lf_buffer body;
};

/* Copies the value of a header, whatever its case; returns room, or NULL if there is none or it does not
 * fit. */
const char *lf_http_header(const struct lf_http_response *response, const char *name, char *room,
                           size_t size);
void lf_http_response_free(struct lf_http_response *response);

/* What the host offers to a device. Valid from open to close. From connect to disconnect nothing in it is
 * NULL, and it may be called from within the device's calls. Before that only `instrument` and `agent` are
 * sure to be set. */
struct lf_host {
    void *self;
    const char *instrument;         /* its name, for messages */
    const char *agent;              /* the agent's name, unique at its site */
    const struct lf_cancel *cancel; /* set when the agent stops or an operator cancels what is running */
    const struct lf_wake *wake;     /* readable when the host wants `listen` to return */

    /* found reports a result. LF_OK: the host has committed it to its journal (and stored `data`). Otherwise
     * the device keeps it and reports it again from a later call. Reporting the same id and version again is
     * harmless. */
    enum lf_status (*found)(void *self, const struct lf_finding *finding, struct lf_error *err);
    /* identity reports who is connected (model, serial number), as read from the instrument; "" if it cannot
     * be read. LF_MISMATCH (needs a person): the configuration expects another one, and connect must fail
     * with this error. */
    enum lf_status (*identity)(void *self, const char *identity, struct lf_error *err);
    /* progress reports how far a long action is ("block 12 of 80"). Cheap; call it often. */
    void (*progress)(void *self, const char *text);
    /* way says how the device works with this instrument where it depends on what is found there ("results
     * are finished when ..."), for people. */
    void (*way)(void *self, const char *text);
    /* concern reports what a person must know although the device goes on: a file that it refuses, a line
     * that nobody expected. `about` names it ("result x.csv"); of one name the newest text counts. If it
     * `stands` it is a state: the device ends it with text NULL, and reports it again after a connect.
     * Otherwise it has happened, and is counted until a person acknowledges it. `todo` says what a person can
     * do. */
    void (*concern)(void *self, const char *about, bool stands, const char *text, const char *todo);

    /* http sends a request and waits for the response, until the deadline or host->cancel. LF_OK: one came;
     * judge its status. TLS is always verified, and redirects are not followed. Errors are those of any call
     * here (LF_DISCONNECTED, LF_TIMEOUT, LF_CANCELLED, LF_TOO_LARGE, LF_INVALID ...), and transient where
     * trying again may help: whether the server acted is for the driver to say, by response->sent. */
    enum lf_status (*http)(void *self, const struct lf_http_request *request,
                           struct lf_http_response *response, struct lf_error *err);
    /* run runs a program beside the agent, as os/process.h describes: without a shell, in an environment of
     * its own, within its limits. It ends with host->cancel whatever process->cancel is. Free the result
     * with lf_process_result_free. */
    enum lf_status (*run)(void *self, const struct lf_process *process, struct lf_process_result *result,
                          struct lf_error *err);
};

/* Abilities, or-ed. */
enum {
    LF_CAN_DELIVER = 1,
    LF_CAN_RUN = 2,
    LF_CAN_ASK = 4,
    LF_CAN_COLLECT = 8,
};

struct lf_driver {
    /* abi is LF_DRIVER_ABI. It stays first and `name` second in every version, so that a driver built for
     * another version can be refused by name. */
    uint32_t abi;
    const char *name;                  /* name is used in the configuration: driver = "folder". */
    const char *help;                  /* help is one sentence for `labferry drivers`. */
    uint32_t can;                      /* can holds the abilities, LF_CAN_... or-ed. */
    const struct lf_setting *settings; /* settings are the driver's own options; the last row has no name. */

    /* check judges values beyond what the rows say: files exist, a profile parses, a URL is valid. It touches
     * no instrument, and calls `resource` (may be NULL) for whatever only one instrument may use ("serial
     * /dev/ttyUSB0", "folder /x/in"). NULL: all values that fit the rows are valid, and instruments share
     * nothing. */
    enum lf_status (*check)(const struct lf_values *values,
                            void (*resource)(void *context, const char *resource), void *context,
                            struct lf_error *err);

    /* open makes a device, touches no instrument, and borrows values and host until close. On failure it
     * frees what it made and leaves *device NULL: close is not called. Never NULL. */
    enum lf_status (*open)(const struct lf_values *values, const struct lf_host *host, void **device,
                           struct lf_error *err);
    /* close frees a device that open made. It is not connected any more. Never NULL. */
    void (*close)(void *device);

    /* connect opens the way to the instrument and reports who is there (host->identity). On failure it may
     * leave things half open: disconnect follows. Never NULL. */
    enum lf_status (*connect)(void *device, struct lf_error *err);
    /* disconnect releases all that connect took, also after a failed connect, and leaves a device that can be
     * connected again. It does not fail and does not wait long. Never NULL. */
    void (*disconnect)(void *device);

    /* listen watches the instrument between jobs until the deadline, host->wake or host->cancel, and reports
     * results by host->found; it returns LF_OK for each of the three, LF_DISCONNECTED when the instrument is
     * gone. It waits; it never spins. NULL: the instrument sends nothing by itself, and the host waits. */
    enum lf_status (*listen)(void *device, int64_t deadline, struct lf_error *err);

    /* repeat sets how often the action may be done, and refuses what the device does not know (LF_NOT_FOUND,
     * with what it knows). It works without a connection and never waits. NULL: the driver can neither
     * deliver, run nor ask; the host refuses every action. */
    enum lf_status (*repeat)(void *device, const struct lf_action *action, enum lf_repeat *repeat,
                             struct lf_error *err);
    /* describe tells what a command or procedure takes and gives, so that names which point nowhere are found
     * before any work. It refuses what `repeat` refuses, works without a connection and never waits. NULL:
     * nothing is known about inputs and values, and none is checked beforehand. */
    enum lf_status (*describe)(void *device, const struct lf_action *action, const struct lf_terms *terms,
                               struct lf_error *err);
    /* prepare does what can be done of an LF_ONCE action without the instrument noticing, and refuses what
     * `act` would refuse, so that after a crash its traces prove that `act` had not begun. It may be called
     * again for the same job, then starts over, and its errors mean that nothing happened. NULL: nothing to
     * prepare. */
    enum lf_status (*prepare)(void *device, const struct lf_action *action, struct lf_error *err);
    /* accept refuses inputs that `act` would refuse before it begins: a name that the action does not take, a
     * missing one, a value of the wrong type or out of bounds (LF_INVALID, permanent). It also refuses what
     * `repeat` refuses, works without a connection and never waits. NULL: only `act` finds them. */
    enum lf_status (*accept)(void *device, const struct lf_action *action, struct lf_error *err);
    /* act does the action and fills the outcome; see "Physical actions" above for the class of its errors. It
     * also refuses what `repeat` refuses, and prepares what was not prepared. NULL where repeat is. */
    enum lf_status (*act)(void *device, const struct lf_action *action, struct lf_outcome *outcome,
                          struct lf_error *err);
    /* sign names the safe procedure that succeeds once a person has changed the sample after this action (the
     * load was removed, a key of the instrument was pressed) and otherwise ends in LF_BUSY or LF_TIMEOUT.
     * Borrowed until close. NULL: the instrument cannot show it. It works without a connection and never
     * waits. The slot may be NULL. */
    const char *(*sign)(void *device, const struct lf_action *action);
    /* verify finds out whether an action that began was done, from evidence on the instrument; when it was,
     * it fills the outcome as act would. Without evidence it answers LF_VERDICT_UNKNOWN and gives the reason
     * in err. NULL: always unknown; a person decides. */
    enum lf_verdict (*verify)(void *device, const struct lf_action *action, struct lf_outcome *outcome,
                              struct lf_error *err);

    /* witnessed calls `each` with every delivery that a place outside the agent (the instrument's share)
     * still remembers, of this agent and of others, in no order: an older copy of the journal lacks some of
     * them. NULL: there is no such place. */
    enum lf_status (*witnessed)(void *device, void (*each)(void *context, const struct lf_witness *delivery),
                                void *context, struct lf_error *err);

    /* take copies the bytes of a finding to `to`, open and empty, at most `max` of them (else
     * LF_TOO_LARGE); `to` NULL asks only whether that version is still there.
     * LF_MISMATCH (transient): it has changed since; LF_NOT_FOUND: it is gone. NULL: the driver reports
     * findings with their data only, or none. */
    enum lf_status (*take)(void *device, const char *id, const char *version, const struct lf_file *to,
                           int64_t max, struct lf_error *err);
    /* archive moves the original of a finding out of the way after the cloud has it; doing it again is
     * harmless. NULL: nothing is left on the instrument to be moved. */
    enum lf_status (*archive)(void *device, const char *id, const char *version, struct lf_error *err);
};

/* Refuses a driver that was built for another version of this contract, or that lacks a slot it needs for
 * its abilities. LF_UNSUPPORTED (permanent). */
enum lf_status lf_driver_check(const struct lf_driver *driver, struct lf_error *err);

/* The rest is of the agent, not of the kit. A driver that is not built in is the symbol lf_driver_NAME of the
 * file NAME.so in a folder of the environment variable LABFERRY_DRIVER_PATH (a ':' list) or, without it, in
 * LIBDIR/labferry/drivers. It is loaded and checked when it is looked up for the first time, which only one
 * thread may do, and stays loaded. NULL: not found, or refused. */
const struct lf_driver *lf_driver_find(const char *name, struct lf_error *err);
/* Calls `each` with the names of all drivers: those built in, then the files in the folders, not loaded yet.
 */
void lf_driver_list(void (*each)(void *context, const char *name), void *context);

/* Words for people and reports: "deliver" for ability 1 << 0 and so on, NULL-terminated; "safe",
 * "idempotent", "once"; "text", "int", "real", "bool". */
extern const char *const lf_ability_names[];
const char *lf_repeat_name(enum lf_repeat repeat);
const char *lf_capture_type_name(enum lf_capture_type type);

#endif
