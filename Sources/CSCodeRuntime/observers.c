// Profilers and debuggers see generated code.
#include "scode_observers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

uint32_t scode_observers = 0;

// Guards what is opened, and the debugger's list.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int perf_map = -1;
static int jitdump = -1;

static void add_observer(uint32_t observer) { __atomic_fetch_or(&scode_observers, observer, __ATOMIC_RELEASE); }

// A file that nobody else has made: in a directory that all may write to, what is there already may be a trap. A file
// that an earlier process of the same number has left goes; where that is somebody else's, the system does not let it.
static int create(const char *path, int *file) {
    int flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_APPEND | O_CLOEXEC;
    *file = open(path, flags, 0600);
    if (*file < 0 && errno == EEXIST && unlink(path) == 0) *file = open(path, flags, 0600);
    return *file < 0 ? errno : 0;
}

// One call of write(2), so that those of several threads do not mix.
static void append(int file, const void *bytes, size_t count) {
    while (write(file, bytes, count) < 0 && errno == EINTR) continue;
}

static int perf_map_create(void) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    return create(path, &perf_map);
}

int scode_perf_map_open(void) {
    pthread_mutex_lock(&lock);
    int error = perf_map < 0 ? perf_map_create() : 0;
    if (error == 0) add_observer(SCODE_PERF_MAP);
    pthread_mutex_unlock(&lock);
    return error;
}

void scode_perf_map_write(const void *bytes, size_t count) { append(perf_map, bytes, count); }

// The header, as tools/perf/Documentation/jitdump-specification.txt of Linux has it.
struct jitdump_header {
    uint32_t magic, version, size, machine, padding, process;
    uint64_t time, flags;
};
_Static_assert(sizeof(struct jitdump_header) == 40, "nothing lies between the fields");

static int jitdump_create(const char *directory) {
    char *path;
    if (asprintf(&path, "%s/jit-%d.dump", directory, (int)getpid()) < 0) return ENOMEM;
    int error = create(path, &jitdump);
    free(path);
    if (error != 0) return error;
    struct jitdump_header header = {
        .magic = 0x4A695444, .version = 1, .size = sizeof header, .machine = 62 /* EM_X86_64 */,
        .process = scode_process_number(), .time = scode_jitdump_time()};
    append(jitdump, &header, sizeof header);
    // perf notices the file by its being mapped executable, and for nothing else. It stays so.
    void *mark = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_EXEC, MAP_PRIVATE, jitdump, 0);
    if (mark != MAP_FAILED) return 0;
    error = errno;
    close(jitdump);
    jitdump = -1;
    return error;
}

int scode_jitdump_open(const char *directory) {
    pthread_mutex_lock(&lock);
    int error = jitdump < 0 ? jitdump_create(directory) : 0;
    if (error == 0) add_observer(SCODE_JITDUMP);
    pthread_mutex_unlock(&lock);
    return error;
}

void scode_jitdump_write(const void *bytes, size_t count) { append(jitdump, bytes, count); }

uint64_t scode_jitdump_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint32_t scode_process_number(void) { return (uint32_t)getpid(); }
uint32_t scode_thread_number(void) { return (uint32_t)syscall(SYS_gettid); }

uint64_t scode_next_code_number(void) {
    static uint64_t last;
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

char *scode_working_directory(void) {
    char *directory = getcwd(NULL, 0);
    return directory ? directory : strdup("/");
}

void scode_string_release(char *text) { free(text); }

// MARK: Debuggers

enum { JIT_NOACTION = 0, JIT_REGISTER = 1, JIT_UNREGISTER = 2 };

// Weak: another compiler in the same process may bring them too, and there is one of each.
__attribute__((weak)) struct jit_descriptor __jit_debug_descriptor = {1, JIT_NOACTION, NULL, NULL};

__attribute__((weak, noinline)) void __jit_debug_register_code(void) { __asm__ volatile("" ::: "memory"); }

void scode_debugger_attach(void) { add_observer(SCODE_DEBUGGER); }

void scode_observers_detach(uint32_t observers) {
    __atomic_fetch_and(&scode_observers, ~observers, __ATOMIC_RELEASE);
}

static void tell(uint32_t action, jit_code_entry *entry) {
    __jit_debug_descriptor.action_flag = action;
    __jit_debug_descriptor.relevant_entry = entry;
    __jit_debug_register_code();
}

jit_code_entry *scode_debugger_register(const void *object, size_t size) {
    jit_code_entry *entry = malloc(sizeof *entry + size);
    if (!entry) return NULL;
    char *copy = memcpy(entry + 1, object, size);
    pthread_mutex_lock(&lock);
    jit_code_entry *first = __jit_debug_descriptor.first_entry;
    *entry = (jit_code_entry){first, NULL, copy, size};
    if (first) first->prev_entry = entry;
    __jit_debug_descriptor.first_entry = entry;
    tell(JIT_REGISTER, entry);
    pthread_mutex_unlock(&lock);
    return entry;
}

void scode_debugger_each(void (*visit)(const void *object, size_t size, void *context), void *context) {
    pthread_mutex_lock(&lock);
    for (jit_code_entry *entry = __jit_debug_descriptor.first_entry; entry; entry = entry->next_entry) {
        visit(entry->symfile_addr, entry->symfile_size, context);
    }
    pthread_mutex_unlock(&lock);
}

void scode_debugger_unregister(jit_code_entry *entry) {
    pthread_mutex_lock(&lock);
    if (entry->next_entry) entry->next_entry->prev_entry = entry->prev_entry;
    if (entry->prev_entry) {
        entry->prev_entry->next_entry = entry->next_entry;
    } else {
        __jit_debug_descriptor.first_entry = entry->next_entry;
    }
    tell(JIT_UNREGISTER, entry);
    pthread_mutex_unlock(&lock);
    free(entry);
}
