#include "tests/sim/instruments/replace.h"

#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>

bool sim_replace_file(const char *path, const char *text)
{
    char *new_path = lf_format("%s.new", path);
    FILE *file = new_path ? fopen(new_path, "we") : NULL;
    bool good = file && fputs(text, file) >= 0;
    good = file && fclose(file) == 0 && good && rename(new_path, path) == 0;
    free(new_path);
    return good;
}
