/* Names that instruments give their results. Any name is carried; one that is odd for us gets a second one.
 *
 * The id of a result is its path below the outbox. A path that is not UTF-8 or has control characters cannot
 * be stored as text: its id begins with '/', and such bytes and '%' are written as %XX. */
#include "beneath.h"
#include "folder.h"

#include "base/digest.h"
#include "base/file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7F;
}

static bool is_text(const char *path)
{
    for (const char *at = path; *at; at++)
        if (is_control((unsigned char)*at))
            return false;
    return lf_utf8_valid(lf_slice(path, strlen(path)));
}

char *folder__id(const char *path)
{
    if (is_text(path))
        return strdup(path);
    char *id = malloc(3 * strlen(path) + 2), *to = id;
    if (!id)
        return NULL;
    *to++ = '/';
    for (const char *at = path; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (is_control(c) || c >= 0x80 || c == '%')
            to += sprintf(to, "%%%02X", c);
        else
            *to++ = *at;
    }
    *to = '\0';
    return id;
}

char *folder__id_path(const char *id)
{
    char *path = strdup(*id == '/' ? id + 1 : id), *to = path;
    if (!path || *id != '/')
        return path;
    for (const char *at = path; *at; at++) {
        char hex[3] = {at[0] == '%' ? at[1] : '\0', at[0] == '%' && at[1] ? at[2] : '\0'};
        bool escape = isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]);
        *to++ = escape ? (char)strtoul(hex, NULL, 16) : *at;
        at += escape ? 2 : 0;
    }
    *to = '\0';
    return path;
}

/* Cuts a name that is too long in its middle: its digest keeps it apart from others. */
static void shorten(const char *name, char out[FOLDER_NAME_ROOM], size_t max)
{
    char sha256[LF_SHA256_HEX];
    size_t len = strlen(out);
    if (len <= max)
        return;
    const char *dot = strrchr(out, '.');
    char end[40] = "";
    if (dot && dot != out && strlen(dot) < 24)
        snprintf(end, sizeof end, "%s", dot);
    lf_digest_bytes(LF_SHA256, name, strlen(name), sha256);
    size_t keep = max - strlen(end) - 9;
    while (keep && ((unsigned char)out[keep] & 0xC0) == 0x80)
        keep--; /* not within a character */
    snprintf(out + keep, FOLDER_NAME_ROOM - keep, "~%.8s%s", sha256, end);
}

bool folder__safe_name(const char *name, char out[FOLDER_NAME_ROOM])
{
    enum { LONGEST = 200 };
    struct lf_error ignored;
    bool utf8 = lf_utf8_valid(lf_slice(name, strlen(name)));
    snprintf(out, FOLDER_NAME_ROOM, "%s", name);
    if (lf_name_check(name, &ignored) == LF_OK)
        return true;
    for (char *at = out; *at; at++)
        if (is_control((unsigned char)*at) || strchr("/<>:\"\\|?*", *at)
            || (!utf8 && (unsigned char)*at >= 0x80))
            *at = '_';
    for (size_t len = strlen(out); len && strchr(". ", out[len - 1]); len--)
        out[len - 1] = '_';
    shorten(name, out, LONGEST - 1);
    if (lf_name_check(out, &ignored) != LF_OK) { /* it begins with a dash, or names a device */
        memmove(out + 1, out, strlen(out) + 1);
        out[0] = '_';
    }
    return false;
}

bool folder__is_temporary(const char *name)
{
    enum { RANDOM = 6 };
    const char *dot = strrchr(name, '.');
    int upper = 0, lower = 0, digits = 0;
    if (!dot || dot == name || strlen(dot + 1) != RANDOM || !memchr(name + 1, '.', (size_t)(dot - name - 1)))
        return false;
    for (const char *at = dot + 1; *at; at++) {
        upper += isupper((unsigned char)*at) != 0;
        lower += islower((unsigned char)*at) != 0;
        digits += isdigit((unsigned char)*at) != 0;
    }
    /* An extension has one case: it is no mixture. */
    return upper + lower + digits == RANDOM && ((upper && lower) || (lower && digits > 1));
}
