/* Points where a test may kill the program, to see what a crash exactly there leaves behind.
 *
 * LF_POINT("batch.committed") compiles to nothing unless LF_TEST_POINTS is defined (Debug builds). There the
 * environment variable LF_DIE_AT = "batch.received:3|act.about:1" names the points and at which passing the
 * process ends as by kill -9: no clean-up, no flush. Any thread.
 */
#ifndef LF_BASE_POINT_H
#define LF_BASE_POINT_H

#ifdef LF_TEST_POINTS
#define LF_POINT(name) lf_point(name)
void lf_point(const char *name);
#else
#define LF_POINT(name) ((void)0)
#endif

#endif
