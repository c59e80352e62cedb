#include "fuzz.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void fuzz_broken(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%d: PROMISE BROKEN: %s: ", file, line, condition);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

void fuzz_need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "CANNOT START: %s\n", what);
        _exit(2);
    }
}

void fuzz_check_error(enum lf_status status, const struct lf_error *err)
{
    if (status == LF_OK)
        return;
    MUST(err->status == status, "returned '%s', but the error is '%s': %s", lf_status_name(status),
         lf_status_name(err->status), err->text);
    MUST(err->class != LF_CLASS_NONE, "an error without a class: %s", err->text);
    MUST(*err->text, "an error of status '%s' without a text", lf_status_name(status));
}

struct fuzz_input fuzz_input(const uint8_t *data, size_t size)
{
    return (struct fuzz_input){(const char *)data, size};
}

uint8_t fuzz_byte(struct fuzz_input *input)
{
    if (!input->left)
        return 0;
    input->left--;
    return (uint8_t)*input->data++;
}

struct lf_slice fuzz_until(struct fuzz_input *input, char end)
{
    const char *found = input->left ? memchr(input->data, end, input->left) : NULL;
    struct lf_slice piece = {input->data, found ? (size_t)(found - input->data) : input->left};
    size_t taken = piece.len + (found != NULL);
    input->data = taken ? input->data + taken : input->data;
    input->left -= taken;
    return piece;
}

struct lf_slice fuzz_rest(struct fuzz_input *input)
{
    struct lf_slice rest = {input->data, input->left};
    input->left = 0;
    return rest;
}

char *fuzz_text(struct lf_slice bytes)
{
    size_t len = bytes.len ? strnlen(bytes.data, bytes.len) : 0;
    char *text = malloc(len + 1);
    fuzz_need(text, "out of memory");
    if (len)
        memcpy(text, bytes.data, len);
    text[len] = '\0';
    return text;
}

/* ---- the folder ---- */

static char folder[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fuzz_write(const char *path, const char *text)
{
    FILE *file = path ? fopen(path, "we") : NULL;
    fuzz_need(file && fchmod(fileno(file), 0600) == 0, "cannot create a file");
    fuzz_need(fputs(text, file) >= 0 && fclose(file) == 0, "cannot write a file");
}

const char *fuzz_folder(void)
{
    if (!*folder) {
        strcpy(folder, "/dev/shm/lf-fuzz-XXXXXX");
        fuzz_need(mkdtemp(folder), "cannot make a folder in /dev/shm");
        atexit(remove_folder);
    }
    return folder;
}
