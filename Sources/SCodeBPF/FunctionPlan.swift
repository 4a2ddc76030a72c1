import SCodeIR

/// A function of a fragment: the instructions that a path leads to, and what it needs.
struct PlannedFunction {
    let start: Int
    /// Ascending. Where one goes on with the next, that is the next of these.
    var body: [Int] = []
    /// Functions that it calls.
    var callees: [Int] = []
    /// Whether it reads r10.
    var usesFrame = false
    /// Of r6 to r9, those that it writes and so keeps for its caller: bit n is rn.
    var saved: UInt16 = 0
    /// Registers that may be read before it has written them.
    var needed: UInt16 = 0
    /// The most functions that can be between it and the fragment's own, itself counted; the fragment's own has 0.
    /// No two functions that are active at once have the same, so that each has a frame of its own.
    var level = 0
}

/// The functions that become one fragment: first the fragment's own, then those that it calls.
struct FragmentPlan {
    let entry: EBPFEntry
    private(set) var functions: [PlannedFunction] = []
    /// Places in `functions` by start.
    private(set) var places: [Int: Int] = [:]
    /// Instructions that were looked at.
    private(set) var work = 0
    var depth: Int { functions.map(\.level).max() ?? 0 }
    var usesStack: Bool { functions.contains { $0.usesFrame || $0.saved != 0 } }

    private let code: EBPFCode
    private let interface: EBPFInterface

    init(_ entry: EBPFEntry, _ code: EBPFCode, _ interface: EBPFInterface) throws(EBPFFailure) {
        self.entry = entry
        self.code = code
        self.interface = interface
        try findFunctions()
        try orderCalls()
        findNeeded()
    }

    // MARK: Bodies

    private mutating func findFunctions() throws(EBPFFailure) {
        places[entry.start] = 0
        functions.append(PlannedFunction(start: entry.start))
        var next = 0
        while next < functions.count {
            try findBody(next)
            for callee in functions[next].callees where places[callee] == nil {
                guard functions.count <= ProgramLimits.procedures else {
                    throw code.failure(.tooManyFunctions(limit: ProgramLimits.procedures), at: entry.start)
                }
                places[callee] = functions.count
                functions.append(PlannedFunction(start: callee))
            }
            next += 1
        }
    }

    /// Follows every path from the function's start.
    private mutating func findBody(_ place: Int) throws(EBPFFailure) {
        var function = functions[place]
        let extent = code.extent(of: function.start)
        work += extent.count
        guard work <= EBPFLimits.work else {
            throw code.failure(.tooManyInstructions(EBPFLimits.instructions), at: function.start)
        }
        var seen = [Bool](repeating: false, count: extent.count)
        var pending = [function.start]
        seen[function.start - extent.lowerBound] = true
        while let index = pending.popLast() {
            try note(index, &function, isMain: place == 0)
            for target in try successors(of: index) {
                guard extent.contains(target) else { throw code.failure(.runsOffEnd, at: index) }
                if seen[target - extent.lowerBound] { continue }
                seen[target - extent.lowerBound] = true
                pending.append(target)
            }
        }
        function.body = seen.indices.filter { seen[$0] }.map { $0 + extent.lowerBound }
        functions[place] = function
    }

    private func note(_ index: Int, _ function: inout PlannedFunction, isMain: Bool) throws(EBPFFailure) {
        guard let opcode = code.opcodes[index] else { throw code.failure(.runsOffEnd, at: index) }
        if opcode.read(code.instructions[index]) & 1 << 10 != 0 { function.usesFrame = true }
        if !isMain { function.saved |= opcode.written(code.instructions[index]) & 0b11_1100_0000 }
        if let callee = code.callee(of: index) { function.callees.append(callee) }
        if opcode.operation == .callRegister, interface.helpers.isEmpty {
            throw code.failure(.noHelpers(acceptor: interface.acceptor), at: index)
        }
    }

    /// Where control goes on inside the function.
    private func successors(of index: Int) throws(EBPFFailure) -> [Int] {
        let next = index + code.width(of: index)
        switch code.opcodes[index]?.operation {
        case .exit, nil: return []
        case .jump, .jumpFar: return code.jumpTarget(of: index).map { [$0] } ?? []
        case .branch, .branchIfSet: return (code.jumpTarget(of: index).map { [$0] } ?? []) + [next]
        default:
            guard let number = code.helper(of: index) else { return [next] }
            return try helper(number, at: index).returns ? [next] : []
        }
    }

    func helper(_ number: Int32, at index: Int) throws(EBPFFailure) -> EBPFHelper {
        guard let helper = UInt32(exactly: number).flatMap({ interface.helpers[$0] }) else {
            throw code.failure(.noSuchHelper(number, acceptor: interface.acceptor), at: index)
        }
        return helper
    }

    // MARK: Calls

    /// Finds each function's level, callers before callees; refuses recursion, which SCODE has no stack for.
    private mutating func orderCalls() throws(EBPFFailure) {
        var callers = [Int](repeating: 0, count: functions.count)
        for function in functions { for callee in function.callees { callers[place(of: callee)] += 1 } }
        var ready = callers.indices.filter { callers[$0] == 0 }
        var done = 0
        while let place = ready.popLast() {
            done += 1
            for callee in functions[place].callees {
                let target = self.place(of: callee)
                functions[target].level = max(functions[target].level, functions[place].level + 1)
                callers[target] -= 1
                if callers[target] == 0 { ready.append(target) }
            }
        }
        if done < functions.count {
            // Whoever is left lies on a cycle, or is called from one.
            let place = callers.indices.first { callers[$0] > 0 } ?? 0
            throw code.failure(.recursion(name(of: place)), at: functions[place].start)
        }
        guard depth < EBPFLimits.frames else {
            throw code.failure(.callsTooDeep(limit: EBPFLimits.frames), at: entry.start)
        }
    }

    private func place(of start: Int) -> Int { places[start] ?? 0 }

    func name(of place: Int) -> String {
        place == 0 ? entry.name : code.names[functions[place].start] ?? "function_\(functions[place].start)"
    }

    // MARK: Registers

    /// Which registers each function needs; callees first, of which callers need to know.
    private mutating func findNeeded() {
        for place in functions.indices.sorted(by: { functions[$0].level > functions[$1].level }) {
            functions[place].needed = needed(by: functions[place])
        }
    }

    /// Liveness at the function's start, instruction by instruction.
    private func needed(by function: PlannedFunction) -> UInt16 {
        var places: [Int: Int] = [:]
        for (place, index) in function.body.enumerated() { places[index] = place }
        let following = function.body.map { index in
            ((try? successors(of: index)) ?? []).compactMap { places[$0] }
        }
        var before = [UInt16](repeating: 0, count: function.body.count)
        var preceding = [[Int]](repeating: [], count: function.body.count)
        for (place, targets) in following.enumerated() {
            for target in targets { preceding[target].append(place) }
        }
        var pending = Array(function.body.indices)
        var isPending = [Bool](repeating: true, count: function.body.count)
        while let place = pending.popLast() {
            isPending[place] = false
            let after = following[place].reduce(UInt16(0)) { $0 | before[$1] }
            let (reads, writes) = effects(function.body[place])
            let now = after & ~writes | reads
            guard now != before[place] else { continue }
            before[place] = now
            for other in preceding[place] where !isPending[other] {
                isPending[other] = true
                pending.append(other)
            }
        }
        let start = places[function.start].map { before[$0] } ?? 0
        return (start | function.saved) & 0b11_1111_1111
    }

    /// The registers that an instruction reads, and those that it certainly writes.
    private func effects(_ index: Int) -> (reads: UInt16, writes: UInt16) {
        guard let opcode = code.opcodes[index] else { return (0, 0) }
        if let callee = code.callee(of: index) {
            // r0 is written, or else is among what the callee needs: its `exit` reads it.
            return (functions[place(of: callee)].needed, 1)
        }
        if let number = code.helper(of: index) {
            let helper = UInt32(exactly: number).flatMap { interface.helpers[$0] }
            return (helper?.arguments ?? 0, 1)
        }
        let instruction = code.instructions[index]
        switch opcode.operation {
        case .exit: return (1, 0)
        case .callRegister:
            let arguments = interface.helpers.values.reduce(UInt16(0)) { $0 | $1.arguments }
            return (opcode.read(instruction) | arguments, 1)
        default: return (opcode.read(instruction), opcode.written(instruction))
        }
    }
}

extension EBPFHelper {
    /// The registers that hold its arguments: bit n is rn.
    fileprivate var arguments: UInt16 {
        let count = operands.count { $0 == .argument }
        return (1 << (count + 1) - 1) & ~1
    }
}
