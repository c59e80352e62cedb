#include "drivers/driver.h"

const char *const lf_ability_names[] = {"deliver", "run", "ask", "collect", NULL};

const char *lf_repeat_name(enum lf_repeat repeat)
{
    return repeat == LF_SAFE ? "safe" : repeat == LF_IDEMPOTENT ? "idempotent" : "once";
}

const char *lf_capture_type_name(enum lf_capture_type type)
{
    static const char *const names[] = {"text", "int", "real", "bool"};
    return type <= LF_CAPTURE_BOOL ? names[type] : names[LF_CAPTURE_TEXT];
}

/* A slot that is missing although the driver needs it; NULL: none. */
static const char *missing_slot(const struct lf_driver *driver)
{
    bool acts = driver->can & (LF_CAN_DELIVER | LF_CAN_RUN | LF_CAN_ASK);
    const struct {
        const char *name;
        bool filled;
    } slots[] = {
        {"help", driver->help},
        {"settings", driver->settings},
        {"open", driver->open},
        {"close", driver->close},
        {"connect", driver->connect},
        {"disconnect", driver->disconnect},
        {"listen", driver->listen || !(driver->can & LF_CAN_COLLECT)},
        {"repeat", driver->repeat || !acts},
        {"act", driver->act || !acts},
    };
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        if (!slots[i].filled)
            return slots[i].name;
    return NULL;
}

enum lf_status lf_driver_check(const struct lf_driver *driver, struct lf_error *err)
{
    if (driver->abi != LF_DRIVER_ABI)
        return lf_fail(
            err, LF_UNSUPPORTED, LF_PERMANENT,
            "the driver \"%s\" was built for version %u of the driver contract, and this agent has "
            "version %u: rebuild the driver with this agent's driver.h",
            driver->name, driver->abi, LF_DRIVER_ABI);
    const char *missing = missing_slot(driver);
    return missing ? lf_fail(err, LF_UNSUPPORTED, LF_PERMANENT,
                             "the driver \"%s\" has no \"%s\", which it needs for what it can do: fill that "
                             "slot of its struct lf_driver",
                             driver->name, missing)
                   : LF_OK;
}
