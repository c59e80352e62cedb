/* Effects: what is done outside the journal once the change it belongs to is on disk.
 *
 * They are a list in the order of registration, touched only by the thread that has the transaction open.
 */
#include "journal/db.h"

#include <stdlib.h>
#include <string.h>

struct effect {
    struct effect *next;
    lf_journal_effect *run;
    void *context;
    int64_t number;
    char text[];
};

/* Each thread has its own: its address says who has the transaction open. */
static _Thread_local const char this_thread;

void journal__effects_begin(struct lf_journal *journal)
{
    atomic_store(&journal->owner, &this_thread);
}

static bool equal(const struct effect *a, const struct effect *b)
{
    return a->run == b->run && a->context == b->context && a->number == b->number
           && !strcmp(a->text, b->text);
}

void lf_journal_after_commit(struct lf_journal *journal, lf_journal_effect *run, void *context,
                             int64_t number, const char *text)
{
    text = text ? text : "";
    if (!journal || atomic_load(&journal->owner) != &this_thread) {
        run(context, number, text);
        return;
    }
    size_t size = strlen(text) + 1;
    struct effect *effect = malloc(sizeof *effect + size);
    if (!effect) {
        journal->broken = LF_NO_MEMORY;
        return;
    }
    *effect = (struct effect){.run = run, .context = context, .number = number};
    memcpy(effect->text, text, size);
    struct effect **at = &journal->effects;
    while (*at) { /* of two equal effects the later one counts: pause, resume, pause ends paused */
        struct effect *other = *at;
        if (!equal(other, effect)) {
            at = &other->next;
            continue;
        }
        *at = other->next;
        free(other);
    }
    *at = effect;
}

struct effect *journal__effects_take(struct lf_journal *journal)
{
    struct effect *effects = journal->effects;
    journal->effects = NULL;
    atomic_store(&journal->owner, NULL);
    return effects;
}

void journal__effects_end(struct effect *effects, bool kept)
{
    for (struct effect *next; effects; effects = next) {
        next = effects->next;
        if (kept)
            effects->run(effects->context, effects->number, effects->text);
        free(effects);
    }
}
