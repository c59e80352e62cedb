#include "mnemonic.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* One node of the pattern: its length, and how much of it is the short form. */
static size_t node_length(const char *node, size_t *brief)
{
    size_t len = strcspn(node, ":[]");
    *brief = 0;
    while (*brief < len && !islower((unsigned char)node[*brief]))
        (*brief)++;
    return len;
}

static bool node_match(const char *node, size_t len, size_t brief, const char *word, size_t word_len)
{
    return (word_len == len || word_len == brief) && !strncasecmp(node, word, word_len);
}

bool mnemonic_match(const char *pattern, const char *header, size_t len)
{
    const char *end = header + len;
    if (header < end && *header == ':')
        header++;
    while (*pattern) {
        bool optional = *pattern == '[';
        pattern += strspn(pattern, "[:");
        size_t brief, node = node_length(pattern, &brief), word = 0;
        while (header + word < end && header[word] != ':')
            word++;
        if (word && node_match(pattern, node, brief, header, word)) {
            header += word;
            if (header < end && header + 1 == end)
                return false; /* ends in ':' */
            header += header < end;
        } else if (!optional) {
            return false;
        }
        pattern += node;
        pattern += *pattern == ']';
    }
    return header == end;
}
