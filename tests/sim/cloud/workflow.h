/* Workflow task schemas with their status lifecycle, task groups, tasks, outputs. */
#ifndef LF_SIM_WORKFLOW_H
#define LF_SIM_WORKFLOW_H

#include "http.h"

/* ---- making things (control API and scenario) ---- */

/* A group of this task schema; emits v2.workflowTaskGroup.created. */
struct sim_item *sim_group_make(struct sim *sim, const struct sim_item *schema, const char *name,
                                const char *folder);
/* A task in this group, in the schema's initial status; fields as in the API (borrowed; NULL: none). Emits
 * .created and .updated.status. */
struct sim_item *sim_workflow_task_make(struct sim *sim, struct sim_item *group, const cJSON *fields);
/* The status of that id or display name; NULL if the schema has none. */
const cJSON *sim_status_find(const struct sim_item *schema, const char *id_or_name);
struct sim_item *sim_task_schema_of(const struct sim *sim, const struct sim_item *task);
/* Sets the status and emits .updated.status. */
void sim_workflow_task_move(struct sim *sim, struct sim_item *task, const cJSON *status);
bool sim_transition_allowed(const struct sim_item *schema, const char *from_id, const char *to_id);

/* Fields of a request against a schema's definitions: names it does not have, and values of the wrong type,
 * are refused. NULL when they are fine, else what is wrong (in why). */
const char *sim_fields_check(const cJSON *definitions, const cJSON *fields, char *why, size_t why_size);
/* Merges fields into `into`, filling type, textValue and displayValue from the definitions. */
void sim_fields_merge(cJSON *into, const cJSON *definitions, const cJSON *fields);

/* ---- API handlers ---- */
struct sim_reply sim_task_schema_get(struct sim_request *request);
struct sim_reply sim_task_schema_list(struct sim_request *request);
struct sim_reply sim_group_get(struct sim_request *request);
struct sim_reply sim_group_list(struct sim_request *request);
struct sim_reply sim_group_create(struct sim_request *request);
struct sim_reply sim_group_update(struct sim_request *request);
struct sim_reply sim_workflow_task_get(struct sim_request *request);
struct sim_reply sim_workflow_task_list(struct sim_request *request);
struct sim_reply sim_workflow_task_create(struct sim_request *request);
struct sim_reply sim_workflow_task_update(struct sim_request *request);
struct sim_reply sim_workflow_task_bulk_update(struct sim_request *request);
struct sim_reply sim_output_get(struct sim_request *request);
struct sim_reply sim_output_list(struct sim_request *request);
struct sim_reply sim_output_create(struct sim_request *request);
struct sim_reply sim_output_update(struct sim_request *request);

#endif
