/* Lab automation: run schemas, runs, input generators, output processors, transforms, results. */
#ifndef LF_SIM_AUTOMATION_H
#define LF_SIM_AUTOMATION_H

#include "blob.h"

/* ---- making things (control API and scenario) ---- */

/* A run of this run schema with the given fields (borrowed; NULL: none), with one generator for each input
 * file config; emits v2.assayRun.created. id NULL: a new one. */
struct sim_item *sim_run_make(struct sim *sim, const struct sim_item *schema, const char *id,
                              const cJSON *fields);
struct sim_item *sim_generator_of(const struct sim *sim, const char *run_id, const char *config);
/* Gives the generator a file, sets it SUCCEEDED, and emits .completed when `announce` says so. */
void sim_generator_give(struct sim *sim, struct sim_item *generator, const struct sim_blob *blob,
                        bool announce);
/* The worklist that the generator's config describes. Returned owned. */
char *sim_generator_worklist(struct sim *sim, const struct sim_item *generator, int64_t rows);
/* A file name for it, in the way of the vendor's default. */
void sim_generator_file_name(const struct sim *sim, const struct sim_item *generator, char *name,
                             size_t size);
/* A processor with a file; emits .uploaded. */
struct sim_item *sim_processor_make(struct sim *sim, const struct sim_item *run, const char *config,
                                    const struct sim_blob *blob, bool complete_with_errors);

/* The run schema of a run; never NULL. */
struct sim_item *sim_run_schema_of(const struct sim *sim, const struct sim_item *run);
/* What the scenario says about a file config ("inputFileConfigs" or "outputFileConfigs"); NULL if there is
 * none of that name. */
const cJSON *sim_file_config(const struct sim_item *schema, const char *kind, const char *name);

/* ---- shared by generators and processors ---- */

/* The resource as the API shows it: its files with their present upload status. Owned. */
cJSON *sim_automation_show(struct sim *sim, const struct sim_item *item);
/* Emits v2.<key>.<action> with the AutomationFile. */
void sim_automation_emit(struct sim *sim, const struct sim_item *item, const char *key, const char *action);
/* A blob that may be attached: known and complete. NULL with reply filled. */
const struct sim_blob *sim_attachable(const struct sim *sim, const char *id, struct sim_reply *reply);
/* New AutomationFile: id, run, config, no file, NOT_STARTED, stamps, apiURL. */
cJSON *sim_automation_file(struct sim *sim, const char *prefix, const char *path, const char *run_id,
                           const char *config);

/* Timer call: processes the file of a processor that is RUNNING. */
void sim_process(struct sim *sim, const char *processor_id);
/* Ends a processor FAILED, with its task and event. */
void sim_process_fail(struct sim *sim, struct sim_item *processor, const char *message, cJSON *errors);
/* If the config wants a custom transform and it has not been done: starts one and returns true. */
bool sim_transform_begin(struct sim *sim, struct sim_item *processor);
/* The blob to process: the transform's, else the processor's file. */
const char *sim_transform_result(const struct sim *sim, const struct sim_item *processor);

/* ---- API handlers ---- */
struct sim_reply sim_run_schema_get(struct sim_request *request);
struct sim_reply sim_run_schema_list(struct sim_request *request);
struct sim_reply sim_run_get(struct sim_request *request);
struct sim_reply sim_run_list(struct sim_request *request);
struct sim_reply sim_run_update(struct sim_request *request);
struct sim_reply sim_result_list(struct sim_request *request);
struct sim_reply sim_result_get(struct sim_request *request);
struct sim_reply sim_generator_list(struct sim_request *request);
struct sim_reply sim_generator_get(struct sim_request *request);
struct sim_reply sim_generator_update(struct sim_request *request);
struct sim_reply sim_generator_generate(struct sim_request *request);
struct sim_reply sim_processor_list(struct sim_request *request);
struct sim_reply sim_processor_create(struct sim_request *request);
struct sim_reply sim_processor_get(struct sim_request *request);
struct sim_reply sim_processor_update(struct sim_request *request);
struct sim_reply sim_processor_process(struct sim_request *request);
struct sim_reply sim_processor_archive(struct sim_request *request);
struct sim_reply sim_processor_unarchive(struct sim_request *request);
struct sim_reply sim_transform_get(struct sim_request *request);
struct sim_reply sim_transform_update(struct sim_request *request);

#endif
