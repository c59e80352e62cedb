/* The machine we run on, and its clocks. Any thread. */
#ifndef LF_OS_HOST_H
#define LF_OS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Milliseconds of a clock that never steps and goes on while the machine sleeps. */
int64_t lf_clock_mono_ms(void);
/* Milliseconds since 1970-01-01 UTC, as the machine's clock says. */
int64_t lf_clock_wall_ms(void);

/* How far the local time is ahead of UTC at that moment. */
int64_t lf_clock_zone_ms(int64_t wall_ms);

/* Names this run of the machine: differs after every restart of the operating system. False when it cannot be
 * read. */
enum { LF_BOOT_TEXT = 40 };
bool lf_boot_name(char name[LF_BOOT_TEXT]);

/* The number of this process, for messages and temporary names. */
int64_t lf_process_id(void);

/* Fills `data` with unpredictable bytes. False when the system has none yet (soon after its start). */
bool lf_random_bytes(void *data, size_t len);

#endif
