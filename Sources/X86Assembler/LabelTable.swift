/// Where labels are, and who waits to know.
@usableFromInline struct LabelTable: BitwiseCopyable {
    @usableFromInline var entries: UnsafeMutablePointer<CodePlace>
    @usableFromInline var count: UInt32 = 0
    @usableFromInline var capacity: UInt32

    init() {
        capacity = 32
        entries = .allocate(capacity: Int(capacity))
    }

    /// Gives the memory back. Nothing else may be done afterwards.
    func deallocate() { entries.deallocate() }

    mutating func removeAll() { count = 0 }

    @inlinable @inline(__always) mutating func add() -> CodeLabel {
        if count == capacity { grow() }
        entries[Int(count)] = CodePlace()
        count &+= 1
        return CodeLabel(index: count &- 1)
    }

    /// Makes several, which follow each other.
    mutating func add(_ number: Int) -> CodeLabels {
        let first = count
        for _ in 0..<number { _ = add() }
        return CodeLabels(first: first, count: number)
    }

    @usableFromInline @inline(never) mutating func grow() {
        let larger = UnsafeMutablePointer<CodePlace>.allocate(capacity: 2 * Int(capacity))
        larger.update(from: entries, count: Int(count))
        entries.deallocate()
        entries = larger
        capacity *= 2
    }

    /// Where a label is; nil: it is not bound, or none of ours.
    func offset(of label: CodeLabel) -> Int? {
        guard label.index < count, entries[Int(label.index)].isBound else { return nil }
        return Int(entries[Int(label.index)].offset)
    }

    /// A label that somebody waits for.
    var firstAwaited: CodeLabel? {
        (0..<count).first { entries[Int($0)].isAwaited }.map { CodeLabel(index: $0) }
    }
}
