/* Keys: what makes two pieces of work the same work. Nobody else spells one.
 *
 * A key is a row of parts with '|' between them, each part escaped, so two different inputs never spell the
 * same key. All functions return owned text; NULL when out of memory, never a shortened key.
 */
#ifndef LF_EVENT_KEY_H
#define LF_EVENT_KEY_H

#include <stdbool.h>
#include <stdint.h>

struct lf_event;

/* The happening that an event reports: "name|resource id|state". Version and event id are left out because
 * the twins `v2`, `v2-beta` and `v2-alpha` of one happening differ only in these. The state is
 *
 * - LF_STATE_FILE: file.id, for processors also the status: a generator that runs again writes a new file;
 * - LF_STATE_STATUS: status.id (or status);
 * - LF_STATE_MOMENT: empty;
 * - LF_STATE_ONCE: "once".
 *
 * An event that lacks what its state needs (thin, or dropped for size), or whose type is unknown, is known
 * only by its own id: "name||event id". That still finds resends. */
char *lf_key_event(const struct lf_event *event);
/* Can that happen again, as a task can reach a status twice? Then lf_key_occurrence completes the key: with
 * the id of the first event that reported this occurrence. Two events of the same type never report the same
 * one; twins differ in their type, and their dates are less than LF_KEY_TWINS_MS apart. A date of the
 * resource does not help: real events of workflow tasks have none. */
bool lf_key_recurs(const struct lf_event *event);
char *lf_key_occurrence(const char *happening, const char *event_id);
enum { LF_KEY_TWINS_MS = 10 * 1000 };
/* The happening "this generator has generated this file", known without its event. */
char *lf_key_generator_file(const char *generator, const char *file);
/* What the keys of all files of a generator, and of their jobs, begin with. */
char *lf_key_generator(const char *generator);

/* A job born of a happening. `detail` tells jobs of the same kind for the same instrument apart: the id of
 * the file, or the procedure. NULL counts as "". */
char *lf_key_job(const char *happening, const char *instrument, const char *kind, const char *detail);
/* The job of a result found on an instrument. */
char *lf_key_result(const char *instrument, const char *id, const char *version);
/* The job of values captured by another job. */
char *lf_key_values(int64_t job);
/* An operator's own job: the same as no other. */
char *lf_key_operator(int64_t at_ms, uint64_t random);

/* What a job waits for while the cloud runs an output processor. */
char *lf_key_wake_processor(const char *processor);

#endif
