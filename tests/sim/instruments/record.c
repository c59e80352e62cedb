#include "record.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

static void escape(const unsigned char *data, size_t len, char *text, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < len && used + 8 < room; i++) {
        if (data[i] == '\r' || data[i] == '\n')
            used += (size_t)snprintf(text + used, room - used, data[i] == '\r' ? "\\r" : "\\n");
        else if (data[i] < ' ' || data[i] > '~')
            used += (size_t)snprintf(text + used, room - used, "\\x%02x", data[i]);
        else
            text[used++] = (char)data[i];
        if (used + 8 >= room && i + 1 < len)
            used += (size_t)snprintf(text + used, room - used, "...");
    }
    text[used] = '\0';
}

void record_add(struct record *record, const char *from, const void *data, size_t len)
{
    struct record_entry *entry = &record->entries[record->next];
    record->next = (record->next + 1) % RECORD_ENTRIES;
    if (record->count < RECORD_ENTRIES)
        record->count++;
    entry->wall_ms = lf_clock_wall_ms();
    entry->from = from;
    escape(data, len, entry->text, sizeof entry->text);
    if (record->loud) {
        char stamp[LF_TIME_TEXT];
        lf_time_format(entry->wall_ms, stamp);
        fprintf(stderr, "%s %-6s %s\n", stamp, from, entry->text);
    }
}

cJSON *record_json(const struct record *record)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; list && i < record->count; i++) {
        const struct record_entry *entry =
            &record->entries[(record->next + RECORD_ENTRIES - record->count + i) % RECORD_ENTRIES];
        char stamp[LF_TIME_TEXT];
        cJSON *item = cJSON_CreateObject();
        lf_time_format(entry->wall_ms, stamp);
        lf_json_set_text(item, "time", stamp);
        lf_json_set_text(item, "from", entry->from);
        lf_json_set_text(item, "text", entry->text);
        cJSON_AddItemToArray(list, item);
    }
    return list;
}
