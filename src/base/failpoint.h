/* Points where a test may kill the program, to see what a crash exactly there leaves behind.
 *
 * LF_FAILPOINT("batch.committed") compiles to nothing unless LF_FAILPOINTS is defined (Debug builds). There
 * the environment variable LF_DIE_AT = "batch.received:3|act.about:1" names the points and at which passing
 * the process ends as by kill -9: no clean-up, no flush. Any thread.
 */
#ifndef LF_BASE_FAILPOINT_H
#define LF_BASE_FAILPOINT_H

#ifdef LF_FAILPOINTS
#define LF_FAILPOINT(name) lf_failpoint(name)
void lf_failpoint(const char *name);
#else
#define LF_FAILPOINT(name) ((void)0)
#endif

#endif
