// What the C library's allocator says of itself.
#include <malloc.h>

// Bytes that are handed out, with what the allocator adds to each piece.
static inline size_t malloc_allocated_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}
