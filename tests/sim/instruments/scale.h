/* What lies on a simulated pan, and what the weighing cell makes of it. Grams; monotonic ms. One thread. */
#ifndef SIM_INSTRUMENTS_SCALE_H
#define SIM_INSTRUMENTS_SCALE_H

#include <stdbool.h>
#include <stdint.h>

struct scale {
    double load, before; /* what lies on the pan, and what lay there until `changed` */
    int64_t changed;     /* when the load was changed */
    int64_t settle_ms;   /* until the reading is stable again */
    double noise, drift; /* +- grams while stable; grams a second since stable */
    double capacity;     /* overload above; underload below -2 % of it */
    double zero, tare;
    int decimals;  /* 0 to 5 */
    bool restless; /* never stable (a draught) */
    uint32_t random;
};

enum scale_range { SCALE_UNDER = -1, SCALE_WITHIN = 0, SCALE_OVER = 1 };

void scale_put(struct scale *scale, double load, int64_t now);
bool scale_stable(const struct scale *scale, int64_t now);
int64_t scale_stable_at(const struct scale *scale); /* LF_NEVER if restless */
enum scale_range scale_range(struct scale *scale, int64_t now);
double scale_gross(struct scale *scale, int64_t now); /* above zero */
double scale_net(struct scale *scale, int64_t now);   /* gross less tare, rounded to the last digit shown */

#endif
