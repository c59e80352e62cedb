#include "drivers/kit/findings.h"

#include "drivers/kit/captures.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 1000 };

struct lf_finding_item {
    char *id, *name;
    struct lf_buffer data;
};

static void free_item(struct lf_finding_item *item)
{
    free(item->id);
    free(item->name);
    lf_buffer_free(&item->data);
}

void lf_findings_init(struct lf_findings *findings, const char *instrument)
{
    *findings = (struct lf_findings){.instrument = instrument};
}

static void drop_first(struct lf_findings *findings)
{
    free_item(findings->items);
    findings->count--;
    memmove(findings->items, findings->items + 1, findings->count * sizeof *findings->items);
}

void lf_findings_free(struct lf_findings *findings)
{
    while (findings->count)
        drop_first(findings);
    free(findings->items);
    findings->items = NULL;
}

/* The bytes as text: those that are not a character become \xHH. */
static enum lf_status append_visible(struct lf_buffer *out, struct lf_slice bytes)
{
    bool utf8 = lf_utf8_valid(bytes);
    enum lf_status status = lf_buffer_text(out, "");
    for (size_t i = 0; i < bytes.len && status == LF_OK; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        bool plain = byte == '\t' || (byte >= 0x20 && byte < 0x7f) || (byte >= 0x80 && utf8);
        status = plain ? lf_buffer_append(out, &byte, 1) : lf_buffer_format(out, "\\x%02x", byte);
    }
    return status;
}

static enum lf_status append_json(struct lf_buffer *out, const char *instrument, const char *kind,
                                  const char *stamp, struct lf_slice bytes, const struct lf_outcome *values)
{
    struct lf_buffer visible = {0};
    enum lf_status status = append_visible(&visible, bytes);
    const char *const members[] = {",\"instrument\":", instrument, ",\"kind\":", kind,
                                   ",\"received\":",   stamp,      ",\"line\":", visible.data};
    if (status == LF_OK)
        status = lf_buffer_text(out, "{\"values\":");
    if (status == LF_OK)
        status = lf_captures_json(out, values);
    for (size_t i = 0; i < sizeof members / sizeof *members && status == LF_OK; i++)
        status = i % 2 ? lf_json_quote(out, members[i]) : lf_buffer_text(out, members[i]);
    lf_buffer_free(&visible);
    return status == LF_OK ? lf_buffer_text(out, "}\n") : status;
}

/* "balance-1-printed-20261122T060934.120Z-7.csv": unique, and safe as a file name. */
static char *file_name(const struct lf_findings *findings, const char *kind, enum lf_form form,
                       const char *stamp)
{
    static const char *const endings[] = {"json", "csv", "txt"};
    char compact[LF_TIME_TEXT], *to = compact;
    for (const char *at = stamp; *at; at++)
        if (*at != '-' && *at != ':')
            *to++ = *at;
    *to = '\0';
    char *name = lf_format("%.60s-%s-%s-%" PRIu64 ".%s", findings->instrument, kind, compact,
                           findings->number, endings[form]);
    for (char *at = name; at && *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
            *at = '_';
    return name;
}

static enum lf_status fill_item(const struct lf_findings *findings, const char *kind, enum lf_form form,
                                struct lf_slice bytes, const struct lf_outcome *values,
                                struct lf_finding_item *item)
{
    char stamp[LF_TIME_TEXT];
    int64_t now = lf_clock_wall_ms();
    lf_time_format(now, stamp);
    item->id = lf_format("%s-%" PRId64 "-%" PRIu64, kind, now, findings->number);
    item->name = file_name(findings, kind, form, stamp);
    if (!item->id || !item->name)
        return LF_NO_MEMORY;
    if (form == LF_FORM_CSV)
        return lf_captures_csv(&item->data, stamp, values);
    if (form == LF_FORM_JSON)
        return append_json(&item->data, findings->instrument, kind, stamp, bytes, values);
    enum lf_status status = lf_buffer_append(&item->data, bytes.data, bytes.len);
    return status == LF_OK ? lf_buffer_text(&item->data, "\n") : status;
}

enum lf_status lf_findings_add(struct lf_findings *findings, const char *kind, enum lf_form form,
                               struct lf_slice bytes, const struct lf_outcome *values, struct lf_error *err)
{
    if (form == LF_FORM_NONE)
        return LF_OK;
    if (findings->count >= WAITING_MAX)
        return lf_fail(err, LF_FULL, LF_TRANSIENT, "%d messages from the instrument are waiting to be stored",
                       WAITING_MAX);
    struct lf_finding_item item = {0};
    struct lf_finding_item *grown = realloc(findings->items, (findings->count + 1) * sizeof *grown);
    if (grown)
        findings->items = grown;
    if (!grown || fill_item(findings, kind, form, bytes, values, &item) != LF_OK) {
        free_item(&item);
        return lf_fail_memory(err, "keeping a message from the instrument");
    }
    grown[findings->count++] = item;
    findings->number++;
    return LF_OK;
}

enum lf_status lf_findings_report(struct lf_findings *findings, const struct lf_host *host,
                                  struct lf_error *err)
{
    while (findings->count) {
        const struct lf_finding_item *item = findings->items;
        struct lf_finding finding = {.id = item->id,
                                     .version = "1",
                                     .name = item->name,
                                     .data = item->data.data,
                                     .len = item->data.len};
        enum lf_status status = host->found(host->self, &finding, err);
        if (status != LF_OK)
            return status;
        drop_first(findings);
    }
    return LF_OK;
}
