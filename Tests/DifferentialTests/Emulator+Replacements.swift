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
            var rest = bytes[offset..<min(offset + size, bytes.count)]
            guard rest.popFirst() == 0xf3 else { return nil }
            var rex: UInt8 = 0
            if let first = rest.first, first & 0xf0 == 0x40 {
                rex = first
                rest.removeFirst()
            }
            guard rest.popFirst() == 0x0f, rest.popFirst() == 0xb8, let modes = rest.popFirst(),
                modes >> 6 == 3
            else { return nil }
            is64 = rex & 8 != 0
            destination = Int(modes >> 3 & 7 | (rex & 4) << 1)
            source = Int(modes & 7 | (rex & 1) << 3)
            self.size = size
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
            var rest = bytes[offset..<min(offset + size, bytes.count)]
            guard let prefix = rest.popFirst(), prefix == 0xf2 || prefix == 0xf3 else { return nil }
            var rex: UInt8 = 0
            if let first = rest.first, first & 0xf0 == 0x40 {
                rex = first
                rest.removeFirst()
            }
            guard rest.popFirst() == 0x0f, let opcode = rest.popFirst(),
                [0x58, 0x59, 0x5c, 0x5e].contains(opcode),
                let modes = rest.popFirst()
            else { return nil }
            isDouble = prefix == 0xf2
            destination = Int(modes >> 3 & 7 | (rex & 4) << 1)
            self.size = size
            if modes >> 6 == 3 {
                source = .vector(Int(modes & 7 | (rex & 1) << 3))
                return
            }
            // A scaled index byte that says rsp alone, then a displacement.
            guard modes & 7 == 4, rest.popFirst() == 0x24 else { return nil }
            let displacement = rest.enumerated().reduce(UInt32(0)) {
                $0 | UInt32($1.element) << (8 * $1.offset)
            }
            let value =
                rest.count == 1
                ? Int32(Int8(truncatingIfNeeded: displacement)) : Int32(bitPattern: displacement)
            source = .slot(value)
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
