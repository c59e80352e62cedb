/* A driver to copy. It drives a pretend label printer: its paper is a text file, a file PAPER.empty means
 * that it is out of paper, and each line that appears in PAPER.keys is a key press.
 *
 * drivers/README.md explains what to do with the copy, drivers/driver.h what each slot promises. */
#include "drivers/driver.h"

#include "drivers/kit/findings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 60, LOOK_MS = 50, PATH_ROOM = 512 };

struct printer {
    const struct lf_host *host;
    const char *paper;        /* from the settings; borrowed from the values */
    int64_t timeout_ms;       /* from the settings: of one action */
    FILE *keys;               /* open while connected; reading continues where it stands */
    struct lf_findings keyed; /* until the host has stored them */
};

static const struct lf_setting settings[] = {
    {"paper", LF_INTO(LF_PATH, struct printer, paper), LF_REQUIRED, "The file that labels are printed to."},
    {"timeout", LF_INTO(LF_DURATION, struct printer, timeout_ms), "10s", "How long an action may take.", 10,
     600000},
    {0},
};

/* Two instruments with the same paper would print over each other: the resource keeps them apart. */
static enum lf_status template_check(const struct lf_values *values,
                                     void (*resource)(void *context, const char *resource), void *context,
                                     struct lf_error *err)
{
    struct printer printer;
    char name[PATH_ROOM];
    lf_values_fill(values, &printer);
    if (strlen(printer.paper) > PATH_ROOM - 20)
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "paper: the path is too long");
    snprintf(name, sizeof name, "paper %s", printer.paper);
    if (resource)
        resource(context, name);
    return LF_OK;
}

/* ---- a device ---- */

static enum lf_status template_open(const struct lf_values *values, const struct lf_host *host, void **device,
                                    struct lf_error *err)
{
    struct printer *printer = *device = calloc(1, sizeof *printer);
    if (!printer)
        return lf_fail_memory(err, "opening a printer");
    printer->host = host;
    lf_values_fill(values, printer);
    lf_findings_init(&printer->keyed, host->instrument);
    return LF_OK;
}

static void template_close(void *device)
{
    struct printer *printer = device;
    lf_findings_free(&printer->keyed);
    free(printer);
}

/* PAPER.ending; NULL when it cannot be opened. */
static FILE *open_beside(const struct printer *printer, const char *ending, const char *mode)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s%s", printer->paper, ending);
    return fopen(path, mode);
}

static enum lf_status template_connect(void *device, struct lf_error *err)
{
    struct printer *printer = device;
    printer->keys = open_beside(printer, ".keys", "r");
    if (!printer->keys)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "the printer at %s is off: switch it on",
                       printer->paper);
    fseek(printer->keys, 0, SEEK_END); /* keys pressed while disconnected are lost */
    return printer->host->identity(printer->host->self, "template printer", err);
}

static void template_disconnect(void *device)
{
    struct printer *printer = device;
    if (printer->keys)
        fclose(printer->keys);
    printer->keys = NULL;
}

/* ---- unsolicited data ---- */

/* Keeps each key pressed and hands all that wait to the host. What the host cannot store now stays kept, and
 * the next call reports it again. */
static enum lf_status collect(struct printer *printer, struct lf_error *err)
{
    static const struct lf_outcome no_values;
    char line[256];
    long begin = ftell(printer->keys);
    enum lf_status status = LF_OK;
    while (status == LF_OK && fgets(line, sizeof line, printer->keys) && strchr(line, '\n')) {
        struct lf_slice key = {line, strcspn(line, "\n")};
        status = lf_findings_add(&printer->keyed, "key", LF_FORM_TEXT, key, &no_values, err);
        if (status == LF_OK)
            begin = ftell(printer->keys);
    }
    fseek(printer->keys, begin, SEEK_SET); /* the next look begins with what was not kept, or half a line */
    return status == LF_OK ? lf_findings_report(&printer->keyed, printer->host, err) : status;
}

static enum lf_status template_listen(void *device, int64_t deadline, struct lf_error *err)
{
    struct printer *printer = device;
    enum lf_status waited = LF_TIMEOUT;
    while (waited == LF_TIMEOUT && !lf_deadline_passed(deadline)) {
        if (collect(printer, err) != LF_OK)
            return err->status;
        /* Until the next look, or earlier when the host wants us back. A driver with a stream waits for its
         * stream here. */
        int64_t look = lf_deadline_sooner(deadline, lf_deadline_in(LOOK_MS));
        waited = lf_wake_wait(printer->host->wake, look, printer->host->cancel);
    }
    return LF_OK;
}

/* ---- actions ---- */

static enum lf_status template_repeat(void *device, const struct lf_action *action, enum lf_repeat *repeat,
                                      struct lf_error *err)
{
    (void)device;
    if (action->kind != LF_ACTION_RUN || !action->name || strcmp(action->name, "print") != 0)
        return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT,
                       "this printer can do one thing: run the procedure print");
    *repeat = LF_ONCE; /* a label printed twice sticks on two tubes */
    return LF_OK;
}

/* What `check` compares the inputs and outputs of a route with. */
static enum lf_status template_describe(void *device, const struct lf_action *action,
                                        const struct lf_terms *terms, struct lf_error *err)
{
    enum lf_repeat repeat;
    enum lf_status status = template_repeat(device, action, &repeat, err);
    if (status == LF_OK) {
        terms->takes(terms->context, "label", true);
        terms->gives(terms->context, "label", LF_CAPTURE_TEXT, true);
    }
    return status;
}

/* The label to print; NULL with an error. A line end in it would begin another label. */
static const char *label_of(const struct lf_action *action, struct lf_error *err)
{
    for (size_t i = 0; i < action->input_count; i++) {
        const char *label = action->inputs[i].value;
        if (!strcmp(action->inputs[i].name, "label") && strlen(label) <= LABEL_MAX && !strpbrk(label, "\r\n"))
            return label;
    }
    lf_fail(err, LF_INVALID, LF_PERMANENT, "give the input \"label\": one line of at most %d characters",
            LABEL_MAX);
    return NULL;
}

/* Waits while it is out of paper. Every wait looks like this: a deadline, and the host's cancel. */
static enum lf_status wait_for_paper(const struct printer *printer, struct lf_error *err)
{
    int64_t deadline = lf_deadline_in(printer->timeout_ms);
    FILE *empty;
    while ((empty = open_beside(printer, ".empty", "r"))) {
        fclose(empty);
        printer->host->progress(printer->host->self, "waiting for paper");
        if (lf_deadline_passed(deadline))
            return lf_fail(err, LF_TIMEOUT, LF_TRANSIENT, "out of paper: put a new roll in");
        if (lf_sleep_until(lf_deadline_sooner(deadline, lf_deadline_in(LOOK_MS)), printer->host->cancel)
            == LF_CANCELLED)
            return lf_fail(err, LF_CANCELLED, LF_TRANSIENT, "cancelled while it waited for paper");
    }
    return LF_OK;
}

static enum lf_status template_act(void *device, const struct lf_action *action, struct lf_outcome *outcome,
                                   struct lf_error *err)
{
    struct printer *printer = device;
    enum lf_repeat repeat;
    const char *label = NULL;
    if (template_repeat(device, action, &repeat, err) != LF_OK || !(label = label_of(action, err))
        || wait_for_paper(printer, err) != LF_OK)
        return err->status; /* up to here it has done nothing: transient or permanent */
    FILE *paper = open_beside(printer, "", "a");
    if (!paper)
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "the printer at %s does not answer",
                       printer->paper);
    /* From here on a failure may leave a label behind. */
    bool printed = fprintf(paper, "job %lld: %s\n", (long long)action->job, label) > 0;
    if (fclose(paper) != 0 || !printed)
        return lf_fail(err, LF_IO, LF_UNKNOWN_OUTCOME, "the printer at %s stopped: look at its last label",
                       printer->paper);
    return lf_outcome_add(outcome, "label", LF_CAPTURE_TEXT, label, err);
}

/* Was the label of this job printed? The paper is evidence, since only this driver prints on it. Where
 * others may have removed the evidence, its absence proves nothing: answer unknown. */
static enum lf_verdict template_verify(void *device, const struct lf_action *action,
                                       struct lf_outcome *outcome, struct lf_error *err)
{
    const struct printer *printer = device;
    char line[256] = "", wanted[40];
    size_t len = (size_t)snprintf(wanted, sizeof wanted, "job %lld: ", (long long)action->job);
    bool begun = false;
    FILE *paper = open_beside(printer, "", "r");
    bool unreadable = !paper && errno != ENOENT;
    while (paper && !begun && fgets(line, sizeof line, paper))
        begun = !strncmp(line, wanted, len);
    if (paper) {
        unreadable = ferror(paper);
        fclose(paper);
    }
    if (unreadable || (begun && !strchr(line, '\n'))) {
        lf_fail(err, LF_IO, LF_UNKNOWN_OUTCOME, "the label of job %lld is cut off, or the paper unreadable",
                (long long)action->job);
        return LF_VERDICT_UNKNOWN;
    }
    if (!begun)
        return LF_VERDICT_NOT_DONE;
    line[strcspn(line, "\n")] = '\0';
    bool added = lf_outcome_add(outcome, "label", LF_CAPTURE_TEXT, line + len, err) == LF_OK;
    return added ? LF_VERDICT_DONE : LF_VERDICT_UNKNOWN;
}

extern const struct lf_driver lf_driver_template;
const struct lf_driver lf_driver_template = {
    .abi = LF_DRIVER_ABI,
    .name = "template",
    .help = "A pretend label printer, to copy from.",
    .can = LF_CAN_RUN | LF_CAN_COLLECT,
    .settings = settings,
    .check = template_check,
    .open = template_open,
    .close = template_close,
    .connect = template_connect,
    .disconnect = template_disconnect,
    .listen = template_listen,
    .repeat = template_repeat,
    .describe = template_describe,
    .act = template_act,
    .verify = template_verify,
    /* No take and no archive: its findings carry their data. */
};
