/* Requests, the table of routes, and the HTTP server (libmicrohttpd, one thread per connection). */
#ifndef LF_SIM_HTTP_H
#define LF_SIM_HTTP_H

#include "fault.h"
#include "reply.h"

#include <microhttpd.h>

enum { SIM_PARAMS = 2, SIM_PARAM = 200 };

enum sim_route_flags {
    SIM_OPEN = 1,      /* needs no authentication */
    SIM_UNMETERED = 2, /* not counted against the rate limit */
    SIM_CONTROL = 4,   /* the simulator's own API: loopback only, no faults, not recorded */
    SIM_FORM = 8,      /* body is not JSON; the handler reads request->raw */
};

struct sim_request;

struct sim_route {
    const char *method;
    const char *pattern; /* "{}" stands for an id: no '/' and no ':' in it */
    const char *operation;
    const char *query; /* shape, see shape.h; NULL: none */
    const char *body;  /* shape; NULL: none, though "{}" is tolerated as the vendor's own client sends it */
    struct sim_reply (*handle)(struct sim_request *request);
    unsigned flags;
};

/* One request; belongs to the connection's thread. Handlers run with the simulator's lock held. */
struct sim_request {
    struct sim *sim;
    struct MHD_Connection *connection;
    char method[16];
    char path[1024]; /* without the base path */
    char params[SIM_PARAMS][SIM_PARAM];
    const struct sim_route *route;
    cJSON *query; /* object, always there in handlers */
    cJSON *body;  /* object; NULL when the route has no body shape and none was sent */
    struct lf_buffer raw;
    int64_t received;
    bool too_large;
    struct sim_hit hit;
    int identity; /* who asks, for the rate limit; see auth.h */
};

/* NULL-terminated by method == NULL. */
extern const struct sim_route sim_api_routes[];
extern const struct sim_route sim_control_routes[];

/* Listens; fills sim->base_url and *port. Ends the program when it can't. */
struct MHD_Daemon *sim_http_start(struct sim *sim, int *port);

const char *sim_request_header(const struct sim_request *request, const char *name); /* NULL if missing */
const char *sim_query(const struct sim_request *request, const char *name);          /* NULL if missing */

/* Ends the TCP connection with a reset, at once. */
void sim_http_reset(struct MHD_Connection *connection);

#endif
