import SCode

extension Acceptor {
    /// For packet filters: parameters are the packet's address, how many bytes of it are there, and how many there were on
    /// the wire (since version 2); accept says who gets it. Twenty-four registers, enough for the machine of classic BPF;
    /// eight others are the macro-instructions'.
    ///
    /// `f_ld16` and `f_ld32` load a number in network byte order: two instructions of the acceptor's in place of each,
    /// guarded, or proved, like any other.
    public static let filter = Acceptor(
        name: "filter", version: 2, registers: RegisterSet(rawValue: 0xff00_ffff),
        scratch: RegisterSet(rawValue: 0xff_0000), suppliedArguments: 3, policies: [.static, .physical],
        macros: [
            MacroInstruction("f_accept", [.value(.ul)], .accept, meaning: "takes the packet for a queue"),
            MacroInstruction("f_refuse", [], .refuse, meaning: "leaves the packet to others"),
        ] + networkLoads,
        ebpf: EBPFConventions(
            accept: "f_accept", refuse: "f_refuse",
            memory: Region(name: "packet", policy: .physical, isWritable: false, size: 2048),
            helpers: [1: "f_accept", 2: "f_refuse", 3: "f_ld16", 4: "f_ld32"]))

    /// `NAME destination, base, offset`. A test uses each: a mistake in the template would leave it out.
    private static let networkLoads: [MacroInstruction] = [("f_ld16", ValueType.us), ("f_ld32", .u)]
        .compactMap {
            name, type in
            try? MacroInstruction(
                name, [.result(type), .value(.p), .value(.ul)],
                template: """
                    fragment load(result: \(type.suffix), base: p, offset: ul) {
                        ld\(type.suffix)    result, base, offset
                        bswap\(type.suffix) result, result
                    }
                    """,
                meaning: "loads \(type.bits) bits in network byte order")
        }
}
