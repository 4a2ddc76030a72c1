/* The CRC-32 of a file (that of zlib, gzip and PNG), four bits at a time, out of a table of constants.
 *
 *     clang -O2 -g --target=bpf -c scode-examples/ebpf/checksum.c -o - |
 *         scodec run - --data-in scode-examples/packet.bin
 */
#include "scode.h"

static const u32 table[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

LOCAL u32 step(u32 crc, u8 byte) {
    crc ^= byte;
    crc = crc >> 4 ^ table[crc & 15];
    return crc >> 4 ^ table[crc & 15];
}

SEC("plain") u64 checksum(const u8 *data, u64 length) {
    u32 crc = ~0u;
    for (u64 i = 0; i < length; i++)
        crc = step(crc, data[i]);
    return (u32)~crc;
}
