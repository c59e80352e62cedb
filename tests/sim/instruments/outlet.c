#include "outlet.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { OUTLET_MAX = 16 * 1024 * 1024 };

static void append(struct outlet *outlet, struct outlet_item *item, int64_t due)
{
    item->due = outlet->last && outlet->last->due > due ? outlet->last->due : due;
    if (outlet->last)
        outlet->last->next = item;
    else
        outlet->head = item;
    outlet->last = item;
    outlet->bytes += item->len;
}

void outlet_add(struct outlet *outlet, const void *data, size_t len, int64_t due, int64_t gap_ms)
{
    if (len == 0 || outlet->bytes + len > OUTLET_MAX)
        return;
    struct outlet_item *item = calloc(1, sizeof *item + len);
    if (!item)
        return;
    memcpy(item->data, data, len);
    item->len = len;
    item->gap_ms = gap_ms;
    append(outlet, item, due);
}

void outlet_add_pull(struct outlet *outlet, int64_t due)
{
    struct outlet_item *item = calloc(1, sizeof *item);
    if (!item)
        return;
    item->pull = true;
    append(outlet, item, due);
}

enum outlet_event outlet_push(struct outlet *outlet, struct wire *wire, int64_t now)
{
    struct outlet_item *item = outlet->head;
    outlet->blocked = false;
    if (!item || item->due > now || (outlet->held && !item->pull))
        return OUTLET_IDLE;
    if (item->pull)
        return OUTLET_PULL;
    while (item->sent < item->len && item->due <= now) {
        size_t want = item->gap_ms > 0 ? 1 : item->len - item->sent;
        ssize_t count = wire->fd >= 0 ? wire_write(wire, item->data + item->sent, want) : (ssize_t)want;
        if (count <= 0) {
            outlet->blocked = true;
            return OUTLET_IDLE;
        }
        item->sent += (size_t)count;
        if (item->gap_ms > 0 && item->sent < item->len)
            item->due = now + item->gap_ms;
    }
    return item->sent == item->len ? OUTLET_SENT : OUTLET_IDLE;
}

void outlet_drop(struct outlet *outlet)
{
    struct outlet_item *item = outlet->head;
    if (!item)
        return;
    outlet->head = item->next;
    if (!outlet->head)
        outlet->last = NULL;
    outlet->bytes -= item->len;
    free(item);
}

void outlet_clear(struct outlet *outlet)
{
    while (outlet->head)
        outlet_drop(outlet);
    outlet->blocked = false;
    outlet->held = false;
}

int64_t outlet_due(const struct outlet *outlet)
{
    if (!outlet->head || outlet->blocked || outlet->held)
        return LF_NEVER;
    return outlet->head->due;
}
