/// Assembles x86-64 instructions into a buffer.
///
/// Code that it makes is position independent: it may be copied anywhere after `finish`.
///
/// Labels: `newLabel` makes one, `bind` places it, and each use either knows the distance or leaves a fix-up
/// for `finish`. Invariants:
/// - a fix-up's field lies inside what the buffer holds: it is noted only after its instruction was written;
/// - `offsets[i]` is where label i was bound, or -1.
///
/// Mistakes are remembered and not acted upon; `finish` throws the first. No input makes the assembler trap.
public struct Assembler: ~Copyable {
    @usableFromInline var buffer: CodeBuffer
    var offsets: [Int32] = []
    var fixups: [Fixup] = []
    var mistake: AssemblerError?

    struct Fixup: BitwiseCopyable {
        enum Kind: UInt8 {
            case rel8, rel32  // relative to the end of the field
            case tableEntry  // 32 bits, relative to the label `origin`
        }
        var kind: Kind
        var field: Int32
        var label: CodeLabel
        var origin: CodeLabel
    }

    public init(buffer: consuming CodeBuffer = CodeBuffer()) {
        self.buffer = buffer
    }

    /// Forgets code and labels, keeps the memory for the next fragment.
    public mutating func reset() {
        buffer.reset()
        offsets.removeAll(keepingCapacity: true)
        fixups.removeAll(keepingCapacity: true)
        mistake = nil
    }

    /// The offset at which the next instruction begins.
    @inlinable public var position: Int { buffer.count }

    /// True when the limit has been reached; what is emitted from then on is lost, and `finish` throws.
    public var overflowed: Bool { buffer.overflowed }

    // MARK: Labels

    public mutating func newLabel() -> CodeLabel {
        offsets.append(-1)
        return CodeLabel(index: UInt32(truncatingIfNeeded: offsets.count - 1))
    }

    /// Places the label before the next instruction.
    public mutating func bind(_ label: CodeLabel) {
        guard label.index < offsets.count else { return note(.foreignLabel(label)) }
        guard offsets[Int(label.index)] < 0 else { return note(.labelBoundTwice(label)) }
        offsets[Int(label.index)] = Int32(truncatingIfNeeded: position)
    }

    /// Makes a label and binds it here.
    public mutating func boundLabel() -> CodeLabel {
        let label = newLabel()
        bind(label)
        return label
    }

    /// Where a label was bound.
    public func offset(of label: CodeLabel) -> Int? {
        guard label.index < offsets.count, offsets[Int(label.index)] >= 0 else { return nil }
        return Int(offsets[Int(label.index)])
    }

    /// Resolves every use of a label. *Produces* code that `bytes` gives.
    public mutating func finish() throws(AssemblerError) {
        if buffer.overflowed { throw .overflow(limit: buffer.limit) }
        if let mistake { throw mistake }
        for fixup in fixups {
            let target = try boundOffset(of: fixup.label)
            let field = Int(fixup.field)
            switch fixup.kind {
            case .rel8:
                let distance = target - (field + 1)
                guard let short = Int8(exactly: distance) else {
                    throw .shortJumpTooFar(to: fixup.label, distance: distance)
                }
                buffer.patch(short, at: field)
            case .rel32:
                buffer.patch(Int32(truncatingIfNeeded: target - (field + 4)), at: field)
            case .tableEntry:
                let origin = try boundOffset(of: fixup.origin)
                buffer.patch(Int32(truncatingIfNeeded: target - origin), at: field)
            }
        }
        fixups.removeAll(keepingCapacity: true)
    }

    /// The code, valid until the assembler is next changed. *Requires* `finish`.
    @inlinable public var bytes: UnsafeRawBufferPointer { buffer.bytes }

    func boundOffset(of label: CodeLabel) throws(AssemblerError) -> Int {
        guard label.index < offsets.count else { throw .foreignLabel(label) }
        guard let offset = offset(of: label) else { throw .unboundLabel(label) }
        return offset
    }

    /// Leaves the field that ends here to `finish`.
    mutating func useLabel(_ label: CodeLabel, _ kind: Fixup.Kind, relativeTo origin: CodeLabel? = nil) {
        let size = kind == .rel8 ? 1 : 4
        fixups.append(
            Fixup(
                kind: kind, field: Int32(truncatingIfNeeded: position - size), label: label,
                origin: origin ?? label))
    }

    /// Remembers the first mistake.
    mutating func note(_ error: AssemblerError) {
        if mistake == nil { mistake = error }
    }
}
