/// The bytes that some accesses reach between them: `checkRange` holds them against their region at once. They begin at a sum
/// of registers, `a`, and `b` shifted left by `scale` where the instruction has no immediate, and a constant.
struct ByteRange: BitwiseCopyable {
    var region: UInt32
    /// From the sum to the first byte, and to the one behind the last.
    var low: Int64
    var high: Int64
    /// How many bytes the sum grows while the counter of a loop grows by one, up to `extent`; 0: it does not change.
    var stride: Int64 = 0

    /// Numbers that the checks count with stay within these, so that no sum of theirs wraps around.
    static let offsets: ClosedRange<Int64> = -(1 << 20)...1 << 20
    static let strides: ClosedRange<Int64> = 0...1 << 12
    static let regionLimit = UInt64(Int32.max)

    mutating func formUnion(_ other: ByteRange) {
        low = min(low, other.low)
        high = max(high, other.high)
    }

    /// Whether it can lie in a region of so many bytes.
    func fits(_ size: UInt64) -> Bool { size <= Self.regionLimit && UInt64(high - low) <= size }
}
