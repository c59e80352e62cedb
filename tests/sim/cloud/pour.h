/* Bodies on their way out: from memory or a file, whole or spoilt by a fault. */
#ifndef LF_SIM_POUR_H
#define LF_SIM_POUR_H

#include "http.h"

/* Takes reply's text and file. hit may be of any kind. NULL when out of memory. */
struct MHD_Response *sim_pour_response(struct sim *sim, struct MHD_Connection *connection,
                                       struct sim_reply *reply, const struct sim_hit *hit);

#endif
