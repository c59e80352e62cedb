/* What the kit gives to every driver. */
#include "drivers/kit/captures.h"
#include "drivers/kit/findings.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* ---- the contract ---- */

static enum lf_status opens(const struct lf_values *values, const struct lf_host *host, void **device,
                            struct lf_error *err)
{
    (void)values, (void)host, (void)device, (void)err;
    return LF_OK;
}

static void closes(void *device)
{
    (void)device;
}

static enum lf_status connects(void *device, struct lf_error *err)
{
    (void)device, (void)err;
    return LF_OK;
}

static enum lf_status listens(void *device, int64_t deadline, struct lf_error *err)
{
    (void)device, (void)deadline, (void)err;
    return LF_OK;
}

static struct lf_driver printer(uint32_t can)
{
    static const struct lf_setting none[] = {{0}};
    return (struct lf_driver){.abi = LF_DRIVER_ABI,
                              .name = "printer",
                              .help = "Prints.",
                              .can = can,
                              .settings = none,
                              .open = opens,
                              .close = closes,
                              .connect = connects,
                              .disconnect = closes};
}

static void other_versions(void)
{
    struct lf_error err = {0};
    struct lf_driver driver = printer(0);
    CHECK_INT(lf_driver_check(&driver, &err), LF_OK);
    driver.abi = 7;
    CHECK_INT(lf_driver_check(&driver, &err), LF_UNSUPPORTED);
    CHECK_INT(err.class, LF_PERMANENT);
    CHECK_STR(err.text,
              "the driver \"printer\" was built for version 7 of the driver contract, and this agent has "
              "version 0: rebuild the driver with this agent's driver.h");
}

static void missing_slots(void)
{
    struct lf_error err = {0};
    struct lf_driver driver = printer(LF_CAN_COLLECT);
    CHECK_INT(lf_driver_check(&driver, &err), LF_UNSUPPORTED);
    CHECK_HAS(err.text, "\"listen\"");
    driver.listen = listens;
    CHECK_INT(lf_driver_check(&driver, &err), LF_OK);
    driver.can |= LF_CAN_RUN;
    CHECK_INT(lf_driver_check(&driver, &err), LF_UNSUPPORTED);
    CHECK_HAS(err.text, "\"repeat\"");
    driver = printer(0);
    driver.disconnect = NULL;
    CHECK_INT(lf_driver_check(&driver, &err), LF_UNSUPPORTED);
    CHECK_HAS(err.text, "\"disconnect\"");
    driver = printer(0);
    driver.help = NULL;
    CHECK_INT(lf_driver_check(&driver, &err), LF_UNSUPPORTED);
    CHECK_HAS(err.text, "\"help\"");
}

/* ---- captures as text ---- */

static struct lf_outcome readings(void)
{
    struct lf_outcome values = {0};
    struct lf_error err = {0};
    NEED(lf_outcome_add(&values, "weight", LF_CAPTURE_REAL, "100.00", &err) == LF_OK);
    NEED(lf_outcome_add(&values, "unit, \"as shown\"", LF_CAPTURE_TEXT, "a\"b\\c\td\x01", &err) == LF_OK);
    NEED(lf_outcome_add(&values, "stable", LF_CAPTURE_BOOL, "true", &err) == LF_OK);
    return values;
}

static void csv(void)
{
    struct lf_outcome values = readings();
    struct lf_buffer out = {0};
    CHECK_INT(lf_captures_csv(&out, "2026-11-22T06:09:34.120Z", &values), LF_OK);
    CHECK_STR(out.data, "received,weight,\"unit, \"\"as shown\"\"\",stable\r\n"
                        "2026-11-22T06:09:34.120Z,100.00,\"a\"\"b\\c\td\x01\",true\r\n");
    CHECK_STR(lf_capture_type_name((enum lf_capture_type)7), "text"); /* a driver may have set anything */
    lf_buffer_free(&out);
    lf_outcome_free(&values);
}

static void json(void)
{
    struct lf_outcome values = readings();
    struct lf_buffer out = {0};
    CHECK_INT(lf_captures_json(&out, &values), LF_OK);
    CHECK_STR(out.data, "{\"weight\":100.00,\"unit, \\\"as shown\\\"\":\"a\\\"b\\\\c\\td\\u0001\","
                        "\"stable\":true}");
    lf_buffer_free(&out);
    lf_outcome_free(&values);
}

/* ---- findings ---- */

struct host {
    int refusals; /* so many reports are refused */
    int reports, kept;
    char ids[8][80], names[8][120], data[8][300];
};

static enum lf_status host_found(void *self, const struct lf_finding *finding, struct lf_error *err)
{
    struct host *host = self;
    host->reports++;
    if (host->refusals-- > 0)
        return lf_fail(err, LF_FULL, LF_TRANSIENT, "the disk is full");
    NEED(host->kept < 8);
    snprintf(host->ids[host->kept], sizeof host->ids[0], "%s", finding->id);
    snprintf(host->names[host->kept], sizeof host->names[0], "%s", finding->name);
    snprintf(host->data[host->kept++], sizeof host->data[0], "%.*s", (int)finding->len,
             (const char *)finding->data);
    return LF_OK;
}

static void kept_until_stored(void)
{
    struct host self = {.refusals = 2};
    struct lf_host host = {.self = &self, .instrument = "balance 1", .found = host_found};
    struct lf_outcome values = readings(), none = {0};
    struct lf_findings findings;
    struct lf_error err = {0};
    lf_findings_init(&findings, host.instrument);
    CHECK_INT(lf_findings_add(&findings, "printed", LF_FORM_TEXT, lf_slice_text("S S 1 g"), &none, &err),
              LF_OK);
    CHECK_INT(lf_findings_add(&findings, "printed", LF_FORM_JSON, lf_slice_text("S \xff\x02"), &values, &err),
              LF_OK);
    CHECK_INT(lf_findings_add(&findings, "noise", LF_FORM_NONE, lf_slice_text("..."), &none, &err), LF_OK);
    CHECK_INT(lf_findings_report(&findings, &host, &err), LF_FULL);
    CHECK_INT(lf_findings_report(&findings, &host, &err), LF_FULL);
    CHECK_INT(findings.count, 2);
    CHECK_INT(lf_findings_report(&findings, &host, &err), LF_OK);
    CHECK_INT(findings.count, 0);
    CHECK_INT(self.reports, 4);
    NEED(self.kept == 2);
    CHECK_STR(self.data[0], "S S 1 g\n");
    CHECK(!strncmp(self.data[1], "{\"values\":{\"weight\":100.00,", 27));
    CHECK_HAS(self.data[1], ",\"instrument\":\"balance 1\",\"kind\":\"printed\",\"received\":\"20");
    CHECK_HAS(self.data[1], "\"line\":\"S \\\\xff\\\\x02\"}\n");
    CHECK(strcmp(self.ids[0], self.ids[1]) != 0);
    CHECK(!strncmp(self.names[1], "balance_1-printed-20", 20));
    CHECK_HAS(self.names[1], ".json");
    lf_findings_free(&findings);
    lf_outcome_free(&values);
}

static void bounded(void)
{
    struct lf_findings findings;
    struct lf_outcome none = {0};
    struct lf_error err = {0};
    enum lf_status status = LF_OK;
    lf_findings_init(&findings, "balance-1");
    for (int i = 0; i < 100000 && status == LF_OK; i++)
        status = lf_findings_add(&findings, "printed", LF_FORM_TEXT, lf_slice_text("x"), &none, &err);
    CHECK_INT(status, LF_FULL);
    CHECK_INT(err.class, LF_TRANSIENT);
    lf_findings_free(&findings);
    CHECK_INT(findings.count, 0);
}

UNIT_TESTS("kit", {"a driver built for another version of the contract is refused by name", other_versions},
           {"a driver that lacks a slot it needs is refused, and the slot is named", missing_slots},
           {"captured values become RFC 4180 CSV with every quote doubled", csv},
           {"captured values become JSON and numbers keep their digits", json},
           {"findings are reported again, in order, until the host has stored them", kept_until_stored},
           {"the number of findings that wait to be stored is limited", bounded}, )
