/// SplitMix64: the same numbers on every run and machine, so that a failing case can be run again.
public struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    public init(seed: UInt64) { state = seed }
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

extension SeededGenerator {
    /// True once in `n`.
    public mutating func oneIn(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &self) == 0 }

    /// Zero, one, edges of widths and anything else, each often.
    public mutating func interestingValue() -> Int64 {
        switch Int.random(in: 0..<6, using: &self) {
        case 0: Int64.random(in: -16...16, using: &self)
        case 1:
            [Int64.min, .max, -1, 0, 1, 1 << 31, -(1 << 31), 1 << 32, 255, 65535][
                Int.random(in: 0..<10, using: &self)]
        default: Int64(bitPattern: next()) >> Int64.random(in: 0..<64, using: &self)
        }
    }
}
