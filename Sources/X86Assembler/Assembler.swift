/// Assembles x86-64 instructions into a buffer.
///
/// Code that it makes is position independent: it may be copied anywhere after `finish`.
///
/// An instruction is composed in a word and written at once (`Encoding.swift`), by code that is inlined into whoever
/// emits it. So what each instruction touches lies here, and all else behind a pointer, in `State`: an assembler in a local
/// variable can be kept in registers.
///
/// Mistakes are remembered and not acted upon; `finish` throws the first. No input makes the assembler trap.
@frozen public struct Assembler: ~Copyable {
    /// Where the last instruction may begin. From here places are counted in emission: its sign then says whether there is
    /// room, which costs no comparison.
    @usableFromInline var last: UnsafeMutableRawPointer
    /// Where the next instruction begins, in bytes from `last`; not below 0: there is no room for it.
    @usableFromInline var cursor: Int
    @usableFromInline let state: UnsafeMutablePointer<State>

    /// What not every instruction touches.
    @usableFromInline struct State {
        @usableFromInline var buffer: CodeBuffer
        @usableFromInline var labels = LabelTable()
        /// Places that are used and not bound yet.
        @usableFromInline var awaited = 0
        /// Uses of labels other than in a 32-bit distance; left to `finish`.
        var fixups: [Fixup] = []
        var mistake: AssemblerError?
        @usableFromInline var hasMisplacedPlace = false

        init(buffer: CodeBuffer) { self.buffer = buffer }
    }

    struct Fixup: BitwiseCopyable {
        enum Kind: UInt8 {
            case rel8  // relative to the end of the field
            case tableEntry  // 32 bits, relative to the label `origin`
        }
        var kind: Kind
        var field: Int32
        var label: CodeLabel
        var origin: CodeLabel
    }

    /// The most bytes of code, unless said otherwise.
    public static let defaultLimit = 64 << 20

    /// An assembler whose memory grows as needed, up to `limit` bytes.
    public init(initialCapacity: Int = 4096, limit: Int = Assembler.defaultLimit) {
        self.init(CodeBuffer(initialCapacity: initialCapacity, limit: limit))
    }

    /// Bytes at the end of memory that are not for code, but for looking for room seldom.
    public static var margin: Int { CodeBuffer.margin }

    /// An assembler that writes to memory of the caller's, which outlives it; it does not grow. The limit is `margin` less
    /// than its size; 0 where it is smaller.
    public init(over memory: UnsafeMutableRawBufferPointer) {
        self.init(CodeBuffer(over: memory))
    }

    private init(_ buffer: CodeBuffer) {
        last = buffer.start + buffer.last
        cursor = -buffer.last
        state = .allocate(capacity: 1)
        state.initialize(to: State(buffer: buffer))
    }

    deinit {
        state.pointee.buffer.deallocate()
        state.pointee.labels.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Forgets code and labels, keeps the memory for the next fragment.
    public mutating func reset() {
        state.pointee.buffer.overflowed = false
        state.pointee.labels.removeAll()
        state.pointee.fixups.removeAll(keepingCapacity: true)
        state.pointee.mistake = nil
        state.pointee.hasMisplacedPlace = false
        state.pointee.awaited = 0
        cursor = -state.pointee.buffer.last
    }

    /// The offset at which the next instruction begins. Means nothing when the code has overflowed.
    @inlinable @inline(__always) public var position: Int { state.pointee.buffer.last &+ cursor }

    /// True when the code has passed its limit; what is emitted from then on is lost, and `finish` throws.
    public var overflowed: Bool {
        state.pointee.buffer.overflowed || position > state.pointee.buffer.limit
    }

    // MARK: Room. There is always room for the next instruction.

    /// Goes to the end of an instruction, and makes room for the next.
    @inlinable @inline(__always)
    mutating func end(after length: Int) {
        assert(cursor < 0, "the instruction before this one has not been ended")
        // The sign changes just when there is a carry, which the addition gives for nothing.
        let (next, carries) = UInt(bitPattern: cursor).addingReportingOverflow(UInt(bitPattern: length))
        cursor = Int(bitPattern: next)
        if _slowPath(carries) { makeRoom() }
    }

    /// An instruction of several parts has been put: makes room for the next.
    @inlinable @inline(__always)
    mutating func end() {
        if _slowPath(cursor >= 0) { makeRoom() }
    }

    /// Likewise, for a run of them: where the compiler of the generator sees that those that follow are not more, it leaves out
    /// their looking for room.
    @inlinable @inline(__always)
    mutating func endBeforeRun() {
        if _slowPath(cursor > -CodeBuffer.run) { makeRoom() }
    }

    @inlinable @inline(__always)
    mutating func makeRoom() {
        (last, cursor) = Self.makeRoom(state, at: cursor)
        // So it is. Said for the compiler of the generator, which leaves out checks that follow from it.
        precondition(cursor <= -CodeBuffer.run)
    }

    /// A function of values, so that the assembler itself can be in registers.
    @usableFromInline @inline(never)
    static func makeRoom(_ state: UnsafeMutablePointer<State>, at cursor: Int)
        -> (UnsafeMutableRawPointer, Int)
    {
        let next = state.pointee.buffer.makeRoom(at: state.pointee.buffer.last + cursor)
        let buffer = state.pointee.buffer
        return (buffer.start + buffer.last, next - buffer.last)
    }

    // MARK: Labels

    @inlinable @inline(__always)
    public mutating func newLabel() -> CodeLabel { state.pointee.labels.add() }

    /// Makes several at once.
    public mutating func newLabels(_ count: Int) -> CodeLabels { state.pointee.labels.add(count) }

    /// Places the label before the next instruction.
    @inlinable @inline(__always)
    public mutating func bind(_ label: CodeLabel) {
        guard label.index < state.pointee.labels.count,
            resolve(&state.pointee.labels.entries[Int(label.index)])
        else { return Self.noteMisplaced(label, state) }
    }

    /// Makes a label and binds it here.
    @inlinable @inline(__always)
    public mutating func boundLabel() -> CodeLabel {
        let label = newLabel()
        bind(label)
        return label
    }

    /// Where a label was bound.
    public func offset(of label: CodeLabel) -> Int? { state.pointee.labels.offset(of: label) }

    // MARK: The end

    /// Resolves every use of a label. *Produces* code that `bytes` gives.
    public mutating func finish() throws(AssemblerError) {
        if overflowed { throw .overflow(limit: state.pointee.buffer.limit) }
        if let mistake = state.pointee.mistake { throw mistake }
        if state.pointee.hasMisplacedPlace { throw .misplacedPlace }
        if state.pointee.awaited != 0 {
            throw state.pointee.labels.firstAwaited.map { .unboundLabel($0) } ?? .unboundPlace
        }
        for fixup in state.pointee.fixups {
            let target = try boundOffset(of: fixup.label)
            let field = Int(fixup.field)
            let start = state.pointee.buffer.start
            switch fixup.kind {
            case .rel8:
                let distance = target - (field + 1)
                guard let short = Int8(exactly: distance) else {
                    throw .shortJumpTooFar(to: fixup.label, distance: distance)
                }
                start.storeBytes(of: short, toByteOffset: field, as: Int8.self)
            case .tableEntry:
                let origin = try boundOffset(of: fixup.origin)
                start.storeBytes(
                    of: Int32(truncatingIfNeeded: target - origin), toByteOffset: field, as: Int32.self)
            }
        }
        state.pointee.fixups.removeAll(keepingCapacity: true)
    }

    /// The code, valid until the assembler is next changed. *Requires* `finish`.
    public var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: state.pointee.buffer.start, count: position)
    }

    private func boundOffset(of label: CodeLabel) throws(AssemblerError) -> Int {
        guard label.index < state.pointee.labels.count else { throw .foreignLabel(label) }
        guard let offset = offset(of: label) else { throw .unboundLabel(label) }
        return offset
    }

    /// Leaves the field that ends here to `finish`.
    mutating func leaveToFinish(
        _ kind: Fixup.Kind, _ label: CodeLabel, relativeTo origin: CodeLabel? = nil
    ) {
        let size = kind == .rel8 ? 1 : 4
        state.pointee.fixups.append(
            Fixup(
                kind: kind, field: Int32(truncatingIfNeeded: position - size), label: label,
                origin: origin ?? label))
    }

    @usableFromInline @inline(never)
    static func noteMisplaced(_ label: CodeLabel, _ state: UnsafeMutablePointer<State>) {
        let isOurs = label.index < state.pointee.labels.count
        note(isOurs ? .labelBoundTwice(label) : .foreignLabel(label), state)
    }

    /// Remembers the first mistake.
    @usableFromInline @inline(never)
    static func note(_ error: AssemblerError, _ state: UnsafeMutablePointer<State>) {
        if state.pointee.mistake == nil { state.pointee.mistake = error }
    }
}
