#include "internal.h"

#include <stdlib.h>
#include <string.h>

// Objects of the library are never looked into, but for these two, which callers of its C interface allocate.
typedef union { int32_t i32; int64_t i64; uint64_t words[2]; } value;
typedef struct { uint8_t kind; union { uint64_t words[8]; } of; } external;  // room for more than there is
enum { EXTERNAL_FUNCTION = 0, EXTERNAL_MEMORY = 3 };

// The functions of the library that are used, in the order of `names`.
struct functions {
    void *(*config_new)(void);
    void (*config_consume_fuel_set)(void *config, bool);
    void (*config_parallel_compilation_set)(void *config, bool);
    void *(*engine_new_with_config)(void *config);
    void *(*module_new)(void *engine, const uint8_t *bytes, size_t size, void **module);
    void (*module_delete)(void *module);
    void *(*store_new)(void *engine, void *data, void (*finalizer)(void *));
    void *(*store_context)(void *store);
    void (*store_delete)(void *store);
    void *(*context_set_fuel)(void *context, uint64_t fuel);
    void *(*instance_new)(
        void *context, void *module, const external *imports, size_t count, void *instance, void **trap);
    bool (*instance_export_get)(
        void *context, const void *instance, const char *name, size_t length, external *item);
    void *(*func_call_unchecked)(void *context, const void *function, value *values, size_t count, void **trap);
    uint8_t *(*memory_data)(void *context, const void *memory);
};

static const char *const names[] = {
    "wasm_config_new",
    "wasmtime_config_consume_fuel_set",
    "wasmtime_config_parallel_compilation_set",
    "wasm_engine_new_with_config",
    "wasmtime_module_new",
    "wasmtime_module_delete",
    "wasmtime_store_new",
    "wasmtime_store_context",
    "wasmtime_store_delete",
    "wasmtime_context_set_fuel",
    "wasmtime_instance_new",
    "wasmtime_instance_export_get",
    "wasmtime_func_call_unchecked",
    "wasmtime_memory_data",
};

struct peer_wasmtime {
    struct functions f;
    void *engine;
    bool with_fuel;
};

struct peer_wasm {
    const struct functions *f;
    void *module, *store, *context;
    external kernel, memory;
    bool has_memory;
};

peer_wasmtime *peer_wasmtime_open(const char *library, bool with_fuel) {
    peer_wasmtime *wasmtime = calloc(1, sizeof *wasmtime);
    size_t count = sizeof names / sizeof *names;
    if (!wasmtime || !load_symbols(library, names, (void **)&wasmtime->f, count)) {
        free(wasmtime);
        return NULL;
    }
    void *config = wasmtime->f.config_new();
    wasmtime->f.config_consume_fuel_set(config, with_fuel);
    // Threads of its own would not be counted.
    wasmtime->f.config_parallel_compilation_set(config, false);
    wasmtime->engine = wasmtime->f.engine_new_with_config(config);
    wasmtime->with_fuel = with_fuel;
    return wasmtime;
}

static bool find(peer_wasm *wasm, const void *instance, const char *name, uint8_t kind, external *item) {
    return wasm->f->instance_export_get(wasm->context, instance, name, strlen(name), item) && item->kind == kind;
}

peer_wasm *peer_wasm_load(const peer_wasmtime *wasmtime, const void *bytes, size_t size) {
    const struct functions *f = &wasmtime->f;
    peer_wasm *wasm = calloc(1, sizeof *wasm);
    if (!wasm) return NULL;
    wasm->f = f;
    uint64_t instance[4] = {0};
    void *trap = NULL;
    const char *step = "the module is not compiled";
    if (!f->module_new(wasmtime->engine, bytes, size, &wasm->module)) {
        step = "the module has no instance";
        wasm->store = f->store_new(wasmtime->engine, NULL, NULL);
        wasm->context = f->store_context(wasm->store);
        if ((!wasmtime->with_fuel || !f->context_set_fuel(wasm->context, UINT64_MAX))
            && !f->instance_new(wasm->context, wasm->module, NULL, 0, instance, &trap) && !trap) {
            step = "the module exports no function 'kernel'";
            wasm->has_memory = find(wasm, instance, "memory", EXTERNAL_MEMORY, &wasm->memory);
            if (find(wasm, instance, "kernel", EXTERNAL_FUNCTION, &wasm->kernel)) return wasm;
        }
    }
    fail("wasmtime: %s", step);
    peer_wasm_unload(wasm);
    return NULL;
}

uint8_t *peer_wasm_memory(peer_wasm *wasm) {
    return wasm->has_memory ? wasm->f->memory_data(wasm->context, &wasm->memory.of) : NULL;
}

bool peer_wasm_call(peer_wasm *wasm, uint32_t memory, uint64_t length, uint64_t count, uint64_t *result) {
    value values[2];
    void *trap = NULL;
    while (count-- > 0) {
        values[0].i32 = (int32_t)memory;
        values[1].i64 = (int64_t)length;
        if (wasm->f->func_call_unchecked(wasm->context, &wasm->kernel.of, values, 2, &trap) || trap) {
            fail("wasmtime: the kernel trapped");
            return false;
        }
    }
    *result = (uint64_t)values[0].i64;
    return true;
}

void peer_wasm_unload(peer_wasm *wasm) {
    if (wasm->store) wasm->f->store_delete(wasm->store);
    if (wasm->module) wasm->f->module_delete(wasm->module);
    free(wasm);
}
