/* Points at which a test can kill the program, to see what a crash there leaves behind.
 *
 * LF_FAILPOINT("batch.committed") compiles to nothing unless LF_FAILPOINTS is defined (builds with tests).
 * There LF_DIE_AT = "batch.received:3|act.about:1" in the environment kills the process the third time that
 * it passes the one point, or the first time that it passes the other, as kill -9 would: no clean-up, no
 * flush. Any thread.
 *
 * LF_LIMIT("LF_OUTBOX_MAX", 100000) is the number. In builds with tests the environment variable replaces it,
 * so that a test can reach a limit that no setting changes.
 *
 * In builds with tests a test can let time pass: lf_test_time_passes moves both clocks ahead, and every wait
 * in progress notices within milliseconds. Waits that began before the first call (with 0, say) do not.
 */
#ifndef LF_BASE_FAILPOINT_H
#define LF_BASE_FAILPOINT_H

#include <stdint.h>

#ifdef LF_FAILPOINTS
#define LF_FAILPOINT(name) lf_failpoint(name)
#define LF_LIMIT(variable, number) lf_test_limit(variable, number)
#define LF_TIME_PASSED() lf_test_time_passed()
#define LF_WAIT_SLICE(ms) lf_test_wait_slice(ms)
void lf_failpoint(const char *name);
int64_t lf_test_limit(const char *variable, int64_t number);
void lf_test_time_passes(int64_t ms);
int64_t lf_test_time_passed(void);
int64_t lf_test_wait_slice(int64_t ms); /* how long a wait may go on without looking at the clock */
int64_t lf_test_waits(void);            /* how many waits, and slices of them, have begun in this process */
#else
#define LF_FAILPOINT(name) ((void)0)
#define LF_LIMIT(variable, number) (number)
#define LF_TIME_PASSED() INT64_C(0)
#define LF_WAIT_SLICE(ms) (ms)
#endif

#endif
