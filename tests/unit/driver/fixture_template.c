/* The pretend printer: files in the test's folder. */
#include "conformance.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct lf_driver lf_driver_template;

static char paper[600];
static const char *settings[] = {"paper", paper, "timeout", NULL, NULL};

static void put(const char *ending, const char *text)
{
    char path[700];
    snprintf(path, sizeof path, "%s%s", paper, ending);
    FILE *file = fopen(path, "a");
    NEED(file != NULL);
    fputs(text, file);
    fclose(file);
}

static void drop(const char *ending)
{
    char path[700];
    snprintf(path, sizeof path, "%s%s", paper, ending);
    unlink(path);
}

static void power(bool on)
{
    if (on)
        put(".keys", "");
    else
        drop(".keys");
}

static void silent(bool quiet)
{
    if (quiet)
        put(".empty", "");
    else
        drop(".empty");
}

static const char *const *begin(bool patient)
{
    snprintf(paper, sizeof paper, "%.500s/paper", unit_folder());
    settings[3] = patient ? "5m" : "100ms";
    power(true);
    return settings;
}

static void end(void)
{
    drop("");
    drop(".keys");
    drop(".empty");
}

static const struct lf_action *action(int64_t job)
{
    static const struct lf_input label = {"label", "tube 7"};
    static struct lf_action action;
    action = (struct lf_action){.kind = LF_ACTION_RUN,
                                .job = job,
                                .name = "print",
                                .inputs = &label,
                                .input_count = 1};
    return &action;
}

static int done(int64_t job)
{
    char line[200], wanted[200];
    int count = 0;
    snprintf(wanted, sizeof wanted, "job %lld: tube 7\n", (long long)job);
    FILE *file = fopen(paper, "r");
    while (file && fgets(line, sizeof line, file))
        count += !strcmp(line, wanted);
    if (file)
        fclose(file);
    return count;
}

/* A folder of that name can be opened, and not be read. */
static void blind(bool on)
{
    NEED((on ? mkdir(paper, 0700) : rmdir(paper)) == 0);
}

static void produce(const char *text)
{
    put(".keys", text);
    put(".keys", "\n");
}

static const char long_path[] =
    "/" /* longer than any path that it takes */
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
static const char *const refused[] = {"paper", long_path, NULL};

const struct fixture fixture = {
    .driver = &lf_driver_template,
    .begin = begin,
    .end = end,
    .refused = refused,
    .power = power,
    .silent = silent,
    .action = action,
    .done = done,
    .silent_act = true,
    .blind = blind,
    .produce = produce,
};
