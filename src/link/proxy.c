/* Asking a proxy for a connection to the broker: HTTP CONNECT and SOCKS5.
 *
 * libmosquitto knows SOCKS5 as well, but 2.0.11 (Debian 12) forgets the properties of CONNECT then, so that
 * the broker keeps no session, and it knows no HTTP proxy.
 */
#include "link/bridge.h"

#include "base/digest.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_MAX = 8 * 1024, NAME_MAX_BYTES = 255 };

/* Who is asked for what, until when. */
struct talk {
    const struct lf_config_link *config;
    const struct lf_socket *socket;
    int64_t deadline;
    const struct lf_cancel *cancel;
};

static enum lf_status fail_wait(const struct talk *talk, enum lf_status status, struct lf_error *err)
{
    return lf_fail(err, status, LF_TRANSIENT, "the proxy %s:%d does not answer", talk->config->proxy_host,
                   talk->config->proxy_port);
}

static enum lf_status send_all(const struct talk *talk, struct lf_slice data, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    for (size_t at = 0, count; status == LF_OK && at < data.len; at += count) {
        status = lf_socket_write(talk->socket, data.data + at, data.len - at, &count, err);
        if (status != LF_BUSY)
            continue;
        count = 0;
        status = lf_wait(talk->socket->waitable, LF_WRITABLE, talk->deadline, talk->cancel, NULL);
        if (status != LF_OK)
            return fail_wait(talk, status, err);
    }
    return status;
}

/* Exactly so many bytes: what follows belongs to the broker. */
static enum lf_status receive(const struct talk *talk, void *data, size_t len, struct lf_error *err)
{
    enum lf_status status = LF_OK;
    for (size_t at = 0, count; status == LF_OK && at < len; at += count) {
        status = lf_socket_read(talk->socket, (char *)data + at, len - at, &count, err);
        if (status != LF_BUSY)
            continue;
        count = 0;
        status = lf_wait(talk->socket->waitable, LF_READABLE, talk->deadline, talk->cancel, NULL);
        if (status != LF_OK)
            return fail_wait(talk, status, err);
    }
    return status;
}

/* The user name and password of the proxy; password is emptied first, and wiped by the caller. */
static enum lf_status read_password(const struct lf_config_link *config, struct lf_buffer *password,
                                    struct lf_error *err)
{
    return config->proxy_password_file ? lf_file_read_secret(config->proxy_password_file, password, err)
                                       : LF_OK;
}

/* ---- HTTP ---- */

static enum lf_status add_authorization(const struct lf_config_link *config, struct lf_buffer *request,
                                        struct lf_error *err)
{
    struct lf_buffer password = {0}, both = {0};
    if (!config->proxy_username)
        return LF_OK;
    enum lf_status status = read_password(config, &password, err);
    if (status == LF_OK
        && (lf_buffer_format(&both, "%s:", config->proxy_username) != LF_OK
            || lf_buffer_append(&both, password.data, password.len) != LF_OK
            || lf_buffer_text(request, "Proxy-Authorization: Basic ") != LF_OK
            || lf_base64_append(request, both.data, both.len) != LF_OK
            || lf_buffer_text(request, "\r\n") != LF_OK))
        status = lf_fail_memory(err, "asking the proxy");
    lf_buffer_wipe(&password);
    lf_buffer_wipe(&both);
    return status;
}

static enum lf_status judge_http(const struct talk *talk, const char *answer, struct lf_error *err)
{
    const struct lf_config_link *config = talk->config;
    int code = 0;
    if (sscanf(answer, "HTTP/1.%*1[01] %3d", &code) != 1)
        return lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON,
                       "what listens at %s:%d is no HTTP proxy. Check link.proxy", config->proxy_host,
                       config->proxy_port);
    if (code >= 200 && code < 300)
        return LF_OK;
    int shown = (int)strcspn(answer, "\r\n");
    if (code == 407)
        return lf_fail(
            err, LF_DENIED, LF_NEEDS_PERSON,
            "the proxy %s:%d refuses the user name or password (407). Check link.proxy_username and "
            "link.proxy_password_file",
            config->proxy_host, config->proxy_port);
    return lf_fail(
        err, LF_REFUSED, code < 500 ? LF_NEEDS_PERSON : LF_TRANSIENT,
        "the proxy %s:%d does not connect to %s:%d: %.*s. Check its rules, and whether it lets this port "
        "pass (443 often is the only one)",
        config->proxy_host, config->proxy_port, config->host, config->port, shown < 100 ? shown : 100,
        answer);
}

static enum lf_status ask_http(const struct talk *talk, struct lf_error *err)
{
    const struct lf_config_link *config = talk->config;
    const char *open = strchr(config->host, ':') ? "[" : "", *close = *open ? "]" : "";
    struct lf_buffer request = {0};
    char answer[ANSWER_MAX + 1] = "";
    enum lf_status status = lf_buffer_format(&request, "CONNECT %s%s%s:%d HTTP/1.1\r\nHost: %s%s%s:%d\r\n",
                                             open, config->host, close, config->port, open, config->host,
                                             close, config->port);
    if (status != LF_OK)
        lf_fail_memory(err, "asking the proxy");
    else
        status = add_authorization(config, &request, err);
    if (status == LF_OK && lf_buffer_text(&request, "\r\n") != LF_OK)
        status = lf_fail_memory(err, "asking the proxy");
    if (status == LF_OK)
        status = send_all(talk, lf_buffer_slice(&request), err);
    lf_buffer_wipe(&request);
    for (size_t len = 0; status == LF_OK && len < ANSWER_MAX && !strstr(answer, "\r\n\r\n"); len++)
        status = receive(talk, answer + len, 1, err);
    return status == LF_OK ? judge_http(talk, answer, err) : status;
}

/* ---- SOCKS5: RFC 1928, RFC 1929 ---- */

enum { SOCKS = 5, NO_LOGIN = 0, LOGIN = 2, LOGIN_VERSION = 1, CONNECT = 1, IPV4 = 1, NAME = 3, IPV6 = 4 };

static enum lf_status fail_socks(const struct talk *talk, const char *why, struct lf_error *err)
{
    return lf_fail(err, LF_REFUSED, LF_NEEDS_PERSON, "the proxy %s:%d does not connect to %s:%d: %s",
                   talk->config->proxy_host, talk->config->proxy_port, talk->config->host, talk->config->port,
                   why);
}

static enum lf_status log_in(const struct talk *talk, struct lf_error *err)
{
    const char *name = talk->config->proxy_username;
    struct lf_buffer password = {0}, request = {0};
    unsigned char answer[2];
    enum lf_status status = read_password(talk->config, &password, err);
    size_t name_len = strlen(name);
    if (status == LF_OK && (name_len > NAME_MAX_BYTES || password.len > NAME_MAX_BYTES))
        status = fail_socks(talk, "its user name and password have at most 255 bytes", err);
    unsigned char head[] = {LOGIN_VERSION, (unsigned char)name_len}, len = (unsigned char)password.len;
    if (status == LF_OK
        && (lf_buffer_append(&request, head, sizeof head) != LF_OK
            || lf_buffer_append(&request, name, name_len) != LF_OK
            || lf_buffer_append(&request, &len, 1) != LF_OK
            || lf_buffer_append(&request, password.data, password.len) != LF_OK))
        status = lf_fail_memory(err, "asking the proxy");
    if (status == LF_OK)
        status = send_all(talk, lf_buffer_slice(&request), err);
    lf_buffer_wipe(&password);
    lf_buffer_wipe(&request);
    if (status == LF_OK)
        status = receive(talk, answer, sizeof answer, err);
    if (status == LF_OK && answer[1] != 0)
        return lf_fail(err, LF_DENIED, LF_NEEDS_PERSON,
                       "the proxy %s:%d refuses the user name or password. Check link.proxy_username and "
                       "link.proxy_password_file",
                       talk->config->proxy_host, talk->config->proxy_port);
    return status;
}

static enum lf_status greet(const struct talk *talk, struct lf_error *err)
{
    const bool login = talk->config->proxy_username;
    const unsigned char greeting[] = {SOCKS, login ? 2 : 1, NO_LOGIN, LOGIN};
    unsigned char answer[2];
    enum lf_status status = send_all(talk, lf_slice((const char *)greeting, login ? 4 : 3), err);
    if (status == LF_OK)
        status = receive(talk, answer, sizeof answer, err);
    if (status != LF_OK)
        return status;
    if (answer[0] != SOCKS)
        return fail_socks(talk, "it does not speak SOCKS5. Check link.proxy", err);
    if (answer[1] == LOGIN && login)
        return log_in(talk, err);
    return answer[1] == NO_LOGIN ? LF_OK
                                 : fail_socks(talk, "it asks for a user name. Set link.proxy_username", err);
}

static const char *socks_reason(unsigned char code)
{
    static const char *const reasons[] = {
        "",
        "it failed",
        "its rules forbid that",
        "it cannot reach the network",
        "it cannot reach the host",
        "nobody listens there",
        "it took too long",
        "it does not know the command",
        "it does not know the kind of address",
    };
    return code < sizeof reasons / sizeof *reasons ? reasons[code] : "it gives an unknown reason";
}

static enum lf_status ask_socks(const struct talk *talk, struct lf_error *err)
{
    const struct lf_config_link *config = talk->config;
    unsigned char request[300] = {SOCKS, CONNECT, 0}, address[16], answer[NAME_MAX_BYTES + 8];
    size_t number = lf_net_parse(config->host, address), name = strlen(config->host), len = 4;
    enum lf_status status = greet(talk, err);
    if (status != LF_OK)
        return status;
    request[3] = number == 4 ? IPV4 : number ? IPV6 : NAME;
    if (!number)
        request[len++] = (unsigned char)name; /* a host in the configuration has at most 255 bytes */
    memcpy(request + len, number ? address : (const unsigned char *)config->host, number ? number : name);
    len += number ? number : name;
    request[len++] = (unsigned char)(config->port >> 8);
    request[len++] = (unsigned char)config->port;
    status = send_all(talk, lf_slice((const char *)request, len), err);
    if (status == LF_OK)
        status = receive(talk, answer, 5, err);
    if (status == LF_OK && answer[1] != 0)
        return fail_socks(talk, socks_reason(answer[1]), err);
    size_t rest = answer[3] == IPV4 ? 3 + 2 : answer[3] == IPV6 ? 15 + 2 : (size_t)answer[4] + 2;
    return status == LF_OK ? receive(talk, answer + 5, rest, err) : status;
}

enum lf_status link__proxy_ask(const struct lf_config_link *config, const struct lf_socket *socket,
                               int64_t deadline, const struct lf_cancel *cancel, struct lf_error *err)
{
    struct talk talk = {config, socket, deadline, cancel};
    return config->proxy_socks ? ask_socks(&talk, err) : ask_http(&talk, err);
}
