// States: off (counting is false) -> failing_start -> counting -> failing_stop -> off. The counters are
// atomic: any thread allocates. Whose allocation it is, is seen on the stack: the innermost function of the
// program itself decides.
//
// Built with FAILING_PRELOAD it becomes a library for LD_PRELOAD: every allocation of the program is the
// product's then, and about one in LF_FAIL_EVERY fails, in an order that LF_FAIL_SEED gives; the first
// LF_FAIL_AFTER succeed.
#include "failing.h"

#ifdef FAILING_POSSIBLE

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

#define EXPORTED __attribute__((visibility("default")))

enum {
    SPARED_MAX = 8, // more than there are below
    FRAMES_MAX = 100,
};

struct range {
    uintptr_t from, to;
};

void *__interceptor_malloc(size_t size);
void *__interceptor_calloc(size_t count, size_t size);
void *__interceptor_realloc(void *old, size_t size);

// Libraries and functions of libraries that do not survive a failed allocation of their own.
static const char *const spared_libraries[] = {
    "/libconfig.so", // writes through what it did not get, from config_init on
    "/ld-linux",     // the loader: thread-local storage that cannot be had ends the process
#ifdef FAILING_PRELOAD
    "/libcrypto.so", // makes tables at the first use of everything, and leaks and crashes where it cannot;
                     // the unit tests warm it up first
#endif
};

static const char *const spared_functions[] = {
    "OPENSSL_LH_insert",      // what did not fit in is forgotten by those who call it in libcrypto, and leaks
    "CRYPTO_THREAD_run_once", // libcrypto makes itself ready; where it could not, it crashes later
};

static struct range program, product, spared[SPARED_MAX];
static size_t spared_count;
static uintptr_t spared_starts[SPARED_MAX];
static atomic_bool counting;
static atomic_bool over; // the only allocation that was to fail has failed: the rest need not be looked at
static atomic_uint_fast64_t counted, failures;
static uint64_t fail_nth;
static bool fail_onwards;
#ifdef FAILING_PRELOAD
static uint64_t every, seed, spared_first;
#endif

static bool within(const struct range *range, uintptr_t place)
{
    return place >= range->from && place < range->to;
}

static int note_object(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    bool *first = context;
    struct range range = {UINTPTR_MAX, 0};
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X)) {
            range.from = info->dlpi_addr + part->p_vaddr;
            range.to = range.from + part->p_memsz;
        }
    }
    if (*first)
        program = range;
    *first = false;
    for (size_t i = 0; i < sizeof spared_libraries / sizeof spared_libraries[0]; i++)
        if (strstr(info->dlpi_name, spared_libraries[i]) && spared_count < SPARED_MAX)
            spared[spared_count++] = range;
    return 0;
}

// Before the first count, while there is one thread.
static void note_objects(void)
{
    bool first = true;
    spared_count = 0;
    dl_iterate_phdr(note_object, &first);
    for (size_t i = 0; i < sizeof spared_functions / sizeof spared_functions[0]; i++)
        spared_starts[i] = (uintptr_t)dlsym(RTLD_DEFAULT, spared_functions[i]);
#ifdef FAILING_PRELOAD
    product = program;
#else
    extern const char lf_product_start[], lf_product_end[]; // tests/unit/product.ld
    product = (struct range){(uintptr_t)lf_product_start, (uintptr_t)lf_product_end};
#endif
}

struct search {
    uintptr_t caller; // of malloc: what lies above it on the stack is this file
    unsigned frames;
    bool reached, ours;
};

// A step from the caller of malloc outwards, until the stack tells whose allocation it is.
static _Unwind_Reason_Code look(struct _Unwind_Context *context, void *memory)
{
    struct search *search = memory;
    uintptr_t place = _Unwind_GetIP(context);
    search->reached = search->reached || place == search->caller;
    if (++search->frames > FRAMES_MAX)
        return _URC_END_OF_STACK;
    if (!search->reached)
        return _URC_NO_REASON;
    for (size_t i = 0; i < spared_count; i++)
        if (within(&spared[i], place))
            return _URC_END_OF_STACK;
    uintptr_t start = _Unwind_GetRegionStart(context);
    for (size_t i = 0; i < SPARED_MAX; i++)
        if (start != 0 && start == spared_starts[i])
            return _URC_END_OF_STACK;
    if (!within(&program, place))
        return _URC_NO_REASON;
    search->ours = within(&product, place);
    return _URC_END_OF_STACK;
}

static bool of_product(uintptr_t caller)
{
    if (within(&program, caller))
        return within(&product, caller);
    struct search search = {.caller = caller};
    _Unwind_Backtrace(look, &search);
    return search.ours;
}

// Counts one allocation; true if it has to fail.
static bool fails(const void *caller)
{
    if (!atomic_load_explicit(&counting, memory_order_acquire) || atomic_load(&over)
        || !of_product((uintptr_t)caller))
        return false;
    uint64_t number = atomic_fetch_add(&counted, 1) + 1;
#ifdef FAILING_PRELOAD
    uint64_t mixed = (number + (seed << 32)) * 0x9E3779B97F4A7C15; // near numbers fall far apart
    mixed = (mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9;
    bool chosen = number > spared_first && (mixed >> 32) % every == 0;
#else
    bool chosen = number == fail_nth || (fail_onwards && fail_nth != 0 && number > fail_nth);
#endif
    if (!chosen)
        return false;
    atomic_fetch_add(&failures, 1);
#ifndef FAILING_PRELOAD
    atomic_store(&over, !fail_onwards);
#endif
    errno = ENOMEM;
    return true;
}

EXPORTED void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __interceptor_malloc(size);
}

EXPORTED void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __interceptor_calloc(count, size);
}

EXPORTED void *realloc(void *old, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __interceptor_realloc(old, size);
}

static char *copy(const char *text, size_t len)
{
    char *made = __interceptor_malloc(len + 1);
    if (made != NULL) {
        memcpy(made, text, len);
        made[len] = '\0';
    }
    return made;
}

// The sanitizer's own strdup would not come by here.
EXPORTED char *strdup(const char *text)
{
    return fails(__builtin_return_address(0)) ? NULL : copy(text, strlen(text));
}

EXPORTED char *strndup(const char *text, size_t max)
{
    return fails(__builtin_return_address(0)) ? NULL : copy(text, strnlen(text, max));
}

#ifdef FAILING_PRELOAD

static void tell(void)
{
    uint64_t failed, all = failing_stop(&failed);
    dprintf(STDERR_FILENO, "failing: %" PRIu64 " of %" PRIu64 " allocations failed on purpose\n", failed,
            all);
}

static uint64_t wanted(const char *name)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void begin(void)
{
    every = wanted("LF_FAIL_EVERY");
    seed = wanted("LF_FAIL_SEED");
    spared_first = wanted("LF_FAIL_AFTER");
    if (every == 0)
        return;
    atexit(tell);
    failing_start(0, false);
}

#endif

bool failing_possible(void)
{
    return true;
}

void failing_start(uint64_t nth, bool onwards)
{
    note_objects();
    atomic_store(&counted, 0);
    atomic_store(&failures, 0);
    atomic_store(&over, false);
    fail_nth = nth;
    fail_onwards = onwards;
    atomic_store_explicit(&counting, true, memory_order_release);
}

uint64_t failing_stop(uint64_t *failed)
{
    atomic_store(&counting, false);
    *failed = atomic_load(&failures);
    return atomic_load(&counted);
}

#else

bool failing_possible(void)
{
    return false;
}

void failing_start(uint64_t nth, bool onwards)
{
    (void)nth;
    (void)onwards;
}

uint64_t failing_stop(uint64_t *failed)
{
    *failed = 0;
    return 0;
}

#endif
