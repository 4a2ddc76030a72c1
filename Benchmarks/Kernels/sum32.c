/* The sum of len 32-bit words. */
#define SIZE 4096
#include "kernel.h"

u64 kernel(u8 *mem, u64 len) {
    ROUNDS(BUDGET);
    u64 sum = 0;
    for (u64 i = 0; i < len; i++) {
        ROUND;
        sum += AT(u32, i * 4);
    }
    return sum;
}
