import CSCodeRuntime

/// How an invocation ended.
public struct Invocation {
    public var exit: Exit
    /// Backward jumps and sub-fragment calls that were left.
    public var remainingBudget: UInt64
    /// Whose fragment accepted or was aborted; after a refusal, the one that was invoked.
    public var leftIn: Fragment
    /// After accept and refuse: the registers, when the fragment was installed to observe all of them.
    public var registers: RegisterFile
    /// The first claim of the verifier that did not hold, when the fragment was installed to check them.
    public var violation: String?
}

/// How an invocation ended, in numbers.
public struct Departure: Hashable, Sendable, BitwiseCopyable {
    public enum Way: Hashable, Sendable, BitwiseCopyable { case refused, accepted, aborted }
    public var way: Way
    /// What was accepted; else 0.
    public var value: UInt64
    /// Backward jumps and sub-fragment calls that were left.
    public var remainingBudget: UInt64
    /// `owner` of the fragment that accepted or was aborted; after a refusal, of the one that was invoked.
    public var owner: Int
}

extension Departure {
    init(_ invocation: Invocation) {
        let exit: (way: Way, value: UInt64) =
            switch invocation.exit {
            case .accept(let value): (.accepted, value)
            case .refuse: (.refused, 0)
            case .abort: (.aborted, 0)
            }
        self.init(
            way: exit.way, value: exit.value, remainingBudget: invocation.remainingBudget,
            owner: invocation.leftIn.owner)
    }
}

extension Departure.Way {
    @inlinable init(status: UInt64) {
        switch status {
        case UInt64(SCODE_ACCEPTED.rawValue): self = .accepted
        case UInt64(SCODE_REFUSED.rawValue): self = .refused
        default: self = .aborted
        }
    }
}

/// An abort that was noted for later. Who is asked for it need not keep itself for that.
final class NotedAbort {
    private let exit: Exit
    private let remainingBudget: UInt64
    /// nil: the one who notes it.
    private let leftIn: Fragment?

    /// - Returns: nil when the invocation was not aborted.
    init?(_ invocation: Invocation, by fragment: Fragment) {
        guard case .abort = invocation.exit else { return nil }
        exit = invocation.exit
        remainingBudget = invocation.remainingBudget
        leftIn = invocation.leftIn === fragment ? nil : invocation.leftIn
    }

    func invocation(of fragment: Fragment) -> Invocation {
        Invocation(
            exit: exit, remainingBudget: remainingBudget, leftIn: leftIn ?? fragment,
            registers: RegisterFile())
    }
}
