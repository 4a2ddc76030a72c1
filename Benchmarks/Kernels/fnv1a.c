/* FNV-1a, a hash, of len bytes. */
#define SIZE 4096
#include "kernel.h"

u64 kernel(u8 *mem, u64 len) {
    ROUNDS(BUDGET);
    u64 h = 0xcbf29ce484222325;
    for (u64 i = 0; i < len; i++) {
        ROUND;
        h ^= AT(u8, i);
        h *= 0x100000001b3;
    }
    return h;
}
