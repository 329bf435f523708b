/* Words to a line of shell, and messages to something a terminal cannot be hurt by. Pure. */
#ifndef OPELOG_SHIM_TEXT_H
#define OPELOG_SHIM_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* "first" as it is (may be NULL) and then each word quoted for a POSIX shell, separated by blanks; from
 * malloc, NULL without memory. sh reads the quoted words back as exactly the same words. */
char* opelog_join_words(const char* first, char* const words[]);

/* In place: control characters (C0 but tab and newline, DEL, and the UTF-8 form of C1) become '?'. */
void opelog_make_safe(char* text, size_t length);

/* Only bytes 0x20..0x7e. */
bool opelog_is_printable_ascii(const char* text, size_t length);

#endif
