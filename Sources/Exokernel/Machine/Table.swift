/// A list that stays at one place in memory and only grows: an element is changed where it lies, without a copy, a count
/// of references or a check of exclusive access, which a decision could not afford. Whoever holds the table shares it.
///
/// An index that does not exist traps, as an array's does.
final class Table<Element>: RandomAccessCollection {
    private var base: UnsafeMutablePointer<Element>
    private var capacity: Int
    @exclusivity(unchecked) private(set) var count = 0

    convenience init() { self.init(EmptyCollection()) }

    init(_ elements: some Collection<Element>) {
        capacity = Swift.max(8, elements.count)
        base = .allocate(capacity: capacity)
        for element in elements { append(element) }
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    var startIndex: Int { 0 }
    var endIndex: Int { count }

    subscript(index: Int) -> Element {
        _read {
            precondition(index >= 0 && index < count)
            yield base[index]
        }
        _modify {
            precondition(index >= 0 && index < count)
            yield &base[index]
        }
    }

    /// Nobody must be changing an element.
    func append(_ element: Element) {
        if count == capacity {
            let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity * 2)
            larger.moveInitialize(from: base, count: count)
            base.deallocate()
            base = larger
            capacity *= 2
        }
        (base + count).initialize(to: element)
        count += 1
    }
}

/// Values of some environments, by their ids: these are small numbers, and looking one up is an access to a list.
struct ByID<Value> {
    private var values: [Value?] = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    /// Ids that have a value, in order.
    var keys: some Sequence<Int> { values.indices.lazy.filter { [values] in values[$0] != nil } }

    func contains(_ id: Int) -> Bool { values.indices.contains(id) && values[id] != nil }

    subscript(id: Int) -> Value? {
        get { values.indices.contains(id) ? values[id] : nil }
        _modify {
            // Whoever only looks makes no room.
            if !values.indices.contains(id) {
                var none: Value?
                yield &none
                if let none { insert(none, id) }
                return
            }
            let before = values[id] == nil ? 0 : 1
            defer { count += (values[id] == nil ? 0 : 1) - before }
            yield &values[id]
        }
    }

    private mutating func insert(_ value: Value, _ id: Int) {
        guard id >= 0 else { return }
        while values.count <= id { values.append(nil) }
        values[id] = value
        count += 1
    }

    mutating func removeValue(forKey id: Int) -> Value? {
        let old = self[id]
        if old != nil { self[id] = nil }
        return old
    }
}
