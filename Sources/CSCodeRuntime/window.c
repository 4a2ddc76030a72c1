// Windows: memory that the processor's own MMU guards. Generated code adds 32 bits of an address to where the window
// begins, and whatever is not mapped there faults; the handler of that fault makes it an abort of the fragment.
#include "scode_runtime.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

// An access to the last bytes of the window reaches into a page more, which is never mapped.
static const uint64_t reserved_size = SCODE_WINDOW_SIZE + SCODE_PAGE_SIZE;
static const uint64_t page_count = SCODE_WINDOW_SIZE / SCODE_PAGE_SIZE + 1;

// MARK: Machine code

// Code whose faults are aborts. Records stay in the list for ever and are used again, so that a handler can walk it at any
// moment; `end` is written last when one is filled, and first when it is emptied.
struct scode_faulting_code {
    _Atomic uint64_t start;
    _Atomic uint64_t end;  // 0: nothing
    _Atomic uint64_t stub;
    scode_faulting_code *next;       // never changed once it is in the list
    scode_faulting_code *next_free;  // under the lock
};

static _Atomic(scode_faulting_code *) all_code;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static scode_faulting_code *free_code;

scode_faulting_code *scode_faulting_code_create(uint64_t start, uint64_t end, uint64_t stub) {
    pthread_mutex_lock(&lock);
    scode_faulting_code *code = free_code;
    if (code) free_code = code->next_free;
    pthread_mutex_unlock(&lock);
    bool is_new = !code;
    if (is_new && !(code = calloc(1, sizeof *code))) return NULL;
    atomic_store_explicit(&code->start, start, memory_order_relaxed);
    atomic_store_explicit(&code->stub, stub, memory_order_relaxed);
    atomic_store_explicit(&code->end, end, memory_order_release);
    if (is_new) {
        code->next = atomic_load(&all_code);
        while (!atomic_compare_exchange_weak(&all_code, &code->next, code)) {}
    }
    return code;
}

void scode_faulting_code_destroy(scode_faulting_code *code) {
    atomic_store_explicit(&code->end, 0, memory_order_release);
    pthread_mutex_lock(&lock);
    code->next_free = free_code;
    free_code = code;
    pthread_mutex_unlock(&lock);
}

// The stub of the code that an instruction belongs to, or 0. Whoever executes the instruction keeps its code from being
// freed; a record that changes meanwhile is another's.
static uint64_t stub_of(uint64_t instruction) {
    for (scode_faulting_code *code = atomic_load_explicit(&all_code, memory_order_acquire); code; code = code->next) {
        uint64_t end = atomic_load_explicit(&code->end, memory_order_acquire);
        uint64_t start = atomic_load_explicit(&code->start, memory_order_acquire);
        uint64_t stub = atomic_load_explicit(&code->stub, memory_order_acquire);
        if (instruction < start || instruction >= end) continue;
        if (atomic_load_explicit(&code->end, memory_order_relaxed) == end) return stub;
    }
    return 0;
}

// MARK: Faults

static struct sigaction previous;

// Where an access began that could not be made at `fault`: of two pages that are both amiss, processors may name either.
// Generated code has the address in rax, as an offset or as the host's. Locked operations are aligned, and rax may hold
// something else by then.
static uint64_t first_amiss(const scode_window *window, uint64_t fault, bool is_store, const greg_t *registers) {
    const uint8_t lock_prefix = 0xf0;
    if (*(const uint8_t *)(uintptr_t)registers[REG_RIP] == lock_prefix) return fault;
    uint64_t address = (uint64_t)registers[REG_RAX];
    uint64_t start = address - (uint64_t)(uintptr_t)window->base;
    if (start >= SCODE_WINDOW_SIZE) start = (uint32_t)address;
    bool is_before = fault - start < sizeof(uint64_t);
    return is_before && !scode_window_allows(window, start, is_store) ? start : fault;
}

// Makes a fault in generated code an abort of its fragment. Only in the body of such code do r13 and r15 mean anything.
static bool abort_fragment(const siginfo_t *info, ucontext_t *state) {
    if (info->si_code <= 0) return false;  // sent by somebody
    greg_t *registers = state->uc_mcontext.gregs;
    uint64_t instruction = (uint64_t)registers[REG_RIP];
    uint64_t stub = stub_of(instruction);
    if (!stub) return false;
    const scode_instance *instance = (const scode_instance *)(uintptr_t)registers[REG_R13];
    const scode_window *window = instance->window;
    if (!window) return false;
    uint64_t fault = (uint64_t)(uintptr_t)info->si_addr - (uint64_t)(uintptr_t)window->base;
    if (fault >= reserved_size) return false;

    const greg_t write_access = 2;  // page-fault error code (Intel SDM volume 3, section 4.7)
    bool is_store = registers[REG_ERR] & write_access;
    scode_context *context = (scode_context *)(uintptr_t)registers[REG_R15];
    context->fault_address = first_amiss(window, fault, is_store, registers);
    context->reason = scode_window_fault(window, context->fault_address, is_store);
    // As if the instruction had called the stub.
    registers[REG_RSP] -= sizeof instruction;
    memcpy((void *)(uintptr_t)registers[REG_RSP], &instruction, sizeof instruction);
    registers[REG_RIP] = (greg_t)stub;
    return true;
}

// Does what would have happened without this handler.
static void pass_on(int number, siginfo_t *info, void *state) {
    if (previous.sa_flags & SA_SIGINFO) return previous.sa_sigaction(number, info, state);
    bool was_sent = info->si_code <= 0;
    if (previous.sa_handler == SIG_IGN && was_sent) return;
    if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) return previous.sa_handler(number);
    // The process ends: the instruction faults again, or the signal is sent again.
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(number, &action, NULL);
    if (was_sent) raise(number);
}

static void handle(int number, siginfo_t *info, void *state) {
    if (!abort_fragment(info, state)) pass_on(number, info, state);
}

static bool is_handling;

// Pages of memory that belongs to no file fault with SIGSEGV alone (sigaction(2)). Faults of others may be for want of
// stack, so that the handler wants the alternate one of whoever has one; for those of fragments any stack will do.
static void install(void) {
    if (sigaction(SIGSEGV, NULL, &previous) != 0) return;
    struct sigaction action = {.sa_sigaction = handle, .sa_mask = previous.sa_mask};
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | (previous.sa_flags & (SA_NODEFER | SA_RESTART));
    is_handling = sigaction(SIGSEGV, &action, NULL) == 0;
}

// MARK: Windows

static void *reserve(void *at, uint64_t size, int protection, int flags) {
    void *memory = mmap(at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

scode_window *scode_window_create(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    if (!is_handling) return NULL;
    scode_window *window = calloc(1, sizeof *window);
    if (!window) return NULL;
    window->base = reserve(NULL, reserved_size, PROT_NONE, 0);
    window->pages = reserve(NULL, page_count, PROT_READ | PROT_WRITE, 0);
    // An offset is never a host address.
    if (window->base && window->pages && (uint64_t)(uintptr_t)window->base >= SCODE_WINDOW_SIZE) return window;
    scode_window_destroy(window);
    return NULL;
}

void scode_window_destroy(scode_window *window) {
    if (window->base) munmap(window->base, reserved_size);
    if (window->pages) munmap(window->pages, page_count);
    free(window);
}

bool scode_window_map(
    scode_window *window, uint64_t offset, uint64_t size, bool is_writable, const void *contents, size_t count) {
    // The pages appear as they are to be: nobody can write to those that are read-only.
    void *fresh = reserve(NULL, size, PROT_READ | PROT_WRITE, 0);
    if (!fresh) return false;
    if (count) memcpy(fresh, contents, count);
    uint8_t *place = window->base + offset;
    bool is_ready = is_writable || mprotect(fresh, size, PROT_READ) == 0;
    if (!is_ready || mremap(fresh, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, place) == MAP_FAILED) {
        munmap(fresh, size);
        // What mremap has taken away before it failed.
        if (!reserve(place, size, PROT_NONE, MAP_FIXED)) abort();
        return false;
    }
    uint8_t access = is_writable ? SCODE_WINDOW_WRITABLE : SCODE_WINDOW_READ_ONLY;
    for (uint64_t page = offset / SCODE_PAGE_SIZE; page < (offset + size) / SCODE_PAGE_SIZE; page++)
        __atomic_store_n(&window->pages[page], access, __ATOMIC_RELEASE);
    return true;
}
