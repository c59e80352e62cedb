#include "drivers/driver.h"

#include <stdlib.h>
#include <string.h>

extern const struct lf_driver lf_driver_folder, lf_driver_line;

const struct lf_driver *const lf_drivers[] = {&lf_driver_folder, &lf_driver_line, NULL};

const struct lf_driver *lf_driver_find(const char *name)
{
    for (size_t i = 0; lf_drivers[i]; i++)
        if (!strcmp(lf_drivers[i]->name, name))
            return lf_drivers[i];
    return NULL;
}
