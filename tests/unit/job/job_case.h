// Jobs at work: real journal, couriers and bench, with the fake cloud and the fake device "robot".
#ifndef JOB_CASE_H
#define JOB_CASE_H

#include "core.h"
#include "fake_cloud.h"
#include "fake_device.h"
#include "job/job.h"

struct job_case {
    struct lf_config *config;
    struct lf_journal *journal;
    struct lf_jobs *jobs;
    struct lf_instrument *robot;
    struct fake_device *device;
};

// Instruments and routes in place of those below, set before case_open; NULL: those below.
extern const char *case_config;
// Opens everything but starts no thread: the test may prepare journal, cloud and device.
void case_open(struct job_case *c);
void case_start(struct job_case *c);
// Ends the threads as the daemon does and closes all but the journal file.
void case_close(struct job_case *c);
// As after the end of the process: closed, opened and not yet started.
void case_restart(struct job_case *c);

// Adds jobs of the routes "plates" (deliver), and "weigh" (reports outputs), "names" (reports all values
// under their own names) or "table" (reports a file) (task).
int64_t case_deliver(struct job_case *c, const char *file);
int64_t case_task(struct job_case *c, const char *route);
// Sends a worklist to an instrument, as an operator does.
enum lf_status case_send(struct job_case *c, const char *instrument, const char *name, int64_t *id,
                         struct lf_error *err);
// Runs a procedure of "robot", as an operator does; returns its job.
int64_t case_run(struct job_case *c, const char *procedure);
// Makes the device show a result; returns its collect job.
int64_t case_result(struct job_case *c, const char *name, const char *bytes, int version);

// A call of the cloud that fails once.
struct case_failure {
    const char *call; // NULL: none
    bool lost;        // the call is carried out, and only its answer is lost
    enum lf_class class;
};
void case_cloud_fails(const struct case_failure *failure);
// From now on the actions of "robot" fail like this; LF_CLASS_NONE: they succeed.
void case_act_fails(struct job_case *c, enum lf_class class);
// Saves what the test has changed in a job, and frees it.
void case_save(struct job_case *c, struct lf_job *job);

// Waits until the job is in the state. False: it never was (and says where it is).
bool case_becomes(struct job_case *c, int64_t id, enum lf_job_state state);
// The same, until its note has the text, too.
bool case_says(struct job_case *c, int64_t id, enum lf_job_state state, const char *text);
// Waits until the job is at the step.
bool case_reaches(struct job_case *c, int64_t id, const char *step);
// Lets a minute pass, and waits until the bench has looked for work since then.
void case_minute_passes(struct job_case *c);
// As a bad disk does: cuts the job's file in the spool down to two bytes.
void case_damage_spool(struct job_case *c, int64_t id);
// The same, to one of its bits.
void case_flip_spool_bit(struct job_case *c, int64_t id);
// As if the process had been killed between "about to act" and "acted".
void case_killed_while_acting(struct job_case *c, int64_t id, const char *step);
// Waits until the spool is empty.
bool case_spool_empties(void);
// Text of a fact or of the note, until the next call.
const char *case_fact(struct job_case *c, int64_t id, const char *name);
const char *case_note(struct job_case *c, int64_t id);

#endif
