// Activations: invocations that stop in the middle and go on later, each on a native stack of its own.
#include "scode_runtime.h"

#include <sys/mman.h>

// void scode_switch(uint64_t *save, uint64_t to): leaves this stack, noting where it is, for another.
// What the platform's convention lets a callee change needs no saving (System V ABI, AMD64, section 3.2.1); MXCSR
// and the x87 control word are never changed here.
void scode_switch(uint64_t *save, uint64_t to);
__asm__(
    ".text\n"
    ".p2align 4\n"
    ".hidden scode_switch\n"
    ".globl scode_switch\n"
    ".type scode_switch, @function\n"
    "scode_switch:\n"
    "    pushq %rbx\n"
    "    pushq %rbp\n"
    "    pushq %r12\n"
    "    pushq %r13\n"
    "    pushq %r14\n"
    "    pushq %r15\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    "    popq %r15\n"
    "    popq %r14\n"
    "    popq %r13\n"
    "    popq %r12\n"
    "    popq %rbp\n"
    "    popq %rbx\n"
    "    ret\n"
    ".size scode_switch, .-scode_switch\n"
    // Where a new activation begins: rbx holds it. The body never returns here.
    ".p2align 4\n"
    ".hidden scode_activation_entry\n"
    ".globl scode_activation_entry\n"
    ".type scode_activation_entry, @function\n"
    "scode_activation_entry:\n"
    "    movq %rbx, %rdi\n"
    "    call scode_activation_main\n"
    "    ud2\n"
    ".size scode_activation_entry, .-scode_activation_entry\n");
void scode_activation_entry(void);

static void hand_back(scode_activation *activation, uint64_t event) {
    activation->event = event;
    scode_switch(&activation->own_stack, activation->host_stack);
}

__attribute__((visibility("hidden"), used)) void scode_activation_main(scode_activation *activation) {
    activation->body(activation);
    hand_back(activation, SCODE_EVENT_LEFT);
    __builtin_trap();  // whoever resumes it again has made a mistake
}

void scode_activation_prepare(scode_activation *activation, void *top) {
    // As scode_switch leaves it: six registers and a return address. rsp is a multiple of 16 at the entry's call.
    uint64_t *stack = (uint64_t *)((uintptr_t)top & ~(uintptr_t)15);
    *--stack = (uint64_t)(uintptr_t)scode_activation_entry;
    *--stack = (uint64_t)(uintptr_t)activation;  // rbx
    for (int i = 0; i < 5; i++) *--stack = 0;
    activation->own_stack = (uint64_t)(uintptr_t)stack;
}

void scode_activation_enter(scode_activation *activation) {
    scode_instance *instance = activation->instance;
    activation->result = scode_enter(activation->code, activation->context, instance, instance->arguments);
}

void scode_activation_resume(scode_activation *activation) {
    scode_switch(&activation->host_stack, activation->own_stack);
}

void scode_interrupt(scode_context *context) {
    scode_activation *activation = context->activation;
    context->budget = 0;
    do {
        hand_back(activation, SCODE_EVENT_INTERRUPTED);
        if (activation->is_cancelled) return;
    } while (context->budget == 0);
    context->budget--;
}

bool scode_page_fault(scode_context *context, uint64_t reason, uint64_t address, bool is_store) {
    scode_activation *activation = context->activation;
    if (!activation || (reason != SCODE_PAGE_NOT_PRESENT && reason != SCODE_PAGE_PROTECTION)) return false;
    activation->number = reason;
    activation->address = address;
    activation->is_store = is_store;
    hand_back(activation, SCODE_EVENT_PAGE_FAULT);
    return activation->answer != 0 && !activation->is_cancelled;
}

uint64_t scode_system_call(
    scode_host_function *self, scode_context *context, const uint64_t *arguments) {
    scode_activation *activation = context->activation;
    if (!activation) return UINT64_MAX;
    activation->number = (uint64_t)(uintptr_t)self->address;
    activation->operands = arguments;
    hand_back(activation, SCODE_EVENT_SYSTEM_CALL);
    return activation->answer;
}

void *scode_stack_create(size_t size) {
    uint8_t *base = mmap(
        NULL, size + SCODE_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return NULL;
    if (mprotect(base, SCODE_PAGE_SIZE, PROT_NONE) != 0) {
        munmap(base, size + SCODE_PAGE_SIZE);
        return NULL;
    }
    return base + SCODE_PAGE_SIZE + size;
}

void scode_stack_destroy(void *top, size_t size) {
    munmap((uint8_t *)top - size - SCODE_PAGE_SIZE, size + SCODE_PAGE_SIZE);
}
