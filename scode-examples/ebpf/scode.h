/* What code in C finds at the acceptors that come with the system, when it is compiled for eBPF.
 *
 * A function that stands in a section called like an acceptor becomes a fragment for it: SEC("filter"),
 * SEC("scheduler"), SEC("plain"), or with more behind a slash. What it returns is what the fragment leaves with.
 * The numbers of helpers are those of docs/ebpf.md. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define HELPER(number) = (void *)number

/* Functions of one's own that should stay functions. */
#define LOCAL static __attribute__((noinline))

/* SEC("plain"): returns a value. r1 is the address of the memory, r2 its size. */
static void (*const accept)(u64 value) HELPER(1);
static void (*const refuse)(void) HELPER(2);

/* SEC("filter"): returns the queue that gets the packet; 0 leaves it to others. The arguments are the address of the
 * packet and its length. */
static void (*const f_accept)(u64 queue) HELPER(1);
static void (*const f_refuse)(void) HELPER(2);
static u16 (*const f_ld16)(const void *base, u64 offset) HELPER(3); /* in network byte order */
static u32 (*const f_ld32)(const void *base, u64 offset) HELPER(4);

/* SEC("scheduler"): returns the environment that gets the processor; 0 declines it, and ends a handler.
 * docs/scheduling.md says what the kernel shows, and which handlers there are. */
static void (*const s_sub_sched)(u64 slot) HELPER(1); /* comes back if the scheduler below refuses */
static void (*const s_app_sched)(u64 environment) HELPER(2);
static void (*const s_refuse)(void) HELPER(3);
static void (*const s_resched)(void) HELPER(4);
static u64 (*const s_tick)(void) HELPER(5);
static u64 (*const s_slots)(void) HELPER(6);
static u64 (*const s_self)(void) HELPER(7);
static u64 (*const s_subject)(void) HELPER(8);
static u64 (*const s_listed)(void) HELPER(9); /* places of `children` up to the last one in use */

struct machine {
    u64 time, tick, quantum, seed;
    u32 environments, running, processor, processors, runs[64];
};
struct environment {
    u32 id, status;
    u64 ticks;
    u32 page_faults, pages, owner;
    int priority;
};
struct usage {
    u64 ran, waited, since, deadline;
};
struct child {
    u32 kind, id, weight, environment;
};
enum { APPLICATION = 1, SCHEDULER = 2 }; /* child.kind */
enum { RUNNABLE = 1 };                   /* environment.status */

extern const struct machine machine;
extern const struct environment environments[8192];
extern const struct usage usage[8192];
extern const struct child children[256];
