// A driver whose device does what the test says and counts what was done to it. Devices are known by the name
// of their instrument: fake_device("balance") before it is opened, fake_devices_free() at the end of the
// test.
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include "drivers/driver.h"

#include <stdatomic.h>

struct fake_device {
    char name[40];
    const struct lf_host *host; // set by open
    // What it does. Set before it is called for; fake_say for what the bench may read meanwhile.
    atomic_int connect_fails; // so many connects fail
    atomic_int prepare_fails; // so many prepares fail; the next works
    atomic_bool vanish;       // the next listen says that it is gone
    atomic_bool stuck;        // act waits for its cancel, or for this to end
    atomic_int lingers_ms;    // so long it takes to let go then
    _Atomic(enum lf_repeat) repeat;
    _Atomic(enum lf_verdict) verdict;
    _Atomic(enum lf_status) act_status, verify_status, file_status;
    _Atomic(enum lf_class) act_class, verify_class;
    atomic_bool act_mute;                // act fails and leaves the error as it was
    _Atomic(enum lf_class) repeat_class; // of the error of repeat; 0: none
    atomic_bool signs;                   // its procedures have the sign "changed"
    atomic_bool unchanged;               // which does not show that the sample was changed
    _Atomic(const char *) identity;
    _Atomic(const char *) says;     // a value "weight" that act captures; NULL: none
    _Atomic(const char *) result;   // name of a result that listen finds, once
    _Atomic(const char *) bytes;    // its content, handed out by take
    atomic_int len;                 // of the content; 0: it is a text
    atomic_bool as_data;            // the finding carries the bytes itself
    _Atomic(int) version;           // of the result
    _Atomic(const char *) original; // where it lies; NULL: its name says it
    _Atomic(int64_t) written_ms;    // when it was written; 0: the device does not know
    // What was done.
    atomic_int connects, disconnects, acts, looks, verifies, takes, files, open, listens;
};

extern const struct lf_driver fake_driver;
// The one with that name, made when it is new; its defaults: everything works, actions are idempotent.
struct fake_device *fake_device(const char *name);
void fake_devices_free(void);

// Waits (at most 10 s) until the counter is at least n. False: it never was.
bool fake_reached(const atomic_int *counter, int n);

#endif
