/* What drivers use of other rooms without including them. Every call has limits, and ends when the
 * instrument's cancel is set. */
#include "instrument/host.h"

#include <stdlib.h>
#include <string.h>

enum { HEADERS_MAX = 64, BODY_DEFAULT = 1024 * 1024 };

/* A control character in a header could begin another header. */
static enum lf_status header_line(const struct lf_input *header, char **line, struct lf_error *err)
{
    const char *parts[] = {header->name, header->value};
    for (int i = 0; i < 2; i++)
        for (const char *at = parts[i]; *at; at++)
            if ((unsigned char)*at < 0x20 || *at == 0x7f || (i == 0 && strchr(" :", *at)))
                return lf_fail(err, LF_INVALID, LF_PERMANENT,
                               "the header '%.40s' has a character that is not allowed in headers",
                               header->name);
    *line = lf_format("%s: %s", header->name, header->value);
    return *line ? LF_OK : lf_fail_memory(err, "preparing a request");
}

static enum lf_status perform(struct lf_instrument *instrument, const struct lf_http_request *request,
                              char *const *lines, struct lf_http_response *response, struct lf_error *err)
{
    struct lf_request wire = {.method = request->method,
                              .url = request->url,
                              .headers = (const char *const *)lines,
                              .text = request->body,
                              .once = request->once,
                              .max_answer = request->max_body ? request->max_body : BODY_DEFAULT,
                              .want_headers = true,
                              .deadline = request->deadline,
                              .cancel = &instrument->cancel};
    struct lf_answer answer = {0};
    enum lf_status status = lf_transfer_perform(instrument->transfer, &wire, &answer, &response->sent, err);
    response->status = answer.status;
    response->headers = answer.headers;
    response->body = answer.text;
    answer.headers = answer.text = (struct lf_buffer){0};
    lf_answer_free(&answer);
    return status;
}

enum lf_status instrument__http(void *self, const struct lf_http_request *request,
                                struct lf_http_response *response, struct lf_error *err)
{
    struct lf_instrument *instrument = self;
    char *lines[HEADERS_MAX + 1] = {0};
    if (!instrument->transfer)
        return lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT, "%s: requests are not possible here",
                       instrument->name);
    if (request->header_count > HEADERS_MAX)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "more than %d headers", HEADERS_MAX);
    enum lf_status status = LF_OK;
    for (size_t i = 0; i < request->header_count && status == LF_OK; i++)
        status = header_line(&request->headers[i], &lines[i], err);
    if (status == LF_OK)
        status = perform(instrument, request, lines, response, err);
    for (size_t i = 0; i < request->header_count; i++)
        free(lines[i]);
    return status;
}

enum lf_status instrument__run(void *self, const struct lf_process *process, struct lf_process_result *result,
                               struct lf_error *err)
{
    struct lf_instrument *instrument = self;
    struct lf_process ours = *process;
    ours.cancel = &instrument->cancel;
    return lf_process_run(&ours, result, err);
}
