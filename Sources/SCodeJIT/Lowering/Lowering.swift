import SCodeIR
import SCodeVerifier

/// Turns a verified fragment into VCode: one operation becomes one or a few, and every guard that the verifier
/// has not made superfluous is written out.
///
/// *Requires* a verified fragment. *Produces* VCode for its reachable blocks, in source order.
struct Lowering {
    private let fragment: VerifiedFragment
    private let code: FragmentCode
    private let observation: RegisterObservation
    private var output: VCode
    private var labelsAt: [UInt32: [UInt32]] = [:]

    static func lower(_ fragment: VerifiedFragment, observing observation: RegisterObservation) -> VCode {
        var lowering = Lowering(fragment, observation)
        lowering.run()
        return lowering.output
    }

    private init(_ fragment: VerifiedFragment, _ observation: RegisterObservation) {
        self.fragment = fragment
        self.observation = observation
        code = fragment.code
        output = VCode(fragment)
        output.instructions.reserveCapacity(code.instructions.count * 2)
        for (label, place) in code.labels.enumerated() {
            labelsAt[place.position, default: []].append(UInt32(label))
        }
    }

    private mutating func run() {
        for block in fragment.flow.blocks where block.isReachable {
            for label in labelsAt[block.start] ?? [] { emit(.label, Int(block.start)) { $0.target = label } }
            for index in Int(block.start)..<Int(block.end) where isNeeded(index) { lower(index) }
        }
    }

    /// Whether the instruction has an effect or a result that somebody can see.
    private func isNeeded(_ index: Int) -> Bool {
        let instruction = code.instructions[index]
        guard observation == .live, !instruction.opcode.effects.contains(.canAbort),
            index + 1 < code.instructions.count
        else { return true }
        return fragment.liveBefore[index + 1].contains(instruction.rd)
    }

    private mutating func emit(
        _ operation: VOperation, _ source: Int, _ fill: (inout VInstruction) -> Void = { _ in }
    ) {
        var instruction = VInstruction(operation, source: source)
        fill(&instruction)
        output.instructions.append(instruction)
    }

    private mutating func lower(_ index: Int) {
        let instruction = code.instructions[index]
        let opcode = instruction.opcode
        switch opcode.operation {
        case .add: binary(.add, instruction, index)
        case .sub: binary(.sub, instruction, index)
        case .mul: binary(.mul, instruction, index)
        case .and: binary(.and, instruction, index)
        case .or: binary(.or, instruction, index)
        case .xor: binary(.xor, instruction, index)
        case .lsh: binary(.shiftLeft, instruction, index)
        case .rsh: binary(opcode.type.isSigned ? .shiftRightArithmetic : .shiftRight, instruction, index)
        case .div: divide(opcode.type.isSigned ? .divideSigned : .divideUnsigned, instruction, index)
        case .mod: divide(opcode.type.isSigned ? .moduloSigned : .moduloUnsigned, instruction, index)
        case .com: unary(.not, instruction, index)
        case .not: unary(.isZero, instruction, index)
        case .mov: unary(.move, instruction, index)
        case .neg: unary(.negate, instruction, index)
        case .set: set(instruction, index)
        case .convert: convert(instruction, index)
        case .load, .store: access(instruction, index)
        case .blt, .ble, .bgt, .bge, .beq, .bne: branch(instruction, index)
        case .jump:
            if fragment.costsBudget[index] { emit(.guardBudget, index) }
            emit(.jump, index) { $0.target = instruction.index }
        case .jumpTable: jumpTable(instruction, index)
        case .macro, .hostCall: expand(instruction, index)
        case .byteSwap, .countLeadingZeros, .countTrailingZeros, .populationCount, .atomicAdd, .atomicAnd, .atomicOr,
            .atomicXor, .fetchAdd, .fetchAnd, .fetchOr, .fetchXor, .exchange, .compareExchange, .call, .return:
            fatalError("on its way")
        }
    }

    // MARK: Arithmetic

    private mutating func binary(_ operation: VOperation, _ instruction: Instruction, _ index: Int) {
        emit(operation, index) {
            $0.isWide = instruction.opcode.type.size == 8
            $0.dst = instruction.rd
            $0.a = instruction.rs1
            $0.b = instruction.rs2
            $0.hasImmediate = instruction.opcode.form == .immediate
            $0.immediate = instruction.immediate
        }
    }

    private mutating func divide(_ operation: VOperation, _ instruction: Instruction, _ index: Int) {
        if instruction.opcode.form == .register || instruction.immediate == 0 {
            emit(.guardNonZero, index) {
                $0.isWide = instruction.opcode.type.size == 8
                $0.a = instruction.rs2
                $0.hasImmediate = instruction.opcode.form == .immediate
            }
        }
        // By the constant zero: the guard has aborted, there is nothing to divide.
        if instruction.opcode.form == .immediate, instruction.immediate == 0 { return }
        binary(operation, instruction, index)
    }

    private mutating func unary(_ operation: VOperation, _ instruction: Instruction, _ index: Int) {
        emit(operation, index) {
            $0.isWide = instruction.opcode.type.size == 8
            $0.dst = instruction.rd
            $0.a = instruction.rs1
        }
    }

    private mutating func set(_ instruction: Instruction, _ index: Int) {
        if instruction.opcode.form == .symbol {
            emit(.regionBase, index) {
                $0.dst = instruction.rd
                $0.target = instruction.index
                $0.immediate = instruction.immediate
            }
        } else {
            emit(.constant, index) {
                $0.dst = instruction.rd
                $0.immediate = Int64(
                    bitPattern: instruction.opcode.type.canonical(UInt64(bitPattern: instruction.immediate)))
            }
        }
    }

    private mutating func convert(_ instruction: Instruction, _ index: Int) {
        let source = instruction.opcode.sourceType
        let target = instruction.opcode.type
        if target.size <= source.size {
            canonicalise(instruction.rd, instruction.rs1, target, index)
            return
        }
        // Widening: extend as the source is, then cut to what a register of the target type holds.
        emit(source.isSigned ? .signExtend : .zeroExtend, index) {
            $0.dst = instruction.rd
            $0.a = instruction.rs1
            $0.size = UInt8(source.size)
            $0.isWide = target.size != 4
        }
        if source.isSigned, target == .us { canonicalise(instruction.rd, instruction.rd, target, index) }
    }

    /// dst := the low bits of `a` as a register holds them for the type.
    private mutating func canonicalise(_ dst: Register, _ a: Register, _ type: ValueType, _ index: Int) {
        let operation: VOperation =
            switch type {
            case .c, .s: .signExtend
            case .uc, .us: .zeroExtend
            case .i, .u, .l, .ul, .p, .f, .d: .move
            }
        emit(operation, index) {
            $0.dst = dst
            $0.a = a
            $0.size = UInt8(type.size)
            $0.isWide = type.size != 4
        }
    }

    // MARK: Memory

    private mutating func access(_ instruction: Instruction, _ index: Int) {
        let type = instruction.opcode.type
        let isStore = instruction.opcode.shape == .store
        var offset: Int64 = 0
        switch fragment.accesses[index] {
        case .inside(let region):
            address(instruction, index)
            guardAccess(.guardRegion, instruction, index, region)
        case .proved(let region, let known):
            emit(.provedAddress, index) { $0.target = UInt32(region) }
            offset = known
        case .based(let region) where isCheckedInline(region, isStore):
            address(instruction, index)
            guardAccess(.guardRegion, instruction, index, region)
        case .based, .unknown:
            address(instruction, index)
            // With one region to choose from, an address of unknown origin is most likely in that.
            if let only = onlyPhysicalRegion, isCheckedInline(only, isStore) {
                guardAccess(.guardRegion, instruction, index, only)
            } else {
                guardAccess(.guardPage, instruction, index, 0)
            }
        }
        emit(isStore ? .store : .load, index) {
            $0.size = UInt8(type.size)
            $0.flag = type == .c || type == .s
            $0.immediate = offset
            $0.dst = instruction.rd
            $0.a = instruction.rd
        }
    }

    private func isCheckedInline(_ region: UInt8, _ isStore: Bool) -> Bool {
        let region = fragment.regions[Int(region)]
        return region.policy == .physical && (region.isWritable || !isStore)
    }

    private var onlyPhysicalRegion: UInt8? {
        let dynamic = fragment.regions.indices.filter { fragment.regions[$0].policy != .static }
        guard dynamic.count == 1, let only = dynamic.first, fragment.regions[only].policy == .physical else {
            return nil
        }
        return UInt8(only)
    }

    private mutating func address(_ instruction: Instruction, _ index: Int) {
        emit(.address, index) {
            $0.a = instruction.rs1
            $0.b = instruction.rs2
            $0.hasImmediate = instruction.opcode.form == .immediate
            $0.immediate = instruction.immediate
        }
    }

    private mutating func guardAccess(
        _ operation: VOperation, _ instruction: Instruction, _ index: Int, _ region: UInt8
    ) {
        emit(operation, index) {
            $0.target = UInt32(region)
            $0.size = UInt8(instruction.opcode.type.size)
            $0.flag = instruction.opcode.shape == .store
            $0.a = instruction.value
        }
    }

    // MARK: Control

    private mutating func branch(_ instruction: Instruction, _ index: Int) {
        let condition = Self.condition(instruction.opcode)
        let isBackward = fragment.costsBudget[index]
        // A backward branch costs budget only when it is taken: branch around a guarded jump.
        let target = isBackward ? newLabel() : instruction.index
        emit(.branch, index) {
            $0.isWide = instruction.opcode.type.size == 8
            $0.condition = isBackward ? condition.inverted : condition
            $0.a = instruction.rs1
            $0.b = instruction.rs2
            $0.hasImmediate = instruction.opcode.form == .immediate
            $0.immediate = instruction.immediate
            $0.target = target
        }
        if isBackward {
            emit(.guardBudget, index)
            emit(.jump, index) { $0.target = instruction.index }
            emit(.label, index) { $0.target = target }
        }
    }

    private mutating func newLabel() -> UInt32 {
        output.labelCount += 1
        return UInt32(output.labelCount - 1)
    }

    private static func condition(_ opcode: Opcode) -> VCondition {
        let signed = opcode.type.isSigned
        switch opcode.operation {
        case .blt: return signed ? .lessSigned : .lessUnsigned
        case .ble: return signed ? .lessOrEqualSigned : .lessOrEqualUnsigned
        case .bgt: return signed ? .greaterSigned : .greaterUnsigned
        case .bge: return signed ? .greaterOrEqualSigned : .greaterOrEqualUnsigned
        case .beq: return .equal
        default: return .notEqual
        }
    }

    private mutating func jumpTable(_ instruction: Instruction, _ index: Int) {
        let count = code.tables[Int(instruction.index)].labels.count
        emit(.guardTableIndex, index) {
            $0.a = instruction.rs1
            $0.immediate = Int64(count)
        }
        if fragment.costsBudget[index] { emit(.guardBudget, index) }
        emit(.jumpTable, index) {
            $0.a = instruction.rs1
            $0.target = instruction.index
        }
    }

    // MARK: Macro-instructions

    private mutating func expand(_ instruction: Instruction, _ index: Int) {
        let macro = fragment.macros[Int(instruction.index)]
        let operands = code.macroCalls[Int(instruction.index)].operands
        switch macro.expansion {
        case .accept: value(.accept, operands.first, macro.operands.first, 0, index)
        case .refuse: emit(.refuse, index)
        case .subSchedule: value(.callSub, operands.first, macro.operands.first, 0, index)
        case .hostCall:
            var argument: UInt32 = 0
            for (operand, kind) in zip(operands, macro.operands) {
                guard case .value = kind else { continue }
                value(.hostArgument, operand, kind, argument, index)
                argument += 1
            }
            var result: (register: Register, type: ValueType)?
            for (operand, kind) in zip(operands, macro.operands) {
                if case .register(let register) = operand, case .result(let type) = kind {
                    result = (register, type)
                }
            }
            emit(.callHost, index) {
                $0.target = instruction.index
                $0.flag = result != nil
                $0.dst = result?.register ?? Register(0)
            }
            if let result, result.type.size < 8 {
                canonicalise(result.register, result.register, result.type, index)
            }
        }
    }

    /// An operation on one macro operand, which is cut to its declared type.
    private mutating func value(
        _ operation: VOperation, _ operand: MacroOperand?, _ kind: MacroOperandKind?, _ target: UInt32,
        _ index: Int
    ) {
        var type = ValueType.ul
        if case .value(let declared) = kind { type = declared }
        emit(operation, index) {
            $0.target = target
            $0.size = UInt8(type.size)
            $0.flag = type == .c || type == .s
            switch operand {
            case .register(let register): $0.a = register
            case .immediate(let constant):
                $0.hasImmediate = true
                $0.immediate = Int64(bitPattern: type.canonical(UInt64(bitPattern: constant)))
            case nil: $0.hasImmediate = true
            }
        }
    }
}
