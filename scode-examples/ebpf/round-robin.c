/* Round robin in C: everybody below this scheduler gets the processor in turn.
 *
 *     clang -O2 -g --target=bpf -c scode-examples/ebpf/round-robin.c -o scode-examples/ebpf/round-robin.o &&
 *         scodec sim scode-examples/ebpf/round-robin.yaml
 *
 * The same policy in SCODE is scode-examples/schedulers/round-robin.scode. */
#include "scode.h"

enum { PLACES = 256 };

/* The place in `children` to look at first. A variable of the fragment's lasts from one decision to the next. */
static u64 turn;

SEC("scheduler") u64 round_robin(void) {
    u64 used = s_listed() < PLACES ? s_listed() : PLACES;
    for (u64 left = used; left > 0; left--) {
        if (turn >= used)
            turn = 0;
        const struct child *child = &children[turn++ & (PLACES - 1)];
        if (child->kind == SCHEDULER)
            s_sub_sched(child->id); /* comes back only if it has nobody to run */
        else if (child->kind == APPLICATION && environments[child->id & 8191].status == RUNNABLE)
            return child->id;
    }
    return 0;
}
