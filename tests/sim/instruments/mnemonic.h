/* SCPI headers: "MEASure:VOLTage[:DC]" is matched by MEAS:VOLT, meas:volt:dc, :MEASURE:VOLTAGE ... */
#ifndef SIM_INSTRUMENTS_MNEMONIC_H
#define SIM_INSTRUMENTS_MNEMONIC_H

#include <stdbool.h>
#include <stddef.h>

/* Does the header (without '?' and parameters, len bytes) match the pattern? The upper-case part of a node is
 * its short form; nodes in brackets may be left out. */
bool mnemonic_match(const char *pattern, const char *header, size_t len);

#endif
