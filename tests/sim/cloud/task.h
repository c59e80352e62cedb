/* Long-running tasks, as GET /tasks/{id} shows them: gone --task-seconds after they ended. */
#ifndef LF_SIM_TASK_H
#define LF_SIM_TASK_H

#include "http.h"

/* A RUNNING task about the resource `subject`. Borrowed. */
struct sim_item *sim_task_start(struct sim *sim, const char *subject);
/* The running task about a resource; NULL if there is none. */
struct sim_item *sim_task_of(const struct sim *sim, const char *subject);
/* Take response, errors (may be NULL). A NULL task is no error: nobody asked. */
void sim_task_succeed(struct sim_item *task, cJSON *response);
void sim_task_fail(struct sim_item *task, const char *message, cJSON *errors);
/* 202 {"taskId"} */
struct sim_reply sim_task_link(const struct sim_item *task);
/* GET /tasks/{} */
struct sim_reply sim_task_get(struct sim_request *request);

#endif
