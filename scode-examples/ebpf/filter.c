/* A packet filter in C: TCP packets to port 80 go to queue 1, all others to somebody else.
 *
 *     clang -O2 -g --target=bpf -c scode-examples/ebpf/filter.c -o - |
 *         scodec run - --data-in scode-examples/packet.bin
 *
 * The same filter in SCODE is scode-examples/packet-filter.scode. */
#include "scode.h"

enum { ETHERNET = 14, IPV4 = 0x0800, TCP = 6 };

SEC("filter") u64 tcp_port_80(const u8 *packet, u64 length) {
    if (length < ETHERNET + 20)
        return 0;
    if (f_ld16(packet, 12) != IPV4 || packet[ETHERNET + 9] != TCP)
        return 0;
    if (f_ld16(packet, ETHERNET + 6) & 0x1fff) /* later fragments have no ports */
        return 0;
    u64 header = (packet[ETHERNET] & 15) * 4;
    return f_ld16(packet, ETHERNET + header + 2) == 80 ? 1 : 0;
}
