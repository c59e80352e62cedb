/* Reads lines "PATTERN<tab>EVENT" and writes for each 1, 0 or E (the pattern or the event was refused). */
#include "event/rules.h"
#include "event/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char answer(char *line)
{
    char *tab = strchr(line, '\t');
    struct lf_pattern *pattern = NULL;
    cJSON *event = NULL;
    char answer = 'E';
    if (!tab)
        return answer;
    if (!event__pattern_parse(lf_slice(line, (size_t)(tab - line)), &pattern, &(struct lf_error){0})
        && !event__text_parse(lf_slice_text(tab + 1), &event, &(struct lf_error){0}))
        answer = lf_pattern_match(pattern, event) ? '1' : '0';
    cJSON_Delete(event);
    lf_pattern_free(pattern);
    return answer;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        printf("%c\n", answer(line));
    }
    free(line);
    return 0;
}
