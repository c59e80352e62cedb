/* What was done, for the record: the audit trail and the journal as files. */
#include "agent/cli/cli.h"

#include "base/clock.h"
#include "base/setting.h"
#include "config/config.h"
#include "journal/audit.h"
#include "journal/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VERIFY_MS = 10 * 60 * 1000, PAGE = 1000 };

/* ---- audit show ---- */

/* --since: how long ago, or a time. NULL: told. Returns room. */
static const char *since_time(const struct cli *cli, const char *text, char room[LF_TIME_TEXT])
{
    int64_t ago, at;
    if (lf_duration_parse(text, &ago) == LF_OK && ago >= 0)
        lf_time_format(lf_clock_wall_ms() - ago, room);
    else if (lf_time_parse(text, &at) == LF_OK)
        lf_time_format(at, room);
    else {
        cli_misuse(cli, "--since must be a time like 2h or 2026-11-22T06:00:00Z, not \"%.40s\"", text);
        return NULL;
    }
    return room;
}

/* NULL: told. */
static cJSON *show_args(const struct cli *cli)
{
    static const struct {
        const char *name;
        bool number;
    } options[] = {{"job", true}, {"about", false}, {"what", false}, {"limit", true}};
    cJSON *args = cJSON_CreateObject();
    char room[LF_TIME_TEXT];
    const char *since = cli_value(cli, "since"), *from = since ? since_time(cli, since, room) : NULL;
    bool good = args && (!since || from) && (!from || lf_json_set_text(args, "since", from));
    for (size_t i = 0; good && i < sizeof options / sizeof *options; i++) {
        const char *text = cli_value(cli, options[i].name);
        int64_t number = text && options[i].number ? cli_number(cli, options[i].name, text) : 0;
        if (text && options[i].number)
            good = number && lf_json_set_int(args, options[i].name, number);
        else if (text)
            good = lf_json_set_text(args, options[i].name, text);
    }
    if (good)
        return args;
    cJSON_Delete(args);
    return NULL;
}

static enum cli_exit show_audit(struct cli *cli)
{
    static const char *const headings[] = {"ENTRY", "WHEN", "WHO", "WHAT", "ABOUT", "TEXT"};
    cJSON *list, *args = show_args(cli);
    const cJSON *entry;
    char when[CLI_TIME_ROOM], seq[24];
    if (!args)
        return CLI_USAGE;
    enum cli_exit code = cli_ask(cli, "audit", args, NULL, lf_deadline_in(CLI_ASK_MS), &list);
    if (code != CLI_DONE)
        return code;
    if (cli->json)
        return cli_print_json(cli, list);
    if (!cJSON_GetArraySize(list)) {
        puts("No such entries.");
        cJSON_Delete(list);
        return CLI_DONE;
    }
    struct cli_table *table = cli_table_new(headings, 6, 5);
    cJSON_ArrayForEach (entry, list) {
        const char *what = lf_json_text_or(entry, "what", "?");
        snprintf(seq, sizeof seq, "%" PRId64, lf_json_int(entry, "seq", 0));
        cli_cell(table, CLI_DIM, seq);
        cli_cell(table, CLI_PLAIN, cli_when(lf_json_text(entry, "at"), when));
        cli_cell(table, CLI_BOLD, lf_json_text(entry, "who"));
        cli_cell(table, cli_state_colour(what), what);
        cli_cell(table, CLI_PLAIN, lf_json_text(entry, "about"));
        cli_cell(table, CLI_PLAIN, lf_json_text(entry, "text"));
    }
    cli_table_print(cli, table);
    cJSON_Delete(list);
    return CLI_DONE;
}

/* ---- audit verify ---- */

static enum cli_exit tell_verdict(const struct cli *cli, const char *where, int64_t entries, int64_t first,
                                  const char *head)
{
    if (cli->json) {
        cJSON *answer = cJSON_CreateObject();
        if (lf_json_set_bool(answer, "ok", true) && lf_json_set_int(answer, "entries", entries)
            && lf_json_set_int(answer, "first", first))
            lf_json_set_text(answer, "head", head);
        return cli_print_json(cli, answer);
    }
    printf("%s: whole and unchanged, %" PRId64 " entr%s", where, entries, entries == 1 ? "y" : "ies");
    if (first > 1)
        printf(" from %" PRId64 " on (what was before was let go after agent.audit_keep)", first);
    printf("\nhead: %s\nWhoever notes the head can later prove that nothing was rewritten: labferry audit "
           "verify --noted HEAD\n",
           head);
    return CLI_DONE;
}

static enum cli_exit verify_file(const struct cli *cli, const char *path, const struct lf_audit_head *noted)
{
    struct lf_audit_verdict verdict;
    struct lf_error err = {0};
    char head[LF_SHA256_HEX + 24];
    if (lf_audit_verify_file(path, noted, &verdict, &err) != LF_OK)
        return cli_failed(cli, &err);
    snprintf(head, sizeof head, "%" PRId64 ":%s", verdict.head.seq, verdict.head.hash);
    return tell_verdict(cli, path, verdict.count, verdict.first, head);
}

static enum cli_exit verify_running(struct cli *cli, const char *noted)
{
    cJSON *answer, *args = cJSON_CreateObject();
    if (noted)
        lf_json_set_text(args, "noted", noted);
    enum cli_exit code = cli_ask(cli, "audit_verify", args, NULL, lf_deadline_in(VERIFY_MS), &answer);
    if (code != CLI_DONE)
        return code;
    code = tell_verdict(cli, "the agent's audit trail", lf_json_int(answer, "entries", 0),
                        lf_json_int(answer, "first", 0), lf_json_text_or(answer, "head", ""));
    cJSON_Delete(answer);
    return code;
}

/* The file that is meant: an argument, or --journal. False: told. */
static bool which_file(const struct cli *cli, const char **path)
{
    const char *journal = cli_value(cli, "journal");
    *path = cli->arg_count ? cli->args[0] : journal;
    if (!journal || !cli->arg_count)
        return true;
    cli_misuse(cli, "name one file, or --journal FILE");
    return false;
}

static enum cli_exit verify_audit(struct cli *cli)
{
    struct lf_audit_head head;
    const char *path, *noted = cli_value(cli, "noted");
    if (!which_file(cli, &path))
        return CLI_USAGE;
    if (noted && !lf_audit_head_parse(noted, &head))
        return cli_misuse(cli, "--noted must be a head as it was told: NUMBER:DIGEST");
    return path ? verify_file(cli, path, noted ? &head : NULL) : verify_running(cli, noted);
}

/* ---- exports ---- */

/* An export goes to a new file that only its owner may read, or to standard output. NULL: told. */
static FILE *create(const struct cli *cli, const char *path)
{
    struct lf_error err;
    if (!path || !strcmp(path, "-"))
        return stdout;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file)
        return file;
    if (fd < 0 && errno == EEXIST)
        lf_fail(&err, LF_EXISTS, LF_PERMANENT, "%s is there already; exports overwrite nothing", path);
    else
        lf_fail_errno(&err, "cannot create %s", path);
    if (fd >= 0)
        close(fd);
    cli_failed(cli, &err);
    return NULL;
}

/* On the disk before it is called done; a file that is not whole is taken away. */
static enum cli_exit finish(const struct cli *cli, FILE *out, const char *path, enum cli_exit code)
{
    struct lf_error err;
    bool kept = fflush(out) == 0 && (out == stdout || fsync(fileno(out)) == 0);
    if (code == CLI_DONE && !kept) {
        lf_fail_errno(&err, "cannot write the export");
        code = cli_failed(cli, &err);
    }
    if (out != stdout) {
        fclose(out);
        if (code != CLI_DONE)
            unlink(path);
    }
    return code;
}

/* Takes json. */
static bool put_line(FILE *out, cJSON *json)
{
    char *text = json ? lf_json_print(json) : NULL;
    bool good = text && fprintf(out, "%s\n", text) > 0;
    free(text);
    cJSON_Delete(json);
    return good;
}

/* Writes a page of entries and notes the last. False: it could not be written. */
static bool put_page(FILE *out, const cJSON *page, struct lf_audit_head *head)
{
    const cJSON *entry;
    cJSON_ArrayForEach (entry, page) {
        head->seq = lf_json_int(entry, "seq", 0);
        snprintf(head->hash, sizeof head->hash, "%s", lf_json_text_or(entry, "hash", ""));
        if (!put_line(out, cJSON_Duplicate(entry, true)))
            return false;
    }
    return true;
}

static enum cli_exit export_running(struct cli *cli, FILE *out, struct lf_audit_head *head)
{
    enum cli_exit code = CLI_DONE;
    struct lf_error err;
    bool written = true;
    for (int count = PAGE; code == CLI_DONE && written && count == PAGE;) {
        cJSON *page, *args = cJSON_CreateObject();
        lf_json_set_int(args, "from", head->seq + 1);
        lf_json_set_int(args, "limit", PAGE);
        code = cli_ask(cli, "audit", args, NULL, lf_deadline_in(CLI_ASK_MS), &page);
        count = cJSON_GetArraySize(page);
        written = code != CLI_DONE || put_page(out, page, head);
        cJSON_Delete(page);
    }
    if (code == CLI_DONE && (!written || !put_line(out, lf_audit_end_json(head)))) {
        lf_fail_errno(&err, "cannot write the export");
        code = cli_failed(cli, &err);
    }
    return code;
}

static enum cli_exit export_audit(struct cli *cli)
{
    const char *path = cli->arg_count ? cli->args[0] : NULL, *journal = cli_value(cli, "journal");
    struct lf_audit_head head = {0};
    struct lf_error err = {0};
    FILE *out = create(cli, path);
    if (!out)
        return CLI_REFUSED;
    enum cli_exit code = !journal ? export_running(cli, out, &head)
                         : lf_audit_export_file(journal, out, &head, &err) == LF_OK ? CLI_DONE
                                                                                    : cli_failed(cli, &err);
    code = finish(cli, out, path, code);
    if (code == CLI_DONE)
        fprintf(stderr, "labferry: the head of the export is %" PRId64 ":%s\n", head.seq, head.hash);
    return code;
}

/* ---- journal ---- */

/* The file that is named, or the journal of the configuration. Returns owned; NULL: told. */
static char *journal_path(const struct cli *cli, const char *named)
{
    struct lf_error err = {0};
    char *folder = NULL, *path;
    if (!named && lf_config_state_dir(cli->config ? cli->config : LF_CONFIG_PATH, &folder, &err) != LF_OK) {
        cli_failed(cli, &err);
        return NULL;
    }
    path = named ? strdup(named) : lf_format("%s/journal.db", folder);
    free(folder);
    if (!path) {
        lf_fail_memory(&err, "finding the journal");
        cli_failed(cli, &err);
    }
    return path;
}

static void tell_report(const struct cli *cli, const cJSON *report)
{
    const cJSON *item;
    int problems = cJSON_GetArraySize(lf_json_at(report, "problems"));
    cli_print(cli, CLI_BOLD, lf_json_text(report, "file"));
    printf(": a journal of version %" PRId64 "\n", lf_json_int(report, "version", 0));
    cJSON_ArrayForEach (item, lf_json_at(report, "rows"))
        printf("  %-10s %" PRId64 " rows\n", item->string, lf_json_int(item, "", 0));
    if (lf_json_at(report, "audit") && !lf_json_at(report, "audit.wrong"))
        printf("  audit head %s\n", lf_json_text_or(report, "audit.head", ""));
    cJSON_ArrayForEach (item, lf_json_at(report, "problems")) {
        fputs("  problem: ", stdout);
        cli_print(cli, CLI_RED, cJSON_GetStringValue(item));
        putchar('\n');
    }
    if (problems)
        puts("Keep the file as it is. `labferry journal export` writes out what can be read.");
    else
        puts("Nothing is wrong with it.");
}

static enum cli_exit check_journal(struct cli *cli)
{
    struct lf_error err = {0};
    cJSON *report = NULL;
    char *path = journal_path(cli, cli->arg_count ? cli->args[0] : NULL);
    if (!path)
        return CLI_REFUSED;
    enum lf_status status = lf_journal_check_file(path, &report, &err);
    free(path);
    if (!report)
        return cli_failed(cli, &err);
    enum cli_exit code = status == LF_OK ? CLI_DONE : CLI_REFUSED;
    if (cli->json) {
        lf_json_set_bool(report, "ok", status == LF_OK);
        return cli_print_json(cli, report) == CLI_DONE ? code : CLI_REFUSED;
    }
    tell_report(cli, report);
    cJSON_Delete(report);
    return code;
}

static enum cli_exit export_journal(struct cli *cli)
{
    const char *to = cli->arg_count ? cli->args[0] : NULL;
    struct lf_journal_export done = {0};
    struct lf_error err = {0};
    char *path = journal_path(cli, cli_value(cli, "journal"));
    FILE *out = path ? create(cli, to) : NULL;
    enum cli_exit code = CLI_REFUSED;
    if (out) {
        code = lf_journal_export_file(path, out, &done, &err) == LF_OK ? CLI_DONE : cli_failed(cli, &err);
        code = finish(cli, out, to, code);
    }
    free(path);
    if (code != CLI_DONE)
        return code;
    fprintf(stderr, "labferry: %" PRId64 " rows written", done.rows);
    if (done.gaps)
        fprintf(stderr,
                "; in %" PRId64 " place%s rows could not be read: the lines with \"lost\" say where and why",
                done.gaps, done.gaps == 1 ? "" : "s");
    fputc('\n', stderr);
    return done.gaps ? CLI_REFUSED : CLI_DONE;
}

/* ---- the table ---- */

#define JOURNAL_OPTION                                                                                       \
    {                                                                                                        \
        "journal", "FILE", "this journal; an agent may be running on it"                                     \
    }

const struct cli_command cli_audit_commands[] = {
    {.name = "audit show",
     .summary = "Shows the audit trail: who did what and when.",
     .options = {{"job", "JOB", "only what is about this job"},
                 {"about", "NAME", "only what is about this event or instrument"},
                 {"what", "KIND", "agent config event job acting held done failed cancelled file command"},
                 {"since", "TIME", "only from this time on: 2h (ago), or 2026-11-22T06:00:00Z"},
                 {"limit", "N", "how many of the newest (50; at most 1000)"}},
     .examples = "labferry audit show --job 12\nlabferry audit show --what command --since 24h",
     .run = show_audit},
    {.name = "audit verify",
     .synopsis = "[FILE]",
     .max_args = 1,
     .summary = "Is the audit trail whole and unchanged? Names the first entry that is not.",
     .about = "Without FILE the running agent is asked. FILE is an export, or a journal: no agent is needed\n"
              "then. Whoever may write the journal could compute a whole new trail. A head that was noted\n"
              "elsewhere earlier proves that it is the same; the retained MQTT message on .../audit is one.",
     .options = {{"noted", "HEAD", "a head that was noted earlier and must still be in it"}, JOURNAL_OPTION},
     .examples = "labferry audit verify\nlabferry audit verify audit-2026.jsonl\n"
                 "labferry audit verify --journal /var/lib/labferry/journal.db",
     .run = verify_audit},
    {.name = "audit export",
     .synopsis = "[FILE]",
     .max_args = 1,
     .summary = "Writes the whole audit trail as JSON lines, with its digests.",
     .about = "Without FILE, or for \"-\": to standard output. `audit verify FILE` checks an export.",
     .options = {JOURNAL_OPTION},
     .examples = "labferry audit export audit-2026.jsonl\nlabferry audit export | gzip > audit.jsonl.gz",
     .run = export_audit},
    {.name = "journal check",
     .synopsis = "[FILE]",
     .max_args = 1,
     .summary = "Checks a journal: its pages, its version, its rows, its audit trail.",
     .about = "Nothing is changed. Without FILE: the journal of the configuration.",
     .examples = "labferry journal check\nlabferry journal check /var/lib/labferry/journal.db --json",
     .run = check_journal},
    {.name = "journal export",
     .synopsis = "[FILE]",
     .max_args = 1,
     .summary = "Writes all that a journal holds as JSON lines, as far as it can be read.",
     .about = "For damaged journals, too: what cannot be read is said in place of it. It ends with 1 then.\n"
              "Without FILE, or for \"-\": to standard output.",
     .options = {JOURNAL_OPTION},
     .examples = "labferry journal export journal.jsonl\n"
                 "labferry journal export --journal ./damaged.db | less",
     .run = export_journal},
    {0},
};
