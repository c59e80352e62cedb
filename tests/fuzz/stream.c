/* Stream names: "serial:/dev/ttyUSB0?baud=9600". Only checked, never opened. */
#include "fuzz.h"

#include "drivers/stream/stream.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { ROOM = 64 };
    char *spec = fuzz_text(lf_slice((const char *)data, size)), *resource = malloc(ROOM),
         *again = malloc(ROOM);
    struct lf_error err = {0}, second = {0};
    fuzz_need(resource && again, "out of memory");
    *resource = *again = '\0';
    enum lf_status status = lf_stream_check(spec, resource, ROOM, &err);
    fuzz_check_error(status, &err);
    MUST(lf_stream_check(spec, again, ROOM, &second) == status, "a different answer the second time");
    if (status == LF_OK) {
        MUST(strnlen(resource, ROOM) < ROOM && !strcmp(resource, again), "\"%s\"", spec);
        MUST(!strncmp(resource, "serial ", 7) || !strncmp(resource, "tcp ", 4)
                 || !strncmp(resource, "unix ", 5),
             "\"%s\" is the resource \"%.63s\"", spec, resource);
        MUST(lf_stream_check(spec, NULL, 0, &(struct lf_error){0}) == LF_OK,
             "a different answer without a resource");
    } else {
        MUST(err.class == LF_PERMANENT, "a bad name is not permanent: %s", err.text);
        MUST(!strcmp(err.text, second.text), "%s, then %s", err.text, second.text);
    }
    free(again);
    free(resource);
    free(spec);
    return 0;
}
