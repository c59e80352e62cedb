/* Inside the journal: statements and transactions. Not for other folders. */
#ifndef LF_JOURNAL_DB_H
#define LF_JOURNAL_DB_H

#include "journal/journal.h"

#include "os/file.h"
#include "os/thread.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>

enum { STATEMENT_CACHE = 96 };

struct statement {
    const char *sql; /* a literal: compared by address */
    sqlite3_stmt *stmt;
    bool busy;
};

/* Kept up to date with each change, so that no query is needed. */
struct tally {
    int64_t outbox;    /* rows */
    int64_t unused;    /* bytes of events that made no job; see bounds.c */
    int64_t dismissed; /* bytes of commands that changed nothing */
    int64_t outbox_dropped, unused_dropped, dismissed_dropped; /* removed early since it was created */
};

/* What is known about the time; see age.c. */
struct age {
    int64_t opened_ms;   /* the known time when the journal was opened; 0: none was */
    int64_t stored_mono; /* when it was stored last */
    bool settled;        /* two clocks that agree have confirmed it in this run of the machine */
};

struct lf_journal {
    sqlite3 *db;
    struct lf_file lock; /* locked exclusively while open */
    /* The database file, locked too. Closed after SQLite has closed its own, or the system would drop
     * SQLite's locks. */
    struct lf_file file;
    struct lf_mutex mutex;  /* recursive: lf_journal_begin keeps it until commit or rollback */
    int depth;              /* nested transactions count as one */
    enum lf_status broken;  /* not LF_OK: a part of the transaction failed, so the outermost commit fails */
    struct effect *effects; /* of the open transaction */
    _Atomic(const void *) owner; /* the thread that has it open; see effects.c */
    char *path;                  /* NULL: opened to read, may belong to another process */
    bool ready;                  /* it is open */
    bool damaged;                /* found while open: nothing is written any more */
    bool trouble;                /* the last attempt to write failed */
    int64_t audited;             /* number of the newest audit entry written here */
    bool acts;                   /* this transaction notes that an action is about to begin */
    int64_t acted;               /* number of the newest of those entries written here */
    int64_t opened;              /* number of the newest audit entry when it was opened */
    bool rebooted;               /* since it was open last */
    enum lf_doubt doubt;         /* see doubt.c */
    int64_t missing; /* audit entries that the journal once had: it is an older copy; see health.c */
    struct age age;
    struct lf_journal_limits limits;
    struct tally tally, tally_before; /* ... and as it was before the transaction */
    struct statement cache[STATEMENT_CACHE];
};

/* A statement being run. Holds the journal's mutex from journal__query_start to journal__query_end. */
struct query {
    struct lf_journal *journal;
    struct statement *cached; /* NULL: prepared for this run only */
    sqlite3_stmt *stmt;
    int code;       /* last SQLite code */
    bool no_memory; /* a column could not be read: journal__query_end reports it */
};

/* Prepares and binds. sql is a literal. types has one letter for each argument: 't' const char * (NULL binds
 * null), 'i' int64_t, 'b' const void *, size_t. Texts and blobs are borrowed until journal__query_end, which
 * must follow in any case and reports what went wrong here. */
struct query journal__query(struct lf_journal *journal, const char *sql, const char *types, ...);
/* True: there is a row. False: the end, or an error. */
bool journal__query_row(struct query *query);
/* Finishes what the statement has left to do, and ends it. LF_OK, or the first error since it was prepared;
 * LF_EXISTS if it would have broken a uniqueness rule. */
enum lf_status journal__query_end(struct query *query, struct lf_error *err);
/* Reads all rows (name, count) and ends the query. Returns an object, owned; NULL: an error. */
cJSON *journal__query_counts(struct query *query);
/* All three for one number: the first column of the first row. *number keeps its value if there is no row, or
 * if it is null. After the error: the statement, its types and their arguments. */
#define journal__query_int(journal, number, err, ...)                                                        \
    journal__query_number(journal__query(journal, __VA_ARGS__), number, err)
enum lf_status journal__query_number(struct query query, int64_t *number, struct lf_error *err);
/* The same for a statement without rows. */
#define journal__query_do(journal, err, ...) journal__query_all(journal__query(journal, __VA_ARGS__), err)
enum lf_status journal__query_all(struct query query, struct lf_error *err);

int64_t journal__column_int(struct query *query, int column);
char *journal__column_text(struct query *query, int column); /* owned; NULL for null */
const char *journal__column_peek(struct query *query,
                                 int column); /* borrowed until the next row; NULL for null */
/* Owned bytes, with a 0 behind them; the empty slice for null. */
struct lf_slice journal__column_bytes(struct query *query, int column);

/* ---- effects.c: on the thread that has the transaction open ---- */

void journal__effects_begin(struct lf_journal *journal);
/* Ends the transaction's ownership. The list goes to journal__effects_end, without the mutex. */
struct effect *journal__effects_take(struct lf_journal *journal);
/* Runs the effects if the transaction was kept, and frees them. */
void journal__effects_end(struct effect *effects, bool kept);

enum lf_status journal__sqlite_fail(struct lf_journal *journal, int code, const char *doing,
                                    struct lf_error *err);

/* ---- health.c: with the mutex held */

/* Notes what an error of SQLite says about the journal. */
void journal__health_note(struct lf_journal *journal, int code);
enum lf_status journal__health_damaged(const struct lf_journal *journal, const char *doing, const char *why,
                                       struct lf_error *err);
/* Before each transaction: neither damaged nor gone. */
enum lf_status journal__health_check(struct lf_journal *journal, struct lf_error *err);
/* While opening: before (is one missing?) and after. */
enum lf_status journal__health_not_missing(struct lf_journal *journal, struct lf_error *err);
enum lf_status journal__health_begun(struct lf_journal *journal, struct lf_error *err);
enum lf_status journal__health_compare(struct lf_journal *journal, struct lf_error *err);
/* After a transaction that noted that an action is about to begin. */
void journal__health_acts(struct lf_journal *journal);

/* ---- doubt.c: after journal__jobs_recover */

enum lf_status journal__doubt_load(struct lf_journal *journal, struct lf_error *err);

/* ---- age.c */

enum lf_status journal__age_load(struct lf_journal *journal, struct lf_error *err);
/* The time by which things are old, never in the future of the truth; 0: nothing may be called old now. */
int64_t journal__age_now(const struct lf_journal *journal);

/* ---- bounds.c: within the caller's transaction */

enum lf_status journal__bounds_load(struct lf_journal *journal, struct lf_error *err);
/* After a row was added: removes the oldest beyond the limit. */
enum lf_status journal__bounds_outbox(struct lf_journal *journal, struct lf_error *err);
enum lf_status journal__bounds_unused(struct lf_journal *journal, int64_t newest, struct lf_error *err);
enum lf_status journal__bounds_dismissed(struct lf_journal *journal, int64_t newest, struct lf_error *err);
/* What an event of this fate and length counts as unused: 0 if a job came of it. */
int64_t journal__bounds_cost(enum lf_fate fate, int64_t body_len);

/* Without a database yet; end with lf_journal_close. NULL: out of memory. */
struct lf_journal *journal__new(struct lf_error *err);
/* Opens a file for reading, in one transaction, as it is: nothing is checked, recovered or migrated. An agent
 * may be using it. */
enum lf_status journal__open_to_read(const char *path, struct lf_journal **journal, struct lf_error *err);

/* inspect.c: writes one line of JSON. Takes json; NULL: out of memory. */
enum lf_status journal__write_line(FILE *out, cJSON *json, struct lf_error *err);

/* Creates or migrates the tables. */
enum { SCHEMA_VERSION = 11 };
enum lf_status journal__schema_apply(struct lf_journal *journal, struct lf_error *err);
/* After opening: what a crash or reboot left behind. */
enum lf_status journal__jobs_recover(struct lf_journal *journal, struct lf_error *err);
enum lf_status journal__concern_recover(struct lf_journal *journal, struct lf_error *err);
enum lf_status journal__audit_recover(struct lf_journal *journal, struct lf_error *err);
/* Adds an entry about a job to the audit trail. */
enum lf_status journal__audit_job(struct lf_journal *journal, int64_t job, const char *who, const char *what,
                                  const char *text, struct lf_error *err);

#endif
