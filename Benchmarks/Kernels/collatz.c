/* How many steps all numbers from 1 to len take to 1: odd n to 3n + 1, even n to n / 2. No memory. */
#define SIZE 8
#include "kernel.h"

u64 kernel(u8 *mem, u64 len) {
    ROUNDS(BUDGET);
    u64 steps = 0;
    for (u64 n = 1; n <= len; n++) {
        ROUND;
        u64 x = n;
        while (x != 1) {
            ROUND;
            if (x & 1) x = 3 * x + 1;
            else x = x >> 1;
            steps++;
        }
    }
    return steps;
}
