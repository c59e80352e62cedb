/* The list of events: when it is asked, from where, and what follows from a difference with MQTT. */
#include "base/clock.h"
#include "intake_case.h"
#include "journal/concern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, LISTED_MAX = 400, PAGE = 3 };

/* A list of events evt_1, evt_2 ... of type v2.workflowTask.updated.status, with pages of three. */
static struct {
    int count;           /* how many it holds now */
    int first;           /* older ones have left it */
    int requests;        /* pages asked for */
    int fail_at;         /* this request, counted from 1, fails; 0: none */
    bool empty;          /* it answers, but without events */
    char asked[200];     /* where the last round began */
    const char *unknown; /* a type that makes the tenant refuse the request */
} list;

static void event_text(int number, char *text, size_t size)
{
    snprintf(
        text, size,
        "{\"id\":\"evt_%d\",\"eventType\":\"v2.workflowTask.updated.status\",\"createdAt\":\"2026-01-01T%02d:"
        "%02d:00Z\",\"workflowTask\":{\"id\":\"wftask_%d\",\"status\":{\"id\":\"st_1\"}}}",
        number, number / 60, number % 60, number);
}

static cJSON *refuse(struct lf_error *err, const char *why)
{
    lf_fail(err, LF_REFUSED, LF_PERMANENT, "%s", why);
    return NULL;
}

static cJSON *answer(const char *after, const char *since, const char *types, const char *next,
                     struct lf_error *err)
{
    char text[400], token[20] = "";
    int from = next ? atoi(next) : after ? atoi(after + 4) + 1 : 1;
    if (!next)
        snprintf(list.asked, sizeof list.asked, "%s", after ? after : since ? since : "");
    if (++list.requests == list.fail_at) {
        lf_fail(err, LF_DISCONNECTED, LF_TRANSIENT, "the line is cut");
        return NULL;
    }
    if (!next && after && from <= list.first)
        return refuse(err, "there is no such event");
    if (list.unknown && types && strstr(types, list.unknown))
        return refuse(err, "a type is unknown");
    cJSON *page = cJSON_CreateObject(), *events = cJSON_AddArrayToObject(page, "events");
    for (int i = from; i < from + PAGE && i <= list.count && !list.empty; i++) {
        event_text(i, text, sizeof text);
        cJSON_AddItemToArray(events, cJSON_Parse(text));
    }
    if (from + PAGE <= list.count && !list.empty)
        snprintf(token, sizeof token, "%d", from + PAGE);
    lf_json_set_text(page, "nextToken", token);
    return page;
}

static void open_list(int count)
{
    UNIT_TIME_PASSES(0);
    fake_cloud_reset();
    memset(&list, 0, sizeof list);
    list.count = count;
    fake_cloud.list = answer;
    journal = core_journal();
    events_from = LF_SOURCE_MQTT;
    open_with(LINK INSTRUMENTS ROUTES);
}

/* MQTT brings it, too. */
static void pushed(int number)
{
    char text[400];
    event_text(number, text, sizeof text);
    take(text);
}

static bool known(int number)
{
    char id[20];
    struct lf_event_row row;
    snprintf(id, sizeof id, "evt_%d", number);
    bool found = lf_journal_event_get(journal, id, &row, UNIT_ERROR) == LF_OK;
    lf_event_row_free(&row);
    return found;
}

/* Lets time pass as the intake thread would, and counts what it asks. */
static int asked_within(int64_t ms)
{
    int64_t end = lf_deadline_in(ms);
    int before = list.requests;
    for (int turns = 0; turns < 10000 && !lf_deadline_passed(end); turns++) {
        int64_t next = intake__poll_work(intake), until = lf_deadline_sooner(next, end);
        UNIT_TIME_PASSES(lf_deadline_left(until));
    }
    return list.requests - before;
}

static enum lf_status round_now(void)
{
    return intake__round(intake, UNIT_ERROR);
}

static char *place(const char *name)
{
    char *value = NULL;
    CHECK_INT(lf_journal_get(journal, name, &value, UNIT_ERROR), LF_OK);
    return value;
}

static void check_place(const char *name, const char *expected)
{
    char *value = place(name);
    CHECK_STR(value, expected);
    free(value);
}

struct sought {
    const char *about;
    bool found;
};

static void seek(void *context, const struct lf_concern *concern)
{
    struct sought *sought = context;
    sought->found = sought->found || !strcmp(concern->about, sought->about);
}

/* Is a person told of this? */
static bool told(const char *about)
{
    struct sought sought = {.about = about};
    CHECK_INT(lf_journal_concern_list(journal, seek, &sought, UNIT_ERROR), LF_OK);
    return sought.found;
}

/* ---- when ---- */

static void quiet_hour(void)
{
    open_list(0);
    int asked = asked_within(HOUR);
    CHECK(asked >= 9 && asked <= 12);
    lf_intake_connected(intake);
    asked = asked_within(6 * SECOND);
    CHECK(asked >= 1 && asked <= 2); /* the regular round may be due, too */
    close_all();
}

static void flapping(void)
{
    open_list(0);
    int asked = 0;
    for (int i = 0; i < 120; i++) {
        lf_intake_connected(intake);
        asked += asked_within(30 * SECOND);
    }
    CHECK(asked >= 9 && asked <= 40); /* of 120 connections in an hour */
    close_all();
}

static void dropped_while_connected(void)
{
    open_list(0);
    asked_within(6 * MINUTE);
    list.count = 10;
    for (int i = 1; i <= 10; i += 2)
        pushed(i);
    asked_within(7 * MINUTE);
    for (int i = 1; i <= 10; i++)
        CHECK(known(i));
    CHECK(job_count() == 10);
    close_all();
}

static void sooner_once_missed(void)
{
    open_list(0);
    asked_within(6 * MINUTE);
    list.count = 1;
    asked_within(
        6 * MINUTE); /* found, at the latest at its end, and not brought by MQTT within half a minute */
    CHECK(known(1));
    for (int i = 0; i < 60 && !told("missed by MQTT"); i++)
        asked_within(MINUTE / 60);
    CHECK(told("missed by MQTT"));
    list.count = 2;
    int asked = asked_within(MINUTE);
    CHECK(asked >= 1 && asked <= 5);
    CHECK(known(2));
    asked = asked_within(HOUR); /* calm again */
    CHECK(asked <= 20);
    CHECK(!told("missed by MQTT"));
    close_all();
}

/* ---- from where ---- */

static void from_the_last_completed(void)
{
    open_list(7);
    list.fail_at = 2; /* the second page */
    CHECK_INT(round_now(), LF_DISCONNECTED);
    CHECK(known(3) && !known(4));
    check_place("poll.after", NULL);
    list.fail_at = 0;
    CHECK_INT(round_now(), LF_OK);
    CHECK_STR(list.asked, "evt_3"); /* not all over again */
    CHECK(known(7));
    list.count = 8;
    UNIT_TIME_PASSES(3 * MINUTE);
    CHECK_INT(round_now(), LF_OK);
    check_place("poll.after", "evt_7");
    check_place("poll.since", "2025-12-31T23:57:00.000Z"); /* ten minutes before its date */
    lf_intake_close(intake);
    lf_jobs_close(jobs);
    lf_config_free(config);
    open_with(LINK INSTRUMENTS ROUTES); /* the next start goes on there */
    list.count = 9;
    CHECK_INT(round_now(), LF_OK);
    CHECK_STR(list.asked, "evt_7");
    CHECK(known(9));
    close_all();
}

static void event_has_left_the_list(void)
{
    open_list(5);
    CHECK_INT(round_now(), LF_OK);
    UNIT_TIME_PASSES(3 * MINUTE);
    list.count = 6;
    CHECK_INT(round_now(), LF_OK);
    check_place("poll.after", "evt_5");
    list.first = 8;
    list.count = 9;
    CHECK_INT(round_now(), LF_OK);
    CHECK_STR(list.asked, "2025-12-31T23:55:00.000Z");
    CHECK(known(9));
    close_all();
}

static void large_event(void)
{
    open_list(0);
    char *filler = calloc(1, 300 * 1024 + 1);
    NEED(filler != NULL);
    memset(filler, 'x', 300 * 1024);
    char *text =
        lf_format("{\"id\":\"evt_big\",\"eventType\":\"v2.workflowTask.updated.status\",\"createdAt\":\"%s\","
                  "\"workflowTask\":{\"id\":\"w\",\"note\":\"%s\",\"status\":{\"id\":\"st_1\"}}}",
                  ago(0), filler);
    CHECK_INT(intake__add(intake, INTAKE_LIST, NULL, lf_slice_text(text), NULL, UNIT_ERROR), LF_OK);
    check_fate("evt_big", LF_FATE_JOB, "[1]");
    free(text);
    free(filler);
    close_all();
}

/* ---- what the tenant refuses ---- */

static void unknown_type(void)
{
    open_list(2);
    list.unknown = "v2-alpha.workflowTask.updated.status";
    CHECK_INT(round_now(), LF_OK);
    CHECK(known(2));
    int before = list.requests;
    CHECK_INT(round_now(), LF_OK);
    CHECK_INT(list.requests - before, 1); /* it is left out from the start */
    CHECK(told("type v2-alpha.workflowTask.updated.status"));
    UNIT_TIME_PASSES(25 * HOUR);
    list.unknown = NULL;
    CHECK_INT(round_now(), LF_OK);
    CHECK(!told("type v2-alpha.workflowTask.updated.status"));
    close_all();
}

static void refused_altogether(void)
{
    open_list(2);
    list.unknown = "v2"; /* of all types */
    lf_intake_connected(intake);
    asked_within(6 * SECOND);
    CHECK(told("list refused"));
    CHECK(!told("type v2.workflowTask.updated.status"));
    list.unknown = NULL;
    asked_within(HOUR);
    CHECK(!told("list refused"));
    close_all();
}

/* ---- a list that lacks what MQTT brings ---- */

static void list_lacks_events(void)
{
    open_list(0);
    list.empty = true;
    for (int i = 1; i <= 3; i++)
        pushed(i);
    CHECK_INT(round_now(), LF_OK);
    CHECK(!told("list unreliable")); /* too early to say */
    UNIT_TIME_PASSES(6 * MINUTE);
    CHECK_INT(round_now(), LF_OK);
    CHECK(told("list unreliable"));
    list.empty = false;
    list.count = 40;
    for (int i = 4; i <= 40; i++)
        pushed(i);
    CHECK_INT(round_now(), LF_OK);
    CHECK(!told("list unreliable"));
    close_all();
}

UNIT_TESTS(
    "the list of events",
    {"while nothing is missed the list is asked at most every five minutes, and soon after a connection",
     quiet_hour},
    {"a broker that drops the connection again and again does not make the agent ask each time", flapping},
    {"events that a broker dropped for a connected client are found in the list", dropped_while_connected},
    {"once MQTT has missed an event the list is asked sooner, then ever more slowly", sooner_once_missed},
    {"a round begins where the last completed one ended, also after a restart", from_the_last_completed},
    {"when the list has dropped the event that a round begins after, it is asked by date",
     event_has_left_the_list},
    {"an event in the list may be larger than a message", large_event},
    {"a type that the tenant does not know is left out, and the round goes on; it is tried again the next day",
     unknown_type},
    {"a list that refuses every type is not blamed on one of them", refused_altogether},
    {"a list that never has what MQTT brought is called unreliable until it has", list_lacks_events}, )
