import SCodeIR
import SCodeVerifier

/// Which registers hold an address in a region and nothing else, wherever they are read: those that are written in one
/// place, with a constant. Nothing is read before it is written (V8).
struct FixedBases {
    private var registers: RegisterSet = []
    /// Whether any instruction sets a register to an address in a region, whatever else it may hold.
    let areSet: Bool
    /// The regions that such instructions name.
    private(set) var named = RegionSet()
    /// Per such register, the instruction that writes it.
    private var writers = InlineArray<64, Int32>(repeating: -1)

    init(_ fragment: VerifiedFragment) {
        let instructions = fragment.code.instructions
        for index in instructions.indices where instructions[index].setsBase {
            let register = instructions[index].rd
            registers.insert(register)
            named.insert(Int(instructions[index].index))
            writers[Int(register.number)] = Int32(truncatingIfNeeded: index)
        }
        areSet = !registers.isEmpty
        guard areSet else { return }
        for register in fragment.argumentRegisters { registers.remove(register) }
        for index in instructions.indices {
            let instruction = instructions[index]
            let written = instruction.writes(fragment.code, fragment.macros).intersection(registers)
            if written.isEmpty { continue }
            if !instruction.setsBase || writers[Int(instruction.rd.number)] != index {
                registers.subtract(written)
            }
        }
    }

    /// The instruction that gives a register its address; nil: it may hold something else.
    func writer(of register: Register) -> Int? {
        registers.contains(register) ? Int(writers[Int(register.number)]) : nil
    }
}

struct RegionSet: BitwiseCopyable {
    private var bits: UInt8 = 0

    mutating func insert(_ region: Int) { bits |= 1 << UInt8(region) }
    func contains(_ region: Int) -> Bool { bits >> UInt8(region) & 1 != 0 }
}

extension Instruction {
    fileprivate var setsBase: Bool { opcode.operation == .set && opcode.form == .symbol }
}
