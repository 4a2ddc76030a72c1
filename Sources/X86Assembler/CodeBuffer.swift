/// The memory that code is written to.
///
/// Room is looked for once per instruction, or once per run of instructions, not per byte. So there is more memory than
/// code may have: `run` bytes behind the limit, and behind them `headroom` for the last instruction, which is written in
/// words that may be longer than it is. What lies behind the code means nothing.
///
/// Once code has passed the limit `overflowed` is set and stays set. What is emitted then goes to the memory behind the
/// limit, again and again.
@usableFromInline struct CodeBuffer: BitwiseCopyable {
    /// Bytes for which a look for a run's room makes sure.
    @inlinable @inline(__always) static var run: Int { 512 }
    /// No x86 instruction is longer than 15 bytes.
    static let headroom = 16
    /// Bytes of memory that code may not have.
    static let margin = run + headroom

    @usableFromInline var start: UnsafeMutableRawPointer
    /// Where the last instruction may begin, as an offset.
    @usableFromInline var last: Int
    /// The most bytes of code. Below 2^30, so that every distance fits 32 bits.
    let limit: Int
    let ownsMemory: Bool
    var overflowed = false

    /// A buffer that grows as needed, for up to `limit` bytes.
    init(initialCapacity: Int, limit: Int) {
        self.limit = max(0, min(limit, 1 << 30))
        last = max(0, min(initialCapacity, self.limit)) + Self.run
        start = .allocate(byteCount: last + Self.headroom, alignment: 16)
        ownsMemory = true
    }

    /// A buffer over memory of the caller's, which outlives it; it does not grow. The limit is `margin` less than its
    /// size. Memory that is too small for that is not used, and the limit is 0.
    init(over memory: UnsafeMutableRawBufferPointer) {
        limit = max(0, min(memory.count - Self.margin, 1 << 30))
        last = limit + Self.run
        let fits = memory.count >= Self.margin ? memory.baseAddress : nil
        ownsMemory = fits == nil
        start = fits ?? .allocate(byteCount: last + Self.headroom, alignment: 16)
    }

    /// Gives the memory back. Nothing else may be done afterwards.
    func deallocate() {
        if ownsMemory { start.deallocate() }
    }

    /// Makes room for a run of instructions at `position`, or sets `overflowed`. Returns where the next instruction goes: at
    /// least `run` bytes before `last`.
    mutating func makeRoom(at position: Int) -> Int {
        let next = min(position, limit)
        if next < position { overflowed = true }
        if next + Self.run > last {
            last = min(max(2 * last, next + Self.run), limit + Self.run)
            let larger = UnsafeMutableRawPointer.allocate(byteCount: last + Self.headroom, alignment: 16)
            larger.copyMemory(from: start, byteCount: next)
            start.deallocate()
            start = larger
        }
        return next
    }
}
