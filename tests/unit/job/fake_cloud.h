// A cloud in memory: the functions of cloud/cloud.h that jobs call, in place of the real ones. It keeps
// processors, outputs and the status of one workflow task, counts what it was asked to do, and fails on
// demand, also after it has acted.
#ifndef FAKE_CLOUD_H
#define FAKE_CLOUD_H

#include "cloud/cloud.h"

#include <pthread.h>

struct fake_cloud {
    pthread_mutex_t mutex;
    // Set by the test before it starts jobs, or with the mutex held.
    const char *file, *file_name, *upload_status; // of every generator
    int slow_ms;                                  // so long it takes to read the next generator, once
    const char *bytes;                            // of every download
    const char *resource;                         // of every event that lacks it
    void (*on_resource)(void);                    // called while it reads a resource; NULL: nothing
    void (*on_create)(void);                      // called before it creates a processor; NULL: nothing
    // Answers for the list of events; without an answer it has filled the error.
    cJSON *(*list)(const char *after, const char *since, const char *types, const char *next,
                   struct lf_error *err);
    const char *task_status;        // id: "st_TODO", "st_IN_PROGRESS", ...
    bool no_run, archived;          // the workflow task has no field Run; it is archived
    const char *display;            // its display id
    bool parts;                     // files go up in parts
    const char *processed;          // status that processing ends with; NULL: it stays RUNNING
    const char *refused_transition; // a wanted status that no transition leads to
    // The next `fail_times` calls of this name fail like this; with `fail_after` they are carried out, and
    // only the answer is lost.
    const char *fail_call;
    int fail_times;
    bool fail_after;
    enum lf_status fail_status;
    enum lf_class fail_class;
    const char *fail_then; // after the last of them, one call of this name is denied
    // What exists, and what was done.
    cJSON *processors, *outputs;
    int generators, downloads, uploads, aborted, created, replaced, started, patched, written;
    char last_upload[200];
};

extern struct fake_cloud fake_cloud;

void fake_cloud_reset(void);
void fake_cloud_fail(const char *call, int times, bool after, enum lf_status status, enum lf_class class);
// Reads a counter or a count of things under the lock.
int fake_cloud_get(const int *counter);
int fake_cloud_size(cJSON *const *array);

#endif
