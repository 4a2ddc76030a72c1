// The memory-management unit: page-table walk, software TLB, and the accesses that take the long way.
#include "scode_runtime.h"

#include <string.h>
#include <sys/mman.h>

// Page-table entry bits (Intel SDM volume 3, section 4.3, 32-bit paging).
enum { PTE_PRESENT = 1, PTE_WRITABLE = 2, PTE_USER = 4, PTE_ACCESSED = 0x20, PTE_DIRTY = 0x40, PDE_LARGE = 0x80 };

static const uint64_t page_mask = ~(uint64_t)(SCODE_PAGE_SIZE - 1);

void *scode_memory_reserve(size_t size) {
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void scode_memory_release(void *memory, size_t size) { munmap(memory, size); }

void scode_tlb_flush(scode_space *space) {
    for (int i = 0; i < SCODE_TLB_ENTRIES; i++)
        space->tlb[i] = (scode_tlb_entry){SCODE_TLB_NO_TAG, SCODE_TLB_NO_TAG, 0, 0};
}

// The entry at a physical address, or NULL when that lies outside memory.
static uint8_t *entry_at(const scode_space *space, uint64_t address) {
    return address <= space->memory_size - 4 && space->memory_size >= 4 ? space->memory + address : NULL;
}

static uint32_t load_entry(const uint8_t *entry) {
    uint32_t value;
    memcpy(&value, entry, 4);
    return value;
}

static void set_bits(uint8_t *entry, uint32_t bits) {
    uint32_t value = load_entry(entry);
    if ((value & bits) != bits) {
        value |= bits;
        memcpy(entry, &value, 4);
    }
}

uint8_t *scode_walk(scode_space *space, uint64_t address, bool is_store, uint64_t *reason) {
    if (address >> 32 != 0) return *reason = SCODE_OUT_OF_BOUNDS, NULL;
    uint32_t required = PTE_USER | (is_store ? PTE_WRITABLE : 0);

    uint8_t *directory_entry = entry_at(space, (space->directory & page_mask) + (address >> 22) * 4);
    if (!directory_entry) return *reason = SCODE_PAGE_TABLE_CORRUPT, NULL;
    uint32_t pde = load_entry(directory_entry);
    if (!(pde & PTE_PRESENT)) return *reason = SCODE_PAGE_NOT_PRESENT, NULL;
    if (pde & PDE_LARGE) return *reason = SCODE_PAGE_TABLE_CORRUPT, NULL;

    uint8_t *table_entry = entry_at(space, (pde & page_mask) + (address >> 12 & 1023) * 4);
    if (!table_entry) return *reason = SCODE_PAGE_TABLE_CORRUPT, NULL;
    uint32_t pte = load_entry(table_entry);
    if (!(pte & PTE_PRESENT)) return *reason = SCODE_PAGE_NOT_PRESENT, NULL;
    if ((pde & pte & required) != required) return *reason = SCODE_PAGE_PROTECTION, NULL;
    uint64_t frame = pte & page_mask;
    if (frame >= space->memory_size) return *reason = SCODE_PAGE_TABLE_CORRUPT, NULL;

    set_bits(directory_entry, PTE_ACCESSED);
    set_bits(table_entry, PTE_ACCESSED | (is_store ? PTE_DIRTY : 0));

    uint8_t *host = space->memory + frame + (address & ~page_mask);
    if (space->use_tlb) {
        scode_tlb_entry *entry = &space->tlb[address >> 12 & (SCODE_TLB_ENTRIES - 1)];
        uint64_t page = address & page_mask;
        if (is_store)
            entry->write_tag = entry->read_tag = page;
        else if (entry->read_tag != page) {
            entry->read_tag = page;
            entry->write_tag = SCODE_TLB_NO_TAG;
        }
        entry->addend = (uint64_t)(uintptr_t)host - address;
    }
    return host;
}

static scode_space no_space = {
    .memory = NULL,
    .tlb = {[0 ... SCODE_TLB_ENTRIES - 1] = {SCODE_TLB_NO_TAG, SCODE_TLB_NO_TAG, 0, 0}},
};

scode_space *scode_no_space(void) { return &no_space; }

static void *fault(scode_context *context, uint64_t reason, uint64_t address) {
    context->reason = reason;
    context->fault_address = address;
    return NULL;
}

#if defined(DEBUG) && defined(__x86_64__)
// Changes what the platform's convention lets a function change, and this one happens to leave alone: so that
// tests of debug builds see when generated code counts on it.
#define SPOIL(n) __asm__ volatile("pcmpeqd %%xmm" #n ", %%xmm" #n ::: "xmm" #n)
static void spoil_vectors(void) {
    SPOIL(0); SPOIL(1); SPOIL(2); SPOIL(3); SPOIL(4); SPOIL(5); SPOIL(6); SPOIL(7);
    SPOIL(8); SPOIL(9); SPOIL(10); SPOIL(11); SPOIL(12); SPOIL(13); SPOIL(14); SPOIL(15);
}
#else
static void spoil_vectors(void) {}
#endif

// Notes a fault of the address space, unless whoever can continue the invocation has seen to it.
static bool is_final(scode_context *context, uint64_t reason, uint64_t address, bool is_store) {
    if (scode_page_fault(context, reason, address, is_store)) return false;
    fault(context, reason, address);
    return true;
}

void *scode_resolve(
    scode_context *context, scode_instance *instance, uint64_t address, uint32_t access, uint64_t value) {
    spoil_vectors();
    uint64_t size = access & SCODE_ACCESS_SIZE;
    bool is_store = access & SCODE_ACCESS_STORE;

    for (uint64_t i = 0; i < instance->region_count; i++) {
        const scode_region *region = scode_region_at(instance, i);
        if (!(region->flags & SCODE_REGION_SEARCHED)) continue;
        uint64_t offset = address - region->base;
        if (region->size < size || offset > region->size - size) continue;
        if (is_store && !(region->flags & SCODE_REGION_WRITABLE))
            return fault(context, SCODE_READ_ONLY_REGION, address);
        return region->host + offset;
    }

    scode_space *space = instance->space;
    if (!space->memory) return fault(context, SCODE_OUT_OF_BOUNDS, address);
    uint64_t in_first = SCODE_PAGE_SIZE - (address & ~page_mask);
    uint64_t next = address + in_first;
    uint8_t *first, *second;
    uint64_t reason = 0;
    for (;;) {
        first = scode_walk(space, address, is_store, &reason);
        if (!first) {
            if (is_final(context, reason, address, is_store)) return NULL;
            continue;
        }
        if (in_first >= size) return first;
        // Straddles two pages: both are checked before a byte moves.
        second = scode_walk(space, next, is_store, &reason);
        if (second) break;
        if (is_final(context, reason, next, is_store)) return NULL;
    }
    uint8_t *bounce = (uint8_t *)&context->bounce;
    if (is_store) {
        memcpy(bounce, &value, 8);
        memcpy(first, bounce, in_first);
        memcpy(second, bounce + in_first, size - in_first);
    } else {
        memcpy(bounce, first, in_first);
        memcpy(bounce + in_first, second, size - in_first);
    }
    return bounce;
}
