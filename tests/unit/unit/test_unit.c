// The test layer itself, in what can be shown from inside a passing program. tests/blackbox/test_toolchain.py
// shows the rest: what a failing, hanging or crashing program looks like.
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char kept[4096];

static void folder_is_private(void)
{
    char path[4200];
    snprintf(kept, sizeof(kept), "%s", unit_folder());
    CHECK_STR(unit_folder(), kept);
    snprintf(path, sizeof(path), "%s/file", kept);
    FILE *file = fopen(path, "w");
    NEED(file != NULL);
    CHECK_INT(fclose(file), 0);
    CHECK_INT(access(path, F_OK), 0);
}

static void folder_is_gone(void)
{
    CHECK_INT(access(kept, F_OK), -1);
    CHECK(strcmp(kept, unit_folder()) != 0);
}

static void source_is_found(void)
{
    CHECK_INT(access(unit_source("tests/unit/unit.h"), R_OK), 0);
}

static void nothing_equals_nothing(void)
{
    CHECK_STR(NULL, NULL);
    CHECK_BYTES(NULL, 0, "", 0);
    CHECK_BYTES("a\0b", 3, "a\0b", 3);
    CHECK_HAS("a sentence", "sent");
}

static const struct {
    struct unit_row row;
    const char *word; /* of its promise */
} table[] = {{{"a row of a table is a test of its own"}, "own"},
             {{"the test of the next row gets the next row"}, "next"}};

static void row_is_given(void)
{
    const typeof(*table) *row = unit_row();
    CHECK_HAS(CU_get_current_test()->pName, row->word);
}

UNIT_TESTS("unit", {"a test gets a private folder to write in", folder_is_private},
           {"the folder is gone when the next test starts", folder_is_gone},
           {"a source file is found from any working folder", source_is_found},
           {"checks of strings and bytes work for NULL and binary values", nothing_equals_nothing},
           UNIT_ROWS(table, row_is_given), )
