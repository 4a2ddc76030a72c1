#define _GNU_SOURCE
#include "round_trip.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Both words count: a question is there when `asked` is ahead of `answered`.
typedef struct shared {
    _Alignas(64) uint32_t asked;
    _Alignas(64) uint32_t answered;
    uint64_t answer;
} shared;

struct peer {
    enum peer_kind kind;
    pid_t process;
    int to, from;
    shared *shared;
};

static void wait_while(uint32_t *word, uint32_t value) {
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
        syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void publish(uint32_t *word, uint32_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

// The policy: the next one in turn. It is as cheap as can be, so that what is measured is the way there and back.
static uint64_t choose(uint64_t *turn, uint64_t environments) {
    *turn = *turn % environments + 1;
    return *turn;
}

static _Noreturn void serve_pipe(int from, int to, uint64_t environments) {
    uint64_t turn = 0, question;
    while (read(from, &question, sizeof question) == sizeof question) {
        uint64_t answer = choose(&turn, environments);
        if (write(to, &answer, sizeof answer) != sizeof answer) break;
    }
    _exit(0);
}

static _Noreturn void serve_futex(shared *shared, uint64_t environments) {
    uint64_t turn = 0;
    for (uint32_t seen = 0;; seen++) {
        wait_while(&shared->asked, seen);
        shared->answer = choose(&turn, environments);
        publish(&shared->answered, seen + 1);
    }
}

peer *peer_start(enum peer_kind kind, uint64_t environments, int same_processor) {
    peer *peer = calloc(1, sizeof *peer);
    int there[2] = {-1, -1}, back[2] = {-1, -1};
    if (!peer || environments == 0) goto failed;
    peer->kind = kind;
    if (kind == PEER_PIPE && (pipe(there) || pipe(back))) goto failed;
    if (kind == PEER_FUTEX) {
        void *memory = mmap(NULL, sizeof(shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) goto failed;
        peer->shared = memory;
    }
    cpu_set_t processors;
    CPU_ZERO(&processors);
    if (same_processor) {
        CPU_SET(sched_getcpu(), &processors);
        if (sched_setaffinity(0, sizeof processors, &processors)) goto failed;
    }
    peer->process = fork();
    if (peer->process < 0) goto failed;
    if (peer->process == 0) {
        // Only C from here on, and no library that could hold a lock.
        if (kind == PEER_FUTEX) serve_futex(peer->shared, environments);
        close(there[1]);
        close(back[0]);
        serve_pipe(there[0], back[1], environments);
    }
    if (kind == PEER_PIPE) {
        close(there[0]);
        close(back[1]);
        peer->to = there[1];
        peer->from = back[0];
    }
    return peer;
failed:
    for (int end = 0; end < 2; end++) {
        if (there[end] >= 0) close(there[end]);
        if (back[end] >= 0) close(back[end]);
    }
    if (peer && peer->shared) munmap(peer->shared, sizeof(shared));
    free(peer);
    return NULL;
}

uint64_t peer_decide(peer *peer) {
    if (peer->kind == PEER_FUTEX) {
        uint32_t before = peer->shared->answered;
        publish(&peer->shared->asked, before + 1);
        wait_while(&peer->shared->answered, before);
        return peer->shared->answer;
    }
    uint64_t question = 1, answer = 0;
    if (write(peer->to, &question, sizeof question) != sizeof question) return 0;
    return read(peer->from, &answer, sizeof answer) == sizeof answer ? answer : 0;
}

void peer_stop(peer *peer) {
    if (peer->kind == PEER_PIPE) {
        // The other process reads the end, and goes.
        close(peer->to);
        close(peer->from);
    } else {
        kill(peer->process, SIGKILL);
    }
    waitpid(peer->process, NULL, 0);
    if (peer->shared) munmap(peer->shared, sizeof(shared));
    // Both may go where they like again.
    cpu_set_t all;
    CPU_ZERO(&all);
    for (int processor = 0; processor < CPU_SETSIZE; processor++) CPU_SET(processor, &all);
    sched_setaffinity(0, sizeof all, &all);
    free(peer);
}

uint64_t resident_memory(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    unsigned long long size = 0, resident = 0;
    int count = fscanf(file, "%llu %llu", &size, &resident);
    fclose(file);
    return count == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

uint64_t resident_pages(uint64_t kibibytes) {
    FILE *file = fopen("/proc/self/smaps", "r");
    if (!file) return 0;
    char line[512];
    unsigned long long size = 0, value, found = 0;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "Size: %llu", &value) == 1) size = value;
        if (size == kibibytes && sscanf(line, "Rss: %llu", &value) == 1) found = value;
    }
    fclose(file);
    return found * 1024;
}

static uint64_t sum(uint64_t first, uint64_t second) { return first + second; }
static two_words volatile function = sum;
two_words native_function(void) { return function; }
