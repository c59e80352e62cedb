/* Command line. */
#ifndef LF_SIM_OPTIONS_H
#define LF_SIM_OPTIONS_H

#include "sim.h"

/* Defaults, then argv. Ends the program for --help, --version and mistakes. */
void sim_options_read(struct sim_options *options, int argc, char **argv);

#endif
