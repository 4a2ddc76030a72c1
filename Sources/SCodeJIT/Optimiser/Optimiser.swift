import SCodeVerifier

/// Passes of the compiler that make code better and change nothing that it does.
public struct Optimisations: OptionSet, Sendable, Hashable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let strengthReduction = Optimisations(rawValue: 1)
    /// Host addresses that a loop does not change are computed before it.
    public static let anchorHoisting = Optimisations(rawValue: 2)
    /// What nothing reads is not computed.
    public static let deadCode = Optimisations(rawValue: 4)
    /// Operands are taken from memory, and constants from the instruction, where they are needed once.
    public static let operandFolding = Optimisations(rawValue: 8)
    /// The page of the access before is asked first, before the TLB.
    public static let pageCaching = Optimisations(rawValue: 16)
    /// Division by a constant is multiplication.
    public static let divisionByConstants = Optimisations(rawValue: 32)
    /// The end of a loop's round stands before its head, where the loop skips to it.
    public static let loopRotation = Optimisations(rawValue: 64)
    /// What accesses of a loop are held against is looked at before it.
    public static let loopVersioning = Optimisations(rawValue: 128)
    /// One check for a run of accesses.
    public static let checkMerging = Optimisations(rawValue: 256)
    public static let all: Optimisations = [
        .strengthReduction, .anchorHoisting, .deadCode, .operandFolding, .pageCaching, .divisionByConstants,
        .loopRotation, .loopVersioning, .checkMerging,
    ]
}

/// The passes in their order.
///
/// *Requires* VCode from lowering. *Produces* VCode of the same meaning.
enum Optimiser {
    static func run(
        _ code: inout VCode, _ optimisations: Optimisations, observing observation: RegisterObservation
    ) {
        if optimisations.contains(.strengthReduction) { StrengthReduction.run(&code) }
        if optimisations.contains(.divisionByConstants) { DivisionByConstants.run(&code) }
        if optimisations.contains(.loopVersioning) { LoopVersioning.run(&code) }
        if optimisations.contains(.checkMerging) { CheckMerging.run(&code) }
        if optimisations.contains(.anchorHoisting) { AnchorHoisting.run(&code) }
        if optimisations.contains(.pageCaching) { PageCaching.run(&code) }
        guard observation == .live else { return }
        if optimisations.contains(.deadCode) { DeadCode.run(&code) }
        if optimisations.contains(.operandFolding) { OperandFolding.run(&code) }
    }
}
