#include "scale.h"

#include "base/clock.h"

#include <math.h>

static const double under_share = -0.02;

void scale_put(struct scale *scale, double load, int64_t now)
{
    scale->before = scale->load;
    scale->load = load;
    scale->changed = now;
}

int64_t scale_stable_at(const struct scale *scale)
{
    return scale->restless ? LF_NEVER : scale->changed + scale->settle_ms;
}

bool scale_stable(const struct scale *scale, int64_t now)
{
    return now >= scale_stable_at(scale);
}

/* Uniform in [-1, 1]; its own generator, so that --seed repeats a run. */
static double shake(struct scale *scale)
{
    scale->random = scale->random * 1664525u + 1013904223u;
    return (double)(scale->random >> 8) / (double)(1u << 23) - 1.0;
}

/* Swings towards the load as a damped cell does; five time constants until stable. */
static double cell(struct scale *scale, int64_t now)
{
    double since = (double)(now - scale->changed), settle = (double)scale->settle_ms;
    double digit = pow(10, -scale->decimals), value = scale->load + shake(scale) * scale->noise;
    if (since < settle)
        value += (scale->before - scale->load) * exp(-5 * since / settle);
    else
        value += scale->drift * (since - settle) / 1000;
    if (!scale_stable(scale, now))
        value += shake(scale) * 3 * digit;
    return value;
}

enum scale_range scale_range(struct scale *scale, int64_t now)
{
    double value = cell(scale, now);
    if (value > scale->capacity)
        return SCALE_OVER;
    return value < scale->capacity * under_share ? SCALE_UNDER : SCALE_WITHIN;
}

double scale_gross(struct scale *scale, int64_t now)
{
    return cell(scale, now) - scale->zero;
}

double scale_net(struct scale *scale, int64_t now)
{
    double digits = pow(10, scale->decimals);
    double value = round((scale_gross(scale, now) - scale->tare) * digits) / digits;
    return value == 0 ? 0 : value; /* not -0.00 */
}
