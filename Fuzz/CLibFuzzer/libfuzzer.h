#include <stddef.h>
#include <stdint.h>

/// libFuzzer's own mutation of `size` bytes, in a buffer of `limit`; how many bytes it left.
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t limit);
