/* Tokens are kept until they expire, at most TOKENS of them (the oldest goes first). A window of the rate
 * limit begins with its first request and lasts --rate-window seconds; nothing of it is left when the next
 * one begins. */
#include "auth.h"

#include "base/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 64, TOKEN_SIZE = 64, CREDENTIALS = 400 };

struct token {
    char text[TOKEN_SIZE];
    int64_t expires;
};

struct window {
    int64_t ends, used;
};

struct sim_auth {
    struct token tokens[TOKENS];
    size_t next;
    struct window windows[SIM_IDENTITIES];
};

struct sim_auth *sim_auth_new(void)
{
    return sim_alloc(sizeof(struct sim_auth));
}

void sim_auth_free(struct sim_auth *auth)
{
    free(auth);
}

/* ---- rate limit ---- */

static int64_t limit_of(const struct sim *sim, int identity)
{
    return identity == SIM_KEY ? sim->options.key_limit : sim->options.app_limit;
}

static struct window *current_window(struct sim *sim, int identity)
{
    struct window *window = &sim->auth->windows[identity];
    if (window->ends == 0 || lf_deadline_passed(window->ends)) {
        window->ends = lf_deadline_in(sim->options.window_seconds * 1000);
        window->used = 0;
    }
    return window;
}

static bool take(struct sim *sim, int identity)
{
    struct window *window = current_window(sim, identity);
    if (window->used >= limit_of(sim, identity))
        return false;
    window->used++;
    return true;
}

struct sim_budget sim_auth_budget(struct sim *sim, int identity)
{
    sim_lock(sim);
    struct window *window = current_window(sim, identity);
    struct sim_budget budget = {.limit = limit_of(sim, identity)};
    budget.remaining = budget.limit - window->used;
    budget.reset = (lf_deadline_left(window->ends) + 999) / 1000;
    sim_unlock(sim);
    return budget;
}

/* ---- authentication ---- */

/* "Basic ..." as user and password. */
static bool basic(const char *header, char user[CREDENTIALS], char *password)
{
    struct lf_buffer plain = {.max = CREDENTIALS - 1};
    bool good = header && !strncasecmp(header, "Basic ", 6)
                && lf_base64_decode(lf_slice_text(header + 6), &plain) == LF_OK && plain.data
                && strchr(plain.data, ':');
    if (good) {
        size_t len = strcspn(plain.data, ":");
        snprintf(user, CREDENTIALS, "%.*s", (int)len, plain.data);
        snprintf(password, CREDENTIALS, "%s", plain.data + len + 1);
    }
    lf_buffer_free(&plain);
    return good;
}

static bool token_valid(const struct sim_auth *auth, const char *text)
{
    for (size_t i = 0; i < TOKENS; i++)
        if (auth->tokens[i].text[0] && !strcmp(auth->tokens[i].text, text))
            return !lf_deadline_passed(auth->tokens[i].expires);
    return false;
}

static int identify(const struct sim_request *request)
{
    char user[CREDENTIALS], password[CREDENTIALS];
    const char *header = sim_request_header(request, "Authorization");
    if (!header)
        return SIM_NOBODY;
    if (!strncasecmp(header, "Bearer ", 7))
        return token_valid(request->sim->auth, header + 7) ? SIM_APP : SIM_NOBODY;
    bool key = basic(header, user, password) && !strcmp(user, request->sim->options.api_key) && !password[0];
    return key ? SIM_KEY : SIM_NOBODY;
}

bool sim_auth_check(struct sim_request *request, struct sim_reply *reply)
{
    if (request->route->flags & (SIM_OPEN | SIM_CONTROL))
        return true;
    request->identity = identify(request);
    if (request->identity == SIM_NOBODY) {
        *reply = sim_reply_error_typed(401, "authentication_error", "Failed to authenticate");
        return false;
    }
    if (!(request->route->flags & SIM_UNMETERED) && !take(request->sim, request->identity)) {
        *reply = sim_reply_error(429, "Rate limit exceeded.");
        return false;
    }
    return true;
}

/* ---- tokens ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* A form's field, decoded. False if it is missing or too long. */
static bool form_field(const char *form, const char *name, char out[CREDENTIALS])
{
    size_t name_len = strlen(name), n = 0;
    while (form && *form && !(!strncmp(form, name, name_len) && form[name_len] == '=')) {
        form = strchr(form, '&');
        form = form ? form + 1 : NULL;
    }
    if (!form || !*form)
        return false;
    for (const char *p = form + name_len + 1; *p && *p != '&' && n < CREDENTIALS - 1; p++) {
        int high = *p == '%' ? hex_digit(p[1]) : -1;
        int low = high >= 0 ? hex_digit(p[2]) : -1;
        out[n++] = low >= 0 ? (char)(high * 16 + low) : *p == '+' ? ' ' : *p;
        p += low >= 0 ? 2 : 0;
    }
    out[n] = '\0';
    return true;
}

static const char *new_token(struct sim *sim)
{
    struct token *token = &sim->auth->tokens[sim->auth->next++ % TOKENS];
    char uuid[SIM_ID];
    sim_new_uuid(uuid);
    snprintf(token->text, sizeof token->text, "simtoken-%s", uuid);
    token->expires = lf_deadline_in(sim->options.token_seconds * 1000);
    return token->text;
}

struct sim_reply sim_auth_token(struct sim_request *request)
{
    char grant[CREDENTIALS], id[CREDENTIALS], secret[CREDENTIALS];
    struct sim *sim = request->sim;
    const char *type = sim_request_header(request, "Content-Type");
    const char *header = sim_request_header(request, "Authorization");
    if (!type || strncasecmp(type, "application/x-www-form-urlencoded", 33) != 0)
        return sim_reply_error_typed(400, "invalid_request", "Send application/x-www-form-urlencoded");
    if (!form_field(request->raw.data, "grant_type", grant))
        return sim_reply_error_typed(400, "invalid_request", "Missing grant_type");
    if (strcmp(grant, "client_credentials") != 0)
        return sim_reply_error_typed(400, "unsupported_grant_type", "Only client_credentials is supported");
    bool given = header ? basic(header, id, secret)
                        : form_field(request->raw.data, "client_id", id)
                              && form_field(request->raw.data, "client_secret", secret);
    if (!given || strcmp(id, sim->options.client_id) != 0 || strcmp(secret, sim->options.client_secret) != 0)
        return sim_reply_error_typed(401, "invalid_client", "Client authentication failed");
    cJSON *json = cJSON_CreateObject();
    sim_set_text(json, "access_token", new_token(sim));
    sim_set_int(json, "expires_in", sim->options.token_seconds);
    sim_set_text(json, "token_type", "Bearer");
    return sim_reply_json(200, json);
}

size_t sim_auth_tokens(const struct sim *sim)
{
    size_t count = 0;
    for (size_t i = 0; i < TOKENS; i++)
        count += sim->auth->tokens[i].text[0] && !lf_deadline_passed(sim->auth->tokens[i].expires);
    return count;
}

size_t sim_auth_revoke(struct sim *sim)
{
    size_t count = sim_auth_tokens(sim);
    memset(sim->auth->tokens, 0, sizeof sim->auth->tokens);
    return count;
}
