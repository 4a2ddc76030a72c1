// Memory for machine code, and simulated memory.
#include "scode_runtime.h"

#include <sys/mman.h>

void *scode_code_reserve(size_t size) {
    void *code = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return code == MAP_FAILED ? NULL : code;
}

bool scode_code_commit(void *code, size_t size) { return mprotect(code, size, PROT_READ | PROT_EXEC) == 0; }

void scode_code_release(void *code, size_t size) { munmap(code, size); }

void *scode_memory_reserve(size_t size) {
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void scode_memory_release(void *memory, size_t size) { munmap(memory, size); }
