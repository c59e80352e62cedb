/* Looking up host names without blocking the bench.
 *
 * getaddrinfo() has neither deadline nor cancel, and a dead name server holds it for half a minute. So a name
 * (not a number: that needs no network) is looked up in a thread of its own. A lookup is shared by that
 * thread and the waiter; whoever leaves last frees it, so that a waiter may give up at any time.
 */
#include "drivers/stream/kind.h"
#include "os/thread.h"

#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct lookup {
    char host[256], port[8];
    struct lf_wake done;
    atomic_int users;
    atomic_bool finished; /* set after result and list */
    int result;
    struct addrinfo *list;
};

static void leave(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->users, 1) > 1)
        return;
    if (lookup->list)
        freeaddrinfo(lookup->list);
    lf_wake_close(&lookup->done);
    free(lookup);
}

static void *run(void *arg)
{
    struct lookup *lookup = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    lookup->result = getaddrinfo(lookup->host, lookup->port, &hints, &list);
    lookup->list = lookup->result == 0 ? list : NULL;
    lookup->finished = true;
    lf_wake_up(&lookup->done);
    leave(lookup);
    return NULL;
}

static enum lf_status explain(const char *host, int result, struct lf_error *err)
{
    if (result == EAI_NONAME || result == EAI_FAIL)
        return lf_fail(err, LF_NOT_FOUND, LF_TRANSIENT,
                       "no address is known for '%s'; check the name, or the name server", host);
    return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "cannot look up '%s': %s", host, gai_strerror(result));
}

static enum lf_status begin(const char *host, const char *port, struct lookup **out, struct lf_error *err)
{
    struct lf_thread thread;
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return lf_fail_memory(err, "looking up a host name");
    strncpy(lookup->host, host, sizeof lookup->host - 1);
    strncpy(lookup->port, port, sizeof lookup->port - 1);
    lookup->users = 2;
    enum lf_status status = lf_wake_open(&lookup->done, err);
    if (status != LF_OK) {
        free(lookup);
        return status;
    }
    status = lf_thread_start(&thread, "lookup", run, lookup, err);
    if (status != LF_OK) {
        lf_wake_close(&lookup->done);
        free(lookup);
        return status;
    }
    lf_thread_detach(&thread);
    *out = lookup;
    return LF_OK;
}

enum lf_status stream__resolve(const char *host, const char *port, int64_t deadline,
                               const struct lf_cancel *cancel, struct addrinfo **list, struct lf_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct lookup *lookup = NULL;
    *list = NULL;
    if (getaddrinfo(host, port, &hints, list) == 0)
        return LF_OK;
    *list = NULL;
    enum lf_status status = begin(host, port, &lookup, err);
    if (status != LF_OK)
        return status;
    status = lf_wake_wait(&lookup->done, deadline, cancel);
    if (status == LF_CANCELLED)
        lf_fail(err, status, LF_TRANSIENT, "stopped while looking up '%s'", host);
    else if (status || !lookup->finished)
        status = lf_fail(err, LF_TIMEOUT, LF_TRANSIENT,
                         "the name server did not answer for '%s' in the time allowed", host);
    else if (lookup->result)
        status = explain(host, lookup->result, err);
    else {
        *list = lookup->list;
        lookup->list = NULL;
    }
    leave(lookup);
    return status;
}
