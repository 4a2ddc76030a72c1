#define _GNU_SOURCE
#include "internal.h"

#include <dlfcn.h>
#include <malloc.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static char error[512];

const char *peer_error(void) { return error; }

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, sizeof error, format, arguments);
    va_end(arguments);
}

bool peer_pin(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (processor < 0 || processor >= CPU_SETSIZE) return false;
    CPU_SET(processor, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0;
}

uint64_t peer_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t peer_resident(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    unsigned long all = 0, resident = 0;
    int fields = fscanf(file, "%lu %lu", &all, &resident);
    fclose(file);
    return fields == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

void peer_keep_memory(void) {
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

void peer_trim(void) { malloc_trim(0); }

void *peer_symbol(const char *library, const char *name) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    void *symbol = handle ? dlsym(handle, name) : NULL;
    if (!symbol) {
        const char *why = dlerror();
        fail("%s", why ? why : "not found");
    }
    return symbol;
}

bool load_symbols(const char *library, const char *const names[], void **functions, size_t count) {
    for (size_t index = 0; index < count; index++) {
        functions[index] = peer_symbol(library, names[index]);
        if (!functions[index]) return false;
    }
    return true;
}

uint64_t peer_call(peer_kernel kernel, uint8_t *memory, uint64_t length, uint64_t count) {
    uint64_t result = 0;
    while (count-- > 0) result = kernel(memory, length);
    return result;
}
