import CUnicorn

/// Instructions that Unicorn 2.0 does not execute as processors do, and that are executed here in its place: of two NaNs
/// it takes the one that the x87 would, and not the first as SSE does (Intel SDM volume 1, table 4-7); and it has no
/// `popcnt`.
extension Emulator {
    enum Replacement {
        case float(FloatInstruction)
        case populationCount(PopulationCount)

        /// - Returns: nil when the emulator can execute the instruction.
        init?(_ bytes: UnsafeRawBufferPointer, at offset: Int, size: Int) {
            if let float = FloatInstruction(bytes, at: offset, size: size) {
                self = .float(float)
            } else if let count = PopulationCount(bytes, at: offset, size: size) {
                self = .populationCount(count)
            } else {
                return nil
            }
        }
    }

    func execute(_ replacement: Replacement, at address: UInt64) {
        switch replacement {
        case .float(let float): executeIfTwoNaNs(float, at: address)
        case .populationCount(let count): execute(count, at: address)
        }
    }

    /// `popcnt` of a register.
    struct PopulationCount {
        var is64: Bool
        var destination: Int
        var source: Int
        var size: Int

        init?(_ bytes: UnsafeRawBufferPointer, at offset: Int, size: Int) {
            guard let encoding = Encoding(bytes, at: offset, size: size), encoding.prefix == 0xf3,
                encoding.opcode == 0xb8, let register = encoding.register
            else { return nil }
            is64 = encoding.isWide
            destination = encoding.destination
            source = register
            self.size = size
        }
    }

    /// An instruction with a mandatory prefix: F2 or F3, REX, 0F and the opcode, then the operands (Intel SDM volume 2,
    /// section 2.1).
    private struct Encoding {
        let prefix: UInt8
        let opcode: UInt8
        let isWide: Bool
        let destination: Int
        private let modes: UInt8
        private let rex: UInt8
        private var rest: UnsafeRawBufferPointer.SubSequence

        init?(_ bytes: UnsafeRawBufferPointer, at offset: Int, size: Int) {
            rest = bytes[offset..<min(offset + size, bytes.count)]
            guard let prefix = rest.popFirst(), prefix == 0xf2 || prefix == 0xf3 else { return nil }
            rex = rest.first.flatMap { $0 & 0xf0 == 0x40 ? $0 : nil } ?? 0
            if rex != 0 { rest.removeFirst() }
            guard rest.popFirst() == 0x0f, let opcode = rest.popFirst(), let modes = rest.popFirst() else {
                return nil
            }
            self.prefix = prefix
            self.opcode = opcode
            self.modes = modes
            isWide = rex & 8 != 0
            destination = Int(modes >> 3 & 7 | (rex & 4) << 1)
        }

        /// The second operand, when it is a register.
        var register: Int? { modes >> 6 == 3 ? Int(modes & 7 | (rex & 1) << 3) : nil }

        /// The second operand, when it lies at the stack pointer plus this: a scaled index byte that says rsp alone, then
        /// a displacement.
        var slot: Int32? {
            guard modes >> 6 != 3, modes & 7 == 4, rest.first == 0x24 else { return nil }
            let displacement = rest.dropFirst().enumerated().reduce(UInt32(0)) {
                $0 | UInt32($1.element) << (8 * $1.offset)
            }
            return rest.count == 2
                ? Int32(Int8(truncatingIfNeeded: displacement)) : Int32(bitPattern: displacement)
        }
    }

    private static let generalRegisters = [
        UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP, UC_X86_REG_RBP,
        UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_R8, UC_X86_REG_R9, UC_X86_REG_R10, UC_X86_REG_R11,
        UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
    ]

    private func execute(_ count: PopulationCount, at address: UInt64) {
        let value = read(Self.generalRegisters[count.source])
        let counted = count.is64 ? value.nonzeroBitCount : UInt32(truncatingIfNeeded: value).nonzeroBitCount
        write(Self.generalRegisters[count.destination], UInt64(counted))
        write(UC_X86_REG_RIP, address + UInt64(count.size))
    }

    /// `addss` to `divsd`: the first operand is a vector register, the second one too or a slot of the frame.
    struct FloatInstruction {
        enum Source {
            case vector(Int)
            /// At the stack pointer plus this.
            case slot(Int32)
        }
        var isDouble: Bool
        var destination: Int
        var source: Source
        var size: Int

        /// - Returns: nil when the bytes are another instruction.
        init?(_ bytes: UnsafeRawBufferPointer, at offset: Int, size: Int) {
            guard let encoding = Encoding(bytes, at: offset, size: size),
                [0x58, 0x59, 0x5c, 0x5e].contains(encoding.opcode)
            else { return nil }
            isDouble = encoding.prefix == 0xf2
            destination = encoding.destination
            self.size = size
            if let register = encoding.register {
                source = .vector(register)
            } else if let slot = encoding.slot {
                source = .slot(slot)
            } else {
                return nil
            }
        }
    }

    /// Executes the instruction if both of its operands are NaNs.
    private func executeIfTwoNaNs(_ instruction: FloatInstruction, at address: UInt64) {
        let first = readVector(instruction.destination)
        let second: UInt64
        switch instruction.source {
        case .vector(let number): second = readVector(number)
        case .slot(let offset):
            let place = UInt(truncatingIfNeeded: Int64(read(UC_X86_REG_RSP)) + Int64(offset))
            second = UnsafeRawPointer(bitPattern: place)?.loadUnaligned(as: UInt64.self) ?? 0
        }
        if instruction.isDouble {
            guard Double(bitPattern: first).isNaN, Double(bitPattern: second).isNaN else { return }
            writeVector(instruction.destination, first | 1 << 51)
        } else {
            let (low, other) = (UInt32(truncatingIfNeeded: first), UInt32(truncatingIfNeeded: second))
            guard Float(bitPattern: low).isNaN, Float(bitPattern: other).isNaN else { return }
            writeVector(instruction.destination, first | 1 << 22)
        }
        write(UC_X86_REG_RIP, address + UInt64(instruction.size))
    }

    private func readVector(_ number: Int) -> UInt64 {
        var words: (UInt64, UInt64) = (0, 0)
        uc_reg_read(engine, Int32(UC_X86_REG_XMM0.rawValue) + Int32(number), &words)
        return words.0
    }

    private func writeVector(_ number: Int, _ value: UInt64) {
        var words: (UInt64, UInt64) = (0, 0)
        uc_reg_read(engine, Int32(UC_X86_REG_XMM0.rawValue) + Int32(number), &words)
        words.0 = value
        uc_reg_write(engine, Int32(UC_X86_REG_XMM0.rawValue) + Int32(number), &words)
    }
}
