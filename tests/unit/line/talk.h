/* A dialogue with a scripted instrument, and the profiles that most of its tests use. */
#ifndef TEST_LINE_TALK_H
#define TEST_LINE_TALK_H

#include "drivers/line/procedure.h"

#include "peer.h"

#include <string.h>

#define HEAD                                                                                                 \
    "[line]\nsend_end = '<CR><LF>'\nreply = line '<CR><LF>'\nfirst_byte = 20s\ngap = 5s\nquiet = 2s\n"       \
    "[errors]\nerror = 'ES' permanent 'syntax'\nerror = 'ET' transient\n"
#define IDENTIFY "[identify]\nsend = '@'\nexpect = 'I4 A \"{identity}\"'\n"
#define WEIGH                                                                                                \
    "[command weigh]\nclass = safe\nsend = 'S'\nexpect = 'S S {value:real} {unit:word}'\n"                   \
    "error = 'S I' busy 'not stable'\nerror = 'S +' person 'overload'\n"
#define TARE                                                                                                 \
    "[command tare]\nclass = once\nsend = 'T'\nexpect = 'T S {value:real} {unit:word}'\n"                    \
    "error = 'T I' busy\nerror = 'T +' person 'too heavy'\nerror = 'T ?' unknown\n"
#define LIST                                                                                                 \
    "[command list]\nclass = safe\nsend = 'I0'\nmore = 'I0 B {level:int} \"{name}\"'\n"                      \
    "expect = 'I0 A {level:int} \"{name}\"'\n"

/* One command against a script. */
struct talk {
    struct lf_line_profile *profile;
    struct peer peer;
    struct lf_line_dialogue dialogue;
    struct lf_outcome values;
    struct lf_error err;
};

void begin(struct talk *talk, const char *profile, const struct peer_step *steps, size_t count);
/* Runs a command; its values and error are in `talk` afterwards. */
void say(struct talk *talk, const char *command);
/* The same for a procedure without inputs. */
enum lf_status run(struct talk *talk, const char *name);
void end(struct talk *talk);

#define TALK(profile, ...)                                                                                   \
    static const struct peer_step steps[] = {__VA_ARGS__};                                                   \
    struct talk talk;                                                                                        \
    begin(&talk, profile, steps, sizeof steps / sizeof *steps)

/* What was heard unasked: `hear` is an `unsolicited` whose self is this. */
struct heard {
    int count;
    char last[100];
};

enum lf_status hear(void *self, const struct lf_line_listen *listen, struct lf_slice line,
                    const struct lf_outcome *values, struct lf_error *err);

#endif
