/// Memory for the tables of one verification: handed out in pieces, given back all at once.
///
/// A verification needs some thirty tables, each for a microsecond. As arrays they would cost more than what is
/// worked out in them.
final class Arena {
    private var next: UnsafeMutableRawPointer
    private var rest: Int
    private var chunk: UnsafeMutableRawPointer
    private var full: [UnsafeMutableRawPointer] = []

    /// - Parameter bytes: how much will probably be asked for. More is there when it is needed.
    init(expecting bytes: Int) {
        rest = bytes
        chunk = Self.allocate(rest)
        next = chunk
    }

    /// Memory aligned as the allocator does by itself, which is faster.
    private static func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
        .allocate(byteCount: bytes, alignment: MemoryLayout<Int>.alignment)
    }

    deinit {
        chunk.deallocate()
        for chunk in full { chunk.deallocate() }
    }

    /// A table that holds the same at every place.
    @inline(__always)
    func table<Element: BitwiseCopyable>(_ count: Int, _ value: Element) -> Table<Element> {
        let table: Table<Element> = uninitialised(count)
        table.base.initialize(repeating: value, count: count)
        return table
    }

    /// A table whose places must be written before they are read.
    @inline(__always)
    func uninitialised<Element: BitwiseCopyable>(_ count: Int) -> Table<Element> {
        let alignment = MemoryLayout<Element>.alignment
        let bytes = count * MemoryLayout<Element>.stride
        var start = next.alignedUp(toMultipleOf: alignment)
        if bytes + alignment > rest {
            addChunk(bytes + alignment)
            start = next.alignedUp(toMultipleOf: alignment)
        }
        rest -= (start - next) + bytes
        next = start + bytes
        return Table(base: start.bindMemory(to: Element.self, capacity: count), count: count)
    }

    @inline(never)
    private func addChunk(_ bytes: Int) {
        full.append(chunk)
        rest = max(bytes, 1 << 16)
        chunk = Self.allocate(rest)
        next = chunk
    }
}

/// An array of fixed length in an arena's memory, which must outlive it. Debug builds check every index; nothing is
/// counted.
struct Table<Element: BitwiseCopyable>: BitwiseCopyable {
    let base: UnsafeMutablePointer<Element>
    let count: Int

    @inline(__always)
    subscript(index: Int) -> Element {
        get {
            assert(UInt(bitPattern: index) < UInt(bitPattern: count))
            return base[index]
        }
        nonmutating _modify {
            assert(UInt(bitPattern: index) < UInt(bitPattern: count))
            yield &base[index]
        }
    }

    /// The elements, for going over them.
    var elements: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: base, count: count) }

    /// A copy that outlives the arena.
    func array() -> [Element] { Array(elements) }

    /// So many elements from the first on.
    func prefix(_ count: Int) -> Table {
        assert(count >= 0 && count <= self.count)
        return Table(base: base, count: count)
    }

    /// The elements from a place on.
    func dropFirst(_ first: Int) -> Table {
        assert(first >= 0 && first <= count)
        return Table(base: base + first, count: count - first)
    }
}
