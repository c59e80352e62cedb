#include "os/text.h"

#include <fnmatch.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

bool lf_glob_match(const char *glob, const char *name, bool ignore_case)
{
    return fnmatch(glob, name, FNM_NOESCAPE | (ignore_case ? FNM_CASEFOLD : 0)) == 0;
}

int lf_terminal_columns(void)
{
    struct winsize size = {0};
    if (!setlocale(LC_CTYPE, "C.UTF-8")) /* text from outside is UTF-8, whatever the user's locale is */
        setlocale(LC_CTYPE, "");
    if (!isatty(STDOUT_FILENO))
        return 0;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

bool lf_text_character(const char *text, size_t *bytes, uint32_t *code, int *columns)
{
    wchar_t c = 0;
    mbstate_t state = {0};
    size_t got = mbrtowc(&c, text, strlen(text), &state);
    bool valid = got > 0 && got <= 4;
    *bytes = valid ? got : 1;
    *code = (uint32_t)c;
    *columns = valid ? wcwidth(c) : -1;
    return *columns >= 0;
}
