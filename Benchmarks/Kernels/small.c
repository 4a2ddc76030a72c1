/* What is compiled to see what a small program takes: FNV-1a, folded and mixed with the length. 17 instructions
 * of eBPF. */
#define SIZE 4096
#include "kernel.h"

u64 kernel(u8 *mem, u64 len) {
    u64 h = 0xcbf29ce484222325;
    for (u64 i = 0; i < len; i++) {
        h ^= AT(u8, i);
        h *= 0x100000001b3;
    }
    return (h ^ h >> 32) * 31 + len;
}
