/* What is compiled to see what a long program takes: parts of the kernels, over and over, with other constants each time.
 * About 3,800 instructions of eBPF. */
#define SIZE 4096
#include "kernel.h"

#define HASH(n) \
    for (u64 i = 0; i < len; i += 8) { \
        h ^= AT(u8, i); \
        h *= 0x100000001b3 + 2 * (n); \
    }
#define FILTER(n) \
    if (AT(u8, 12) == (n) && AT(u8, 13) >> 4 != 4) { \
        u64 port = (u64)AT(u8, 14 + (n)) << 8 | AT(u8, 15 + (n)); \
        if (port == 80 + (n) || port == 443 + (n)) h += (n); \
    }
#define PICK(n) \
    for (u64 i = 0; i < 64; i++) { \
        if (AT(u32, i * 16 + 4) > (n) && AT(u64, i * 16 + 8) < best) best = AT(u64, i * 16 + 8) + (n); \
    } \
    AT(u32, 1024 + (n) * 4) = (u32)best; \
    h = h >> 7 ^ best * (n);
#define PART(n) HASH(n) FILTER(n) PICK(n)
#define PARTS(n) PART(n) PART(n + 1) PART(n + 2) PART(n + 3) PART(n + 4)

u64 kernel(u8 *mem, u64 len) {
    u64 h = 0xcbf29ce484222325, best = ~0ull;
    PARTS(3) PARTS(13) PARTS(23) PARTS(33) PARTS(43) PARTS(53) PARTS(63) PARTS(73) PARTS(83) PARTS(93)
    PARTS(103) PARTS(113) PARTS(123) PARTS(133) PARTS(143) PARTS(153) PART(163) PART(164) PART(165) PART(166)
    return h;
}
