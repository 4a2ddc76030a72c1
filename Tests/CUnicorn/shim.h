// Unicorn, with its variadic functions made such that Swift can call them.
#include <unicorn/unicorn.h>

// A processor that counts bits.
static inline uc_err unicorn_use_haswell(uc_engine *engine) {
    return uc_ctl_set_cpu_model(engine, UC_CPU_X86_HASWELL);
}

// Forgets what was translated of [begin, end).
static inline uc_err unicorn_forget(uc_engine *engine, uint64_t begin, uint64_t end) {
    return uc_ctl_remove_cache(engine, begin, end);
}

// Called before each load and store.
static inline uc_err unicorn_hook_accesses(uc_engine *engine, uc_cb_hookmem_t callback, void *user_data) {
    uc_hook hook;
    return uc_hook_add(engine, &hook, UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, (void *)callback, user_data, 1, 0);
}

// Called before each basic block.
static inline uc_err unicorn_hook_blocks(uc_engine *engine, uc_cb_hookcode_t callback, void *user_data) {
    uc_hook hook;
    return uc_hook_add(engine, &hook, UC_HOOK_BLOCK, (void *)callback, user_data, 1, 0);
}

// Called before each instruction of [begin, end].
static inline uc_err unicorn_hook_instructions(
    uc_engine *engine, uc_hook *hook, uc_cb_hookcode_t callback, void *user_data, uint64_t begin, uint64_t end) {
    return uc_hook_add(engine, hook, UC_HOOK_CODE, (void *)callback, user_data, begin, end);
}
