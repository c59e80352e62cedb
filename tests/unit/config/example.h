/* The commented example configuration, made from the rows. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <stdio.h>

void example_print(FILE *out);

#endif
