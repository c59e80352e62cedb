/* Text as the system sees it. Any thread. */
#ifndef LF_OS_TEXT_H
#define LF_OS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shell-style match of a complete name: * ? [set]; case-sensitive unless ignore_case. */
bool lf_glob_match(const char *glob, const char *name, bool ignore_case);

/* Columns of the terminal that standard output goes to; 0: it is not a terminal. The first call prepares
 * lf_text_character. */
int lf_terminal_columns(void);
/* The first character of a UTF-8 text, its bytes, and the columns that it takes. False: it cannot be printed;
 * skip *bytes. */
bool lf_text_character(const char *text, size_t *bytes, uint32_t *code, int *columns);

#endif
