/// Memory for the tables of one verification: handed out in pieces, given back all at once.
///
/// A verification needs some thirty tables, each for a microsecond. As arrays they would cost more than what is
/// worked out in them. Arenas and tables are addresses: passes hand them on without counting references.
struct Arena: BitwiseCopyable {
    private struct State {
        /// What is left of the last chunk.
        var next: UnsafeMutableRawPointer
        var rest: Int
        /// Each chunk begins with the address of the one before it.
        var chunk: UnsafeMutableRawPointer
    }
    private let state: UnsafeMutablePointer<State>

    /// - Parameter bytes: how much will probably be asked for. More is there when it is needed.
    init(expecting bytes: Int) {
        let header = MemoryLayout<Link>.size + MemoryLayout<State>.size
        let chunk = Self.allocate(header + bytes, behind: nil)
        state = (chunk + MemoryLayout<Link>.size).bindMemory(to: State.self, capacity: 1)
        state.initialize(to: State(next: chunk + header, rest: bytes, chunk: chunk))
    }

    private typealias Link = UnsafeMutableRawPointer?

    /// Memory aligned as the allocator does by itself, which is faster.
    private static func allocate(_ bytes: Int, behind last: Link) -> UnsafeMutableRawPointer {
        let chunk = UnsafeMutableRawPointer.allocate(
            byteCount: bytes, alignment: MemoryLayout<Int>.alignment)
        chunk.bindMemory(to: Link.self, capacity: 1).initialize(to: last)
        return chunk
    }

    /// Gives all memory back. Neither the arena nor a table of it may be used any more.
    func giveBack() {
        var last: Link = state.pointee.chunk
        while let chunk = last {
            last = chunk.load(as: Link.self)
            chunk.deallocate()
        }
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
        if bytes + alignment > state.pointee.rest { addChunk(bytes + alignment) }
        let next = state.pointee.next
        let start = next.alignedUp(toMultipleOf: alignment)
        state.pointee.rest -= (start - next) + bytes
        state.pointee.next = start + bytes
        return Table(base: start.bindMemory(to: Element.self, capacity: count), count: count)
    }

    /// Where something large lies from now on: handed on as its address, it is not copied.
    func place<Value: BitwiseCopyable>(_ value: Value) -> UnsafePointer<Value> {
        let place: Table<Value> = uninitialised(1)
        place.base.initialize(to: value)
        return UnsafePointer(place.base)
    }

    /// A table with the same contents.
    func copy<Element: BitwiseCopyable>(_ table: Table<Element>) -> Table<Element> {
        let copy: Table<Element> = uninitialised(table.count)
        copy.base.initialize(from: table.base, count: table.count)
        return copy
    }

    @inline(never)
    private func addChunk(_ bytes: Int) {
        let rest = max(bytes, 1 << 16)
        let chunk = Self.allocate(MemoryLayout<Link>.size + rest, behind: state.pointee.chunk)
        state.pointee = State(next: chunk + MemoryLayout<Link>.size, rest: rest, chunk: chunk)
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
