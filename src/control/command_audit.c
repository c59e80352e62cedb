#include "control/command_audit.h"

#include "journal/audit.h"

#include <stdio.h>
#include <stdlib.h>

/* The job or the instrument that it names. */
static const char *subject(const cJSON *args, char room[32])
{
    int64_t job = lf_json_int(args, "id", 0);
    if (job <= 0)
        return lf_json_text(args, "instrument");
    snprintf(room, 32, "job %lld", (long long)job);
    return room;
}

enum lf_status control__audit_command(struct lf_journal *journal, const char *who, const char *verb,
                                      const cJSON *args, const char *outcome, const struct lf_error *why,
                                      struct lf_error *err)
{
    char about[32];
    bool has_args = cJSON_IsObject(args) && args->child;
    char *said = has_args ? lf_json_print(args) : NULL;
    /* What came of it is never cut off by long arguments. */
    char *text = said || !has_args ? lf_format("%.40s%s%.1200s: %s%s%s", verb ? verb : "what was no command",
                                               said ? " " : "", said ? said : "", outcome, why ? ": " : "",
                                               why ? why->text : "")
                                   : NULL;
    enum lf_status status = text ? lf_journal_audit_add(journal, who, "command", subject(args, about), text,
                                                        err)
                                 : lf_fail_memory(err, "recording a command");
    free(text);
    free(said);
    return status;
}
