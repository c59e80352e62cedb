#include "talk.h"

#include <stdio.h>

void begin(struct talk *talk, const char *profile, const struct peer_step *steps, size_t count)
{
    memset(talk, 0, sizeof *talk);
    talk->profile = need_profile(profile);
    peer_start(&talk->peer, steps, count);
    need_dialogue(&talk->dialogue, talk->profile, &talk->peer);
}

void say(struct talk *talk, const char *command)
{
    lf_outcome_free(&talk->values);
    talk->err.status = ask(&talk->dialogue, command, &talk->values, &talk->err);
}

void end(struct talk *talk)
{
    line__dialogue_close(&talk->dialogue);
    peer_stop(&talk->peer);
    lf_outcome_free(&talk->values);
    lf_profile_free(talk->profile);
}

enum lf_status run(struct talk *talk, const char *name)
{
    struct lf_line_input_set none = {0};
    memset(&talk->err, 0, sizeof talk->err);
    return line__procedure_run(&talk->dialogue, line__profile_procedure(talk->profile, name), &none, NULL,
                               NULL, &talk->values, &(bool){false}, &talk->err);
}

enum lf_status hear(void *self, const struct lf_line_listen *listen, struct lf_slice line,
                    const struct lf_outcome *values, struct lf_error *err)
{
    struct heard *heard = self;
    (void)listen, (void)err;
    heard->count++;
    snprintf(heard->last, sizeof heard->last, "%.*s|%s", (int)line.len, line.data, values->captures[0].value);
    return LF_OK;
}
