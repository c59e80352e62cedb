/* A program as the system starts, stops and watches it. From main() only, unless a call says otherwise. */
#ifndef LF_OS_SERVICE_H
#define LF_OS_SERVICE_H

#include "os/wait.h"

/* Call it first in main(). Opens standard files that are closed: otherwise the next file opened, such as the
 * journal, would become standard error, and the log would be written into it. Writing to a closed pipe
 * becomes an error instead of a signal, and signals that programs give meanings of their own (SIGUSR1,
 * SIGUSR2) do nothing. False: it failed; do not continue. */
bool lf_service_begin(void);
/* Before secrets are read: files created from here on are closed to everybody but our user and group, and no
 * other program of our user, and no core file, gets at our memory. */
enum lf_status lf_service_be_private(struct lf_error *err);
/* Raises the number of files that may be open to what the system allows. Returns it. */
int64_t lf_service_open_files(void);
/* Opens *stop, which is set when the system or the user asks the program to end. With `at_once`, for a
 * program at a terminal, a read is interrupted too, and so it ends when the terminal is closed (SIGHUP);
 * without, it goes on. */
enum lf_status lf_service_stop_on_signals(struct lf_cancel *stop, bool at_once, struct lf_error *err);

enum lf_service_state { LF_SERVICE_READY, LF_SERVICE_STOPPING };
/* Reports the state to the service manager, if one asks for it ($NOTIFY_SOCKET of systemd). */
void lf_service_notify(enum lf_service_state state);

/* Runs work(context) in a child process and returns what it returns, to be the exit status. A thread of that
 * child may be stuck in the system, where not even a kill ends it, so the child says when its work is over
 * (lf_service_over), and is then left behind. Signals are passed on to it, it reports to the service manager
 * through us, and neither outlives a crash of the other. Before any thread is started. */
int lf_service_guard(int (*work)(void *context), void *context, struct lf_error *err);
/* The work is over although a thread of this process is stuck: ends the process without waiting for it. Any
 * thread; nothing may be left to be written. */
_Noreturn void lf_service_over(int code);

/* Writes to standard error and waits at most `patience_ms` for each piece. True: everything was written, or
 * nothing ever can be. Any thread; bytes of several threads are not mixed within 512 bytes. */
bool lf_service_log(const char *text, size_t len, int64_t patience_ms);
/* Is standard error read by a log daemon that takes a priority in front of each line (journald)? */
bool lf_service_log_is_journal(void);
/* Ends the program as a crash would, without any cleanup. Any thread. */
_Noreturn void lf_service_crash(void);

#endif
