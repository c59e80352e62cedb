#include "drivers/driver.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *lf_http_header(const struct lf_http_response *response, const char *name, char *room, size_t size)
{
    const char *line = response->headers.data;
    for (; line && *line; line += strcspn(line, "\n") + 1) {
        size_t at = 0;
        while (name[at] && line[at] == tolower((unsigned char)name[at]))
            at++;
        if (name[at] || strncmp(line + at, ": ", 2) != 0)
            continue;
        int len = (int)strcspn(line + at + 2, "\n");
        return snprintf(room, size, "%.*s", len, line + at + 2) < (int)size ? room : NULL;
    }
    return NULL;
}

void lf_http_response_free(struct lf_http_response *response)
{
    lf_buffer_free(&response->headers);
    lf_buffer_free(&response->body);
}
