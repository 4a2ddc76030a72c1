// Emits some 100,000 instructions of one kind, so that `scripts/emission-cost` can count what that takes: the functions
// below are what it looks for by name. Registers and, where they do not say otherwise, immediates come from tables that the
// compiler of this program does not see through. A line says how many operations of VCODE they were, and the code is
// written to a file, whose instructions the script counts.
import Foundation
import InPlaceEmission

/// What a generator knows at run time only.
struct Operands {
    var registers: UnsafePointer<Register>
    var immediates: UnsafePointer<Int32>
    /// Which of them are used.
    var turn: Int
}

@inline(never) func emitRegisterOperations(_ code: inout UnsafeLambda, _ operands: Operands) -> Int {
    for round in operands.turn..<operands.turn + 8 {
        let (a, b, c) = operands.three(round)
        code.add(.l, a, a, b)
        code.sub(.ul, b, b, c)
        code.xor(.l, c, c, a)
        code.and(.l, a, a, c)
    }
    return 32
}

@inline(never) func emitNarrowOperations(_ code: inout UnsafeLambda, _ operands: Operands) -> Int {
    for round in operands.turn..<operands.turn + 8 {
        let (a, b, c) = operands.three(round)
        code.add(.i, a, a, b)
        code.sub(.u, b, b, c)
        code.xor(.i, c, c, a)
        code.and(.u, a, a, c)
    }
    return 32
}

/// Destination and operands differ.
@inline(never) func emitThreeRegisters(_ code: inout UnsafeLambda, _ operands: Operands) -> Int {
    for round in operands.turn..<operands.turn + 8 {
        let (a, b, c) = operands.three(round)
        code.add(.l, a, b, c)
        code.sub(.l, b, c, a)
        code.xor(.l, c, a, b)
        code.add(.p, a, c, b)
    }
    return 32
}

@inline(never) func emitImmediateOperations(_ code: inout UnsafeLambda, _ operands: Operands) -> Int {
    for round in operands.turn..<operands.turn + 8 {
        let (a, b, c) = operands.three(round)
        let (i, j) = operands.immediates(round)
        code.add(.l, a, a, i)
        code.sub(.l, b, b, j)
        code.and(.u, c, c, i)
        code.add(.p, a, b, j)
    }
    return 32
}

@inline(never) func emitLoads(_ code: inout UnsafeLambda, _ operands: Operands) -> Int {
    for round in operands.turn..<operands.turn + 8 {
        let (a, b, c) = operands.three(round)
        let (i, j) = operands.immediates(round)
        code.ld(.l, a, b, i)
        code.ld(.u, b, c, j)
        code.ld(.uc, c, a, i)
        code.ld(.ul, a, c, j)
    }
    return 32
}

@inline(never) func emitStores(_ code: inout UnsafeLambda, _ operands: Operands) -> Int {
    for round in operands.turn..<operands.turn + 8 {
        let (a, b, c) = operands.three(round)
        let (i, j) = operands.immediates(round)
        code.st(.l, a, b, i)
        code.st(.u, b, c, j)
        code.st(.p, c, a, i)
        code.st(.ul, a, c, j)
    }
    return 32
}

/// One branch forward and one back, and their labels.
@inline(never) func emitBranches(_ code: inout UnsafeLambda, _ operands: Operands) -> Int {
    for round in operands.turn..<operands.turn + 8 {
        let (a, b, c) = operands.three(round)
        let (i, _) = operands.immediates(round)
        var (back, out) = (Label(), Label())
        code.label(&back)
        code.blt(.l, a, b, &out)
        code.bne(.u, c, i, &back)
        code.label(&out)
    }
    return 16
}

/// A small loop, as fragments have them: loads and stores with offsets, arithmetic on registers and immediates, branches
/// forward and back. Immediates and offsets stand in the generator's text, as in VCODE's examples.
@inline(never) func emitRoutine(_ code: inout UnsafeLambda, _ operands: Operands) -> Int {
    let (base, count, sum) = operands.three(operands.turn & 3)
    let (kind, value, key) = operands.three(operands.turn & 3 | 4)
    do {
        var (loop, next, done) = (Label(), Label(), Label())
        code.set(.l, sum, 0)
        code.beq(.l, count, 0, &done)
        code.label(&loop)
        code.ld(.u, kind, base, 8)
        code.and(.u, key, kind, 63)
        code.bne(.u, key, 17, &next)
        code.ld(.l, value, base, 16)
        code.lsh(.l, key, value, 3)
        code.xor(.l, value, value, key)
        code.sub(.l, key, value, sum)
        code.ld(.uc, kind, base, 24)
        code.add(.l, key, key, kind)
        code.blt(.l, key, sum, &next)
        code.add(.l, sum, sum, value)
        code.mul(.l, value, value, kind)
        code.rsh(.ul, value, value, 7)
        code.or(.l, value, value, key)
        code.st(.l, value, base, 16)
        code.st(.u, key, base, 8)
        code.label(&next)
        code.add(.p, base, base, 32)
        code.sub(.l, count, count, 1)
        code.bne(.l, count, 0, &loop)
        code.label(&done)
        code.add(.l, key, sum, value)
        code.mov(.l, sum, key)
    }
    return 23
}

/// The same; they too are known at run time only, and written in 32 bits.
@inline(never) func emitRoutineOfData(_ code: inout UnsafeLambda, _ operands: Operands) -> Int {
    let (i, j) = operands.two(operands.turn & 3)
    return emitRoutine(&code, operands, Immediate.wide(i), Immediate.wide(j), counts: (i, j))
}

/// The same, written in 8 bits where they are enough.
@inline(never) func emitRoutineOfShortData(_ code: inout UnsafeLambda, _ operands: Operands) -> Int {
    let (i, j) = operands.two(operands.turn & 3)
    return emitRoutine(&code, operands, Immediate(i), Immediate(j), counts: (i, j))
}

@inline(__always) func emitRoutine(
    _ code: inout UnsafeLambda, _ operands: Operands, _ i: Immediate, _ j: Immediate, counts: (Int32, Int32)
) -> Int {
    let (base, count, sum) = operands.three(operands.turn & 3)
    let (kind, value, key) = operands.three(operands.turn & 3 | 4)
    do {
        var (loop, next, done) = (Label(), Label(), Label())
        code.set(.l, sum, 0)
        code.beq(.l, count, 0, &done)
        code.label(&loop)
        code.ld(.u, kind, base, i)
        code.and(.u, key, kind, j)
        code.bne(.u, key, i, &next)
        code.ld(.l, value, base, j)
        code.lsh(.l, key, value, counts.0)
        code.xor(.l, value, value, key)
        code.sub(.l, key, value, sum)
        code.ld(.uc, kind, base, i)
        code.add(.l, key, key, kind)
        code.blt(.l, key, sum, &next)
        code.add(.l, sum, sum, value)
        code.mul(.l, value, value, kind)
        code.rsh(.ul, value, value, counts.1)
        code.or(.l, value, value, key)
        code.st(.l, value, base, j)
        code.st(.u, key, base, i)
        code.label(&next)
        code.add(.p, base, base, j)
        code.sub(.l, count, count, 1)
        code.bne(.l, count, 0, &loop)
        code.label(&done)
        code.add(.l, key, sum, value)
        code.mov(.l, sum, key)
    }
    return 23
}

extension Operands {
    @inline(__always) func three(_ round: Int) -> (Register, Register, Register) {
        let place = round & 7
        return (registers[place], registers[place + 1], registers[place + 2])
    }

    @inline(__always) func immediates(_ round: Int) -> (Immediate, Immediate) {
        let (i, j) = two(round)
        return (.wide(i), .wide(j))
    }

    @inline(__always) func two(_ round: Int) -> (Int32, Int32) {
        let place = round & 7
        return (immediates[place], immediates[place + 1])
    }
}

let kinds: [(name: String, emit: (inout UnsafeLambda, Operands) -> Int)] = [
    ("emitRoutine", { emitRoutine(&$0, $1) }), ("emitRoutineOfData", { emitRoutineOfData(&$0, $1) }),
    ("emitRoutineOfShortData", { emitRoutineOfShortData(&$0, $1) }),
    ("emitRegisterOperations", { emitRegisterOperations(&$0, $1) }),
    ("emitNarrowOperations", { emitNarrowOperations(&$0, $1) }),
    ("emitThreeRegisters", { emitThreeRegisters(&$0, $1) }),
    ("emitImmediateOperations", { emitImmediateOperations(&$0, $1) }), ("emitLoads", { emitLoads(&$0, $1) }),
    ("emitStores", { emitStores(&$0, $1) }), ("emitBranches", { emitBranches(&$0, $1) }),
]

let arguments = CommandLine.arguments
guard arguments.count == 3, let kind = kinds.first(where: { $0.name == arguments[1] }) else {
    print("usage: emission KIND FILE, KIND one of", kinds.map(\.name).joined(separator: ", "))
    exit(2)
}

/// Returns how many operations there were.
func measure(_ emit: (inout UnsafeLambda, Operands) -> Int, writingTo file: URL) throws -> Int {
    var code = try UnsafeLambda(capacity: 1 << 20)
    var registers: [Register] = []
    while let register = code.getreg(.temporary) { registers.append(register) }
    while let register = code.getreg(.variable) { registers.append(register) }
    // Most are short, as those of fragments are.
    let immediates: [Int32] = [8, 24, 4, 16, 0, 56, 1000, 12, 40]
    var operations = 0
    registers.withUnsafeBufferPointer { registers in
        immediates.withUnsafeBufferPointer { immediates in
            guard let first = registers.baseAddress, let second = immediates.baseAddress else { return }
            while operations < 100_000 {
                operations += emit(&code, Operands(registers: first, immediates: second, turn: operations))
            }
        }
    }
    code.ret()
    let function = try code.end()
    try Data(function.bytes).write(to: file)
    return operations
}

print(try measure(kind.emit, writingTo: URL(fileURLWithPath: arguments[2])))
