#include "sim.h"

#include <stdlib.h>
#include <string.h>

static char separator_of(const char *line, size_t len)
{
    return memchr(line, ';', len) ? ';' : memchr(line, '\t', len) ? '\t' : ',';
}

static int64_t cells(const char *line, size_t len, char separator)
{
    int64_t count = 1;
    for (size_t i = 0; i < len; i++)
        count += line[i] == separator;
    return count;
}

const char *worklist_check(struct worklist *worklist)
{
    const char *at = worklist->text.data;
    size_t left = worklist->text.len;
    char separator = ',';
    int64_t columns = 0;
    worklist->rows = -1; /* the header */
    if (!left)
        return "it is empty";
    if (memchr(at, '\0', left))
        return "it is not text";
    while (left) {
        const char *end = memchr(at, '\n', left);
        size_t len = end ? (size_t)(end - at) : left;
        if (worklist->rows < 0) {
            separator = separator_of(at, len);
            columns = cells(at, len, separator);
        }
        if (cells(at, len, separator) != columns)
            return "a row has another number of cells than the header";
        worklist->rows++;
        at += len + (end ? 1 : 0);
        left -= len + (end ? 1 : 0);
    }
    return worklist->rows < 1 ? "it has no rows" : NULL;
}

void worklist_free(struct worklist *worklist)
{
    free(worklist->name);
    lf_buffer_free(&worklist->text);
    *worklist = (struct worklist){0};
}
