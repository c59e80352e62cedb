/* Sources: the OpenAPI schemas of v2, which is what an event is read again as, and real events. */
#include "event/members.h"

#include <stddef.h>

#define PERSON "{handle id name}"
#define NAMED "{id name}"
#define SHOWN "{displayId id}"
#define ARCHIVED "{purpose reason}"
#define BLOB "{id mimeType name type uploadStatus}"
#define ORIGIN "{application originId originModalUuid originType}"
#define FIELDS " fields{?{displayValue isMulti textValue type value}}"
#define FILE_STATUS "status=FAILED|NOT_STARTED|RUNNING|SUCCEEDED"

const char event__envelope_members[] =
    "account detail{*} detail-type id region resources source time version";
const char event__detail_members[] =
    "createdAt deprecated eventType excludedProperties id resourceId schema" NAMED " updates";

const struct lf_event_members event__members[] = {
    {"automationInputGenerator", "apiURL assayRunId automationFileConfig{name} createdAt file" BLOB
                                 " id modifiedAt " FILE_STATUS " transforms{*}"},
    {"automationOutputProcessor",
     "apiURL archiveRecord" ARCHIVED
     " assayRunId automationFileConfig{name} completeWithErrors createdAt errorFile" BLOB " file" BLOB
     " id modifiedAt progressStats{*} " FILE_STATUS " transforms{*}"},
    {"automationFileTransform",
     "apiURL blobId createdAt customTransformId errors{*} id inputGeneratorId modifiedAt "
     "outputProcessorId " FILE_STATUS},
    {"assayRun",
     "apiURL archiveRecord" ARCHIVED " createdAt creator" PERSON " entryId equipmentId" FIELDS
     " id isReviewed modifiedAt projectId schema" NAMED " v3Id validationComment validationStatus"},
    {"workflowTask",
     "archiveRecord" ARCHIVED " assignee" PERSON " clonedFrom" SHOWN " createdAt creationOrigin" ORIGIN
     " creator" PERSON " displayId executionFlowchartId executionOrigin{*} executionType" FIELDS
     " id modifiedAt nextOutputs" SHOWN " nextTasks" SHOWN " outputs" SHOWN " responsibleParties" PERSON
     " rootTask" SHOWN " scheduledOn schema" NAMED " sourceOutputs" SHOWN " sourceTasks" SHOWN
     " status{displayName id statusType=CANCELLED|COMPLETED|FAILED|INVALID|IN_PROGRESS|PENDING} webURL "
     "workflowOutputs{*} workflowTaskGroup{displayId id name}"},
    {"workflowTaskGroup",
     "archiveRecord" ARCHIVED " createdAt creationOrigin" ORIGIN " creator" PERSON
     " displayId executionType flowchartConfigVersionId flowchartTaskGroups{*} folder{*} id modifiedAt name "
     "nodeConfig{*} outputs" SHOWN " responsibleTeam" NAMED
     " rootTaskGroup{displayId id name} watchers" PERSON " webURL workflowOutputs" SHOWN
     " workflowTaskSchema" NAMED " workflowTasks" SHOWN},
    {"workflowOutput",
     "archiveRecord" ARCHIVED " createdAt creationOrigin" ORIGIN " creator" PERSON " displayId" FIELDS
     " id modifiedAt nextOutputs" SHOWN " nextTasks" SHOWN " schema" NAMED " sourceOutputs" SHOWN
     " sourceTasks" SHOWN " webURL workflowTask" SHOWN " workflowTaskGroup{displayId id name}"},
    {"entity", "aliases apiURL archiveRecord" ARCHIVED " authors" PERSON " createdAt creator" PERSON
               " customFields{*} entityRegistryId" FIELDS " folderId id modifiedAt name "
               "registrationOrigin{originEntryId registeredAt} registryId schema" NAMED " webURL"},
    {"entry",
     "apiURL archiveRecord" ARCHIVED " assignedReviewers" PERSON " authors" PERSON " createdAt creator" PERSON
     " customFields{*} days{*} displayId entryTemplateId" FIELDS " folderId "
     "id modifiedAt name reviewRecord{*} schema" NAMED " webURL"},
    {"stageEntry",
     "apiURL archiveRecord" ARCHIVED " assignedReviewers" PERSON " authors" PERSON " createdAt creator" PERSON
     " customFields{*} displayId" FIELDS " folderId id modifiedAt name "
     "reviewRecord{*} schema{id modifiedAt name} webURL workflowId workflowStageId"},
    {"request", "apiURL assignees{team{*} user{*}} createdAt creator" PERSON " displayId" FIELDS
                " id projectId requestStatus requestor" PERSON " sampleGroups{*} scheduledOn schema" NAMED
                " tasks{*} webURL"},
    {NULL, NULL},
};
