/// The memory that code is written to.
///
/// Invariant: an instruction begins at `last` or before it, so that `headroom` bytes lie behind its start. One check
/// per instruction is then enough for every byte of it. What lies behind the last instruction means nothing: an
/// instruction is written in words that may be longer than it is.
///
/// Once the limit is reached `overflowed` is set and stays set; nothing begins at or before `last` then, so that what
/// was written is a prefix of the code and nothing lies beyond the limit.
@usableFromInline struct CodeBuffer: BitwiseCopyable {
    /// No x86 instruction is longer than 15 bytes.
    static let headroom = 16

    @usableFromInline var start: UnsafeMutableRawPointer
    var end: UnsafeMutableRawPointer
    /// The most bytes there may ever be. Below 2^30, so that every distance fits 32 bits.
    let limit: Int
    let ownsMemory: Bool
    var overflowed = false

    /// A buffer that grows as needed, up to `limit` bytes.
    init(initialCapacity: Int, limit: Int) {
        self.limit = max(0, min(limit, 1 << 30))
        let capacity = max(0, min(initialCapacity, self.limit))
        start = .allocate(byteCount: capacity, alignment: 16)
        end = start + capacity
        ownsMemory = true
    }

    /// A buffer over memory of the caller's, which outlives it; it does not grow.
    init(over memory: UnsafeMutableRawBufferPointer) {
        limit = min(memory.count, 1 << 30)
        ownsMemory = memory.baseAddress == nil
        start = memory.baseAddress ?? .allocate(byteCount: 0, alignment: 16)
        end = start + limit
    }

    /// Gives the memory back. Nothing else may be done afterwards.
    func deallocate() {
        if ownsMemory { start.deallocate() }
    }

    /// Where the last instruction may begin; before `start` when none may.
    var last: UnsafeMutableRawPointer { overflowed ? start - 1 : end - CodeBuffer.headroom }

    /// Makes room behind `cursor`, or sets `overflowed`. Returns where the cursor is now.
    mutating func grow(at cursor: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        let used = cursor - start
        let capacity = min(limit, max(2 * (end - start), used + CodeBuffer.headroom))
        guard ownsMemory, !overflowed, capacity - used >= CodeBuffer.headroom else {
            overflowed = true
            return cursor
        }
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: start, byteCount: used)
        start.deallocate()
        start = larger
        end = larger + capacity
        return larger + used
    }
}
