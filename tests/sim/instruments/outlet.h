/* Replies on their way out: each leaves at its time, in the order they were said. One thread. */
#ifndef SIM_INSTRUMENTS_OUTLET_H
#define SIM_INSTRUMENTS_OUTLET_H

#include "wire.h"

#include <stdint.h>

struct outlet_item {
    struct outlet_item *next;
    int64_t due, gap_ms; /* gap_ms > 0: byte by byte */
    size_t len, sent;
    bool pull; /* pull the cable instead of sending */
    char data[];
};

struct outlet {
    struct outlet_item *head, *last;
    size_t bytes;
    bool blocked; /* the wire takes no more at the moment: wait for POLLOUT */
    bool held;    /* the host sent XOFF */
};

enum outlet_event { OUTLET_IDLE, OUTLET_SENT, OUTLET_PULL };

/* Copies. What would exceed the bound is dropped, as a serial line drops what nobody takes. */
void outlet_add(struct outlet *outlet, const void *data, size_t len, int64_t due, int64_t gap_ms);
void outlet_add_pull(struct outlet *outlet, int64_t due);
/* Sends what is due. OUTLET_SENT: the head is out, look at it (outlet->head) and drop it; OUTLET_PULL
 * likewise. */
enum outlet_event outlet_push(struct outlet *outlet, struct wire *wire, int64_t now);
void outlet_drop(struct outlet *outlet); /* the head */
void outlet_clear(struct outlet *outlet);
int64_t outlet_due(const struct outlet *outlet);

#endif
