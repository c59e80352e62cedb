/* An instrument that takes worklists from an inbox and writes results to an outbox. */
#include "conformance.h"

#include "base/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct lf_driver lf_driver_folder;

static const char text[] = "well,volume\nA1,5\n";
static char inbox[600], outbox[600], away[600], spooled[600];
static const char *const settings[] = {"inbox", inbox,           "outbox", outbox, "stable_for",
                                       "0",     "scan_interval", "100ms",  NULL};
static const char *const refused[] = {"lock", "true", NULL}; /* neither inbox nor outbox */

static void put(const char *folder, const char *name, const char *bytes)
{
    char path[700];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    NEED(file != NULL);
    fputs(bytes, file);
    fclose(file);
}

static const char *const *begin(bool patient)
{
    (void)patient; /* nothing in a folder has to be waited for but results */
    snprintf(inbox, sizeof inbox, "%.500s/inbox", unit_folder());
    snprintf(outbox, sizeof outbox, "%.500s/outbox", unit_folder());
    snprintf(away, sizeof away, "%.500s/away", unit_folder());
    snprintf(spooled, sizeof spooled, "%.500s/spooled", unit_folder());
    mkdir(inbox, 0755);
    mkdir(outbox, 0755);
    put(unit_folder(), "spooled", text);
    return settings;
}

static void end(void)
{
}

static void power(bool on)
{
    CHECK_INT(on ? rename(away, inbox) : rename(inbox, away), 0);
}

static const struct lf_action *action(int64_t job)
{
    static char name[40], sha256[LF_SHA256_HEX];
    static struct lf_parcel parcel;
    static struct lf_action action;
    snprintf(name, sizeof name, "worklist-%lld.csv", (long long)job);
    lf_digest_bytes(LF_SHA256, text, strlen(text), sha256);
    parcel = (struct lf_parcel){.name = name, .path = spooled, .size = sizeof text - 1, .sha256 = sha256};
    action = (struct lf_action){.kind = LF_ACTION_DELIVER, .job = job, .parcel = &parcel};
    return &action;
}

static int done(int64_t job)
{
    char path[700], found[100];
    snprintf(path, sizeof path, "%s/worklist-%lld.csv", inbox, (long long)job);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    found[fread(found, 1, sizeof found - 1, file)] = '\0';
    fclose(file);
    CHECK_STR(found, text); /* all of it or nothing */
    return 1;
}

static void produce(const char *bytes)
{
    put(outbox, "result.csv", bytes);
}

const struct fixture fixture = {
    .driver = &lf_driver_folder,
    .begin = begin,
    .end = end,
    .refused = refused,
    .power = power,
    .action = action,
    .done = done,
    .produce = produce,
};
