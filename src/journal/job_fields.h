/* What a job carries besides its columns: one row per field, and the only way to read or write one.
 *
 * The journal stores the fields as one JSON object under these names; `labferry job` and MQTT show them.
 */
#ifndef LF_JOURNAL_JOB_FIELDS_H
#define LF_JOURNAL_JOB_FIELDS_H

#include "base/json.h"

struct lf_job;

/* Names that SQL needs, too. */
#define LF_NAME_RUN "run"
#define LF_NAME_CONFIG "config"
#define LF_NAME_BLOB "blob"
#define LF_NAME_PROCESSOR "processor"
#define LF_NAME_SAME_AS "same_as"
#define LF_NAME_FAILING_SINCE "failing_since"
#define LF_NAME_SAMPLE_SINCE "sample_since"

/* member, stored name, type, what it holds */
#define LF_JOB_FIELDS(X)                                                                                     \
    X(HAPPENED, "happened_ms", INT, "when the work arose, until the clock is known to be right")             \
    X(FAILING_SINCE, LF_NAME_FAILING_SINCE, INT, "since when its step has failed again and again (wall ms)") \
    X(RUN, LF_NAME_RUN, TEXT, "id of the assay run")                                                         \
    X(CONFIG, LF_NAME_CONFIG, TEXT, "name of the automation file configuration")                             \
    X(FILE_NAME, "file_name", TEXT, "name of the file")                                                      \
    X(SHA256, "sha256", TEXT, "digest of the file in the spool")                                             \
    X(SIZE, "size", INT, "bytes of the file in the spool")                                                   \
    X(GENERATOR, "generator", TEXT, "id of the input generator")                                             \
    X(FILE, "file", TEXT, "id of the generator's file")                                                      \
    X(MIME, "mime", TEXT, "media type of the generator's file")                                              \
    X(DELIVERED, "delivered", TEXT, "when its delivery to the instrument began")                             \
    X(PLACE, "place", TEXT, "where the instrument has the file")                                             \
    X(SHA256_THERE, "sha256_there", TEXT, "digest of the file as read back from the instrument")             \
    X(FINDING, "finding", TEXT, "the driver's id of the result")                                             \
    X(ORIGINAL, "original", TEXT, "where the result lies on the instrument, if its name does not say it")    \
    X(VERSION, "version", TEXT, "the driver's version of the result")                                        \
    X(WRITTEN, "written", TEXT, "when the instrument wrote the result")                                      \
    X(CANDIDATES, "candidates", JSON, "runs that the result may belong to, for a person to choose from")     \
    X(SIDECAR, "sidecar", TEXT, "text of the file beside the result")                                        \
    X(SAID, "said", BOOL, "the instrument sent the result as data and cannot send it again")                 \
    X(GONE, "gone", BOOL, "the result disappeared before it was read")                                       \
    X(ASSIGNED, "assigned", TEXT, "the person or the route that named the run")                              \
    X(SAME_AS, LF_NAME_SAME_AS, INT, "job that brought the same content to the same run")                    \
    X(PARTS_BLOB, "parts_blob", TEXT, "blob of a multipart upload under way")                                \
    X(PART_SIZE, "part_size", INT, "bytes of each of its parts")                                             \
    X(BLOB, LF_NAME_BLOB, TEXT, "id of the uploaded file")                                                   \
    X(ATTACHING, "attaching", BOOL, "the file may be attached to the run, which nobody has seen yet")        \
    X(PROCESSOR, LF_NAME_PROCESSOR, TEXT, "id of the output processor")                                      \
    X(TASK, "task", TEXT, "id of the long-running task that processes the file")                             \
    X(ROWS_SUCCEEDED, "rows_succeeded", INT, "rows that Benchling took")                                     \
    X(ROWS_FAILED, "rows_failed", INT, "rows that Benchling refused")                                        \
    X(ERROR_BLOB, "error_blob", TEXT, "id of the file that lists the failed rows")                           \
    X(ERROR_FILE, "error_file", TEXT, "path of its local copy")                                              \
    X(WORKFLOW_TASK, "workflow_task", TEXT, "id of the workflow task")                                       \
    X(DISPLAY, "display", TEXT, "the name that people know the workflow task by")                            \
    X(STATUS, "status", TEXT, "id of the status in which the workflow task was found")                       \
    X(PROCEDURE, "procedure", TEXT, "procedure to run")                                                      \
    X(INPUTS, "inputs", JSON, "its inputs by name")                                                          \
    X(CLAIMING, "claiming", BOOL, "about to claim the workflow task")                                        \
    X(CLAIM_STATUS, "claim_status", TEXT, "id of the status that marks it as ours")                          \
    X(CLAIMED, "claimed", BOOL, "the workflow task is ours")                                                 \
    X(SAMPLE_SINCE, LF_NAME_SAMPLE_SINCE, INT,                                                               \
      "since when it waits for a person to put its sample on the instrument (wall ms)")                      \
    X(SIGNED, "signed", INT,                                                                                 \
      "its sample lies on the instrument: how often that had run when it was put there")                     \
    X(UNCHECKED, "unchecked", BOOL, "a person wants it to act once without a look at Benchling")             \
    X(CAPTURES, "captures", JSON, "list of values that the procedure captured")                              \
    X(SUMMARY, "summary", TEXT, "the captured values in one line")                                           \
    X(OUTPUTS_BEFORE, "outputs_before", JSON, "ids of workflow outputs that are not ours")                   \
    X(OUTPUT, "output", TEXT, "id of our workflow output")                                                   \
    X(END, "end", TEXT, "state to end in once the workflow task is set to failed")                           \
    X(FAILURE, "failed", TEXT, "why the workflow task fails")

enum lf_job_field {
    LF_JOB_NO_FIELD,
#define X(member, name, type, help) LF_JOB_##member,
    LF_JOB_FIELDS(X)
#undef X
        LF_JOB_FIELD_COUNT
};

/* The stored name. */
const char *lf_job_field_name(enum lf_job_field field);
/* Is it a BOOL? */
bool lf_job_field_is_flag(enum lf_job_field field);

/* Each call is for fields of its type only. Texts and values are borrowed from the job until the field
 * changes; NULL: not set. */
const char *lf_job_text(const struct lf_job *job, enum lf_job_field field);
const char *lf_job_text_or(const struct lf_job *job, enum lf_job_field field, const char *fallback);
int64_t lf_job_int(const struct lf_job *job, enum lf_job_field field, int64_t fallback);
bool lf_job_bool(const struct lf_job *job, enum lf_job_field field); /* not set: false */
cJSON *lf_job_json(const struct lf_job *job, enum lf_job_field field);

/* LF_NO_MEMORY leaves the field as it was. Text NULL clears the field. */
enum lf_status lf_job_set_text(struct lf_job *job, enum lf_job_field field, const char *text,
                               struct lf_error *err);
enum lf_status lf_job_set_int(struct lf_job *job, enum lf_job_field field, int64_t number,
                              struct lf_error *err);
enum lf_status lf_job_set_bool(struct lf_job *job, enum lf_job_field field, bool truth, struct lf_error *err);
/* Takes object in any case; NULL counts as out of memory. */
enum lf_status lf_job_set_json(struct lf_job *job, enum lf_job_field field, cJSON *object,
                               struct lf_error *err);
void lf_job_clear(struct lf_job *job, enum lf_job_field field);

/* What the job is about, for people: its workflow task, file or procedure; "" if it has none. Borrowed. */
const char *lf_job_about(const struct lf_job *job);

#endif
