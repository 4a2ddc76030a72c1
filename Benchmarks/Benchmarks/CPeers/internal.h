#include "peers.h"

// Notes why something failed; a format as for printf.
void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Opens a library once, and fills a table of function pointers from it; false when one is missing.
bool load_symbols(const char *library, const char *const names[], void **functions, size_t count);
