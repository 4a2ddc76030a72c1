// Activations: invocations that stop in the middle and go on later, each on a native stack of its own.
#include "scode_runtime.h"

#include <sys/mman.h>

// void scode_switch(uint64_t *save, uint64_t to): leaves this stack, noting where it is, for another.
// What the platform's convention lets a callee change needs no saving (System V ABI, AMD64, section 3.2.1); MXCSR
// and the x87 control word are never changed here. Both stacks hold the same while it is there, so that debuggers
// find the caller's frame on either.
void scode_switch(uint64_t *save, uint64_t to);
__asm__(
    ".text\n"
    ".p2align 4\n"
    ".hidden scode_switch\n"
    ".globl scode_switch\n"
    ".type scode_switch, @function\n"
    "scode_switch:\n"
    ".cfi_startproc\n"
    "    pushq %rbx\n    .cfi_adjust_cfa_offset 8\n    .cfi_rel_offset rbx, 0\n"
    "    pushq %rbp\n    .cfi_adjust_cfa_offset 8\n    .cfi_rel_offset rbp, 0\n"
    "    pushq %r12\n    .cfi_adjust_cfa_offset 8\n    .cfi_rel_offset r12, 0\n"
    "    pushq %r13\n    .cfi_adjust_cfa_offset 8\n    .cfi_rel_offset r13, 0\n"
    "    pushq %r14\n    .cfi_adjust_cfa_offset 8\n    .cfi_rel_offset r14, 0\n"
    "    pushq %r15\n    .cfi_adjust_cfa_offset 8\n    .cfi_rel_offset r15, 0\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    "    popq %r15\n    .cfi_adjust_cfa_offset -8\n    .cfi_restore r15\n"
    "    popq %r14\n    .cfi_adjust_cfa_offset -8\n    .cfi_restore r14\n"
    "    popq %r13\n    .cfi_adjust_cfa_offset -8\n    .cfi_restore r13\n"
    "    popq %r12\n    .cfi_adjust_cfa_offset -8\n    .cfi_restore r12\n"
    "    popq %rbp\n    .cfi_adjust_cfa_offset -8\n    .cfi_restore rbp\n"
    "    popq %rbx\n    .cfi_adjust_cfa_offset -8\n    .cfi_restore rbx\n"
    "    ret\n"
    ".cfi_endproc\n"
    ".size scode_switch, .-scode_switch\n"
    // Where a new activation begins: rbx holds it. The body never returns here. To debuggers its caller is whoever
    // resumed it: the frame of scode_switch that host_stack, its first field, points to. The canonical frame address
    // is 56 above that (DW_CFA_def_cfa_expression: DW_OP_breg3 0, DW_OP_deref, DW_OP_plus_uconst 56).
    ".p2align 4\n"
    ".hidden scode_activation_entry\n"
    ".globl scode_activation_entry\n"
    ".type scode_activation_entry, @function\n"
    "scode_activation_entry:\n"
    ".cfi_startproc\n"
    "    .cfi_escape 0x0f, 5, 0x73, 0, 0x06, 0x23, 56\n"
    "    .cfi_offset rbx, -16\n"
    "    .cfi_offset rbp, -24\n"
    "    .cfi_offset r12, -32\n"
    "    .cfi_offset r13, -40\n"
    "    .cfi_offset r14, -48\n"
    "    .cfi_offset r15, -56\n"
    "    movq %rbx, %rdi\n"
    "    call scode_activation_main\n"
    "    ud2\n"
    ".cfi_endproc\n"
    ".size scode_activation_entry, .-scode_activation_entry\n");
void scode_activation_entry(void);
_Static_assert(offsetof(scode_activation, host_stack) == 0, "where debuggers look for it");

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
    activation->result = scode_enter(activation->code, activation->context, instance, scode_arguments(instance));
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
