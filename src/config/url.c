/* Addresses of the tenant and the broker. */
#include "config/load.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_loopback(const char *host)
{
    return !strcasecmp(host, "localhost") || !strcmp(host, "::1")
           || (!strncmp(host, "127.", 4) && strspn(host, "0123456789.") == strlen(host));
}

static bool split_port(const char *text, int *port)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    *port = (int)strtol(text, NULL, 10);
    return *port >= 1 && *port <= 65535;
}

/* The end of the host in "host:port" or "[v6]:port"; *host and *len without brackets. NULL: not a host. */
static const char *split_host(const char *rest, const char **host, size_t *len)
{
    if (*rest == '[') {
        *host = rest + 1;
        *len = strspn(*host, "0123456789abcdefABCDEF:.");
        return (*host)[*len] == ']' ? *host + *len + 1 : NULL;
    }
    *host = rest;
    for (*len = 0; isalnum((unsigned char)rest[*len]) || (rest[*len] && strchr("-._", rest[*len]));)
        ++*len;
    return rest + *len;
}

const char *config__url_split(const char *text, struct lf_url *url)
{
    *url = (struct lf_url){0};
    const char *sep = strstr(text, "://");
    size_t scheme = sep ? (size_t)(sep - text) : 0;
    if (scheme == 0 || scheme >= sizeof url->scheme)
        return "has no scheme, such as https://";
    memcpy(url->scheme, text, scheme);
    const char *rest = sep + 3;
    if (strchr(rest, '@'))
        return "must not contain a user or password: those have their own settings";
    const char *host;
    size_t len;
    const char *end = split_host(rest, &host, &len);
    if (!end || len == 0 || len >= sizeof url->host)
        return "has no valid host name";
    memcpy(url->host, host, len);
    url->loopback = is_loopback(url->host);
    char port[8] = "";
    if (*end == ':') {
        size_t span = strcspn(++end, "/");
        memcpy(port, end, span < sizeof port - 1 ? span : sizeof port - 1);
        end += span;
        if (!split_port(port, &url->port))
            return "has no valid port number (1 to 65535) after the ':'";
    }
    if (strcmp(end, "") != 0 && strcmp(end, "/") != 0)
        return "must end after the host and port";
    return NULL;
}
