/* An intake with a real configuration and a real journal, and events for it. */
#ifndef INTAKE_CASE_H
#define INTAKE_CASE_H

#include "core.h"
#include "fake_cloud.h"
#include "intake/parts.h"
#include "job/job.h"

#define LINK "link = { broker = \"mqtt://127.0.0.1\"; };\n"
#define INSTRUMENTS                                                                                          \
    "instruments = ( { name = \"robot\"; driver = \"fake\"; }, { name = \"balance\"; driver = \"fake\"; } "  \
    ");\n"
#define ROUTES                                                                                                                  \
    "routes = (\n"                                                                                                              \
    " { name = \"first\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; instrument = "                        \
    "\"robot\";\n"                                                                                                              \
    "   where = { automationInputGenerator = { assayRunId = [ \"run_1\" ]; }; }; },\n"                                          \
    " { name = \"other\"; on = \"automationInputGenerator.completed\"; job = \"deliver\"; instrument = "                        \
    "\"balance\";\n"                                                                                                            \
    "   where = { automationInputGenerator = { assayRunId = ( { anything-but = [ \"run_1\" ]; } ); }; };\n"                     \
    "   not_after = \"2h\"; },\n"                                                                                               \
    " { name = \"weigh\"; on = \"workflowTask.updated.status\"; job = \"task\"; only_agent = true; instrument = \"balance\";\n" \
    "   procedure = \"weigh\"; },\n"                                                                                            \
    " { name = \"by-hand\"; on = \"automationOutputProcessor.uploaded\"; job = \"collect\"; }\n"                                \
    ");\n"

/* What open_with and open_all made. */
extern struct lf_config *config;
extern struct lf_journal *journal;
extern struct lf_intake *intake;
extern struct lf_jobs *jobs;
/* What open_with sets cloud.events and agent.first_start to. */
extern enum lf_config_source events_from;
extern enum lf_config_first first_start;

/* Reads the configuration and opens jobs and intake on the journal. */
void open_with(const char *text);
/* With a new journal, INSTRUMENTS and ROUTES. */
void open_all(void);
void close_all(void);

/* The time `ms` ago, as an event has it. Overwritten by the next call. */
const char *ago(int64_t ms);

/* Gives the intake one message; fails the test if it is not acknowledged. */
enum lf_status take(const char *text);
/* An event as EventBridge brings it. `resource`: name and object, "\"workflowTask\":{...}". */
enum lf_status take_event(const char *id, const char *type, const char *created, const char *excluded,
                          const char *resource);
/* An input file was generated for a run, `ms` ago. version: "v2", "v2-beta" ... */
void generated(const char *version, const char *id, int64_t ms, const char *run, const char *file);
/* The same, but the event lacks the file; the API has run_1 and file_1. */
void generated_incomplete(const char *id);

/* jobs_text: "[1,2]" */
void check_fate(const char *id, enum lf_fate fate, const char *jobs_text);
void check_note(const char *id, const char *note);
int64_t job_count(void);

#endif
