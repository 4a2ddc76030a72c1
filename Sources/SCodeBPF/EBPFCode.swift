import SCodeIR

/// What an instruction refers to by name, in an object file.
enum EBPFReference: Hashable, Sendable {
    /// The address of a byte of `EBPFCode.regions[region]`.
    case address(region: Int, offset: Int64)
    /// A function, by its first instruction.
    case function(Int)
    case helper(UInt32)
}

/// A function that a fragment is made of.
struct EBPFEntry: Hashable, Sendable {
    var name: String
    /// The index of its first instruction.
    var start: Int
}

/// Instructions in a row, all sections of an object file one after another, with what is known of them by name.
struct EBPFCode {
    struct Section {
        /// Of the object file; nil for raw instructions.
        var name: String?
        var range: Range<Int>
    }

    var instructions: [EBPFInstruction] = []
    var sections: [Section] = []
    /// Where functions are known to begin, ascending, each section's start among them.
    var starts: [Int] = []
    var references: [Int: EBPFReference] = [:]
    /// Names of functions by their first instruction, fit for the text form.
    var names: [Int: String] = [:]
    var entries: [EBPFEntry] = []
    /// Data, and what the acceptor has.
    var regions: [Region] = []
    /// Where instructions stand in the source, by index; empty when nothing is known.
    var positions: [Int: SourceRange] = [:]
    var sourceFiles: [String] = []
    /// Per instruction: its row; nil for the second half of a wide constant. `check` fills it.
    private(set) var opcodes: [EBPFOpcode?] = []

    /// Raw instructions: one fragment, which begins with the first.
    init(raw bytes: [UInt8]) throws(EBPFFailure) {
        guard bytes.count % EBPFInstruction.size == 0 else {
            throw EBPFFailure(.partialInstruction(bytes.count))
        }
        guard bytes.count / EBPFInstruction.size <= EBPFLimits.instructions else {
            throw EBPFFailure(.tooManyInstructions(EBPFLimits.instructions))
        }
        instructions = EBPFInstruction.all(in: bytes[...])
        sections = [Section(name: nil, range: 0..<instructions.count)]
        starts = [0]
        entries = [EBPFEntry(name: "main", start: 0)]
        guard !instructions.isEmpty else { throw EBPFFailure(.noInstructions) }
    }

    init() {}

    // MARK: Places

    func failure(_ reason: EBPFFailure.Reason, at index: Int) -> EBPFFailure {
        let section = section(of: index)
        return EBPFFailure(reason, section: section.name, instruction: index - section.range.lowerBound)
    }

    /// The section that an instruction lies in.
    func section(of index: Int) -> Section {
        let next = Self.lowest(sections.count) { sections[$0].range.lowerBound > index }
        return next > 0 ? sections[next - 1] : Section(name: nil, range: 0..<0)
    }

    /// The lowest number below `count` for which something holds that then holds for all above; else `count`.
    private static func lowest(_ count: Int, where holds: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// The function that an instruction belongs to: from its start to the next one's, or to the section's end.
    func extent(of index: Int) -> Range<Int> {
        let section = section(of: index).range
        let next = Self.lowest(starts.count) { starts[$0] > index }
        let start = next > 0 ? max(starts[next - 1], section.lowerBound) : section.lowerBound
        let end = next < starts.count ? min(starts[next], section.upperBound) : section.upperBound
        return start..<end
    }

    /// Places that an instruction takes.
    func width(of index: Int) -> Int { opcodes[index]?.operation == .setWide ? 2 : 1 }

    /// Where a jump goes to. *Requires* `check`.
    func jumpTarget(of index: Int) -> Int? {
        let instruction = instructions[index]
        switch opcodes[index]?.operation {
        case .branch, .branchIfSet, .jump: return index + 1 + Int(instruction.offset)
        case .jumpFar: return index + 1 + Int(instruction.immediate)
        default: return nil
        }
    }

    /// The function that a call of a local function calls.
    func callee(of index: Int) -> Int? {
        if case .function(let start) = references[index] { return start }
        guard opcodes[index]?.operation == .callLocal, references[index] == nil else { return nil }
        return index + 1 + Int(instructions[index].immediate)
    }

    /// The number of the helper that a call calls.
    func helper(of index: Int) -> Int32? {
        if case .helper(let number) = references[index] { return Int32(truncatingIfNeeded: number) }
        return opcodes[index]?.operation == .callHelper ? instructions[index].immediate : nil
    }

    // MARK: Each instruction by itself

    /// Holds every instruction against the table, whether a path leads there or not.
    mutating func check() throws(EBPFFailure) {
        opcodes = []
        opcodes.reserveCapacity(instructions.count)
        while opcodes.count < instructions.count {
            let index = opcodes.count
            let row = try row(index)
            opcodes.append(row)
            if row.operation == .setWide {
                try checkWideConstant(index)
                opcodes.append(nil)
            }
        }
        for start in starts + entries.map(\.start) where opcodes[start] == nil {
            throw failure(.targetInsideWideConstant(start - section(of: start).range.lowerBound), at: start)
        }
        for index in instructions.indices {
            if let target = jumpTarget(of: index) {
                try check(target, from: index, inside: extent(of: index))
            } else if let target = callee(of: index) {
                let section = section(of: index).range
                let isNamed = references[index] != nil
                try check(target, from: index, inside: isNamed ? 0..<instructions.count : section)
            }
        }
    }

    private func row(_ index: Int) throws(EBPFFailure) -> EBPFOpcode {
        let instruction = instructions[index]
        let rows = EBPFOpcode.rows(of: instruction.code)
        guard let nearest = rows.min(by: { $0.distance(to: instruction) < $1.distance(to: instruction) })
        else {
            let isPacketAccess = instruction.code & 7 == 0 && [0x20, 0x40].contains(instruction.code & 0xe0)
            throw failure(isPacketAccess ? .packetAccess : .unknownOpcode(instruction.code), at: index)
        }
        for register in [instruction.destination, instruction.source] where register > 10 {
            throw failure(.noSuchRegister(register), at: index)
        }
        let mismatch = nearest.mismatch(instruction)
        guard mismatch.isEmpty else {
            switch nearest.operation {
            case .setWide where mismatch == .source:
                throw failure(.unknownWideConstant(instruction.source), at: index)
            case .callHelper, .callLocal:
                guard mismatch == .source, instruction.source == 2 else { break }
                throw failure(.kernelFunction(instruction.immediate), at: index)
            default: break
            }
            throw failure(.unusedField(mismatch, code: instruction.code), at: index)
        }
        if nearest.written(instruction) & 1 << 10 != 0 { throw failure(.framePointerWritten, at: index) }
        return nearest
    }

    private func checkWideConstant(_ index: Int) throws(EBPFFailure) {
        let section = section(of: index).range
        guard section.contains(index + 1) else { throw failure(.brokenWideConstant, at: index) }
        var half = instructions[index + 1]
        half.immediate = 0
        guard half.bits == 0 else { throw failure(.brokenWideConstant, at: index + 1) }
    }

    private func check(_ target: Int, from index: Int, inside range: Range<Int>) throws(EBPFFailure) {
        guard range.contains(target) else {
            let start = section(of: index).range.lowerBound
            throw failure(.targetOutside(target - start), at: index)
        }
        guard opcodes[target] != nil else {
            let start = section(of: target).range.lowerBound
            throw failure(.targetInsideWideConstant(target - start), at: index)
        }
    }
}

extension EBPFOpcode {
    /// How many fields are not the row's.
    fileprivate func distance(to instruction: EBPFInstruction) -> Int {
        mismatch(instruction).rawValue.nonzeroBitCount
    }

    /// The registers that an instruction writes, calls apart: bit n is rn.
    func written(_ instruction: EBPFInstruction) -> UInt16 {
        switch operation {
        case .binary, .divide, .set, .convert, .setWide, .load: 1 << instruction.destination
        case .atomic(let operation, _):
            switch operation {
            case .compareExchange: 1
            case .fetchAdd, .fetchAnd, .fetchOr, .fetchXor, .exchange: 1 << instruction.source
            default: 0
            }
        case .store, .branch, .branchIfSet, .jump, .jumpFar, .callHelper, .callLocal, .callRegister, .exit: 0
        }
    }

    /// The registers that it reads, calls and `exit` apart.
    func read(_ instruction: EBPFInstruction) -> UInt16 {
        let destination: UInt16 = 1 << instruction.destination
        let source: UInt16 = uses.contains(.source) ? 1 << instruction.source : 0
        return switch operation {
        case .binary, .divide, .store, .branch, .branchIfSet: destination | source
        case .convert: uses.contains(.source) ? source : destination
        case .load: source
        case .atomic(let operation, _): destination | source | (operation == .compareExchange ? 1 : 0)
        case .callRegister: destination
        case .set, .setWide, .jump, .jumpFar, .callHelper, .callLocal, .exit: 0
        }
    }
}
