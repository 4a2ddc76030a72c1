import SCodeIR

/// What is known about the local procedures of a fragment: who calls whom, and what they change.
struct ProcedureFacts {
    /// Per procedure: the longest chain of calls that leads to it, from 1. Two procedures that are active at once
    /// have different levels, so that one return address per level is enough.
    let levels: Table<Int>
    /// Per procedure: registers that it or one that it calls writes.
    let written: Table<RegisterSet>

    init(_ view: FragmentView) {
        levels = view.arena.table(view.procedureStarts.count, 1)
        written = view.arena.table(view.procedureStarts.count, [])
    }

    /// The procedure of each instruction, or -1 in the fragment's body.
    static func procedure(of instruction: Int, in code: FragmentCode) -> Int {
        var low = 0
        var high = code.procedures.count
        while low < high {
            let middle = (low + high) / 2
            if Int(code.procedures[middle].start) <= instruction { low = middle + 1 } else { high = middle }
        }
        return low - 1
    }
}

/// Rule V12: procedures are stretches of instructions that only calls enter and only `ret` or an exit leaves, and
/// that call one another without recursion.
///
/// *Requires* V1, V4 and V5 for each instruction. *Produces* `ProcedureFacts`.
struct ProcedureRules {
    private let view: FragmentView
    private var code: FragmentCode { _read { yield view.code } }
    let facts: ProcedureFacts
    private(set) var diagnostics: [Diagnostic] = []
    /// Per procedure: the procedures that it calls, each once.
    private var callees: [Set<Int>] = []

    init(_ view: FragmentView) {
        self.view = view
        facts = ProcedureFacts(view)
    }

    mutating func check() {
        if view.procedureStarts.count == 0 { return checkNoReturn() }
        guard checkPlaces() else { return }
        checkCrossing()
        guard diagnostics.isEmpty else { return }
        findLevels()
        if diagnostics.isEmpty { findWritten() }
    }

    /// Without procedures there is nothing to cross.
    private mutating func checkNoReturn() {
        for index in 0..<view.uses.count where view.uses[index].shape == .return { reportReturn(index) }
    }

    private mutating func reportReturn(_ index: Int) {
        report(
            code.sourceRange(at: index), "'ret' outside a procedure",
            "the fragment itself is left by an exit of its acceptor")
    }

    private mutating func report(_ range: SourceRange, _ message: String, _ suggestion: String? = nil) {
        guard diagnostics.count < StructuralRules.reportLimit else { return }
        diagnostics.append(Diagnostic(.error, range, message, rule: .procedures, suggestion: suggestion))
    }

    /// Whether procedures stand one behind the other, and each has an instruction.
    private mutating func checkPlaces() -> Bool {
        // A stripped module has no names that could clash.
        var names = Set(code.labels.map(\.name).filter { !$0.isEmpty })
        var last = 0
        for procedure in code.procedures {
            let start = Int(procedure.start)
            if start >= code.instructions.count {
                report(code.range, "procedure '\(procedure.name)' has no instruction", "end it with ret")
            } else if start <= last {
                report(
                    code.range,
                    start == 0
                        ? "a fragment begins with its body, not with procedure '\(procedure.name)'"
                        : "procedure '\(procedure.name)' begins where another one does, or before")
            }
            if !procedure.name.isEmpty, !names.insert(procedure.name).inserted {
                report(code.range, "'\(procedure.name)' names two places")
            }
            last = start
        }
        return diagnostics.isEmpty
    }

    /// Jumps stay in their procedure; nothing runs from one into the next; `ret` stands in procedures only.
    private mutating func checkCrossing() {
        callees = Array(repeating: [], count: code.procedures.count)
        var current = -1
        var end = Int(code.procedures.first?.start ?? .max)
        for (index, instruction) in code.instructions.enumerated() {
            if index == end {
                checkFallThrough(into: current + 1, before: index)
                current += 1
                end = current + 1 < code.procedures.count ? Int(code.procedures[current + 1].start) : .max
            }
            switch instruction.opcode.shape {
            case .branch, .jump: checkTarget(instruction.index, from: index, in: current)
            case .jumpTable:
                for label in code.tables[Int(instruction.index)].labels where diagnostics.isEmpty {
                    checkTarget(label, from: index, in: current)
                }
            case .return where current < 0: reportReturn(index)
            case .call where current >= 0: callees[current].insert(Int(instruction.index))
            case .binary, .unary, .constant, .convert, .load, .store, .fetch, .compareExchange, .call,
                .return,
                .hostCall, .macro:
                break
            }
        }
    }

    private mutating func checkFallThrough(into procedure: Int, before index: Int) {
        if code.instructions[index - 1].fallsThrough(view.macros) {
            report(
                code.sourceRange(at: index - 1),
                "control can run into procedure '\(code.procedures[procedure].name)'",
                "leave with ret, an exit or a jump before it")
        }
    }

    private mutating func checkTarget(_ label: UInt32, from index: Int, in procedure: Int) {
        let place = code.labels[Int(label)]
        let position = Int(place.position)
        let start = procedure < 0 ? 0 : Int(code.procedures[procedure].start)
        let end =
            procedure + 1 < code.procedures.count
            ? Int(code.procedures[procedure + 1].start) : code.instructions.count
        if position < start || position >= end {
            report(
                code.sourceRange(at: index),
                "jumps to label '\(place.name)', which lies in \(name(ofProcedureAt: position))",
                "a procedure is entered by call and left by ret")
        }
    }

    private func name(ofProcedureAt position: Int) -> String {
        let procedure = ProcedureFacts.procedure(of: position, in: code)
        return procedure < 0 ? "the body of the fragment" : "procedure '\(code.procedures[procedure].name)'"
    }

    /// The longest chain of calls to each procedure, callers first; what is left over calls itself.
    private mutating func findLevels() {
        var callerCount = [Int](repeating: 0, count: code.procedures.count)
        for list in callees { for callee in list { callerCount[callee] += 1 } }
        let levels = facts.levels
        var ready = callerCount.indices.filter { callerCount[$0] == 0 }
        var done = 0
        while let procedure = ready.popLast() {
            done += 1
            for callee in callees[procedure] {
                levels[callee] = max(levels[callee], levels[procedure] + 1)
                callerCount[callee] -= 1
                if callerCount[callee] == 0 { ready.append(callee) }
            }
        }
        if done < code.procedures.count {
            let cycle = callerCount.indices.filter { callerCount[$0] > 0 }.prefix(8)
            let names = cycle.map { "'\(code.procedures[$0].name)'" }.joined(separator: ", ")
            report(code.range, "procedures call one another in a circle: \(names)", "use a loop")
        } else if let deepest = levels.elements.max(), deepest > ProgramLimits.callDepth {
            report(code.range, "calls nest \(deepest) deep; \(ProgramLimits.callDepth) are allowed")
        }
    }

    private mutating func findWritten() {
        for procedure in code.procedures.indices {
            let end =
                procedure + 1 < code.procedures.count
                ? Int(code.procedures[procedure + 1].start) : code.instructions.count
            for index in Int(code.procedures[procedure].start)..<end {
                facts.written[procedure].formUnion(view.uses[index].writes)
            }
        }
        // Callees first: they are the deeper ones.
        for procedure in code.procedures.indices.sorted(by: { facts.levels[$0] > facts.levels[$1] }) {
            for callee in callees[procedure] { facts.written[procedure].formUnion(facts.written[callee]) }
        }
    }
}
