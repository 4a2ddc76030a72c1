// What the processor can do beyond the x86-64 that everybody has.
#include "scode_runtime.h"

#include <cpuid.h>

bool scode_has_bit_counts(void) {
    static int known;  // 0: not asked yet; all threads find the same answer
    int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (answer == 0) {
        unsigned a, b, c, d;
        bool popcnt = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_POPCNT);
        bool tzcnt = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_BMI);
        bool lzcnt = __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & bit_LZCNT);
        answer = popcnt && tzcnt && lzcnt ? 1 : 2;
        __atomic_store_n(&known, answer, __ATOMIC_RELAXED);
    }
    return answer == 1;
}
