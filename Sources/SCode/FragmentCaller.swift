import CSCodeRuntime

/// Calls one fragment again and again, for little more than a call of C costs. What an invocation needs is made once, and
/// nothing is looked up, allocated or counted on the way.
///
/// The caller keeps the fragment, so that its code stays whatever is taken out of slots meanwhile. It belongs to one
/// thread at a time; several callers may call the same fragment at once. A function of the host that the fragment calls
/// cannot come back to the caller.
public struct FragmentCaller: ~Copyable {
    /// How a call ended.
    @frozen public struct Outcome: BitwiseCopyable {
        @usableFromInline let result: scode_result
        @inlinable init(_ result: scode_result) { self.result = result }

        @inlinable public var way: Departure.Way { Departure.Way(status: result.status) }
        /// What was accepted; else 0.
        @inlinable public var value: UInt64 {
            result.status == UInt64(SCODE_ACCEPTED.rawValue) ? result.value : 0
        }
    }

    public let fragment: Fragment
    /// What each call may spend on backward jumps and sub-fragments.
    public let budget: UInt64
    // Native code that calls no other fragment, so that nobody has to know that this thread is in it; else nil.
    @usableFromInline let leaf: UnsafeRawPointer?
    /// The same, when it takes one argument word, as it is passed.
    @usableFromInline let leafOfOne: UnsafeRawPointer?
    /// The same, of two words.
    @usableFromInline let leafOfTwo: UnsafeRawPointer?
    @usableFromInline let instance: UnsafeMutablePointer<scode_instance>
    @usableFromInline let context: UnsafeMutablePointer<scode_context>
    /// Argument words: those that are passed, then defaults and entry registers.
    @usableFromInline let words: UnsafeMutablePointer<UInt64>
    private var lastAbort: Invocation?

    /// - Parameter budget: backward jumps and sub-fragment calls of each call; nil: the acceptor's.
    public init(_ fragment: Fragment, budget: UInt64? = nil) {
        self.fragment = fragment
        self.budget = budget ?? fragment.budget
        leaf = fragment.slotCount == 0 ? fragment.entry : nil
        instance = fragment.instance
        context = .allocate(capacity: 1)
        context.initialize(to: scode_context())
        scode_context_prepare(context, self.budget, fragment.depth)
        let count = Int(instance.pointee.argument_count)
        words = .allocate(capacity: max(count, 1))
        words.initialize(repeating: 0, count: max(count, 1))
        let types = fragment.suppliedTypes
        let isPlain = types.count == count && (0..<count).allSatisfy { types[$0].isPlain }
        leafOfOne = isPlain && count == 1 ? leaf : nil
        leafOfTwo = isPlain && count == 2 ? leaf : nil
    }

    deinit {
        context.deallocate()
        words.deallocate()
    }

    /// Calls the fragment with what `Fragment.setArgument` and the defaults say.
    @inlinable @inline(__always) public mutating func callAsFunction() -> Outcome {
        guard let leaf else { return callOthers(scode_arguments(instance)) }
        return enter(leaf, scode_arguments(instance))
    }

    /// Calls the fragment with one argument. It is cut to the parameter's type, and nobody gets it when the acceptor
    /// supplies none.
    @inlinable @inline(__always) public mutating func callAsFunction(_ first: UInt64) -> Outcome {
        guard let leafOfOne else { return call(passing: first, nil) }
        words[0] = first
        return enter(leafOfOne, words)
    }

    /// Calls the fragment with two arguments, as with one.
    @inlinable @inline(__always)
    public mutating func callAsFunction(_ first: UInt64, _ second: UInt64) -> Outcome {
        guard let leafOfTwo else { return call(passing: first, second) }
        words[0] = first
        words[1] = second
        return enter(leafOfTwo, words)
    }

    /// Backward jumps and sub-fragment calls that the last call left.
    public var remainingBudget: UInt64 { context.pointee.budget }

    /// How the last call that was aborted ended, in full. Can be taken once.
    public mutating func takeAbort() -> Invocation? {
        defer { lastAbort = nil }
        return lastAbort
    }

    @inlinable @inline(__always)
    mutating func enter(_ leaf: UnsafeRawPointer, _ arguments: UnsafePointer<UInt64>) -> Outcome {
        context.pointee.budget = budget
        let result = scode_enter(leaf, context, instance, arguments)
        if result.status > UInt64(SCODE_ACCEPTED.rawValue) { note(result) }
        return Outcome(result)
    }

    // MARK: What is not worth a copy in each caller

    @usableFromInline mutating func note(_ result: scode_result) {
        lastAbort = fragment.invocation(result, context)
        context.pointee.instance = nil
    }

    /// Calls a fragment that may call others, or runs it in the interpreter.
    @usableFromInline mutating func callOthers(_ arguments: UnsafePointer<UInt64>) -> Outcome {
        guard let entry = fragment.entry else { return interpret(arguments) }
        context.pointee.budget = budget
        let reader = scode_thread_reader()
        scode_reader_enter(reader)
        defer { scode_reader_leave(reader) }
        context.pointee.instance = nil
        let result = scode_enter(entry, context, instance, arguments)
        if result.status > UInt64(SCODE_ACCEPTED.rawValue) { note(result) }
        return Outcome(result)
    }

    private mutating func interpret(_ arguments: UnsafePointer<UInt64>) -> Outcome {
        let invocation = fragment.invoke(
            arguments: (0..<fragment.suppliedTypes.count).map { arguments[$0] }, budget: budget)
        context.pointee.budget = invocation.remainingBudget
        switch invocation.exit {
        case .accept(let value):
            return Outcome(scode_result(status: UInt64(SCODE_ACCEPTED.rawValue), value: value))
        case .refuse: return Outcome(scode_result(status: UInt64(SCODE_REFUSED.rawValue), value: 0))
        case .abort:
            lastAbort = invocation
            return Outcome(scode_result(status: UInt64(SCODE_ABORTED.rawValue), value: 0))
        }
    }

    /// Calls with words that have to be cut, or are not all that there are: what is not passed is as the fragment has it.
    @usableFromInline mutating func call(passing first: UInt64, _ second: UInt64?) -> Outcome {
        let types = fragment.suppliedTypes
        for index in 0..<Int(instance.pointee.argument_count) {
            let passed = index == 0 ? first : index == 1 ? second : nil
            if let passed, index < types.count {
                words[index] = types.canonical(passed, at: index)
            } else {
                words[index] = scode_arguments(instance)[index]
            }
        }
        return leaf.map { enter($0, words) } ?? callOthers(words)
    }
}

extension ValueType {
    /// Whether every word of 64 bits is a value of it.
    fileprivate var isPlain: Bool {
        switch self {
        case .l, .ul, .p, .d: true
        case .c, .uc, .s, .us, .i, .u, .f: false
        }
    }
}
