/* Reads the fallback file and asks it about the person we run for.
 *
 * Called with the group `opelog`, which may read the file; nothing here runs code of others (no name
 * service): only numbers are compared.
 */
#ifndef OPELOG_SHIM_FALLBACK_IO_H
#define OPELOG_SHIM_FALLBACK_IO_H

#include "shim/fallback.h"

/* Never fails: a missing, foreign, writable or malformed file has its own answer. */
void opelog_ask_fallback(struct opelog_fallback_answer* out);

#endif
