/* Whether an Ethernet frame of len bytes is TCP over IPv4, the first fragment, from 10.1.0.0/16, to port 80, 443 or 8080. */
#define SIZE 2048
#include "kernel.h"

u64 kernel(u8 *mem, u64 len) {
    if (len < 34) return 0;
    if (AT(u8, 12) != 0x08 || AT(u8, 13) != 0x00) return 0;
    if (AT(u8, 14) >> 4 != 4) return 0;
    u64 header = (u64)(AT(u8, 14) & 15) * 4;
    if (header < 20) return 0;
    if (AT(u8, 23) != 6) return 0;
    if (((AT(u8, 20) & 0x1f) | AT(u8, 21)) != 0) return 0;
    if (AT(u8, 26) != 10 || AT(u8, 27) != 1) return 0;
    if (14 + header + 4 > len) return 0;
    u64 port = (u64)AT(u8, 14 + header + 2) << 8 | AT(u8, 14 + header + 3);
    return port == 80 || port == 443 || port == 8080;
}
