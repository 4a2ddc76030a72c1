/* How many primes there are below len: the sieve of Eratosthenes, a byte for each number. */
#define SIZE 8192
#include "kernel.h"

u64 kernel(u8 *mem, u64 len) {
    ROUNDS(BUDGET);
    u64 primes = 0;
    for (u64 i = 0; i < len; i++) {
        ROUND;
        AT(u8, i) = 1;
    }
    for (u64 i = 2; i < len; i++) {
        ROUND;
        if (AT(u8, i)) {
            primes++;
            for (u64 j = i * i; j < len; j += i) {
                ROUND;
                AT(u8, j) = 0;
            }
        }
    }
    return primes;
}
