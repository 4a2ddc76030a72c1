import Foundation

/// A small program that every system runs: what it is given, and what must come of it.
struct Kernel: Sendable {
    enum Kind: Sendable {
        /// One of the seven that are timed and whose ratios are averaged.
        case timed
        /// What a call costs.
        case empty
        /// Compiled for the time that it takes, and run once to see that it was done right.
        case compiled
    }
    /// Also of its files in `Benchmarks/Kernels`.
    let name: String
    let kind: Kind
    /// Bytes of memory that it may touch.
    let size: Int
    private(set) var length: UInt64
    /// What the first call returns: worked out apart from all of them.
    let answer: UInt64
    /// Its memory before the first call: `size` bytes.
    let image: [UInt8]

    private init(
        _ name: String, _ kind: Kind = .timed, size: Int, length: UInt64, answer: UInt64,
        fill: (inout Image) -> Void = { _ in }
    ) {
        var image = Image(size: size)
        fill(&image)
        self.name = name
        self.kind = kind
        self.size = size
        self.length = length
        self.answer = answer
        self.image = image.bytes
    }

    static let all: [Kernel] = [
        Kernel("fnv1a", size: 4096, length: 4096, answer: 0xcf48_cef2_d040_85f3) { $0.fillRandomly() },
        Kernel("sum32", size: 4096, length: 1024, answer: 2_183_364_083_839) { $0.fillRandomly() },
        Kernel("sieve", size: 8192, length: 8192, answer: 1028),
        Kernel("pktfilter", size: 2048, length: 64, answer: 1) { $0.fillWithFrame() },
        Kernel("rr_pick", size: 1024, length: 64, answer: 24) { $0.fillWithQueue() },
        Kernel("matmul16", size: 3072, length: 16, answer: 2_554_406_487) { $0.fillRandomly() },
        Kernel("collatz", size: 8, length: 1000, answer: 59542),
        Kernel("empty", .empty, size: 8, length: 0, answer: 42),
        small, long,
    ]
    static let small = Kernel(
        "small", .compiled, size: 4096, length: 4096, answer: 1_860_284_964_902_348_063
    ) { $0.fillRandomly() }
    static let long = Kernel(
        "long", .compiled, size: 4096, length: 4096, answer: 0x41cd_9c20_6863_1f4c
    ) { $0.fillRandomly() }

    /// The same with less to do; its answer is another one.
    func shortened(to length: UInt64) -> Kernel {
        var kernel = self
        kernel.length = min(length, self.length)
        return kernel
    }

    /// Puts the memory into the state before the first call.
    func reset(_ memory: UnsafeMutableRawPointer) {
        UnsafeMutableRawBufferPointer(start: memory, count: size).copyBytes(from: image)
    }
}

/// Memory as a kernel finds it, the same in every run.
private struct Image {
    var bytes: [UInt8]
    private var state: UInt64 = 0

    init(size: Int) { bytes = Array(repeating: 0, count: size) }

    /// Splitmix64.
    private mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }

    private mutating func store<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
        for index in 0..<Value.bitWidth / 8 {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> Value(index * 8))
        }
    }

    mutating func fillRandomly() {
        for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: next()) }
    }

    /// An Ethernet frame that the filter takes: TCP from 10.1.2.3 to port 443.
    mutating func fillWithFrame() {
        bytes.replaceSubrange(12..<16, with: [0x08, 0x00, 0x45, 0x00])
        bytes[23] = 6
        bytes.replaceSubrange(26..<30, with: [10, 1, 2, 3])
        bytes.replaceSubrange(34..<38, with: [0x9c, 0x40, 0x01, 0xbb])
    }

    /// 64 entries of a run queue, of which a quarter has no slices left.
    mutating func fillWithQueue() {
        for offset in stride(from: 0, to: bytes.count, by: 16) {
            store(UInt32(next() % 8), at: offset)
            store(next() % 4 == 0 ? 0 : UInt32(1 + next() % 10), at: offset + 4)
            store(next() % 1_000_000, at: offset + 8)
        }
    }
}
