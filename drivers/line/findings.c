#include "drivers/line/findings.h"

#include "base/json.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 1000 };

struct lf_finding_item {
    struct lf_finding_item *next;
    char *id, *name;
    struct lf_buffer data;
};

static void free_item(struct lf_finding_item *item)
{
    free(item->id);
    free(item->name);
    lf_buffer_free(&item->data);
    free(item);
}

void line__findings_init(struct lf_line_findings *findings, const char *instrument)
{
    *findings = (struct lf_line_findings){.instrument = instrument};
    findings->last = &findings->first;
}

void line__findings_free(struct lf_line_findings *findings)
{
    for (struct lf_finding_item *item = findings->first, *next; item; item = next) {
        next = item->next;
        free_item(item);
    }
    line__findings_init(findings, findings->instrument);
}

/* ---- the forms ---- */

/* The line as text: what is no character is written as \xHH. */
static enum lf_status append_visible(struct lf_buffer *out, struct lf_slice line)
{
    bool utf8 = lf_utf8_valid(line);
    enum lf_status status = lf_buffer_append(out, "", 0);
    for (size_t i = 0; i < line.len && status == LF_OK; i++) {
        unsigned char byte = (unsigned char)line.data[i];
        bool plain = byte == '\t' || (byte >= 0x20 && byte < 0x7f) || (byte >= 0x80 && utf8);
        status = plain ? lf_buffer_append(out, &byte, 1) : lf_buffer_format(out, "\\x%02x", byte);
    }
    return status;
}

/* Numbers keep the digits that the instrument gave: 100.00 stays 100.00. */
static cJSON *capture_json(const struct lf_capture *capture)
{
    if (capture->type == LF_CAPTURE_BOOL)
        return cJSON_CreateBool(!strcmp(capture->value, "true"));
    return capture->type == LF_CAPTURE_TEXT ? cJSON_CreateString(capture->value)
                                            : cJSON_CreateRaw(capture->value);
}

static bool fill_json(cJSON *object, const char *instrument, const struct lf_line_listen *listen,
                      const char *stamp, const char *line, const struct lf_outcome *values)
{
    cJSON *captured = cJSON_CreateObject();
    bool good = captured != NULL;
    for (size_t i = 0; good && i < values->count; i++) {
        cJSON *value = capture_json(&values->captures[i]);
        good = value && lf_json_set(captured, values->captures[i].name, value);
    }
    if (!good) {
        cJSON_Delete(captured);
        return false;
    }
    return lf_json_set(object, "values", captured) && lf_json_set_text(object, "instrument", instrument)
           && lf_json_set_text(object, "kind", listen->name) && lf_json_set_text(object, "received", stamp)
           && lf_json_set_text(object, "line", line);
}

static enum lf_status append_json(const char *instrument, const struct lf_line_listen *listen,
                                  const char *stamp, struct lf_slice line, const struct lf_outcome *values,
                                  struct lf_buffer *out)
{
    struct lf_buffer visible = {0};
    cJSON *object = cJSON_CreateObject();
    char *text = NULL;
    enum lf_status status = append_visible(&visible, line);
    if (status == LF_OK && object && fill_json(object, instrument, listen, stamp, visible.data, values))
        text = lf_json_print(object);
    status = text ? lf_buffer_text(out, text) : LF_NO_MEMORY;
    cJSON_free(text);
    cJSON_Delete(object);
    lf_buffer_free(&visible);
    return status == LF_OK ? lf_buffer_text(out, "\n") : status;
}

static enum lf_status append_field(struct lf_buffer *out, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")])
        return lf_buffer_text(out, text);
    enum lf_status status = lf_buffer_text(out, "\"");
    for (; *text && status == LF_OK; text++)
        status = lf_buffer_append(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    return status == LF_OK ? lf_buffer_text(out, "\"") : status;
}

/* RFC 4180: one line of names, one of values. */
static enum lf_status append_csv(const char *stamp, const struct lf_outcome *values, struct lf_buffer *out)
{
    enum lf_status status = lf_buffer_text(out, "received");
    for (int row = 0; row < 2 && status == LF_OK; row++) {
        if (row)
            status = lf_buffer_format(out, "\r\n%s", stamp);
        for (size_t i = 0; i < values->count && status == LF_OK; i++) {
            status = lf_buffer_text(out, ",");
            if (status == LF_OK)
                status = append_field(out, row ? values->captures[i].value : values->captures[i].name);
        }
    }
    return status == LF_OK ? lf_buffer_text(out, "\r\n") : status;
}

static enum lf_status append_line(struct lf_slice line, struct lf_buffer *out)
{
    enum lf_status status = lf_buffer_append(out, line.data, line.len);
    return status == LF_OK ? lf_buffer_text(out, "\n") : status;
}

/* ---- the list ---- */

/* "balance-1-printed-20261122T060934.120Z-7.csv": unique, and safe as a file name. */
static char *file_name(const struct lf_line_findings *findings, const struct lf_line_listen *listen,
                       const char *stamp)
{
    static const char *const endings[] = {"json", "csv", "txt", "txt"};
    char compact[LF_TIME_TEXT], *to = compact;
    for (const char *at = stamp; *at; at++)
        if (*at != '-' && *at != ':')
            *to++ = *at;
    *to = '\0';
    char *name = lf_format("%.60s-%s-%s-%" PRIu64 ".%s", findings->instrument, listen->name, compact,
                           findings->number, endings[listen->form]);
    for (char *at = name; at && *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
            *at = '_';
    return name;
}

static enum lf_status fill_item(struct lf_line_findings *findings, const struct lf_line_listen *listen,
                                struct lf_slice line, const struct lf_outcome *values,
                                struct lf_finding_item *item)
{
    char stamp[LF_TIME_TEXT];
    int64_t now = lf_clock_wall_ms();
    lf_time_format(now, stamp);
    item->id = lf_format("%s-%" PRId64 "-%" PRIu64, listen->name, now, findings->number);
    item->name = file_name(findings, listen, stamp);
    if (!item->id || !item->name)
        return LF_NO_MEMORY;
    if (listen->form == LF_FORM_CSV)
        return append_csv(stamp, values, &item->data);
    if (listen->form == LF_FORM_TEXT)
        return append_line(line, &item->data);
    return append_json(findings->instrument, listen, stamp, line, values, &item->data);
}

enum lf_status line__findings_add(struct lf_line_findings *findings, const struct lf_line_listen *listen,
                                  struct lf_slice line, const struct lf_outcome *values, struct lf_error *err)
{
    if (findings->count >= WAITING_MAX)
        return lf_fail(err, LF_FULL, LF_TRANSIENT, "%d lines of the instrument wait to be stored",
                       WAITING_MAX);
    struct lf_finding_item *item = calloc(1, sizeof *item);
    if (!item || fill_item(findings, listen, line, values, item) != LF_OK) {
        if (item)
            free_item(item);
        return lf_fail_memory(err, "keeping a line of the instrument");
    }
    *findings->last = item;
    findings->last = &item->next;
    findings->count++;
    findings->number++;
    return LF_OK;
}

enum lf_status line__findings_tell(struct lf_line_findings *findings, const struct lf_host *host,
                                   struct lf_error *err)
{
    while (findings->first) {
        struct lf_finding_item *item = findings->first;
        struct lf_finding finding = {.id = item->id,
                                     .version = "1",
                                     .name = item->name,
                                     .data = item->data.data,
                                     .len = item->data.len};
        enum lf_status status = host->found ? host->found(host->self, &finding, err) : LF_OK;
        if (status != LF_OK)
            return status;
        findings->first = item->next;
        if (!findings->first)
            findings->last = &findings->first;
        findings->count--;
        free_item(item);
    }
    return LF_OK;
}
