// Memory for machine code: one heap that the fragments of a process share.
//
// The heap is a file in memory (memfd_create(2)), mapped readable and executable. Code is put there with pwrite(2), so no
// mapping of it is ever writable. The file is sparse: it takes up the pages that hold code, and few besides.
//
// A granule is a cache line, so that what is written next to code does not disturb those who run it. A page has as
// many granules as a word has bits: used[page] says which of them hold code. What a page does not use is int3, whether
// it has held code before or not; a page that holds none is either like that too (it is idle) or a hole in the file.
#include "scode_runtime.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    GRANULE = 64,
    RESERVED = 1 << 30,  // so that all code is within reach of a jump of 32 bits
    PAGE_LIMIT = RESERVED / SCODE_PAGE_SIZE,
    GAP = 64 << 20,  // for a program that is large
    IDLE_LIMIT = 16,
};
_Static_assert(SCODE_PAGE_SIZE == GRANULE * 64, "a word of bits describes a page");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint8_t *base;
static int file = -1;
static off_t origin;       // where the heap begins in the file
static size_t page_count;  // 0: there is no heap

// Under the lock.
static uint64_t used[PAGE_LIMIT];
static bool resident[PAGE_LIMIT];
static size_t end_page;    // no page from here on has ever held code
static size_t next_page;   // where the search for room goes on
static size_t idle_count;
static size_t resident_count;
static size_t used_count;  // granules

static uint8_t traps[SCODE_PAGE_SIZE];  // int3 throughout

// MARK: The file

static bool write_file(int to, const void *bytes, size_t size, size_t offset) {
    for (size_t done = 0; done < size;) {
        ssize_t count = pwrite(to, (const uint8_t *)bytes + done, size - done, origin + (off_t)(offset + done));
        if (count <= 0) return false;
        done += (size_t)count;
    }
    return true;
}

// Maps the file, at or near `place`. A private mapping, of which a debugger gets a copy of the page when it sets a
// breakpoint; a shared one would refuse it.
static void *map_file(int source, size_t pages, void *place, int flags) {
    size_t size = pages * SCODE_PAGE_SIZE;
    void *mapped = mmap(place, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_NORESERVE | flags, source, 0);
    return mapped == MAP_FAILED ? NULL : mapped;
}

static int make_file(size_t pages) {
    int made = memfd_create("scode", MFD_CLOEXEC);
    if (made >= 0 && ftruncate(made, (off_t)(pages * SCODE_PAGE_SIZE)) != 0) {
        close(made);
        return -1;
    }
    return made;
}

static bool open_anonymous(void *place) {
    void *mapped = mmap(
        place, RESERVED, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return false;
    file = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    if (file < 0 || pwrite(file, traps, 1, (off_t)(uintptr_t)mapped) != 1) {
        if (file >= 0) close(file);
        munmap(mapped, RESERVED);
        return false;
    }
    base = mapped;
    origin = (off_t)(uintptr_t)mapped;
    page_count = PAGE_LIMIT;
    return true;
}

static bool open_file(void *place) {
    struct rlimit limit;
    size_t pages = PAGE_LIMIT;
    // As much as the limits on files and address space allow.
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0)
        while (pages > 1 && pages * SCODE_PAGE_SIZE > limit.rlim_cur) pages /= 2;
    file = make_file(pages);
    if (file < 0) return false;
    while (!(base = map_file(file, pages, place, 0)) && pages > 1) pages /= 2;
    if (!base) return false;
    page_count = pages;
    return true;
}

// A child process gets a heap of its own, with the same code in the same places. It has one thread.
static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&lock); }
static int copy_file(void) {
    int own = make_file(page_count);
    for (size_t page = 0; own >= 0 && page < end_page; page++) {
        size_t offset = page * SCODE_PAGE_SIZE;
        if (!resident[page] || write_file(own, base + offset, SCODE_PAGE_SIZE, offset)) continue;
        close(own);
        return -1;
    }
    if (own >= 0 && map_file(own, page_count, base, MAP_FIXED)) return own;
    // Nobody may run what the parent goes on to change.
    mprotect(base, page_count * SCODE_PAGE_SIZE, PROT_NONE);
    page_count = end_page = 0;
    return own;
}
static void after_fork_in_child(void) {
    int own = origin ? open("/proc/self/mem", O_RDWR | O_CLOEXEC) : copy_file();
    close(file);
    file = own;
    pthread_mutex_unlock(&lock);
}

static void prepare(void) {
    memset(traps, 0xCC, sizeof traps);
    // Below the program, if there is room: processors predict calls over a short distance better.
    void *place = (void *)(((uintptr_t)prepare & ~(uintptr_t)(SCODE_PAGE_SIZE - 1)) - RESERVED - GAP);
    bool names = scode_code_observers() & SCODE_PERF_MAP;
    if ((names && open_anonymous(place)) || open_file(place))
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

// MARK: Finding room

// Bit i is set when bits i to i + count - 1 of `free` are; count from 1 to 64.
static uint64_t starts_of_runs(uint64_t free, size_t count) {
    for (size_t have = 1; have < count;) {
        size_t step = have < count - have ? have : count - have;
        free &= free >> step;
        have += step;
    }
    return free;
}

// The first of `count` free granules in a row, none of them before the page `from`, the run complete before the page
// `to`; or SIZE_MAX.
static size_t find_run(size_t count, size_t from, size_t to) {
    size_t run = 0;  // free granules just before this page
    for (size_t page = from; page < to; page++) {
        uint64_t word = used[page];
        size_t low = word ? (size_t)__builtin_ctzll(word) : 64;
        if (run + low >= count) return page * 64 - run;
        if (!word) {
            run += 64;
            continue;
        }
        uint64_t starts = count < 64 ? starts_of_runs(~word, count) : 0;
        if (starts) return page * 64 + (size_t)__builtin_ctzll(starts);
        run = (size_t)__builtin_clzll(word);
    }
    return SIZE_MAX;
}

// Next fit: the search goes on where it last ended, and pages that have never been used come last.
static size_t find_room(size_t count) {
    size_t first = find_run(count, next_page, end_page);
    if (first == SIZE_MAX) first = find_run(count, 0, end_page);
    if (first == SIZE_MAX) first = find_run(count, end_page ? end_page - 1 : 0, page_count);
    return first;
}

static void mark(size_t first, size_t count, bool use) {
    for (size_t granule = first; granule < first + count;) {
        size_t page = granule / 64, bit = granule % 64;
        size_t here = first + count - granule < 64 - bit ? first + count - granule : 64 - bit;
        uint64_t mask = (here == 64 ? UINT64_MAX : (UINT64_C(1) << here) - 1) << bit;
        if (use) {
            if (!used[page]) idle_count--;
            used[page] |= mask;
        } else {
            used[page] &= ~mask;
            if (!used[page]) idle_count++;
        }
        granule += here;
    }
    used_count = use ? used_count + count : used_count - count;
}

static bool make_hole(size_t offset, size_t size) {
    if (origin) return madvise(base + offset, size, MADV_DONTNEED) == 0;
    return fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size) == 0;
}

// Gives idle pages back to the system.
static void trim(void) {
    for (size_t page = 0; page < end_page; page++) {
        size_t first = page;
        while (page < end_page && resident[page] && !used[page]) page++;
        size_t count = page - first;
        if (count == 0 || !make_hole(first * SCODE_PAGE_SIZE, count * SCODE_PAGE_SIZE)) continue;
        memset(resident + first, false, count);
        resident_count -= count;
        idle_count -= count;
    }
}

// Sees to it that the pages of a run are there, int3 where they hold no code.
static bool fill_pages(size_t first, size_t count) {
    for (size_t page = first / 64; page <= (first + count - 1) / 64; page++) {
        if (resident[page]) continue;
        if (!write_file(file, traps, SCODE_PAGE_SIZE, page * SCODE_PAGE_SIZE)) return false;
        resident[page] = true;
        resident_count++;
        idle_count++;
        if (page >= end_page) end_page = page + 1;
    }
    return true;
}

static bool fill_with_traps(size_t offset, size_t size) {
    for (size_t done = 0; done < size; done += SCODE_PAGE_SIZE) {
        size_t here = size - done < SCODE_PAGE_SIZE ? size - done : SCODE_PAGE_SIZE;
        if (!write_file(file, traps, here, offset + done)) return false;
    }
    return true;
}

// MARK: What others call

// With the granule's rest, at least one int3 follows the code.
static size_t granules(size_t size) { return size / GRANULE + 1; }

void *scode_code_install(const void *code, size_t size) {
    pthread_once(&once, prepare);
    size_t count = granules(size);
    void *place = NULL;
    pthread_mutex_lock(&lock);
    while (!place) {
        size_t first = find_room(count);
        if (first == SIZE_MAX || !fill_pages(first, count)) break;
        size_t offset = first * GRANULE;
        mark(first, count, true);
        next_page = (first + count) / 64;
        if (!write_file(file, code, size, offset)) {
            if (fill_with_traps(offset, count * GRANULE)) mark(first, count, false);
            break;
        }
        // A debugger that has set a breakpoint in the page has made a copy of it, which does not follow the file. Code
        // is put elsewhere then, and these granules stay out of use.
        if (memcmp(base + offset, code, size) == 0) place = base + offset;
    }
    pthread_mutex_unlock(&lock);
    return place;
}

void scode_code_release(void *code, size_t size) {
    size_t count = granules(size), first = (size_t)((uint8_t *)code - base) / GRANULE;
    pthread_mutex_lock(&lock);
    // What cannot be overwritten is not used again.
    if (page_count != 0 && fill_with_traps(first * GRANULE, count * GRANULE)) mark(first, count, false);
    if (idle_count > IDLE_LIMIT) trim();
    pthread_mutex_unlock(&lock);
}

scode_code_usage scode_code_heap_usage(void) {
    pthread_mutex_lock(&lock);
    scode_code_usage usage = {used_count * GRANULE, resident_count * SCODE_PAGE_SIZE};
    pthread_mutex_unlock(&lock);
    return usage;
}
