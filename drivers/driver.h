/* The driver contract: the only header that a driver needs.
 *
 * A driver speaks to a class of instruments (a folder, a line protocol, ASTM ...). The agent opens one
 * *device* of it for every configured instrument and calls it from that instrument's own bench thread only: a
 * device needs no locks. Every call that waits honours the deadline it is given and the host's cancel, and
 * returns LF_CANCELLED or LF_TIMEOUT then.
 *
 * How a device lives: open -> (connect -> (listen | act | verify | take | file)* -> disconnect)* -> close.
 * When a call fails with LF_DISCONNECTED, the host calls disconnect and later connect again, with back-off.
 *
 * Physical actions. Before `act` of an action whose class is LF_ONCE, the host has committed "about to act"
 * to its journal. If `act` fails after the instrument may have moved, the error's class must be
 * LF_UNKNOWN_OUTCOME; if the instrument certainly did nothing, LF_TRANSIENT or LF_PERMANENT. After a crash in
 * between, the host asks `verify`.
 */
#ifndef LABFERRY_DRIVER_H
#define LABFERRY_DRIVER_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/setting.h"
#include "os/wait.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LF_DRIVER_ABI 1u

/* How often may an action be done? */
enum lf_repeat {
    LF_SAFE,       /* changes nothing: repeat freely (read a weight) */
    LF_IDEMPOTENT, /* repeating changes nothing more (put the same file at the same place) */
    LF_ONCE, /* moves, consumes or prints something: never repeated on our own (tare, dispense, start) */
};

/* What verify found out about an action that was begun. */
enum lf_verdict { LF_VERDICT_UNKNOWN, LF_VERDICT_DONE, LF_VERDICT_NOT_DONE };

/* A file on its way. Everything is borrowed for the call. */
struct lf_parcel {
    const char *name;   /* file name for the instrument; already passed lf_name_check */
    const char *path;   /* where its bytes lie in the spool */
    int64_t size;       /* bytes */
    const char *sha256; /* lower-case hex */
    const char *mime;   /* may be NULL */
};

/* A named text value: inputs of a procedure. */
struct lf_input {
    const char *name, *value;
};

enum lf_action_kind {
    LF_ACTION_DELIVER, /* put `parcel` on the instrument */
    LF_ACTION_RUN,     /* run the procedure `name` with `inputs` */
    LF_ACTION_ASK,     /* send one command, `name` with `inputs`, for an operator */
};

struct lf_action {
    enum lf_action_kind kind;
    int64_t job; /* number of the job, for temporary names and logs; 0 when there is none */
    const struct lf_parcel *parcel; /* LF_ACTION_DELIVER */
    const char *name;               /* LF_ACTION_RUN, LF_ACTION_ASK */
    const struct lf_input *inputs;
    size_t input_count;
};

/* A value that the instrument reported. */
enum lf_capture_type { LF_CAPTURE_TEXT, LF_CAPTURE_INT, LF_CAPTURE_REAL, LF_CAPTURE_BOOL };

enum { LF_CAPTURES_MAX = 256 };

struct lf_capture {
    char *name;  /* owned by the outcome */
    char *value; /* as text: exactly what the instrument said, decimal point '.' for numbers */
    enum lf_capture_type type;
};

/* What came of an action. The host gives a zeroed one and frees it with lf_outcome_free. */
struct lf_outcome {
    struct lf_capture *captures;
    size_t count;
    char *place;     /* where a parcel lies on the instrument, for people; owned, may be NULL */
    char sha256[65]; /* digest read back from the instrument; empty if it cannot be read back */
};

/* Adds a capture; name and value are copied. A name given twice keeps both, in order (repeated measurements).
 */
enum lf_status lf_outcome_add(struct lf_outcome *outcome, const char *name, enum lf_capture_type type,
                              const char *value, struct lf_error *err);
void lf_outcome_free(struct lf_outcome *outcome);

/* A result that the instrument has produced. Everything is borrowed for the call. */
struct lf_finding {
    const char *
        id; /* names it for `take` and `file`; stable over restarts (a path below the outbox, a message id) */
    const char *version; /* changes when the content does (size, mtime, inode; or a digest) */
    const char *name;    /* file name for the cloud */
    const char *sidecar; /* text of a sidecar file that says what this is; NULL if there is none */
    const void
        *data; /* bytes that exist only here (an unsolicited line); NULL: the host calls `take` later */
    size_t len;
};

/* What the host offers to a device. Valid from open to close; call only from the bench thread. */
struct lf_host {
    void *self;
    const char *instrument;         /* its name, for messages */
    const struct lf_cancel *cancel; /* set when the agent stops or the operator cancels what runs */
    const struct lf_wake *wake;     /* readable when the host wants `listen` to return */

    /* Tells of a result. The host keeps it safe (commits it to the journal; stores `data`) before this
     * returns LF_OK. Telling the same id and version again is harmless. On failure tell again at the next
     * scan. */
    enum lf_status (*found)(void *self, const struct lf_finding *finding, struct lf_error *err);
    /* Who is connected (serial number, model), as read from the instrument. LF_MISMATCH (needs a person) when
     * the configuration expects another: the device must then fail `connect`. */
    enum lf_status (*identity)(void *self, const char *identity, struct lf_error *err);
    /* How far a long action is, in words ("block 12 of 80"); cheap to call often. */
    void (*progress)(void *self, const char *text);
};

/* Abilities, or-ed. */
enum {
    LF_CAN_DELIVER = 1,
    LF_CAN_RUN = 2,
    LF_CAN_ASK = 4,
    LF_CAN_COLLECT = 8,
};

struct lf_driver {
    uint32_t abi;                      /* LF_DRIVER_ABI */
    const char *name;                  /* as in the configuration: driver = "folder" */
    const char *help;                  /* one sentence */
    uint32_t can;                      /* LF_CAN_... */
    const struct lf_setting *settings; /* options beside the common ones; ends with a row without name */

    /* Checks values beyond what the rows say: files exist, profile parses, URL is good. Touches no device.
     * Calls `resource` (may be NULL) for everything that only one instrument may use ("serial /dev/ttyUSB0",
     * "folder /x/in"). */
    enum lf_status (*check)(const struct lf_values *values,
                            void (*resource)(void *context, const char *resource), void *context,
                            struct lf_error *err);
    /* Makes a device. Touches no instrument. Borrows values and host until close. */
    enum lf_status (*open)(const struct lf_values *values, const struct lf_host *host, void **device,
                           struct lf_error *err);
    void (*close)(void *device);

    /* Opens the way to the instrument and finds out who is there (host->identity). */
    enum lf_status (*connect)(void *device, struct lf_error *err);
    void (*disconnect)(void *device); /* also after a failed connect; never fails, never waits long */

    /* Watches the instrument between jobs until the deadline, host->wake or host->cancel; tells results by
     * host->found. LF_OK for all of these; LF_DISCONNECTED when the instrument is gone. Never spins. */
    enum lf_status (*listen)(void *device, int64_t deadline, struct lf_error *err);

    /* How often may this action be done? Also refuses what the device does not know (LF_NOT_FOUND, with what
     * it knows). */
    enum lf_status (*repeat)(void *device, const struct lf_action *action, enum lf_repeat *repeat,
                             struct lf_error *err);
    enum lf_status (*act)(void *device, const struct lf_action *action, struct lf_outcome *outcome,
                          struct lf_error *err);
    /* Was an action that we began done? May be NULL: unknown. Fills the outcome as act would when done. */
    enum lf_verdict (*verify)(void *device, const struct lf_action *action, struct lf_outcome *outcome,
                              struct lf_error *err);

    /* Copies a finding's bytes to the open file `to` (the spool). LF_MISMATCH (transient) when it changed
     * meanwhile; LF_NOT_FOUND when it is gone. max bounds the size. NULL without LF_CAN_COLLECT. */
    enum lf_status (*take)(void *device, const char *id, const char *version, int to, int64_t max,
                           struct lf_error *err);
    /* The cloud has it: archive the original. Must be repeatable. NULL without LF_CAN_COLLECT. */
    enum lf_status (*file)(void *device, const char *id, const char *version, struct lf_error *err);
};

/* The built-in drivers, NULL-terminated. */
extern const struct lf_driver *const lf_drivers[];
const struct lf_driver *lf_driver_find(const char *name);

#ifdef __cplusplus
}
#endif

#endif
