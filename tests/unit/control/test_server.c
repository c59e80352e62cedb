#include "ground.h"

#include "base/clock.h"
#include "os/local.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ground ground;
static struct lf_server *server;

static void open_server(void)
{
    struct lf_error err = {0};
    ground_open(&ground);
    NEED(lf_server_open(&ground.context, &server, &err) == LF_OK);
}

static void close_server(void)
{
    lf_server_close(server);
    ground_close(&ground);
}

static struct lf_socket call(void)
{
    struct lf_socket agent;
    NEED(lf_local_connect(ground.socket, lf_deadline_in(UNIT_SOON_MS), &agent, UNIT_ERROR) == LF_OK);
    return agent;
}

static void say(struct lf_socket agent, const void *data, size_t len)
{
    CHECK_INT(lf_local_send(&agent, data, len, NULL, lf_deadline_in(UNIT_SOON_MS), NULL, UNIT_ERROR), LF_OK);
}

// Reads one line; returns owned JSON, NULL when the server hung up.
static cJSON *hear(struct lf_socket agent)
{
    char line[65536];
    size_t len = 0, got;
    struct lf_file passed = {0};
    while (len < sizeof line && (len == 0 || line[len - 1] != '\n')) {
        if (lf_local_receive(&agent, line + len, 1, lf_deadline_in(UNIT_SOON_MS), NULL, &got, &passed,
                             UNIT_ERROR)
                != LF_OK
            || got == 0)
            return NULL;
        len += got;
    }
    cJSON *json = cJSON_ParseWithLength(line, len);
    CHECK(json != NULL);
    return json;
}

static void expect_refusal(struct lf_socket agent, const char *part)
{
    cJSON *answer = hear(agent);
    CHECK(answer && !lf_json_bool(answer, "ok", true));
    CHECK_HAS(lf_json_text_or(answer, "error.text", ""), part);
    cJSON_Delete(answer);
}

static void garbage(void)
{
    static const char *const lines[] = {"hello\n",
                                        "\n",
                                        "{\n",
                                        "[]\n",
                                        "{\"verb\": 5}\n",
                                        "{}\n",
                                        "{\"verb\": \"x\"}\n",
                                        "{\"verb\": \"job\", \"args\": 7}\n",
                                        "{\"verb\":\"jobs\"}{\"verb\":\"jobs\"}\n"};
    open_server();
    struct lf_socket agent = call();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        say(agent, lines[i], strlen(lines[i]));
        expect_refusal(agent, "");
    }
    say(agent, "\0\xff\xfe\n", 4);
    expect_refusal(agent, "JSON");
    say(agent, "{\"verb\": \"jobs\"}\n", 17);
    cJSON *answer = hear(agent);
    CHECK(lf_json_bool(answer, "ok", false));
    cJSON_Delete(answer);
    lf_socket_close(&agent);
    close_server();
}

static void too_large(void)
{
    open_server();
    struct lf_socket agent = call();
    char *much = malloc(LF_CONTROL_MAX + 100000);
    NEED(much);
    memset(much, ' ', LF_CONTROL_MAX + 100000);
    lf_local_send(&agent, much, LF_CONTROL_MAX + 100000, NULL, lf_deadline_in(UNIT_SOON_MS), NULL,
                  UNIT_ERROR); /* it may hang up early */
    expect_refusal(agent, "bytes");
    CHECK(hear(agent) == NULL);
    free(much);
    lf_socket_close(&agent);
    close_server();
}

static void in_pieces_and_together(void)
{
    static const char one[] = "{\"verb\": \"jobs\"}\n",
                      two[] = "{\"verb\": \"jobs\"}\n{\"verb\": \"instruments\"}\n";
    open_server();
    struct lf_socket agent = call();
    for (size_t i = 0; i < sizeof one - 1; i++)
        say(agent, one + i, 1);
    cJSON_Delete(hear(agent));
    say(agent, two, sizeof two - 1);
    cJSON *first = hear(agent), *second = hear(agent);
    CHECK_INT(cJSON_GetArraySize(lf_json_at(first, "result")), 0);
    CHECK_INT(cJSON_GetArraySize(lf_json_at(second, "result")), 1);
    cJSON_Delete(first);
    cJSON_Delete(second);
    lf_socket_close(&agent);
    close_server();
}

static void many_callers(void)
{
    struct lf_socket agents[17];
    open_server();
    for (int i = 0; i < 16; i++) {
        agents[i] = call();
        say(agents[i], "{\"verb\": \"jobs\"}\n", 17);
        cJSON_Delete(hear(agents[i]));
    }
    agents[16] = call();
    expect_refusal(agents[16], "callers");
    lf_socket_close(&agents[16]);
    say(agents[3], "{\"verb\": \"jobs\"}\n", 17); /* those who sit are served on */
    cJSON *answer = hear(agents[3]);
    CHECK(lf_json_bool(answer, "ok", false));
    cJSON_Delete(answer);
    for (int i = 0; i < 16; i++)
        lf_socket_close(&agents[i]);
    for (int64_t end = lf_deadline_in(UNIT_SOON_MS);
         !lf_deadline_passed(end);) { /* and seats become free again */
        struct lf_socket agent = call();
        say(agent, "{\"verb\": \"jobs\"}\n", 17);
        answer = hear(agent);
        bool served = lf_json_bool(answer, "ok", false);
        cJSON_Delete(answer);
        lf_socket_close(&agent);
        if (served)
            break;
        CHECK(!lf_deadline_passed(end));
    }
    close_server();
}

static void a_slow_one_holds_up_nobody(void)
{
    open_server();
    NEED(lf_instrument_start(ground.instrument, UNIT_ERROR) == LF_OK);
    struct lf_socket slow = call();
    static const char half[] = "{\"verb\": \"jo";
    say(slow, half, sizeof half - 1);
    struct lf_socket quick = call();
    say(quick, "{\"verb\": \"instruments\"}\n", 24);
    cJSON *answer = hear(quick);
    CHECK_STR(lf_json_text(cJSON_GetArrayItem(lf_json_at(answer, "result"), 0), "state"), "offline");
    cJSON_Delete(answer);
    lf_socket_close(&quick);
    close_server(); /* ends although the slow one is still there */
    lf_socket_close(&slow);
}

static void a_file_passed_along(void)
{
    struct lf_error err = {0};
    char path[300];
    open_server();
    snprintf(path, sizeof path, "%s/plate.csv", unit_folder());
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    NEED(file >= 0);
    cJSON *args = cJSON_Parse("{\"instrument\": \"balance-1\", \"file\": \"/x/plate.csv\"}"), *answer = NULL;
    CHECK_INT(lf_control_request(ground.socket, "send", args, UNIT_FILE(file), lf_deadline_in(UNIT_SOON_MS),
                                 &answer, &err),
              LF_OK);
    CHECK_HAS(lf_json_text_or(answer, "error.text", ""),
              "cannot"); /* a balance takes no files: the file itself did arrive */
    cJSON_Delete(answer);
    CHECK_INT(lf_control_request(ground.socket, "send", args, NULL, lf_deadline_in(UNIT_SOON_MS), &answer,
                                 &err),
              LF_OK);
    CHECK_HAS(lf_json_text_or(answer, "error.text", ""), "open file");
    cJSON_Delete(answer);
    int pipe_fds[2];
    NEED(pipe(pipe_fds) == 0);
    CHECK_INT(lf_control_request(ground.socket, "send", args, UNIT_FILE(pipe_fds[0]),
                                 lf_deadline_in(UNIT_SOON_MS), &answer, &err),
              LF_OK);
    CHECK_HAS(lf_json_text_or(answer, "error.text", ""), "regular files");
    cJSON_Delete(answer);
    cJSON_Delete(args);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    close(file);
    close_server();
}

/* ---- the socket file ---- */

static void nobody_there(void)
{
    struct lf_error err = {0};
    cJSON *answer = NULL;
    char path[300];
    snprintf(path, sizeof path, "%s/none.sock", unit_folder());
    CHECK_INT(lf_control_request(path, "status", NULL, NULL, lf_deadline_in(1000), &answer, &err),
              LF_NOT_FOUND);
    CHECK_HAS(err.text, "labferryd");
    CHECK(answer == NULL);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK_INT(lf_control_request(path, "status", NULL, NULL, lf_deadline_in(1000), &answer, &err),
              LF_INVALID);
}

static void stale_and_living(void)
{
    struct lf_error err = {0};
    struct lf_server *second = NULL;
    struct stat st;
    open_server();
    NEED(stat(ground.socket, &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0660);
    CHECK_INT(lf_server_open(&ground.context, &second, &err), LF_BUSY);
    cJSON *answer = NULL;
    CHECK_INT(lf_control_request(ground.socket, "jobs", NULL, NULL, lf_deadline_in(UNIT_SOON_MS), &answer,
                                 &err),
              LF_OK);
    cJSON_Delete(answer);
    close_server();
    CHECK(stat(ground.socket, &st) != 0); /* removed at the end */

    struct lf_socket agent; /* left behind by a killed agent */
    NEED(lf_local_listen(ground.socket, NULL, &agent, &err) == LF_OK);
    lf_socket_close(&agent);
    CHECK(stat(ground.socket, &st) == 0);
    open_server();
    CHECK_INT(lf_control_request(ground.socket, "jobs", NULL, NULL, lf_deadline_in(UNIT_SOON_MS), &answer,
                                 &err),
              LF_OK);
    cJSON_Delete(answer);
    close_server();
}

static void not_a_socket(void)
{
    struct lf_error err = {0};
    char path[300];
    struct stat st;
    struct lf_socket agent;
    snprintf(path, sizeof path, "%s/precious", unit_folder());
    FILE *file = fopen(path, "w");
    NEED(file);
    fputs("data", file);
    fclose(file);
    CHECK_INT(lf_local_listen(path, NULL, &agent, &err), LF_EXISTS);
    CHECK_HAS(err.text, path);
    CHECK(stat(path, &st) == 0 && st.st_size == 4);
    CHECK_INT(lf_local_listen(path, "no-such-group-here", &agent, &err), LF_EXISTS);
    snprintf(path, sizeof path, "%s/new", unit_folder());
    CHECK_INT(lf_local_listen(path, "no-such-group-here", &agent, &err), LF_NOT_FOUND);
    CHECK(stat(path, &st) != 0);
}

/* ---- rights ---- */

// Exit status of a child that runs `verb` as nobody: 0 done, 1 denied, 2 something else.
static int as_nobody(const char *verb)
{
    pid_t child = fork();
    if (child == 0) {
        struct lf_error err = {0};
        cJSON *answer = NULL,
              *args = cJSON_Parse(strcmp(verb, "pause") != 0 ? "{}" : "{\"instrument\": \"all\"}");
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(3);
        enum lf_status status = lf_control_request(ground.socket, verb, args, NULL,
                                                   lf_deadline_in(UNIT_SOON_MS), &answer, &err);
        if (status == LF_OK && lf_json_bool(answer, "ok", false))
            _exit(0);
        _exit(status == LF_DENIED
                      || !strcmp(lf_json_text_or(answer, "error.status", ""), lf_status_name(LF_DENIED))
                  ? 1
                  : 2);
    }
    int code = 0;
    NEED(child > 0 && waitpid(child, &code, 0) == child);
    return WIFEXITED(code) ? WEXITSTATUS(code) : 4;
}

static void rights(void)
{
    char folder[300];
    if (geteuid() != 0)
        return; /* only root can be somebody else */
    open_server();
    snprintf(folder, sizeof folder, "%s", unit_folder());
    chmod(folder, 0755);
    CHECK_INT(as_nobody("jobs"), 1); /* the socket itself is closed to others */
    chmod(ground.socket, 0666);
    CHECK_INT(as_nobody("jobs"), 0); /* everyone who can open it may look */
    CHECK_INT(as_nobody("pause"), 1);
    close_server();
    ground_open(&ground);
    ground.config.agent.operators = "nogroup"; /* 65534 on Debian: nobody's group */
    NEED(lf_server_open(&ground.context, &server, UNIT_ERROR) == LF_OK);
    CHECK_INT(as_nobody("pause"), 0); /* members of the operators' group may open the socket, and act */
    close_server();
}

UNIT_TESTS("server", {"garbage is answered with an error, and the next request is served", garbage},
           {"a request that is too long is cut off, and the answer says so", too_large},
           {"requests may come in pieces or together", in_pieces_and_together},
           {"sixteen callers are served, the next is asked to try again", many_callers},
           {"a caller that stalls in the middle of a request delays nobody, and not the shutdown",
            a_slow_one_holds_up_nobody},
           {"a regular file can be passed along, and nothing else", a_file_passed_along},
           {"without an agent the error says how to start one", nobody_there},
           {"a stale socket is replaced, one in use is not", stale_and_living},
           {"a file that is not a socket is left alone", not_a_socket},
           {"others may look if they can open the socket; only operators may act", rights}, )
