/* What all kernels share. A kernel is `u64 kernel(u8 *mem, u64 len)`; SIZE is how many bytes of memory it may touch.
 *
 * Two compilations of each file: as it stands, which checks nothing, and with GUARDED, which holds each access against
 * SIZE and counts each round of a loop, as a careful programmer would write it. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#ifdef GUARDED
#define ROUNDS(n) u64 fuel = (n)
#define ROUND if (fuel-- == 0) __builtin_trap()
static inline u8 *at(u8 *mem, u64 offset, u64 bytes) {
    if (offset > SIZE - bytes) __builtin_trap();
    return mem + offset;
}
#define AT(type, offset) (*(type *)at(mem, (offset), sizeof(type)))
#else
#define ROUNDS(n)
#define ROUND
#define AT(type, offset) (*(type *)(mem + (offset)))
#endif

/* As many rounds as acceptor `plain` allows. */
#define BUDGET 100000
