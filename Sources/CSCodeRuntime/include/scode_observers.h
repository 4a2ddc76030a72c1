// Who is shown generated code: profilers by files, debuggers by GDB's interface for code that is made at run time.
// Nobody, at first. All functions may be called from any thread.
#ifndef SCODE_OBSERVERS_H
#define SCODE_OBSERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// GDB's interface ("JIT Compilation Interface" in its manual): a debugger sets a breakpoint in the
// function and reads the descriptor when it is reached.
typedef struct jit_code_entry {
    struct jit_code_entry *next_entry;
    struct jit_code_entry *prev_entry;
    const char *symfile_addr;
    uint64_t symfile_size;
} jit_code_entry;

struct jit_descriptor {
    uint32_t version;
    uint32_t action_flag;
    jit_code_entry *relevant_entry;
    jit_code_entry *first_entry;
};

extern struct jit_descriptor __jit_debug_descriptor;
void __jit_debug_register_code(void);

enum scode_observer { SCODE_PERF_MAP = 1, SCODE_JITDUMP = 2, SCODE_DEBUGGER = 4 };

// A set of scode_observer.
extern uint32_t scode_observers;
static inline uint32_t scode_code_observers(void) { return __atomic_load_n(&scode_observers, __ATOMIC_ACQUIRE); }

// Creates /tmp/perf-PID.map, where perf looks for it, unless that has been done. Returns 0 or an errno.
int scode_perf_map_open(void);

// Creates jit-PID.dump in a directory, with its header, and lets perf see it, unless that has been done. Returns 0 or an
// errno.
int scode_jitdump_open(const char *directory);

// From now on debuggers are shown code.
void scode_debugger_attach(void);

// From now on they are not. Files stay, and grow again once they are opened again.
void scode_observers_detach(uint32_t observers);

// Appends bytes that belong together, in one piece: a line of the perf map, records of the jitdump. What does not
// fit on the disk is lost; nobody's code runs differently for that.
void scode_perf_map_write(const void *bytes, size_t count);
void scode_jitdump_write(const void *bytes, size_t count);

// What records of a jitdump carry: the time, as `perf record -k 1` takes it; processor-wide numbers of process and
// thread; and a number that no other code of this process has.
uint64_t scode_jitdump_time(void);
uint32_t scode_process_number(void);
uint32_t scode_thread_number(void);
uint64_t scode_next_code_number(void);

// Shows debuggers an object file, of which it makes a copy. NULL when there is no memory.
jit_code_entry *scode_debugger_register(const void *object, size_t size);
// Takes it away again, before the code that it describes goes.
void scode_debugger_unregister(jit_code_entry *entry);

// Calls `visit` for each object file that debuggers are shown; none comes or goes meanwhile.
void scode_debugger_each(void (*visit)(const void *object, size_t size, void *context), void *context);

// The working directory, or "/" when it has none; to be released.
char *scode_working_directory(void);
void scode_string_release(char *text);

#endif
