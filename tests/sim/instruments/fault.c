#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct fault_kind fault_common[] = {
    {"silence", "the command is carried out, but its reply is never sent", 0},
    {"deaf", "the command is lost on its way: nothing is done, nothing is sent", 0},
    {"delay", "the reply is sent VALUE ms late", 2000},
    {"cut", "the reply ends after VALUE bytes, and nothing follows", 5},
    {"unplug", "the cable is pulled after VALUE bytes of the reply", 5},
    {"slow", "the reply comes byte by byte, VALUE ms apart", 20},
    {"garbage", "VALUE random bytes are sent in place of the reply", 24},
    {"twice", "the reply is sent twice", 0},
    {"chatter", "lines nobody asked for, every VALUE ms until cleared", 5},
    {0},
};

static const struct fault_kind *find_kind(const struct fault_kind *table, const char *name)
{
    for (; table && table->name; table++)
        if (!strcmp(table->name, name))
            return table;
    return NULL;
}

static void list_names(const struct fault_kind *table, char *text, size_t room)
{
    for (; table && table->name; table++) {
        size_t used = strlen(text);
        snprintf(text + used, room - used, "%s%s", used ? ", " : "", table->name);
    }
}

static bool parse_number(const char *text, long least, long *number)
{
    char *end;
    *number = strtol(text, &end, 10);
    return end != text && !*end && *number >= least && *number <= 1000000000;
}

static enum lf_status parse_word(struct fault *fault, char *word, struct lf_error *err)
{
    char *value = strchr(word, '=');
    long number = 0;
    if (value)
        *value++ = '\0';
    if (value && !strcmp(word, "on") && strlen(value) < sizeof fault->on) {
        strcpy(fault->on, value);
        return LF_OK;
    }
    if (value && !strcmp(word, "times") && parse_number(value, 1, &number)) {
        fault->times = (int)number;
        return LF_OK;
    }
    if (value && !strcmp(word, "after") && parse_number(value, 0, &number)) {
        fault->after = (int)number;
        return LF_OK;
    }
    return lf_fail(err, LF_INVALID, LF_PERMANENT, "fault: '%s%s%s' is none of times=N, after=N, on=COMMAND",
                   word, value ? "=" : "", value ? value : "");
}

enum lf_status fault_add(struct faults *faults, const char *text, struct lf_error *err)
{
    char copy[256], names[256] = "", *rest = copy;
    struct fault fault = {.times = FAULT_ALWAYS};
    if (faults->count == FAULTS_MAX)
        return lf_fail(err, LF_FULL, LF_PERMANENT, "there are %d faults already: clear some", FAULTS_MAX);
    snprintf(copy, sizeof copy, "%s", text);
    char *name = strsep(&rest, " ");
    char *value = strchr(name, '=');
    if (value)
        *value++ = '\0';
    fault.kind = find_kind(fault_common, name);
    if (!fault.kind)
        fault.kind = find_kind(faults->own, name);
    if (!fault.kind) {
        list_names(fault_common, names, sizeof names);
        list_names(faults->own, names, sizeof names);
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "fault: '%s' is none of %s", name, names);
    }
    fault.value = fault.kind->fallback;
    if (value && !parse_number(value, 0, &fault.value))
        return lf_fail(err, LF_INVALID, LF_PERMANENT, "fault: '%s' is not a whole number", value);
    for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " ")) {
        enum lf_status status = *word ? parse_word(&fault, word, err) : LF_OK;
        if (status)
            return status;
    }
    faults->list[faults->count++] = fault;
    return LF_OK;
}

void fault_clear(struct faults *faults)
{
    faults->count = 0;
}

bool fault_strikes(struct faults *faults, const char *name, const char *command, long *value)
{
    for (size_t i = 0; i < faults->count; i++) {
        struct fault *fault = &faults->list[i];
        if (strcmp(fault->kind->name, name) != 0
            || (fault->on[0] && (!command || strcasecmp(fault->on, command) != 0)))
            continue;
        if (fault->after > 0) {
            fault->after--;
            continue;
        }
        if (value)
            *value = fault->value;
        if (fault->times != FAULT_ALWAYS && --fault->times == 0)
            memmove(fault, fault + 1, (--faults->count - i) * sizeof *fault);
        return true;
    }
    return false;
}

const struct fault *fault_find(const struct faults *faults, const char *name)
{
    for (size_t i = 0; i < faults->count; i++)
        if (!strcmp(faults->list[i].kind->name, name))
            return &faults->list[i];
    return NULL;
}
