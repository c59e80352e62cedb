#include "base/error.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

static void fail_fills_all(void)
{
    struct lf_error err = {.retry_after_ms = 5};
    CHECK_INT(lf_fail(&err, LF_REFUSED, LF_PERMANENT, "no %s for %d", "bread", 7), LF_REFUSED);
    CHECK_INT(err.status, LF_REFUSED);
    CHECK_INT(err.class, LF_PERMANENT);
    CHECK_INT(err.retry_after_ms, 0);
    CHECK_STR(err.text, "no bread for 7");
}

static void long_texts_are_cut(void)
{
    struct lf_error err;
    char text[2000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    lf_fail(&err, LF_INVALID, LF_PERMANENT, "%s", text);
    CHECK_INT(strlen(err.text), LF_ERROR_TEXT - 1);
    lf_error_prefix(&err, "%s", text);
    CHECK_INT(strlen(err.text), LF_ERROR_TEXT - 1);
    errno = EIO;
    lf_fail_errno(&err, "%s", text);
    CHECK_HAS(err.text, strerror(EIO));
}

static void text_may_be_its_own_argument(void)
{
    struct lf_error err;
    lf_fail(&err, LF_IO, LF_TRANSIENT, "inner");
    lf_fail(&err, LF_IO, LF_TRANSIENT, "outer: %s", err.text);
    CHECK_STR(err.text, "outer: inner");
    CHECK_INT(lf_error_prefix(&err, "job %d", 3), LF_IO);
    CHECK_STR(err.text, "job 3: outer: inner");
}

static void errno_decides_class(void)
{
    static const struct {
        int number;
        enum lf_status status;
        enum lf_class class;
    } cases[] = {
        {ENOENT, LF_NOT_FOUND, LF_PERMANENT},
        {EACCES, LF_DENIED, LF_NEEDS_PERSON},
        {ENOSPC, LF_FULL, LF_TRANSIENT},
        {ENOMEM, LF_NO_MEMORY, LF_TRANSIENT},
        {EIO, LF_IO, LF_TRANSIENT},
        {ENODEV, LF_DISCONNECTED, LF_TRANSIENT},
        {ECONNREFUSED, LF_DISCONNECTED, LF_TRANSIENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lf_error err;
        errno = cases[i].number;
        CHECK_INT(lf_fail_errno(&err, "cannot open %s", "/x"), cases[i].status);
        CHECK_INT(err.class, cases[i].class);
        CHECK_HAS(err.text, "cannot open /x: ");
        CHECK_HAS(err.text, strerror(cases[i].number));
    }
}

static void names_are_stable(void)
{
    CHECK_STR(lf_status_name(LF_NOT_FOUND), "not found");
    CHECK_STR(lf_class_name(LF_UNKNOWN_OUTCOME), "unknown outcome");
    for (int class = LF_CLASS_NONE; class <= LF_NEEDS_PERSON; class ++)
        CHECK_INT(lf_class_from_name(lf_class_name((enum lf_class) class)), class);
    for (int status = LF_OK; status <= LF_MISMATCH; status++)
        CHECK(lf_status_name((enum lf_status)status) != NULL);
    CHECK(lf_status_name((enum lf_status)999) != NULL);
    CHECK(lf_class_name((enum lf_class)999) != NULL);
    CHECK_INT(lf_class_from_name("nonsense"), LF_CLASS_NONE);
    CHECK_INT(lf_class_from_name(NULL), LF_CLASS_NONE);
}

UNIT_TESTS("error",
           {"a failure sets status, class and text, and clears what was there before", fail_fills_all},
           {"a long text is cut and keeps the system's reason", long_texts_are_cut},
           {"an error's own text may be part of its new text", text_may_be_its_own_argument},
           {"errno decides status and class", errno_decides_class},
           {"every status and class has a name, and classes are found by theirs", names_are_stable}, )
