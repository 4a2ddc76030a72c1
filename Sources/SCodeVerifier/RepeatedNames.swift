import SCodeIR

/// Finds labels that are called as one before is. A program may have many thousands, and hardly ever two: so the table goes
/// by a hash of few instructions. Names that such a hash does not tell apart, or that are not plain ASCII, of which
/// different bytes may be the same name, are left to a set.
struct RepeatedNames {
    private let arena: Arena
    /// Per place: the label that is there, and one; 0: none. Made when it is needed: of a stripped program nobody asks.
    private var table: Table<UInt32>
    /// Beyond so many looks at places somebody has made the names so.
    private var looks = 0
    private var set: Set<String>?

    init(_ arena: Arena) {
        self.arena = arena
        table = arena.uninitialised(0)
    }

    /// Whether a label before `index` has the same name. To be asked of each label in turn that has one.
    mutating func isRepeated(_ index: Int, _ labels: [Label]) -> Bool {
        let name = labels[index].name
        if set == nil, let hash = Self.hash(name) {
            if table.count == 0 {
                table = arena.table(Self.size(labels.count), 0)
                looks = 8 * labels.count
            }
            let mask = table.count - 1
            var place = Self.place(hash) & mask
            while table[place] != 0, looks > 0 {
                if labels[Int(table[place]) - 1].name == name { return true }
                looks -= 1
                place = (place + 1) & mask
            }
            if looks > 0 {
                table[place] = UInt32(truncatingIfNeeded: index + 1)
                return false
            }
        }
        var names = set ?? Set(labels[..<index].lazy.map(\.name))
        set = nil
        defer { set = names }
        return !names.insert(name).inserted
    }

    /// How large the table for so many names is.
    static func size(_ count: Int) -> Int {
        var size = 16
        while size < 2 * count { size *= 2 }
        return size
    }

    static func place(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 32) }

    /// Nil when the name is not ASCII.
    static func hash(_ name: String) -> UInt64? {
        var hash: UInt64 = 0x9e37_79b9_7f4a_7c15
        var all: UInt8 = 0
        for byte in name.utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x9fb2_1c65_1e98_df25
            all |= byte
        }
        return all < 0x80 ? hash : nil
    }
}
