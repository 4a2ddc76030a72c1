// What the benchmark runner needs of C: loops of calls through pointers, and other systems' libraries, which are opened
// when they are there (dlopen), so that nobody needs them to build. Declarations are ours, from their documentation.
#ifndef PEERS_H
#define PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Why the last function that failed did so. Not for several threads.
const char *peer_error(void);

// Keeps the calling thread on one processor.
bool peer_pin(int processor);

// Nanoseconds of processor time that the calling thread has had.
uint64_t peer_time(void);

// Bytes of the process that are in memory.
uint64_t peer_resident(void);

// Makes malloc keep what is freed, as it does in a process that has run for a while: else whoever allocates much for a
// short time is charged for getting the same pages from the system again and again.
void peer_keep_memory(void);

// Gives memory that malloc keeps back to the system.
void peer_trim(void);

// A symbol of a shared object; NULL when either is missing. The object stays.
void *peer_symbol(const char *library, const char *name);

// Calls a kernel `count` times; returns what the last call did. `memory` is passed as it is.
typedef uint64_t (*peer_kernel)(uint8_t *memory, uint64_t length);
uint64_t peer_call(peer_kernel kernel, uint8_t *memory, uint64_t length, uint64_t count);

// MARK: uBPF

typedef struct peer_ubpf peer_ubpf;
// Opens the library; NULL when it is not there.
peer_ubpf *peer_ubpf_open(const char *library);
// Loads and compiles raw instructions. `*kernel` is valid until the machine is closed. NULL on failure.
void *peer_ubpf_load(const peer_ubpf *ubpf, const void *code, size_t size, peer_kernel *kernel);
// Bytes of machine code of a loaded program; 0 on failure.
size_t peer_ubpf_size(const peer_ubpf *ubpf, void *machine);
void peer_ubpf_unload(const peer_ubpf *ubpf, void *machine);

// MARK: wasmtime

typedef struct peer_wasmtime peer_wasmtime;
// Opens the library with a compiler that works in the calling thread; NULL when it is not there.
peer_wasmtime *peer_wasmtime_open(const char *library, bool with_fuel);

typedef struct peer_wasm peer_wasm;
// Compiles a module and makes an instance of it, with all the fuel there is. NULL on failure.
peer_wasm *peer_wasm_load(const peer_wasmtime *wasmtime, const void *module, size_t size);
// Where its linear memory lies, or NULL.
uint8_t *peer_wasm_memory(peer_wasm *wasm);
// Calls its `kernel` as `peer_call` does; `memory` is an address in linear memory. False when it trapped.
bool peer_wasm_call(peer_wasm *wasm, uint32_t memory, uint64_t length, uint64_t count, uint64_t *result);
void peer_wasm_unload(peer_wasm *wasm);

// MARK: LuaJIT

typedef struct peer_lua peer_lua;
// Opens the library and loads a chunk, which returns a function of (memory, length). NULL on failure.
peer_lua *peer_lua_open(const char *library, const char *source, size_t size, uint8_t *memory);
bool peer_lua_call(peer_lua *lua, uint64_t length, uint64_t count, uint64_t *result);
void peer_lua_close(peer_lua *lua);

#endif
