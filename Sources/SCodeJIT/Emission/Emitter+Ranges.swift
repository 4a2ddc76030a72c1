import CSCodeRuntime
import SCodeIR
import X86Assembler

/// Checks before code without guards. Between them `extent` is in rcx.
extension Emitter {
    /// rcx := limit - a, or one less.
    mutating func emitExtent(_ instruction: VInstruction) {
        let width = instruction.width
        if instruction.hasImmediate {
            let bits = UInt64(bitPattern: instruction.immediate)
            assembler.mov(.rcx, immediate: instruction.isWide ? bits : bits & 0xffff_ffff)
        } else {
            copy(instruction.b, to: .rcx, width)
        }
        let counter = fetch(instruction.a, .rax)
        assembler.alu(.sub, width, .rcx, counter)
        if instruction.scale > 0 {
            assembler.mov(.w32, .rax, .rcx)
            assembler.alu(.and, .w32, .rax, immediate: 1 << Int32(instruction.scale) - 1)
            assembler.jcc(.ne, labels[Int(instruction.target)])
        }
        if !instruction.flag { assembler.alu(.sub, width, .rcx, immediate: 1) }
    }

    mutating func emitBudgetCheck(_ instruction: VInstruction) {
        usesBudget = true
        if instruction.scale > 0 { assembler.shift(.shr, .w64, .rcx, by: instruction.scale) }
        if instruction.immediate > 0 {
            assembler.alu(.add, .w64, .rcx, immediate: Int32(truncatingIfNeeded: instruction.immediate))
        }
        assembler.alu(.cmp, .w64, Self.budget, .rcx)
        assembler.jcc(.b, labels[Int(instruction.target)])
        if instruction.flag { assembler.alu(.sub, .w64, Self.budget, .rcx) }
    }

    /// The first byte at the beginning, and the last one at the end, are held against the region. In between it was looked
    /// whether the extent is no larger than the region, so that what it is multiplied to does not wrap around.
    mutating func emitRangeCheck(_ instruction: VInstruction) {
        let range = vcode.ranges[Int(instruction.immediate)]
        let outside = labels[Int(instruction.target)]
        let size = Int64(vcode.fragment.regions[Int(range.region)].size)
        if range.stride > 0 {
            assembler.alu(.cmp, .w64, .rcx, immediate: Int32(truncatingIfNeeded: size))
            assembler.jcc(.a, outside)
            if range.stride.nonzeroBitCount > 1 {
                assembler.multiply(.w64, .rcx, .rcx, by: Int32(truncatingIfNeeded: range.stride))
            } else if range.stride > 1 {
                assembler.shift(.shl, .w64, .rcx, by: UInt8(range.stride.trailingZeroBitCount))
            }
        }
        emitSum(instruction, Int32(truncatingIfNeeded: range.low))
        assembler.alu(.sub, .w64, .rax, regionField(range.region, SCODE_OFFSET_REGION_BASE))
        let last = Int32(truncatingIfNeeded: size - (range.high - range.low))
        assembler.alu(.cmp, .w64, .rax, immediate: last)
        assembler.jcc(.a, outside)
        guard range.stride > 0 else { return }
        assembler.alu(.add, .w64, .rax, .rcx)
        assembler.alu(.cmp, .w64, .rax, immediate: last)
        assembler.jcc(.a, outside)
    }

    /// rax := a + (b << scale) + offset. Leaves rcx alone.
    private mutating func emitSum(_ instruction: VInstruction, _ offset: Int32) {
        let base = fetch(instruction.a, .rax)
        guard instruction.hasImmediate else {
            let index = fetch(instruction.b, .rdx)
            let scale = Scale(rawValue: instruction.scale) ?? .x1
            return assembler.lea(.w64, .rax, Memory(base, index: index, scale, offset))
        }
        if base == .rax || offset == 0 {
            if base != .rax { assembler.mov(.w64, .rax, base) }
            if offset != 0 { assembler.alu(.add, .w64, .rax, immediate: offset) }
        } else {
            assembler.lea(.w64, .rax, Memory(base, offset))
        }
    }
}
