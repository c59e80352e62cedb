#include "fake_device.h"

#include "base/file.h"
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICES_MAX = 8 };

static struct fake_device *devices[DEVICES_MAX];

struct fake_device *fake_device(const char *name)
{
    for (int i = 0; i < DEVICES_MAX; i++) {
        if (devices[i] && !strcmp(devices[i]->name, name))
            return devices[i];
        if (devices[i])
            continue;
        struct fake_device *device = devices[i] = calloc(1, sizeof *device);
        if (!device)
            abort();
        snprintf(device->name, sizeof device->name, "%s", name);
        device->repeat = LF_IDEMPOTENT;
        device->identity = "fake 1.0";
        return device;
    }
    abort();
}

void fake_devices_free(void)
{
    for (int i = 0; i < DEVICES_MAX; i++) {
        free(devices[i]);
        devices[i] = NULL;
    }
}

bool fake_reached(const atomic_int *counter, int n)
{
    int64_t deadline = lf_deadline_in(UNIT_SOON_MS);
    while (*counter < n && !lf_deadline_passed(deadline))
        lf_sleep_until(lf_deadline_in(5), NULL);
    return *counter >= n;
}

static enum lf_status fake_open(const struct lf_values *values, const struct lf_host *host, void **device,
                                struct lf_error *err)
{
    (void)values;
    (void)err;
    struct fake_device *fake = fake_device(host->instrument);
    fake->host = host;
    fake->open++;
    *device = fake;
    return LF_OK;
}

static void fake_close(void *device)
{
    struct fake_device *fake = device;
    fake->open--;
}

static enum lf_status fake_connect(void *device, struct lf_error *err)
{
    struct fake_device *fake = device;
    fake->connects++;
    if (fake->connect_fails > 0) {
        fake->connect_fails--;
        return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "nobody there");
    }
    return fake->host->identity(fake->host->self, fake->identity, err);
}

static void fake_disconnect(void *device)
{
    struct fake_device *fake = device;
    fake->disconnects++;
}

static enum lf_status tell_result(struct fake_device *fake, struct lf_error *err)
{
    char version[24];
    const char *bytes = fake->bytes;
    snprintf(version, sizeof version, "%d", fake->version);
    struct lf_finding finding = {.id = fake->result,
                                 .version = version,
                                 .name = fake->result,
                                 .original = fake->original,
                                 .written_ms = fake->written_ms};
    if (fake->as_data) {
        finding.data = bytes;
        finding.len = strlen(bytes);
    }
    enum lf_status status = fake->host->found(fake->host->self, &finding, err);
    if (status == LF_OK)
        fake->result = NULL;
    return status;
}

static enum lf_status fake_listen(void *device, int64_t deadline, struct lf_error *err)
{
    struct fake_device *fake = device;
    fake->listens++;
    if (fake->result) {
        enum lf_status status = tell_result(fake, err);
        if (status != LF_OK)
            return status;
    }
    if (!fake->vanish)
        lf_wake_wait(fake->host->wake, deadline, fake->host->cancel);
    if (!fake->vanish)
        return LF_OK;
    fake->vanish = false;
    return lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "unplugged");
}

static enum lf_status fake_repeat(void *device, const struct lf_action *action, enum lf_repeat *repeat,
                                  struct lf_error *err)
{
    struct fake_device *fake = device;
    *repeat = action->name && !strcmp(action->name, "changed") ? LF_SAFE : fake->repeat;
    if (fake->repeat_class)
        return lf_fail(err, LF_IO, fake->repeat_class, "it does not know");
    if (action->name && !strcmp(action->name, "unheard-of"))
        return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "it knows no unheard-of");
    return LF_OK;
}

static const char *fake_sign(void *device, const struct lf_action *action)
{
    const struct fake_device *fake = device;
    (void)action;
    return fake->signs ? "changed" : NULL;
}

static enum lf_status fake_prepare(void *device, const struct lf_action *action, struct lf_error *err)
{
    struct fake_device *fake = device;
    (void)action;
    if (fake->prepare_fails <= 0)
        return LF_OK;
    fake->prepare_fails--;
    return lf_fail(err, LF_IO, LF_TRANSIENT, "the share is slow");
}

static enum lf_status fake_act(void *device, const struct lf_action *action, struct lf_outcome *outcome,
                               struct lf_error *err)
{
    struct fake_device *fake = device;
    if (action->name && !strcmp(action->name, "changed")) {
        fake->looks++;
        return fake->unchanged ? lf_fail(err, LF_BUSY, LF_TRANSIENT, "the load is still there") : LF_OK;
    }
    fake->acts++;
    while (fake->stuck)
        if (lf_sleep_until(lf_deadline_in(10), fake->host->cancel) == LF_CANCELLED) {
            lf_sleep_until(lf_deadline_in(fake->lingers_ms), NULL);
            return lf_fail(err, LF_CANCELLED, fake->act_class ? fake->act_class : LF_TRANSIENT, "cancelled");
        }
    if (fake->act_status != LF_OK && fake->act_mute)
        return fake->act_status;
    if (fake->act_status != LF_OK)
        return lf_fail(err, fake->act_status, fake->act_class, "the device says no");
    if (action->parcel && action->parcel->sha256)
        snprintf(outcome->sha256, sizeof outcome->sha256, "%s", action->parcel->sha256);
    const char *says = fake->says;
    return says ? lf_outcome_add(outcome, "weight", LF_CAPTURE_REAL, says, err) : LF_OK;
}

static enum lf_verdict fake_verify(void *device, const struct lf_action *action, struct lf_outcome *outcome,
                                   struct lf_error *err)
{
    struct fake_device *fake = device;
    fake->verifies++;
    const char *says = fake->says;
    enum lf_status status = fake->verify_status;
    if (status != LF_OK) {
        lf_fail(err, status, fake->verify_class, "it does not answer");
        return LF_VERDICT_UNKNOWN;
    }
    if (fake->verdict == LF_VERDICT_DONE && says)
        lf_outcome_add(outcome, "weight", LF_CAPTURE_REAL, says, UNIT_ERROR);
    if (fake->verdict == LF_VERDICT_DONE && action->parcel)
        snprintf(outcome->sha256, sizeof outcome->sha256, "%s", action->parcel->sha256);
    return fake->verdict;
}

static enum lf_status fake_take(void *device, const char *id, const char *version, const struct lf_file *to,
                                int64_t max, struct lf_error *err)
{
    struct fake_device *fake = device;
    (void)id;
    if (!fake->bytes)
        return lf_fail(err, LF_NOT_FOUND, LF_PERMANENT, "it is gone");
    if (atoi(version) != fake->version)
        return lf_fail(err, LF_MISMATCH, LF_TRANSIENT, "it has changed");
    const char *bytes = fake->bytes;
    size_t len = fake->len ? (size_t)fake->len : strlen(bytes);
    if ((int64_t)len > max)
        return lf_fail(err, LF_TOO_LARGE, LF_NEEDS_PERSON, "it is too large");
    if (!to)
        return LF_OK;
    fake->takes++;
    return lf_file_append(to, bytes, len, err);
}

static enum lf_status fake_archive(void *device, const char *id, const char *version, struct lf_error *err)
{
    struct fake_device *fake = device;
    (void)id;
    (void)version;
    fake->files++;
    if (fake->file_status != LF_OK)
        return lf_fail(err, fake->file_status, LF_TRANSIENT, "the archive is away");
    return LF_OK;
}

static const struct lf_setting settings[] = {{0}};

const struct lf_driver fake_driver = {
    .abi = LF_DRIVER_ABI,
    .name = "fake",
    .help = "For tests.",
    .can = LF_CAN_DELIVER | LF_CAN_RUN | LF_CAN_ASK | LF_CAN_COLLECT,
    .settings = settings,
    .open = fake_open,
    .close = fake_close,
    .connect = fake_connect,
    .disconnect = fake_disconnect,
    .listen = fake_listen,
    .repeat = fake_repeat,
    .prepare = fake_prepare,
    .act = fake_act,
    .sign = fake_sign,
    .verify = fake_verify,
    .take = fake_take,
    .archive = fake_archive,
};
