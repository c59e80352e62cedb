#include "drivers/kit/captures.h"

#include <string.h>

enum lf_status lf_csv_cell(struct lf_buffer *out, const char *text)
{
    bool quote = text[strcspn(text, ",\"\r\n")] != '\0';
    enum lf_status status = lf_buffer_text(out, quote ? "\"" : "");
    for (; *text && status == LF_OK; text++)
        status = quote && *text == '"' ? lf_buffer_text(out, "\"\"") : lf_buffer_append(out, text, 1);
    return status == LF_OK && quote ? lf_buffer_text(out, "\"") : status;
}

enum lf_status lf_captures_csv(struct lf_buffer *out, const char *stamp, const struct lf_outcome *values)
{
    enum lf_status status = lf_buffer_text(out, "received");
    for (int row = 0; row < 2 && status == LF_OK; row++) {
        if (row)
            status = lf_buffer_format(out, "\r\n%s", stamp);
        for (size_t i = 0; i < values->count && status == LF_OK; i++)
            if ((status = lf_buffer_text(out, ",")) == LF_OK)
                status = lf_csv_cell(out, row ? values->captures[i].value : values->captures[i].name);
    }
    return status == LF_OK ? lf_buffer_text(out, "\r\n") : status;
}

enum lf_status lf_json_quote(struct lf_buffer *out, const char *text)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    enum lf_status status = lf_buffer_text(out, "\"");
    for (; *text && status == LF_OK; text++) {
        const char *known = strchr(plain, *text);
        if (known)
            status = lf_buffer_format(out, "\\%c", letters[known - plain]);
        else if ((unsigned char)*text < 0x20)
            status = lf_buffer_format(out, "\\u%04x", *text);
        else
            status = lf_buffer_append(out, text, 1);
    }
    return status == LF_OK ? lf_buffer_text(out, "\"") : status;
}

enum lf_status lf_captures_json(struct lf_buffer *out, const struct lf_outcome *values)
{
    enum lf_status status = lf_buffer_text(out, "{");
    for (size_t i = 0; i < values->count && status == LF_OK; i++) {
        const struct lf_capture *capture = &values->captures[i];
        status = lf_buffer_text(out, i ? "," : "");
        if (status == LF_OK)
            status = lf_json_quote(out, capture->name);
        if (status == LF_OK)
            status = lf_buffer_text(out, ":");
        if (status == LF_OK)
            status = capture->type == LF_CAPTURE_TEXT ? lf_json_quote(out, capture->value)
                                                      : lf_buffer_text(out, capture->value);
    }
    return status == LF_OK ? lf_buffer_text(out, "}") : status;
}
