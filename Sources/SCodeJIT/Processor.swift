import CSCodeRuntime

/// What a processor can do beyond the first x86-64.
public struct Processor: Sendable, Hashable {
    /// popcnt, lzcnt and tzcnt: Intel since 2013, AMD since 2012.
    public var countsBits: Bool
    public init(countsBits: Bool) { self.countsBits = countsBits }

    /// The one that this program runs on.
    public static let current = Processor(countsBits: scode_has_bit_counts())
}

extension VCode {
    /// Whether an operation needs `Processor.countsBits`.
    var countsBits: Bool {
        instructions.contains {
            switch $0.operation {
            case .countLeadingZeros, .countTrailingZeros, .populationCount: true
            default: false
            }
        }
    }
}
