/* A scheduler's choice among len entries of a run queue: of those that have slices left, the one of the highest priority,
 * and of these the one that has run least. It gets one slice less; who has none left then gets ten, and has run more.
 *
 * An entry has 16 bytes: u32 priority, u32 slices, u64 ran. */
#define SIZE 1024
#include "kernel.h"

u64 kernel(u8 *mem, u64 len) {
    ROUNDS(BUDGET);
    u64 best = ~0ull, best_ran = 0;
    u32 best_priority = 0;
    for (u64 i = 0; i < len; i++) {
        ROUND;
        if (AT(u32, i * 16 + 4) == 0) continue;
        u32 priority = AT(u32, i * 16);
        u64 ran = AT(u64, i * 16 + 8);
        if (best == ~0ull || priority > best_priority || (priority == best_priority && ran < best_ran)) {
            best = i;
            best_priority = priority;
            best_ran = ran;
        }
    }
    if (best == ~0ull) return best;
    u32 slices = AT(u32, best * 16 + 4) - 1;
    if (slices == 0) {
        slices = 10;
        AT(u64, best * 16 + 8) = best_ran + 1000;
    }
    AT(u32, best * 16 + 4) = slices;
    return best;
}
