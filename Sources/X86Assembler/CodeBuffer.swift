/// Bytes of code under construction.
///
/// Invariant: `start <= cursor <= end`, and between a successful `reserve` and the next one at most
/// `headroom` bytes are put. So the one check per instruction is enough for every byte of it.
///
/// Once the limit is reached `overflowed` is set and stays set; `reserve` then refuses for ever, so that what
/// was written is a prefix of the code and nothing lies beyond the limit.
@frozen public struct CodeBuffer: ~Copyable {
    /// No x86 instruction is longer than 15 bytes.
    public static let headroom = 16
    public static let defaultLimit = 64 << 20

    @usableFromInline var start: UnsafeMutableRawPointer
    @usableFromInline var cursor: UnsafeMutableRawPointer
    @usableFromInline var end: UnsafeMutableRawPointer
    /// The most bytes there may ever be. Below 2^30, so that every distance fits 32 bits.
    public let limit: Int
    @usableFromInline let ownsMemory: Bool
    public private(set) var overflowed = false

    /// A buffer that grows as needed, up to `limit` bytes.
    public init(initialCapacity: Int = 4096, limit: Int = CodeBuffer.defaultLimit) {
        self.limit = max(0, min(limit, 1 << 30))
        let capacity = max(0, min(initialCapacity, self.limit))
        start = .allocate(byteCount: capacity, alignment: 16)
        cursor = start
        end = start + capacity
        ownsMemory = true
    }

    /// A buffer over memory of the caller's, which outlives it; it does not grow.
    public init(over memory: UnsafeMutableRawBufferPointer) {
        limit = min(memory.count, 1 << 30)
        ownsMemory = memory.baseAddress == nil
        start = memory.baseAddress ?? .allocate(byteCount: 0, alignment: 16)
        cursor = start
        end = start + limit
    }

    deinit {
        if ownsMemory { start.deallocate() }
    }

    /// The number of bytes written.
    @inlinable public var count: Int { cursor - start }

    /// What was written, valid until the buffer is next changed.
    @inlinable public var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: start, count: count)
    }

    /// Forgets the contents, keeps the memory.
    public mutating func reset() {
        cursor = start
        overflowed = false
    }

    /// Makes sure of `headroom` bytes. False: there is no room and nothing may be put.
    @inlinable @inline(__always)
    mutating func reserve() -> Bool {
        end - cursor >= CodeBuffer.headroom || grow()
    }

    @inlinable @inline(__always)
    mutating func put(_ byte: UInt8) {
        cursor.storeBytes(of: byte, as: UInt8.self)
        cursor += 1
    }

    @inlinable @inline(__always)
    mutating func put(_ word: UInt16) {
        cursor.storeBytes(of: word, as: UInt16.self)
        cursor += 2
    }

    @inlinable @inline(__always)
    mutating func put(_ word: UInt32) {
        cursor.storeBytes(of: word, as: UInt32.self)
        cursor += 4
    }

    @inlinable @inline(__always)
    mutating func put(_ word: UInt64) {
        cursor.storeBytes(of: word, as: UInt64.self)
        cursor += 8
    }

    /// Overwrites what lies at `offset`, which the caller has put before.
    mutating func patch(_ value: Int32, at offset: Int) {
        start.storeBytes(of: value, toByteOffset: offset, as: Int32.self)
    }

    mutating func patch(_ value: Int8, at offset: Int) {
        start.storeBytes(of: value, toByteOffset: offset, as: Int8.self)
    }

    @usableFromInline @inline(never)
    mutating func grow() -> Bool {
        let used = count
        let capacity = min(limit, max(2 * (end - start), used + CodeBuffer.headroom))
        guard ownsMemory, !overflowed, capacity - used >= CodeBuffer.headroom else {
            overflowed = true
            return false
        }
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: start, byteCount: used)
        start.deallocate()
        start = larger
        cursor = larger + used
        end = larger + capacity
        return true
    }
}
