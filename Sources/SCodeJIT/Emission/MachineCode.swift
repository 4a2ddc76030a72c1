import SCodeVerifier

/// A place where a fragment can leave with its registers observed, found again by return address.
struct ExitSite: BitwiseCopyable {
    /// Offset in the code, just behind the site's call of a stub; of an access that can fault, its own.
    var returnOffset: UInt32
    /// The SCODE instruction.
    var instruction: UInt32
}

/// A stretch of machine code that serves one SCODE instruction.
struct CodeRange: BitwiseCopyable {
    var offset: UInt32
    var instruction: UInt32
}

/// What the compiler makes of a fragment: bytes that run wherever they lie, and what is needed to read them and their
/// exits.
public struct MachineCode {
    public let bytes: [UInt8]
    let innerEntry: Int
    let outerEntry: Int
    /// Of the two the one that lies behind the body and all else; nil when they are the same.
    var lastEntry: Int? { innerEntry == outerEntry ? nil : max(innerEntry, outerEntry) }
    /// Sorted by offset.
    let sites: [ExitSite]
    /// Sorted by offset; the machine code of an instruction begins here.
    let ranges: [CodeRange]
    /// Where stubs and cold code begin: not the work of any one instruction.
    let coldOffset: Int
    /// Where the body begins: behind the prologue.
    let bodyOffset: Int
    /// Where faults of the body lead to; nil: there can be none.
    let faultStubOffset: Int?
    /// Where values are when it leaves.
    let allocation: Allocation
    /// When they were asked for.
    let notes: DebugNotes?

    /// The body, piece by piece: where a piece begins, and the instruction it serves; nil from where the cold code begins,
    /// which serves all.
    public var pieces: [(offset: Int, instruction: Int?)] {
        ranges.map { (Int($0.offset), Int($0.instruction)) } + [(coldOffset, nil)]
    }
}
