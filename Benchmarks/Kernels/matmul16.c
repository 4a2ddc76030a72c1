/* The product of two 16 by 16 matrices of 32-bit words, and a checksum of it. They lie at 0 and 1024, the product at 2048. */
#define SIZE 3072
#include "kernel.h"

u64 kernel(u8 *mem, u64 len) {
    ROUNDS(BUDGET);
    u32 checksum = 0;
    for (u64 i = 0; i < 16; i++) {
        ROUND;
        for (u64 j = 0; j < 16; j++) {
            ROUND;
            u32 sum = 0;
            for (u64 k = 0; k < 16; k++) {
                ROUND;
                sum += AT(u32, i * 64 + k * 4) * AT(u32, 1024 + k * 64 + j * 4);
            }
            AT(u32, 2048 + i * 64 + j * 4) = sum;
            checksum = checksum * 31 + sum;
        }
    }
    return checksum;
}
