import SCodeIR

/// How a value came to be: the instructions that made it, from the last backwards. Only used to explain a rejection.
struct ValueOrigin {
    private let view: FragmentView
    private var code: FragmentCode { _read { yield view.code } }
    private let flow: FlowGraph
    private let predecessors: FlowGraph.Grouped
    /// Steps of an explanation; more would hide what matters.
    private static let limit = 5

    init(_ view: FragmentView, _ flow: FlowGraph) {
        self.view = view
        self.flow = flow
        predecessors = flow.predecessors(view.arena)
    }

    /// A note for each instruction in a chain of definitions that ends at `index`.
    func notes(_ register: Register, before index: Int) -> [Diagnostic.Note] {
        var notes: [Diagnostic.Note] = []
        var seen: Set<Int> = []
        var place: (register: Register, index: Int)? = (register, index)
        while let current = place, notes.count < Self.limit {
            place = nil
            let name = code.name(of: current.register)
            guard let definition = definition(of: current.register, before: current.index) else {
                notes.append(Diagnostic.Note(code.range, "'\(name)' is what the fragment is entered with"))
                break
            }
            guard seen.insert(definition).inserted else { break }
            notes.append(
                Diagnostic.Note(code.sourceRange(at: definition), "'\(name)' \(describe(definition))"))
            place = source(of: definition).map { ($0, definition) }
        }
        return notes
    }

    /// The nearest instruction backwards that writes the register; nil when it holds what it was entered with.
    private func definition(of register: Register, before index: Int) -> Int? {
        let block = Int(flow.blockOfInstruction[index])
        if let found = lastWrite(register, in: Int(flow.blocks[block].start)..<index) { return found }
        var seen: Set<Int> = []
        var queue = Array(predecessors[block])
        var head = 0
        while head < queue.count {
            let block = Int(queue[head])
            head += 1
            guard seen.insert(block).inserted else { continue }
            let range = Int(flow.blocks[block].start)..<Int(flow.blocks[block].end)
            if let found = lastWrite(register, in: range) { return found }
            queue += predecessors[block]
        }
        return nil
    }

    private func lastWrite(_ register: Register, in range: Range<Int>) -> Int? {
        range.last { view.uses[$0].writes.contains(register) }
    }

    /// The operand that the definition's value mostly depends on.
    private func source(of index: Int) -> Register? {
        let instruction = code.instructions[index]
        switch instruction.opcode.shape {
        case .unary, .convert: return instruction.rs1
        case .binary:
            // What is not just advanced by a constant or by itself.
            return instruction.opcode.form == .register && instruction.rs1 == instruction.rd
                ? instruction.rs2 : instruction.rs1
        case .constant, .load, .store, .fetch, .compareExchange, .branch, .jump, .jumpTable, .call, .return,
            .hostCall,
            .macro:
            return nil
        }
    }

    private func describe(_ index: Int) -> String {
        let instruction = code.instructions[index]
        switch instruction.opcode.shape {
        case .load, .fetch, .compareExchange: return "is read from memory here: it may be anything"
        case .hostCall, .macro:
            return "comes from '\(code.macroCalls[Int(instruction.index)].name)' here: it may be anything"
        case .constant: return "is set here"
        case .convert: return "is converted here"
        case .binary, .unary, .store, .branch, .jump, .jumpTable, .call, .return: return "is computed here"
        }
    }
}
