// Instances: what an owner's copy of a fragment has of its own.
#include "scode_runtime.h"

#include <stdlib.h>

scode_instance *scode_instance_create(uint32_t region_count, uint32_t argument_count, uint64_t slot_count) {
    if (slot_count > SIZE_MAX / 16) return NULL;
    size_t below = region_count * sizeof(scode_region);
    size_t words = argument_count + (slot_count > SCODE_LEAST_SLOTS ? slot_count : SCODE_LEAST_SLOTS);
    uint8_t *memory = calloc(1, below + sizeof(scode_instance) + words * 8);
    if (!memory) return NULL;
    scode_instance *instance = (scode_instance *)(memory + below);
    instance->slot_count = slot_count;
    instance->argument_count = argument_count;
    instance->region_count = region_count;
    return instance;
}

void scode_instance_destroy(scode_instance *instance) {
    free((uint8_t *)instance - instance->region_count * sizeof(scode_region));
}
