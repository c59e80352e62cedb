/* Every operation the simulator has: the vendor's, with the shapes the vendor declares, and its own under
 * /sim/. */
#include "auth.h"
#include "automation.h"
#include "blob.h"
#include "control.h"
#include "event.h"
#include "fault_rules.h"
#include "task.h"
#include "workflow.h"

#define PAGES "pageSize:i0..100, nextToken:s"

const struct sim_route sim_api_routes[] = {
    {"POST", "/token", "generateToken", NULL, NULL, sim_auth_token, SIM_OPEN | SIM_FORM},

    {"GET", "/assay-run-schemas", "listAssayRunSchemas", PAGES ", modifiedAt:s", NULL, sim_run_schema_list,
     0},
    {"GET", "/assay-run-schemas/{}", "getRunSchema", NULL, NULL, sim_run_schema_get, 0},
    {"GET", "/assay-runs", "listAssayRuns", PAGES ", schemaId:s!, minCreatedTime:i, maxCreatedTime:i, ids:s",
     NULL, sim_run_list, 0},
    {"GET", "/assay-runs/{}", "getAssayRun", NULL, NULL, sim_run_get, 0},
    {"PATCH", "/assay-runs/{}", "updateAssayRun", NULL, "fields:f, equipmentId:s?", sim_run_update, 0},
    {"GET", "/assay-runs/{}/automation-input-generators", "listAutomationInputGenerators",
     "nextToken:s, modifiedAt:s", NULL, sim_generator_list, 0},
    {"GET", "/assay-results", "listAssayResults",
     PAGES ", schemaId:s, automationOutputProcessorId:s, assayRunIds:s, ids:s, archiveReason:s", NULL,
     sim_result_list, 0},
    {"GET", "/assay-results/{}", "getAssayResult", NULL, NULL, sim_result_get, 0},

    {"GET", "/automation-input-generators/{}", "getAutomationInputGenerator", NULL, NULL, sim_generator_get,
     0},
    {"PATCH", "/automation-input-generators/{}", "updateAutomationInputGenerator", NULL, "fileId:s?",
     sim_generator_update, 0},
    {"POST", "/automation-input-generators/{}:generate-input", "generateInputWithAutomationInputGenerator",
     NULL, NULL, sim_generator_generate, 0},
    {"GET", "/automation-output-processors", "listAutomationOutputProcessors",
     "assayRunId:s, automationFileConfigName:s, archiveReason:s, modifiedAt:s, nextToken:s", NULL,
     sim_processor_list, 0},
    {"POST", "/automation-output-processors", "createAutomationOutputProcessor", NULL,
     "assayRunId:s!, automationFileConfigName:s!, fileId:s!, completeWithErrors:b, folderId:s, locationId:s, "
     "timezone:s",
     sim_processor_create, 0},
    {"POST", "/automation-output-processors:archive", "archiveAutomationOutputProcessors", NULL,
     "automationOutputProcessorIds:[s]!, "
     "reason:Made in error|Retired|Expended|Shipped|Contaminated|Expired|Missing|Other",
     sim_processor_archive, 0},
    {"POST", "/automation-output-processors:unarchive", "unarchiveAutomationOutputProcessors", NULL,
     "automationOutputProcessorIds:[s]!", sim_processor_unarchive, 0},
    {"GET", "/automation-output-processors/{}", "getAutomationOutputProcessor", NULL, NULL, sim_processor_get,
     0},
    {"PATCH", "/automation-output-processors/{}", "updateAutomationOutputProcessor", NULL, "fileId:s!",
     sim_processor_update, 0},
    {"POST", "/automation-output-processors/{}:process-output", "processOutputWithAutomationOutputProcessor",
     NULL, NULL, sim_processor_process, 0},
    {"GET", "/automation-file-transforms/{}", "getLabAutomationTransform", NULL, NULL, sim_transform_get, 0},
    {"PATCH", "/automation-file-transforms/{}", "updateLabAutomationTransform", NULL, "blobId:s, errors:[o]",
     sim_transform_update, 0},
    {"GET", "/tasks/{}", "getTask", NULL, NULL, sim_task_get, 0},

    {"POST", "/blobs", "createBlob", NULL,
     "name:s1000!, type:RAW_FILE|VISUALIZATION!, data64:s!, md5:s!, mimeType:s100", sim_blob_create, 0},
    {"POST", "/blobs:start-multipart-upload", "createMultipartBlob", NULL,
     "name:s1000!, type:RAW_FILE|VISUALIZATION!, mimeType:s100", sim_blob_start, 0},
    {"GET", "/blobs:bulk-get", "bulkGetBlobs", "blobIds:s", NULL, sim_blob_bulk_get, 0},
    {"GET", "/blobs/{}", "getBlob", NULL, NULL, sim_blob_get, 0},
    {"POST", "/blobs/{}/parts", "createBlobPart", NULL, "partNumber:i1..10000!, data64:s!, md5:s!",
     sim_blob_part, 0},
    {"POST", "/blobs/{}:complete-upload", "completeMultipartBlob", NULL, "parts:[o]", sim_blob_complete, 0},
    {"POST", "/blobs/{}:abort-upload", "abortMultipartBlob", NULL, NULL, sim_blob_abort, 0},
    {"GET", "/blobs/{}/download-url", "getBlobUrl", NULL, NULL, sim_blob_download_url, 0},
    {"GET", "/blobs/{}/download", "getBlobFile", NULL, NULL, sim_blob_download, SIM_UNMETERED},
    {"GET", "/presigned/{}", "presignedDownload", NULL, NULL, sim_blob_presigned, SIM_OPEN | SIM_UNMETERED},

    {"GET", "/workflow-task-schemas", "listWorkflowTaskSchemas", PAGES ", modifiedAt:s", NULL,
     sim_task_schema_list, 0},
    {"GET", "/workflow-task-schemas/{}", "getWorkflowTaskSchema", NULL, NULL, sim_task_schema_get, 0},
    {"GET", "/workflow-task-groups", "listWorkflowTaskGroups",
     PAGES ", ids:s, schemaId:s, folderId:s, displayIds:s, name:s, archiveReason:s, modifiedAt:s", NULL,
     sim_group_list, 0},
    {"POST", "/workflow-task-groups", "createWorkflowTaskGroup", NULL,
     "schemaId:s!, folderId:s!, name:s, watcherIds:[s]", sim_group_create, 0},
    {"GET", "/workflow-task-groups/{}", "getWorkflowTaskGroup", NULL, NULL, sim_group_get, 0},
    {"PATCH", "/workflow-task-groups/{}", "updateWorkflowTaskGroup", NULL,
     "folderId:s, name:s, watcherIds:[s]", sim_group_update, 0},
    {"GET", "/workflow-tasks", "listWorkflowTasks",
     PAGES ", ids:s, schemaId:s, statusIds:s, workflowTaskGroupIds:s, assigneeIds:s, displayIds:s, "
           "archiveReason:s, "
           "modifiedAt:s",
     NULL, sim_workflow_task_list, 0},
    {"POST", "/workflow-tasks", "createWorkflowTask", NULL,
     "workflowTaskGroupId:s!, fields:f, assigneeId:s, scheduledOn:d", sim_workflow_task_create, 0},
    {"POST", "/workflow-tasks:bulk-update", "bulkUpdateWorkflowTasks", NULL, "workflowTasks:[o]",
     sim_workflow_task_bulk_update, 0},
    {"GET", "/workflow-tasks/{}", "getWorkflowTask", NULL, NULL, sim_workflow_task_get, 0},
    {"PATCH", "/workflow-tasks/{}", "updateWorkflowTask", NULL,
     "statusId:s, assigneeId:s, scheduledOn:d, fields:f", sim_workflow_task_update, 0},
    {"GET", "/workflow-outputs", "listWorkflowOutputs",
     PAGES ", ids:s, workflowTaskIds:s, workflowTaskGroupIds:s, schemaId:s, displayIds:s, archiveReason:s, "
           "modifiedAt:s",
     NULL, sim_output_list, 0},
    {"POST", "/workflow-outputs", "createWorkflowOutput", NULL, "workflowTaskId:s!, fields:f",
     sim_output_create, 0},
    {"GET", "/workflow-outputs/{}", "getWorkflowOutput", NULL, NULL, sim_output_get, 0},
    {"PATCH", "/workflow-outputs/{}", "updateWorkflowOutput", NULL, "fields:f", sim_output_update, 0},

    {"GET", "/events", "listEvents", PAGES ", createdAt.gte:s, startingAfter:s, eventTypes:s, poll:b", NULL,
     sim_event_list, 0},
    {0},
};

#define FILE_SHAPE "config:s, name:s1000, mimeType:s100, content:s, content64:s"

const struct sim_route sim_control_routes[] = {
    {"GET", "/sim/state", "state", NULL, NULL, sim_control_state, SIM_CONTROL},
    {"GET", "/sim/requests", "requests", "since:i", NULL, sim_control_requests, SIM_CONTROL},
    {"DELETE", "/sim/requests", "forget-requests", NULL, NULL, sim_control_forget_requests, SIM_CONTROL},
    {"GET", "/sim/blobs/{}", "blob-bytes", NULL, NULL, sim_control_blob_bytes, SIM_CONTROL},
    {"POST", "/sim/scenario", "scenario", NULL,
     "name:s, about:s, runSchemas:[o], taskSchemas:[o], runs:[o], tasks:[o]", sim_control_scenario,
     SIM_CONTROL},
    {"POST", "/sim/runs", "run", NULL, "schema:s, id:s, fields:f", sim_control_run, SIM_CONTROL},
    {"POST", "/sim/runs/{}/input", "input", NULL,
     FILE_SHAPE ", rows:i0..1000000, completeAfterMs:i0..3600000, emit:b", sim_control_input, SIM_CONTROL},
    {"POST", "/sim/runs/{}/output", "output", NULL, FILE_SHAPE ", completeWithErrors:b", sim_control_output,
     SIM_CONTROL},
    {"POST", "/sim/tasks", "task", NULL, "schema:s, group:s, fields:f", sim_control_task, SIM_CONTROL},
    {"POST", "/sim/tasks/{}/status", "status", NULL, "status:s!, force:b", sim_control_status, SIM_CONTROL},
    {"POST", "/sim/events", "emit", NULL,
     "type:s100!, key:s60, resource:o, resourceId:s, schema:o, updates:[s], exclude:[s]", sim_control_emit,
     SIM_CONTROL},
    {"POST", "/sim/events/load", "load", NULL, "count:i1..1000000!, type:s60, bytes:i0..4000000",
     sim_control_load, SIM_CONTROL},
    {"POST", "/sim/events/replay", "replay", NULL,
     "ids:[s], types:s, last:i1..1000000, times:i1..1000, order:same|reverse|shuffle", sim_control_replay,
     SIM_CONTROL},
    {"POST", "/sim/publish", "publish", NULL, "topic:s200, payload:s, payload64:s", sim_control_publish,
     SIM_CONTROL},
    {"POST", "/sim/relay", "relay", NULL, "paused:b!", sim_control_relay, SIM_CONTROL},
    {"POST", "/sim/tokens/revoke", "revoke", NULL, NULL, sim_control_revoke, SIM_CONTROL},
    {"POST", "/sim/faults", "faults", NULL,
     "kind:s!, method:s15, path:s199, after:i0..1000000, count:i0..1000000, probability:n, act:b, headers:b, "
     "status:i400..599, ms:i0..3600000, bytes:i0..1000000000, bytesPerSecond:i1..1000000000, "
     "retryAfter:i0..86400, "
     "reset:i0..86400",
     sim_faults_create, SIM_CONTROL},
    {"GET", "/sim/faults", "list-faults", NULL, NULL, sim_faults_list, SIM_CONTROL},
    {"DELETE", "/sim/faults", "clear-faults", "id:i", NULL, sim_faults_clear, SIM_CONTROL},
    {0},
};
