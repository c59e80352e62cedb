/* Running another program: argv without a shell, a clean environment, limits, a deadline and a cancel. */
#ifndef LF_OS_PROCESS_H
#define LF_OS_PROCESS_H

#include "base/buffer.h"
#include "os/wait.h"

/* What to run and what it may use. Everything is borrowed for the call. */
struct lf_process {
    const char *const *argv; /* ends in NULL; argv[0] is the absolute path of the program */
    const char *const
        *environment;      /* "NAME=value", ends in NULL. NULL: PATH of the system and a UTF-8 locale */
    const char *folder;    /* where it runs; NULL: the root folder */
    struct lf_slice input; /* its standard input, then end of file */
    int64_t memory_max;    /* bytes of address space for each process; 0: unlimited */
    int64_t cpu_max_s;     /* processor time for each process; 0: unlimited */
    size_t output_max;     /* bytes of standard output; 0: LF_BUFFER_DEFAULT_MAX */
    int64_t deadline;
    const struct lf_cancel *cancel; /* may be NULL */
};

enum { LF_PROCESS_ERRORS_MAX = 8 * 1024, LF_PROCESS_ENDING = 64 };

/* How it ended and what it wrote. Filled in any case; free with lf_process_result_free. */
struct lf_process_result {
    int exit_status;                /* 0 to 255; -1: it was killed */
    char ending[LF_PROCESS_ENDING]; /* for people: "exit status 3", "killed by signal 9 (Killed)" */
    struct lf_buffer output;        /* standard output, complete when LF_OK */
    struct lf_buffer errors;        /* the first LF_PROCESS_ERRORS_MAX bytes of standard error */
};

/* Runs the program in a process group of its own and waits until it has ended; what it left running in that
 * group is killed. LF_OK: it ran and ended by itself, with any exit status or signal; the caller judges
 * that. Any other status: LF_NOT_FOUND or LF_DENIED (not there, or may not be run; permanent), LF_INVALID
 * (the path is relative, or the file is not a program), LF_TIMEOUT, LF_CANCELLED, LF_TOO_LARGE (output_max),
 * LF_NO_MEMORY, LF_IO; the group is killed, and *result holds what had been written so far. Any thread;
 * SIGCHLD must not be ignored. */
enum lf_status lf_process_run(const struct lf_process *process, struct lf_process_result *result,
                              struct lf_error *err);
void lf_process_result_free(struct lf_process_result *result);

#endif
