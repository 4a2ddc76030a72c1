import SCodeIR

/// An instruction, what it reads and writes, and how control leaves it: what every pass asks, worked out once.
struct InstructionUse: BitwiseCopyable {
    fileprivate(set) var instruction: Instruction
    var reads: RegisterSet
    /// At most one register, but for macro-instructions.
    var writes: RegisterSet
    var shape: OperandShape
    fileprivate(set) var properties: Properties = []

    struct Properties: OptionSet, BitwiseCopyable {
        let rawValue: UInt8
        static var fallsThrough: Properties { Properties(rawValue: 1) }
        static var endsBlock: Properties { Properties(rawValue: 2) }
        static var isChecked: Properties { Properties(rawValue: 4) }
        static var isFollowed: Properties { Properties(rawValue: 8) }
    }

    @inline(__always)
    private subscript(property: Properties) -> Bool {
        get { !properties.isDisjoint(with: property) }
        set { if newValue { properties.formUnion(property) } else { properties.subtract(property) } }
    }

    /// Whether the next instruction can come next; of a call, what it calls comes next.
    var fallsThrough: Bool {
        @inline(__always) get { self[.fallsThrough] }
        @inline(__always) set { self[.fallsThrough] = newValue }
    }
    var endsBlock: Bool {
        @inline(__always) get { self[.endsBlock] }
        @inline(__always) set { self[.endsBlock] = newValue }
    }
    /// Whether it may abort for its operands: an access, a division, a jump through a table.
    var isChecked: Bool {
        @inline(__always) get { self[.isChecked] }
        @inline(__always) set { self[.isChecked] = newValue }
    }
    /// Whether it changes, or tells something about, registers that are followed; see `Demand`.
    var isFollowed: Bool {
        @inline(__always) get { self[.isFollowed] }
        @inline(__always) set { self[.isFollowed] = newValue }
    }

    @inline(__always)
    init(_ instruction: Instruction, _ facts: Opcode.Facts, reads: RegisterSet, writes: RegisterSet) {
        self.instruction = instruction
        self.reads = reads
        self.writes = writes
        shape = facts.shape
        endsBlock = facts.effects.contains(.endsBlock)
        fallsThrough = !facts.effects.contains(.noFallThrough) && shape != .call
        // Jumps but those through tables abort for want of budget only.
        isChecked = facts.effects.contains(.canAbort) && (!endsBlock || shape == .jumpTable)
    }

    /// *Requires* V1, V4, V5 and V6.
    init(
        _ instruction: Instruction, _ code: UnsafePointer<FragmentCode>,
        _ macros: borrowing [MacroInstruction]
    ) {
        let facts = instruction.opcode.facts
        guard facts.shape.isExpanded else {
            let (reads, writes) = instruction.registers(facts)
            self.init(instruction, facts, reads: reads, writes: writes)
            return
        }
        let call = Int(instruction.index)
        let (reads, writes) = Instruction.use(code.pointee.macroCalls[call].operands, macros[call].operands)
        self.init(instruction, facts, reads: reads, writes: writes)
        fallsThrough = macros[call].expansion.fallsThrough
        endsBlock = !fallsThrough
        isChecked = false
    }
}

extension UnsafeMutablePointer<InstructionUse> {
    /// To that of a plain instruction. Field by field, as a value, it would be copied byte by byte.
    @inline(__always)
    fileprivate func initialize(
        _ instruction: UnsafePointer<Instruction>, _ row: PlainRow, reads: UInt32, writes: UInt32
    ) {
        UnsafeMutableRawPointer(self).copyMemory(
            from: instruction, byteCount: MemoryLayout<Instruction>.size)
        pointee.reads = RegisterSet(rawValue: UInt64(reads))
        pointee.writes = RegisterSet(rawValue: UInt64(writes))
        pointee.shape = row.shape
        pointee.properties = row.properties
    }
}

/// The instructions of a fragment, taken in one after the other, as the passes behind the structural rules see them.
struct InstructionTables {
    let arena: Arena
    let uses: Table<InstructionUse>
    let dependences: Table<Dependences>
    /// Per instruction: whether it may jump to itself or backward, or calls a procedure.
    let backward: Table<Bool>
    /// Per label: the index of the instruction behind it.
    let positions: Table<UInt32>
    /// The registers that are read or written somewhere.
    private(set) var used: RegisterSet = []
    private(set) var hasBackward = false

    init(count: Int, labels: [Label], _ arena: Arena) {
        self.arena = arena
        uses = arena.uninitialised(count)
        dependences = arena.uninitialised(count)
        backward = arena.uninitialised(count)
        positions = arena.uninitialised(labels.count)
        for label in labels.indices { positions[label] = labels[label].position }
    }

    /// Takes in instructions as long as they are plain. Returns the first that is not.
    mutating func add(
        _ instructions: UnsafeBufferPointer<Instruction>, from first: Int, while plain: PlainInstructions
    ) -> Int {
        guard let base = instructions.baseAddress else { return first }
        let rows = PlainRow.all
        var used: UInt32 = 0
        var hasBackward = false
        var index = first
        while index < instructions.count {
            let place = base + index
            let row = rows[place.pointee.opcode]
            guard let (reads, writes) = plain.registers(place, row) else { break }
            used |= reads | writes
            (uses.base + index).initialize(place, row.pointee, reads: reads, writes: writes)
            dependences[index] = Dependences(place.pointee, row.pointee, reads: reads, writes: writes)
            let kind = row.pointee.index
            let isBackward =
                kind == .label ? positions[Int(place.pointee.index)] <= index : kind == .procedure
            backward[index] = isBackward
            hasBackward = hasBackward || isBackward
            index += 1
        }
        self.used.formUnion(RegisterSet(rawValue: UInt64(used)))
        self.hasBackward = self.hasBackward || hasBackward
        return index
    }

    /// *Requires* that labels and the tables that list them lie inside the fragment (V4), and of the instruction V1, V4,
    /// V5 and V6.
    mutating func add(
        _ instruction: Instruction, at index: Int, _ code: UnsafePointer<FragmentCode>,
        _ macros: borrowing [MacroInstruction]
    ) {
        let use = InstructionUse(instruction, code, macros)
        used.formUnion(use.reads.union(use.writes))
        uses[index] = use
        dependences[index] = Dependences(use)
        backward[index] = use.endsBlock && code.pointee.isBackward(instruction, at: index, use.shape)
        hasBackward = hasBackward || backward[index]
    }
}

/// One fragment that obeys the structural rules, as the passes behind them see it. Everything that they often look at lies
/// in the arena: a view is as cheap to hand on as its address.
struct FragmentView {
    private let codePlace: UnsafePointer<FragmentCode>
    private let macrosPlace: UnsafePointer<[MacroInstruction]>
    var code: FragmentCode { _read { yield codePlace.pointee } }
    /// Per macro call: what the acceptor makes of it.
    var macros: [MacroInstruction] { _read { yield macrosPlace.pointee } }
    let arena: Arena
    let uses: Table<InstructionUse>
    let dependences: Table<Dependences>
    /// Whether any instruction reads or writes a floating-point register.
    let usesFloats: Bool
    /// Whether anything is executed more than once: there is a jump to itself or backward, or a procedure.
    let hasLoops: Bool
    /// Per instruction: whether it may jump to itself or backward, or calls a procedure.
    let backward: Table<Bool>
    /// Per label: the index of the instruction behind it.
    let positions: Table<UInt32>
    /// Per procedure: its first instruction.
    let procedureStarts: Table<UInt32>

    /// - Parameters:
    ///   - code, macros: places that outlive the view.
    init(
        _ code: UnsafePointer<FragmentCode>, _ macros: UnsafePointer<[MacroInstruction]>,
        _ tables: InstructionTables
    ) {
        codePlace = code
        macrosPlace = macros
        arena = tables.arena
        uses = tables.uses
        dependences = tables.dependences
        backward = tables.backward
        positions = tables.positions
        usesFloats = tables.used.intersection(.floats) != []
        procedureStarts = arena.uninitialised(code.pointee.procedures.count)
        for procedure in 0..<procedureStarts.count {
            procedureStarts[procedure] = code.pointee.procedures[procedure].start
        }
        hasLoops = tables.hasBackward || procedureStarts.count > 0
    }

    /// Of code that is known to obey the rules.
    init(
        _ code: UnsafePointer<FragmentCode>, _ macros: UnsafePointer<[MacroInstruction]>, _ arena: Arena
    ) {
        let instructions = code.pointee.instructions
        var tables = InstructionTables(count: instructions.count, labels: code.pointee.labels, arena)
        for (index, instruction) in instructions.enumerated() {
            tables.add(instruction, at: index, code, macros.pointee)
        }
        self.init(code, macros, tables)
    }

    @inline(__always)
    func instruction(_ index: Int) -> Instruction { uses[index].instruction }

    /// Follows one instruction's effect on what is known of the registers.
    @inline(__always)
    func step(_ index: Int, _ values: RegisterValues) {
        if uses[index].shape.isExpanded {
            let call = Int(uses[index].instruction.index)
            values.step(code.macroCalls[call], macros[call])
        } else {
            values.step(uses[index].instruction)
        }
    }
}

extension FragmentCode {
    /// Whether executing an instruction may jump to itself or backward, or calls a procedure. A `jt` counts as
    /// backward when any entry of its table lies there.
    @inline(__always)
    func isBackward(_ instruction: Instruction, at index: Int, _ shape: OperandShape) -> Bool {
        switch shape {
        case .jump, .branch:
            return Int(labels[Int(instruction.index)].position) <= index
        case .jumpTable:
            return tables[Int(instruction.index)].labels.contains {
                Int(labels[Int($0)].position) <= index
            }
        case .call:
            return true
        case .binary, .unary, .constant, .convert, .load, .store, .fetch, .compareExchange, .return,
            .hostCall, .macro:
            return false
        }
    }

}

extension Instruction {
    /// Whether the next instruction can be executed after it: a call comes back.
    func fallsThrough(_ macros: [MacroInstruction]) -> Bool {
        opcode.operation == .macro
            ? macros[Int(index)].expansion.fallsThrough : !opcode.effects.contains(.noFallThrough)
    }
}
