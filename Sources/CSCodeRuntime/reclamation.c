// When code that has been taken out of a slot can be freed: when nobody who may have read the slot before is still in it.
//
// Epochs, as of read-copy-update: whoever enters fragments notes the epoch, and takes the note back on leaving. What is
// retired gets the epoch's number, and the next one begins; it is freed once every note is of a later one. Entering is
// an ordinary store: the order between it and the loads of slots that follow is made by those who retire, who ask the
// system to pass a barrier on every thread (membarrier(2), private expedited).
#include "scode_runtime.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

struct scode_reader {
    _Atomic uint64_t epoch;  // in which it entered; 0: it is outside
    uint64_t nesting;
    _Atomic bool is_used;
    struct scode_reader *next;  // never changed once it is in the list; records are used again and not freed
};

typedef struct retired {
    struct retired *next;
    void *object;
    void (*release)(void *object);
    uint64_t epoch;
} retired;

static _Atomic uint64_t epoch = 1;
static _Atomic(scode_reader *) readers;
static _Thread_local scode_reader *own_reader;

// Under the lock: what is retired, the oldest last. Its number can be read without.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static retired *list;
static _Atomic uint64_t retired_count;
static _Atomic uint64_t oldest;  // epoch of the oldest one, when there is any

static void reclaim(void);

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SCODE_THREAD_SANITIZER
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#endif
#endif

void scode_slot_store(scode_instance **slot, scode_instance *value) {
#ifdef SCODE_THREAD_SANITIZER
    if (value) __tsan_release(value);
#endif
    __atomic_store_n(slot, value, __ATOMIC_RELEASE);
}

void scode_slot_found(scode_instance *instance) {
#ifdef SCODE_THREAD_SANITIZER
    __tsan_acquire(instance);
#else
    (void)instance;
#endif
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_end;
static bool has_membarrier;

// Whatever else ends with the thread may still run fragments: it gets a reader anew.
static void reader_end(void *reader) {
    own_reader = NULL;
    scode_reader_destroy(reader);
}

static void prepare(void) {
    pthread_key_create(&thread_end, reader_end);
    has_membarrier =
        syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

scode_reader *scode_reader_create(void) {
    pthread_once(&once, prepare);
    for (scode_reader *reader = atomic_load_explicit(&readers, memory_order_acquire); reader; reader = reader->next) {
        bool used = false;
        if (atomic_compare_exchange_strong(&reader->is_used, &used, true)) return reader;
    }
    scode_reader *reader = calloc(1, sizeof *reader);
    if (!reader) abort();
    atomic_store(&reader->is_used, true);
    reader->next = atomic_load(&readers);
    while (!atomic_compare_exchange_weak(&readers, &reader->next, reader)) {}
    return reader;
}

void scode_reader_destroy(scode_reader *reader) {
    reader->nesting = 1;
    scode_reader_leave(reader);
    atomic_store_explicit(&reader->is_used, false, memory_order_release);
}

scode_reader *scode_thread_reader(void) {
    if (!own_reader) {
        own_reader = scode_reader_create();
        pthread_setspecific(thread_end, own_reader);
    }
    return own_reader;
}

// Between a store and the loads that follow it. Nothing but the compiler has to be held back when the other side makes
// the processors keep the order.
static void barrier_of_readers(void) {
    if (has_membarrier)
        atomic_signal_fence(memory_order_seq_cst);
    else
        atomic_thread_fence(memory_order_seq_cst);
}

void scode_reader_enter(scode_reader *reader) {
    if (reader->nesting++ != 0) return;
    uint64_t now = atomic_load_explicit(&epoch, memory_order_acquire);
    atomic_store_explicit(&reader->epoch, now, memory_order_release);
    barrier_of_readers();
}

void scode_reader_leave(scode_reader *reader) {
    if (--reader->nesting != 0) return;
    uint64_t entered = atomic_load_explicit(&reader->epoch, memory_order_relaxed);
    atomic_store_explicit(&reader->epoch, 0, memory_order_release);
    barrier_of_readers();
    // Those on whom something may have waited look whether it can go now.
    if (atomic_load_explicit(&retired_count, memory_order_acquire) != 0 && entered != 0 &&
        entered <= atomic_load_explicit(&oldest, memory_order_relaxed))
        reclaim();
}

// The epoch of whoever has been in for the longest time.
static uint64_t first_epoch(void) {
    if (has_membarrier)
        syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    else
        atomic_thread_fence(memory_order_seq_cst);
    uint64_t first = UINT64_MAX;
    for (scode_reader *reader = atomic_load_explicit(&readers, memory_order_acquire); reader; reader = reader->next) {
        uint64_t entered = atomic_load_explicit(&reader->epoch, memory_order_acquire);
        if (entered != 0 && entered < first) first = entered;
    }
    return first;
}

// Releases what can be released.
static void reclaim(void) {
    pthread_mutex_lock(&lock);
    retired *free_now = NULL;
    if (list) {
        uint64_t first = first_epoch();
        retired **place = &list;
        while (*place && (*place)->epoch >= first) place = &(*place)->next;
        // The list is in the order of epochs: all that follow are older.
        free_now = *place;
        *place = NULL;
        uint64_t count = 0, last = 0;
        for (retired *entry = list; entry; entry = entry->next) count++, last = entry->epoch;
        atomic_store_explicit(&oldest, last, memory_order_relaxed);
        atomic_store_explicit(&retired_count, count, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    // Releasing one may retire another.
    while (free_now) {
        retired *entry = free_now;
        free_now = entry->next;
        entry->release(entry->object);
        free(entry);
    }
}

void scode_retire(void *object, void (*release)(void *object)) {
    pthread_once(&once, prepare);
    retired *entry = malloc(sizeof *entry);
    if (!entry) return;  // without memory for a note it stays for ever, which does no harm
    entry->object = object;
    entry->release = release;
    pthread_mutex_lock(&lock);
    entry->epoch = atomic_fetch_add_explicit(&epoch, 1, memory_order_acq_rel);
    entry->next = list;
    if (!list) atomic_store_explicit(&oldest, entry->epoch, memory_order_relaxed);
    list = entry;
    atomic_fetch_add_explicit(&retired_count, 1, memory_order_release);
    pthread_mutex_unlock(&lock);
    reclaim();
}
