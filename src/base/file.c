#include "base/file.h"

#include "base/digest.h"
#include "base/json.h"
#include "os/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static enum lf_status read_all(const struct lf_file *file, const char *path, size_t max,
                               struct lf_buffer *out, struct lf_error *err)
{
    enum { STEP = 64 * 1024 };
    out->max = max + STEP;
    for (size_t got = STEP; got == STEP;) {
        char *room = lf_buffer_reserve(out, STEP);
        if (!room)
            return lf_fail_memory(err, "reading a file");
        if (lf_file_read_at(file, (int64_t)out->len, room, STEP, &got, err) != LF_OK)
            return lf_error_prefix(err, "cannot read %s", path);
        out->len += got;
        if (out->len > max)
            return lf_fail(err, LF_TOO_LARGE, LF_PERMANENT, "%s is larger than %zu bytes, the limit", path,
                           max);
    }
    out->data[out->len] = '\0';
    return LF_OK;
}

enum lf_status lf_file_read(const char *path, size_t max, struct lf_buffer *out, struct lf_error *err)
{
    struct lf_file file;
    lf_buffer_clear(out);
    if (lf_file_open(path, LF_FILE_READ, 0, &file, err) != LF_OK)
        return lf_error_prefix(err, "cannot open %s", path);
    enum lf_status status = read_all(&file, path, max, out, err);
    lf_file_close(&file);
    return status;
}

enum lf_status lf_file_read_secret(const char *path, struct lf_buffer *out, struct lf_error *err)
{
    enum { SECRET_MAX = 64 * 1024 };
    struct lf_file file;
    lf_buffer_clear(out);
    enum lf_status status = lf_secret_open(path, &file, err);
    if (status == LF_OK)
        status = read_all(&file, path, SECRET_MAX, out, err);
    lf_file_close(&file);
    if (status != LF_OK)
        return status;
    if (out->len && out->data[out->len - 1] == '\n')
        out->data[--out->len] = '\0';
    if (out->len && out->data[out->len - 1] == '\r')
        out->data[--out->len] = '\0';
    if (!out->len)
        return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON, "%s is empty; it must contain the secret", path);
    return LF_OK;
}

/* Known before a byte is copied; a pipe has no size, and a file may grow. */
static bool is_larger(const struct lf_file *from, int64_t max)
{
    struct lf_file_info info;
    struct lf_error ignored;
    return lf_file_look(from, &info, &ignored) == LF_OK && info.kind == LF_KIND_FILE && info.size > max;
}

static enum lf_status too_large(int64_t max, struct lf_error *err)
{
    return lf_fail(err, LF_TOO_LARGE, LF_NEEDS_PERSON, "the file is larger than the limit of %lld bytes",
                   (long long)max);
}

enum lf_status lf_file_copy(const struct lf_file *from, const struct lf_file *to, int64_t max,
                            const struct lf_cancel *cancel, char sha256[65], int64_t *size,
                            struct lf_error *err)
{
    enum { CHUNK = 128 * 1024 };
    struct lf_digest *digest = lf_digest_new(LF_SHA256);
    char *chunk = malloc(CHUNK);
    enum lf_status status = digest && chunk ? LF_OK : lf_fail_memory(err, "copying a file");
    int64_t total = 0;
    if (status == LF_OK && !lf_cancel_is_set(cancel) && is_larger(from, max))
        status = too_large(max, err);
    for (size_t got = CHUNK; status == LF_OK && got == CHUNK; total += (int64_t)got) {
        if (lf_cancel_is_set(cancel)) {
            status = lf_fail(err, LF_CANCELLED, LF_TRANSIENT, "asked to stop while copying a file");
        } else if ((status = lf_file_read_at(from, total, chunk, CHUNK, &got, err)) != LF_OK) {
            lf_error_prefix(err, "cannot read while copying");
        } else if (total + (int64_t)got > max) {
            status = too_large(max, err);
        } else {
            lf_digest_add(digest, chunk, got);
            if (to && (status = lf_file_write_at(to, total, chunk, got, err)) != LF_OK)
                lf_error_prefix(err, "cannot write");
        }
    }
    if (status == LF_OK) {
        lf_digest_finish(digest, sha256);
        digest = NULL;
    }
    if (status == LF_OK && size)
        *size = total;
    lf_digest_free(digest);
    free(chunk);
    return status;
}

bool lf_stream_line(FILE *in, struct lf_buffer *line)
{
    lf_buffer_clear(line);
    for (int c; (c = getc(in)) != EOF;) {
        char byte = (char)c;
        if (lf_buffer_append(line, &byte, 1) != LF_OK)
            return false;
        if (c == '\n')
            return true;
    }
    return line->len > 0 && !ferror(in);
}

static bool windows_reserved(const char *name)
{
    static const char *const names[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", NULL};
    size_t stem = strcspn(name, ".");
    while (stem && name[stem - 1] == ' ')
        stem--;
    for (size_t i = 0; names[i]; i++)
        if (stem == strlen(names[i]) && !strncasecmp(name, names[i], stem))
            return true;
    return stem == 4 && (!strncasecmp(name, "COM", 3) || !strncasecmp(name, "LPT", 3)) && name[3] >= '1'
           && name[3] <= '9';
}

static enum lf_status refuse_name(struct lf_error *err, const char *name, const char *why)
{
    char shown[80];
    lf_text_show(name, shown, sizeof shown);
    return lf_fail(err, LF_INVALID, LF_NEEDS_PERSON,
                   "the file name \"%s\" is refused: %s. Rename the file where it is created", shown, why);
}

enum lf_status lf_name_check(const char *name, struct lf_error *err)
{
    enum { NAME_MAX_BYTES = 200 };
    size_t len = strlen(name);
    if (!len)
        return refuse_name(err, name, "it is empty");
    if (len > NAME_MAX_BYTES)
        return refuse_name(err, name, "it is longer than 200 bytes");
    if (!strcmp(name, ".") || !strcmp(name, ".."))
        return refuse_name(err, name, "it is the name of a folder");
    for (const char *at = name; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            return refuse_name(err, name, "it has a control character");
        if (strchr("/<>:\"\\|?*", *at))
            return refuse_name(err, name,
                               "it has one of the characters / \\ < > : \" | ? *, which name folders, "
                               "streams or patterns");
    }
    if (!lf_utf8_valid(lf_slice(name, len)))
        return refuse_name(err, name, "it is not valid UTF-8");
    if (strchr(".- ", name[0]))
        return refuse_name(err, name, "it begins with a dot, a dash or a space");
    if (strchr(". ", name[len - 1]))
        return refuse_name(err, name, "it ends in a dot or a space, which Windows drops");
    if (windows_reserved(name))
        return refuse_name(err, name, "Windows reserves it for a device");
    return LF_OK;
}
