import SCode

/// The tree of schedulers: who attached below whom, and each one's exposed list of children.
///
/// The first scheduler to attach is the root. A scheduler's jump table has a slot per scheduler below it; the
/// tree says which is whose, the machine puts the fragments in.
struct SchedulerTree {
    /// `struct child { kind: u, id: u, weight: u, environment: u }`, an entry of the `children` region. An
    /// entry keeps its place as long as the child is there; a new child takes the first empty one.
    enum ChildField {
        /// A `Kind`.
        static let kind = 0
        /// What to say to give it the processor: `s_app_sched id` or `s_sub_sched id`.
        static let id = 4
        /// What it is entitled to, in thousandths of the scheduler's time; 0: not stated.
        static let weight = 8
        /// Its entry in `environments`.
        static let environment = 12
        static let size = 16
    }

    /// What an entry of the list of children is, by raw value.
    enum Kind: UInt32 {
        case empty = 0
        case application = 1
        case scheduler = 2
    }

    struct Node {
        /// The id of the scheduler above; 0: none.
        fileprivate(set) var parent: Int
        /// Entries of the list of children: ids of environments; 0: empty.
        fileprivate(set) var entries: [Int] = []
        /// How many of them are empty.
        fileprivate var emptyEntries = 0
        /// The jump table: ids of schedulers; 0: empty.
        fileprivate(set) var slots: [Int]
        /// The pages that show `entries`.
        fileprivate(set) var table: Frame
        fileprivate(set) var tablePages: Int
        /// How many entries the list can come to, with all that could still move here.
        let entryLimit: Int

        var tableSize: Int { tablePages * PhysicalMemory.pageSize }
    }

    private(set) var nodes: [Int: Node] = [:]
    private(set) var root = 0
    private let pages: PhysicalPages

    init(pages: PhysicalPages) { self.pages = pages }

    func contains(_ scheduler: Int) -> Bool { nodes[scheduler] != nil }
    subscript(scheduler: Int) -> Node? { nodes[scheduler] }

    /// Attaches a scheduler below another; the first one, below nobody.
    /// - Parameters:
    ///   - slots: how many schedulers can be right below it.
    ///   - entries: how many children of any kind can be.
    mutating func attach(
        _ environment: Environment, slots: Int, entries: Int
    ) throws(MachineError) {
        let count = Frame.pages(holding: entries * ChildField.size)
        let table = try pages.allocate(count, owner: environment.id)
        if nodes.isEmpty {
            root = environment.id
        } else {
            do throws(MachineError) {
                try addChild(environment, kind: .scheduler, to: environment.parent)
            } catch {
                pages.release(table, count: count)
                throw error
            }
        }
        nodes[environment.id] = Node(
            parent: root == environment.id ? 0 : environment.parent, slots: Array(repeating: 0, count: slots),
            table: table, tablePages: count, entryLimit: entries)
    }

    /// Takes a scheduler out. Its children go to the scheduler above, in their order.
    /// - Returns: that one.
    mutating func detach(
        _ environment: Environment, environments: EnvironmentTable
    ) throws(MachineError) -> Int {
        guard let node = nodes[environment.id] else { throw .unknownScheduler(environment.name) }
        guard environment.id != root else { throw .rootCannotBeDetached(environment.name) }
        let children = node.entries.filter { $0 != 0 }
        // One slot becomes free, and each scheduler below needs one: look before anything is changed.
        let needed = children.filter { nodes[$0] != nil }.count
        let free = nodes[node.parent]?.slots.filter { $0 == 0 }.count ?? 0
        guard needed <= free + 1 else { throw .slotsExhausted(environments[node.parent].name) }

        remove(environment.id, from: node.parent)
        nodes[environment.id] = nil
        for child in children {
            let kind: Kind = nodes[child] == nil ? .application : .scheduler
            nodes[child]?.parent = node.parent
            try addChild(environments[child], kind: kind, to: node.parent)
        }
        pages.release(node.table, count: node.tablePages)
        return node.parent
    }

    /// Enters an application's environment that has begun.
    mutating func add(application environment: Environment) throws(MachineError) {
        try addChild(environment, kind: .application, to: environment.parent)
    }

    /// Removes an environment that has ended.
    mutating func remove(application environment: Environment) {
        remove(environment.id, from: environment.parent)
    }

    /// Puts a child, which is not the root, below another scheduler.
    mutating func move(_ environment: Environment, to parent: Int) throws(MachineError) {
        let kind: Kind = nodes[environment.id] == nil ? .application : .scheduler
        try addChild(environment, kind: kind, to: parent)
        remove(environment.id, from: environment.parent)
        nodes[environment.id]?.parent = parent
    }

    /// Schedulers from the root down to this one, both counted.
    func depth(of scheduler: Int) -> Int {
        var depth = 0
        var next = scheduler
        while let node = nodes[next] {
            depth += 1
            next = node.parent
        }
        return depth
    }

    /// Schedulers above one another from this one down, itself counted; 0 for an application's environment.
    func height(of child: Int) -> Int {
        guard let node = nodes[child] else { return 0 }
        // No deeper than the limit on schedulers above one another.
        return 1 + (node.slots.filter { $0 != 0 }.map(height).max() ?? 0)
    }

    private mutating func addChild(_ environment: Environment, kind: Kind, to parent: Int)
        throws(MachineError)
    {
        guard let node = nodes[parent] else { throw .unknownScheduler("\(parent)") }
        var slot: Int?
        if kind == .scheduler {
            slot = node.slots.firstIndex(of: 0)
            if slot == nil { throw .slotsExhausted("\(parent)") }
        }
        let entry =
            node.emptyEntries == 0 ? node.entries.count : node.entries.firstIndex(of: 0) ?? node.entries.count
        guard (entry + 1) * ChildField.size <= node.tableSize else { throw .slotsExhausted("\(parent)") }
        show(
            node, entry, kind, id: slot ?? environment.id, weight: environment.weight,
            environment: environment.id)
        enter(environment.id, into: parent, entry: entry, slot: slot)
    }

    /// The lists are changed where they lie: there may be very many children.
    private mutating func enter(_ child: Int, into parent: Int, entry: Int, slot: Int?) {
        if let slot { nodes[parent]?.slots[slot] = child }
        if nodes[parent].map({ entry < $0.entries.count }) == true {
            nodes[parent]?.entries[entry] = child
            nodes[parent]?.emptyEntries -= 1
        } else {
            nodes[parent]?.entries.append(child)
        }
    }

    private mutating func remove(_ child: Int, from parent: Int) {
        guard var node = nodes[parent], let entry = node.entries.firstIndex(of: child) else { return }
        node.entries[entry] = 0
        node.emptyEntries += 1
        if let slot = node.slots.firstIndex(of: child) { node.slots[slot] = 0 }
        while node.entries.last == 0 {
            node.entries.removeLast()
            node.emptyEntries -= 1
        }
        nodes[parent] = node
        show(node, entry, .empty, id: 0, weight: 0, environment: 0)
    }

    /// Exchanges the pages that show a scheduler's children. The old ones are the caller's to release.
    mutating func moveTable(of scheduler: Int, to table: Frame, pages count: Int) {
        guard let node = nodes[scheduler] else { return }
        let shown = min(node.tablePages, count) * PhysicalMemory.pageSize
        pages.address(table).copyMemory(from: pages.address(node.table), byteCount: shown)
        nodes[scheduler]?.table = table
        nodes[scheduler]?.tablePages = count
    }

    private func show(_ node: Node, _ entry: Int, _ kind: Kind, id: Int, weight: UInt32, environment: Int) {
        let record = pages.address(node.table) + entry * ChildField.size
        func store(_ field: Int, _ value: UInt32) {
            record.storeBytes(of: value.littleEndian, toByteOffset: field, as: UInt32.self)
        }
        store(ChildField.kind, kind.rawValue)
        store(ChildField.id, UInt32(truncatingIfNeeded: id))
        store(ChildField.weight, weight)
        store(ChildField.environment, UInt32(truncatingIfNeeded: environment))
    }
}
