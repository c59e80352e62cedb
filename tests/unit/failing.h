// Allocations that fail on purpose. Linked into a program, malloc and its kin go through here; those that the
// product asks for, directly or by way of a library, are counted, and the chosen ones fail as if memory had
// run out. What tests allocate never fails. Only with gcc's AddressSanitizer, to whose own malloc everything
// goes on.
#ifndef FAILING_H
#define FAILING_H

#include <stdbool.h>
#include <stdint.h>

// False where this program was not built for it: then nothing ever fails and nothing is counted.
bool failing_possible(void);

// From now on, in all threads and in children that are forked: the nth allocation fails (0: none), and with
// onwards all that follow it as well.
void failing_start(uint64_t nth, bool onwards);

// No allocation fails any more. Returns how many were counted (to the one that failed, without onwards); into
// failed, how many of them failed.
uint64_t failing_stop(uint64_t *failed);

#endif
