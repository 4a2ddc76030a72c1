// The layouts that generated code, the C helpers and Swift share.
//
// Generated code pins three registers:
//
//     r15  scode_context *    what belongs to one invocation: exit, abort record, stack to return to
//     r14  remaining budget   backward jumps and sub-fragment calls left, for the whole chain
//     r13  scode_instance *   the fragment that runs: its regions, address space and slots
//
// The inner entry of a fragment takes its argument words in rdx, and in rcx how many levels of sub-fragments may be
// below it. It may change every register but the pinned ones, those for floating-point numbers included, and returns a
// scode_result. A sub-fragment is called through its inner entry: refused means go on, anything else is handed up. The
// outer entry, for C and Swift, saves what the platform's convention wants saved. MXCSR is as
// the platform's convention has it on entry: round to nearest even, no flushing of subnormals, no traps.
//
// A frame has a slot of 8 bytes for each SCODE register that needs one; then, when the fragment calls others, one for
// the instance and one for the levels that are left; then one for the return address of each level of local procedures.
#ifndef SCODE_RUNTIME_H
#define SCODE_RUNTIME_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#include "scode_observers.h"

#define SCODE_REGION_LIMIT 8
#define SCODE_ARGUMENT_LIMIT 16
#define SCODE_FRAME_LIMIT 64  // slots for SCODE registers: one each
#define SCODE_PAGE_SIZE 4096
#define SCODE_TLB_ENTRIES 64

// Reasons for an abort; the numbers are those of Swift's AbortReason (a test compares them).
enum scode_reason {
    SCODE_OUT_OF_BOUNDS = 4,
    SCODE_READ_ONLY_REGION = 5,
    SCODE_PAGE_NOT_PRESENT = 6,
    SCODE_PAGE_PROTECTION = 7,
    SCODE_PAGE_TABLE_CORRUPT = 8,
};

// How an invocation ended: the first word of scode_result.
enum scode_status { SCODE_REFUSED = 0, SCODE_ACCEPTED = 1, SCODE_ABORTED = 2 };

// Two words, so that it is returned in rax:rdx.
typedef struct scode_result {
    uint64_t status;
    uint64_t value;
} scode_result;

// One entry of the software TLB. A tag is a page address (low 12 bits zero) or SCODE_TLB_NO_TAG; the read
// and the write tag differ until a first store has set the dirty bit in the page table.
typedef struct scode_tlb_entry {
    uint64_t read_tag;
    uint64_t write_tag;
    uint64_t addend;  // host address minus virtual address
    uint64_t reserved;
} scode_tlb_entry;

#define SCODE_TLB_NO_TAG 1

// A simulated address space: a page directory in simulated physical memory, and the TLB in front of it.
// Layout as the 80386's: two levels, 1,024 entries of 4 bytes each, pages of 4 KiB, 32-bit addresses.
typedef struct scode_space {
    uint8_t *memory;       // simulated physical memory
    uint64_t memory_size;  // in bytes, a multiple of the page size
    uint64_t directory;    // physical address of the page directory
    uint64_t use_tlb;      // 0: every access walks the page table
    scode_tlb_entry tlb[SCODE_TLB_ENTRIES];
} scode_space;

// A window of the host's address space, for regions of the host policy: addresses are offsets in it, of 32 bits.
typedef struct scode_window {
    uint8_t *base;   // where the window begins
    uint8_t *pages;  // per page, one beyond the window too: a scode_page_access
} scode_window;

enum scode_page_access { SCODE_WINDOW_ABSENT = 0, SCODE_WINDOW_READ_ONLY = 1, SCODE_WINDOW_WRITABLE = 2 };
#define SCODE_WINDOW_SIZE ((uint64_t)1 << 32)

// A region as an instance is given it: `size` bytes at simulated address `base` lie at `host`. Addresses that
// are checked at run time are held against the searched regions; static ones are only reached by accesses
// that were proved, and virtual ones through the address space.
enum { SCODE_REGION_WRITABLE = 1, SCODE_REGION_SEARCHED = 2 };
typedef struct scode_region {
    uint64_t base;
    uint64_t size;
    uint8_t *host;
    uint64_t flags;
    // How many offsets an access of 1, 2, 4, 8 bytes may have: size - n + 1, or 0. One compare is a bounds check.
    uint64_t offset_count[4];
    // host - base: what takes a simulated address in the region to its host address.
    uint64_t delta;
} scode_region;

struct scode_context;
struct scode_activation;

// A function of the host that a macro-instruction calls. `invoke` gets the arguments as 64-bit words.
typedef struct scode_host_function {
    uint64_t (*invoke)(struct scode_host_function *self, struct scode_context *context, const uint64_t *arguments);
    void *address;
    void *call_interface;
} scode_host_function;

// A fragment installed for an owner, as long as its regions, arguments and slots make it. Regions lie below it, the first
// one nearest, so that all three begin where generated code knows:
//
//     regions [1] [0] | code … number | arguments [0] [1] … | slots [0] [1] …
typedef struct scode_instance {
    const void *code;  // inner entry of the native code
    scode_space *space;  // the owner's address space, or scode_no_space()
    const scode_window *window;  // what its regions of the host policy lie in, or NULL
    uint64_t slot_count;
    uint32_t argument_count;
    uint32_t region_count;
    void *program;  // the verified fragment (a Swift object), for the interpreter
    scode_host_function *host_functions;  // one per macro call of the fragment, or NULL
    void *owner;    // the Swift object that the instance belongs to
    int64_t number;  // the embedder's: whose fragment it is
} scode_instance;

// What it is entered with as a sub-fragment.
static inline uint64_t *scode_arguments(const scode_instance *instance) { return (uint64_t *)(instance + 1); }
static inline scode_region *scode_region_at(const scode_instance *instance, uint64_t index) {
    return (scode_region *)instance - 1 - index;
}
// The instances below it; NULL means nobody is there.
static inline struct scode_instance **scode_slots(const scode_instance *instance) {
    return (struct scode_instance **)(scode_arguments(instance) + instance->argument_count);
}
// So many slots lie behind each instance, whatever its count is: those beyond it stay NULL. Code that names one of them by a
// constant need not look at the count first; where nobody is there it finds out why.
enum { SCODE_LEAST_SLOTS = 4 };
// Zeros but for the counts; or NULL without memory.
scode_instance *scode_instance_create(uint32_t region_count, uint32_t argument_count, uint64_t slot_count);
void scode_instance_destroy(scode_instance *instance);

// One invocation of a chain of fragments.
typedef struct scode_context {
    uint64_t budget;  // remaining backward jumps and sub-fragment calls
    uint64_t depth;   // levels of sub-fragments that may be below the one invoked
    scode_instance *instance;  // at an exit: whose fragment left; NULL: the one invoked
    uint64_t exit_site;        // at an observed exit: the return address that names the place
    uint64_t reason;
    uint64_t fault_address;
    // At an observed exit: the machine registers, by number; then the low halves of xmm0 to xmm15; then the slots of
    // SCODE registers.
    uint64_t machine[32];
    uint64_t frame[SCODE_FRAME_LIMIT];
    uint64_t host_arguments[SCODE_ARGUMENT_LIMIT];
    uint64_t bounce;  // bytes of an access that straddles two pages
    struct scode_activation *activation;  // NULL: nobody can interrupt and continue this invocation
} scode_context;

// For an invocation that nobody interrupts and continues. The rest holds something once it has been left.
static inline void scode_context_prepare(scode_context *context, uint64_t budget, uint64_t depth) {
    context->budget = budget;
    context->depth = depth;
    context->instance = NULL;
    context->activation = NULL;
}

static inline const uint64_t *scode_observed_words(const scode_context *context) { return context->machine; }
_Static_assert(offsetof(scode_context, frame) == offsetof(scode_context, machine) + 32 * 8, "one array of words");

// Why an activation handed control back to whoever resumed it.
enum scode_event {
    SCODE_EVENT_LEFT = 0,         // the fragment is over: `result` says how
    SCODE_EVENT_INTERRUPTED = 1,  // the budget is used up
    SCODE_EVENT_SYSTEM_CALL = 2,  // `number`, `operands`; goes on with `answer`
    SCODE_EVENT_PAGE_FAULT = 3,   // `number` (a scode_reason), `address`, `is_store`; tries again if `answer` is not 0
};

// An invocation on a native stack of its own, so that it can stop in the middle and go on later. It runs in the
// thread of whoever resumes it, and what resumes it never runs on its stack.
typedef struct scode_activation {
    uint64_t host_stack;  // stack pointer of whoever resumed it, while it runs
    uint64_t own_stack;   // its own stack pointer, while it does not
    void (*body)(struct scode_activation *self);  // what it does from its first resumption on
    void *user_data;
    const void *code;  // what scode_activation_enter enters: an outer entry
    scode_context *context;
    scode_instance *instance;
    scode_result result;
    uint64_t event;
    uint64_t number;
    const uint64_t *operands;  // SCODE_ARGUMENT_LIMIT words, as long as it waits for the answer
    uint64_t address;
    uint64_t is_store;
    uint64_t answer;
    uint64_t is_cancelled;  // an interpreter is to unwind instead of going on
} scode_activation;

// Prepares an activation to begin `body` when it is first resumed, on the stack that ends below `top`.
void scode_activation_prepare(scode_activation *activation, void *top);

// The `body` of native code: enters it, and notes the result.
void scode_activation_enter(scode_activation *activation);

// Runs an activation until something is to be done for it: see `event`.
void scode_activation_resume(scode_activation *activation);

// Called on an activation's stack when its budget is used up: comes back with a budget that has paid for one jump.
void scode_interrupt(scode_context *context);

// Called on an activation's stack for a page that is not there, or not to be used in this way. Returns whether to
// try again.
bool scode_page_fault(scode_context *context, uint64_t reason, uint64_t address, bool is_store);

// The `invoke` of a system call, whose number is in `address`. All ones when nobody is there to answer.
uint64_t scode_system_call(
    scode_host_function *self, scode_context *context, const uint64_t *arguments);

// A native stack of `size` bytes with a page below that faults; NULL when there is no memory. Returns its top.
void *scode_stack_create(size_t size);
void scode_stack_destroy(void *top, size_t size);

// Where generated code finds the fields.
enum {
    SCODE_OFFSET_REGIONS = -(int)sizeof(scode_region),
    SCODE_OFFSET_REGION_BASE = offsetof(scode_region, base),
    SCODE_OFFSET_REGION_HOST = offsetof(scode_region, host),
    SCODE_OFFSET_REGION_OFFSET_COUNT = offsetof(scode_region, offset_count),
    SCODE_OFFSET_REGION_DELTA = offsetof(scode_region, delta),
    SCODE_REGION_STRIDE = -(int)sizeof(scode_region),
    SCODE_OFFSET_CODE = offsetof(scode_instance, code),
    SCODE_OFFSET_SPACE = offsetof(scode_instance, space),
    SCODE_OFFSET_SLOT_COUNT = offsetof(scode_instance, slot_count),
    SCODE_OFFSET_HOST_FUNCTIONS = offsetof(scode_instance, host_functions),
    SCODE_OFFSET_ARGUMENTS = sizeof(scode_instance),  // slots follow them
    SCODE_HOST_FUNCTION_STRIDE = sizeof(scode_host_function),
    SCODE_OFFSET_HOST_INVOKE = offsetof(scode_host_function, invoke),
    SCODE_OFFSET_TLB = offsetof(scode_space, tlb),
    SCODE_OFFSET_TLB_READ_TAG = offsetof(scode_tlb_entry, read_tag),
    SCODE_OFFSET_TLB_WRITE_TAG = offsetof(scode_tlb_entry, write_tag),
    SCODE_OFFSET_TLB_ADDEND = offsetof(scode_tlb_entry, addend),
    SCODE_OFFSET_BUDGET = offsetof(scode_context, budget),
    SCODE_OFFSET_DEPTH = offsetof(scode_context, depth),
    SCODE_OFFSET_INSTANCE = offsetof(scode_context, instance),
    SCODE_OFFSET_EXIT_SITE = offsetof(scode_context, exit_site),
    SCODE_OFFSET_REASON = offsetof(scode_context, reason),
    SCODE_OFFSET_FAULT_ADDRESS = offsetof(scode_context, fault_address),
    SCODE_OFFSET_MACHINE = offsetof(scode_context, machine),
    SCODE_OFFSET_FRAME = offsetof(scode_context, frame),
    SCODE_OFFSET_HOST_ARGUMENTS = offsetof(scode_context, host_arguments),
    SCODE_OFFSET_ACTIVATION = offsetof(scode_context, activation),
};

_Static_assert(sizeof(scode_tlb_entry) == 32, "generated code shifts by 5 to index the TLB");

// The outer entry of native code.
typedef scode_result (*scode_entry)(scode_context *context, scode_instance *instance, const uint64_t *arguments);

static inline scode_result scode_enter(
    const void *entry, scode_context *context, scode_instance *instance, const uint64_t *arguments) {
    return ((scode_entry)entry)(context, instance, arguments);
}

// Puts an instance into a slot. What has been written to it before is seen by whoever finds it there.
void scode_slot_store(scode_instance **slot, scode_instance *value);

// Says that generated code has found an instance in a slot: for the thread sanitizer, which does not see it do so.
void scode_slot_found(scode_instance *instance);

static inline scode_instance *scode_slot_load(scode_instance **slot) {
    return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

// Somebody who may be in fragments: a thread, or an activation that has stopped in the middle of one.
typedef struct scode_reader scode_reader;
scode_reader *scode_reader_create(void);
void scode_reader_destroy(scode_reader *reader);
scode_reader *scode_thread_reader(void);  // the calling thread's own

// Around everything that reads slots and runs what it finds there. Calls nest.
void scode_reader_enter(scode_reader *reader);
void scode_reader_leave(scode_reader *reader);

// Calls `release` once nobody who is in now is any more: at once, or by whoever is the last to leave.
// What is retired can no longer be reached by those who enter from now on.
void scode_retire(void *object, void (*release)(void *object));

static inline void *scode_pointer_load(void *const *place) { return __atomic_load_n(place, __ATOMIC_ACQUIRE); }
static inline void *scode_pointer_exchange(void **place, void *value) {
    return __atomic_exchange_n(place, value, __ATOMIC_ACQ_REL);
}

// Memory that others may change at any time, for the interpreter's atomic operations.
static inline uint32_t scode_load_32(const uint32_t *place) { return __atomic_load_n(place, __ATOMIC_SEQ_CST); }
static inline uint64_t scode_load_64(const uint64_t *place) { return __atomic_load_n(place, __ATOMIC_SEQ_CST); }
static inline bool scode_compare_exchange_32(uint32_t *place, uint32_t *old, uint32_t replacement) {
    return __atomic_compare_exchange_n(place, old, replacement, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
static inline bool scode_compare_exchange_64(uint64_t *place, uint64_t *old, uint64_t replacement) {
    return __atomic_compare_exchange_n(place, old, replacement, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

// What an access does: size in bits 0-3 (1, 2, 4, 8), store in bit 4.
#define SCODE_ACCESS_SIZE 0x0f
#define SCODE_ACCESS_STORE 0x10

// Finds the bytes of a load or store that the inlined checks did not settle: the regions one after the other,
// then the address space. Returns their host address, or NULL after noting reason and address.
// Bytes in two pages are gathered into context->bounce; a store to them has been done when this returns, and
// the caller's own store to the bounce buffer does no harm.
void *scode_resolve(
    scode_context *context, scode_instance *instance, uint64_t address, uint32_t access, uint64_t value);

// An address space in which nothing is mapped, for instances that have none.
scode_space *scode_no_space(void);

// Forgets every translation. Whoever changes a page table, or the directory, calls it.
void scode_tlb_flush(scode_space *space);

// Translates one address by the page table, sets accessed and dirty bits, and fills the TLB.
// Returns the host address, or NULL with *reason set.
uint8_t *scode_walk(scode_space *space, uint64_t address, bool is_store, uint64_t *reason);

// A window in which nothing is mapped, or NULL. The first one installs the handler of faults, which passes on to the
// handler that was there before whatever is no fault of `scode_faulting_code` in a window.
scode_window *scode_window_create(void);
void scode_window_destroy(scode_window *window);  // when nobody can be in code that reaches it

// Maps `size` bytes at `offset`, both multiples of the page size, which hold `count` bytes of `contents` and then zeros.
// *Requires* that they lie in the window and none of them is mapped. They stay until the window is destroyed.
bool scode_window_map(
    scode_window *window, uint64_t offset, uint64_t size, bool is_writable, const void *contents, size_t count);

// What may be done with the page of an offset.
static inline uint8_t scode_window_access(const scode_window *window, uint64_t offset) {
    return __atomic_load_n(&window->pages[offset / SCODE_PAGE_SIZE], __ATOMIC_ACQUIRE);
}
static inline bool scode_window_allows(const scode_window *window, uint64_t offset, bool is_store) {
    return scode_window_access(window, offset) >= (is_store ? SCODE_WINDOW_WRITABLE : SCODE_WINDOW_READ_ONLY);
}
// Why an access to the page of an offset cannot be made: a scode_reason.
static inline uint64_t scode_window_fault(const scode_window *window, uint64_t offset, bool is_store) {
    bool is_read_only = scode_window_access(window, offset) == SCODE_WINDOW_READ_ONLY;
    return is_store && is_read_only ? SCODE_READ_ONLY_REGION : SCODE_OUT_OF_BOUNDS;
}

// Says that faults of the machine code from `start` to `end` in a window are aborts: the handler goes on at `stub`, as if
// the instruction had called it. There r13 and r15 are pinned. NULL when there is no memory.
typedef struct scode_faulting_code scode_faulting_code;
scode_faulting_code *scode_faulting_code_create(uint64_t start, uint64_t end, uint64_t stub);
void scode_faulting_code_destroy(scode_faulting_code *code);

// Whether the processor counts bits: popcnt, lzcnt and tzcnt (BMI1). It is asked once.
bool scode_has_bit_counts(void);

// Puts machine code where it can be executed, and nobody can write; or NULL without memory for it. It is at the start of
// a cache line, and int3 follows it.
void *scode_code_install(const void *code, size_t size);
// Takes code out again, which nobody may be in. What was there traps.
void scode_code_release(void *code, size_t size);

// Bytes of the heap that hold code, and bytes of memory that the heap takes up.
typedef struct scode_code_usage {
    size_t used;
    size_t resident;
} scode_code_usage;
scode_code_usage scode_code_heap_usage(void);

// Simulated memory: whole pages of zeros, which the host finds room for as they are touched; or NULL.
void *scode_memory_reserve(size_t size);
void scode_memory_release(void *memory, size_t size);

#endif
