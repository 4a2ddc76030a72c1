import InPlaceEmission
import Testing

/// What the code computes, for every way in which operands share registers, against what Swift computes.
@Suite struct ArithmeticTests {
    /// Words that are at the edges of 32 and 64 bits.
    static let words: [UInt64] = [
        0, 1, 2, 31, 32, 63, 64, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff,
        0x8000_0000_0000_0000, .max, 0x0123_4567_89ab_cdef,
    ]
    static let immediates: [Int32] = [0, 1, -1, 3, 5, 9, 127, 128, -128, -129, 1000, .max, .min]

    enum Operation: String, CaseIterable { case add, sub, mul, and, or, xor, lsh, rsh }

    static func emit(
        _ operation: Operation, _ type: IntegerType, _ rd: Register, _ rs1: Register, _ rs2: Register,
        _ code: inout UnsafeLambda
    ) {
        switch operation {
        case .add: code.add(type, rd, rs1, rs2)
        case .sub: code.sub(type, rd, rs1, rs2)
        case .mul: code.mul(type, rd, rs1, rs2)
        case .and: code.and(type, rd, rs1, rs2)
        case .or: code.or(type, rd, rs1, rs2)
        case .xor: code.xor(type, rd, rs1, rs2)
        case .lsh: code.lsh(type, rd, rs1, rs2)
        case .rsh: code.rsh(type, rd, rs1, rs2)
        }
    }

    static func emit(
        _ operation: Operation, _ type: IntegerType, _ rd: Register, _ rs: Register, _ value: Int32,
        isWide: Bool, _ code: inout UnsafeLambda
    ) {
        let immediate = isWide ? Immediate.wide(value) : Immediate(value)
        switch operation {
        case .add: code.add(type, rd, rs, immediate)
        case .sub: code.sub(type, rd, rs, immediate)
        case .mul: code.mul(type, rd, rs, immediate)
        case .and: code.and(type, rd, rs, immediate)
        case .or: code.or(type, rd, rs, immediate)
        case .xor: code.xor(type, rd, rs, immediate)
        case .lsh: code.lsh(type, rd, rs, value)
        case .rsh: code.rsh(type, rd, rs, value)
        }
    }

    static func result(_ operation: Operation, _ type: IntegerType, _ a: UInt64, _ b: UInt64) -> UInt64 {
        switch type {
        case .i:
            UInt64(
                UInt32(
                    bitPattern: result(operation, Int32(truncatingIfNeeded: a), Int32(truncatingIfNeeded: b)))
            )
        case .u: UInt64(result(operation, UInt32(truncatingIfNeeded: a), UInt32(truncatingIfNeeded: b)))
        case .l: UInt64(bitPattern: result(operation, Int64(bitPattern: a), Int64(bitPattern: b)))
        default: result(operation, a, b)
        }
    }

    private static func result<T: FixedWidthInteger>(_ operation: Operation, _ a: T, _ b: T) -> T {
        switch operation {
        case .add: a &+ b
        case .sub: a &- b
        case .mul: a &* b
        case .and: a & b
        case .or: a | b
        case .xor: a ^ b
        case .lsh: a &<< b
        case .rsh: a &>> b
        }
    }

    /// All registers that a generator can get hold of. The function stores the values that it is given into two of them,
    /// computes, and returns what is in a third.
    @Test(arguments: Operation.allCases, [IntegerType.i, .u, .l, .ul])
    func operandsShareRegisters(operation: Operation, type: IntegerType) throws {
        let pool = try Self.everyRegister()
        #expect(pool.count == 11)
        for (rd, rs1, rs2) in Self.placements(pool) {
            var code = try UnsafeLambda([.ul, .ul])
            while code.getreg(.variable) != nil {}
            // The parameters may be among the operands: keep them where no operation looks.
            code.mov(.l, .rax, code.parameter(0))
            code.mov(.l, .rdx, code.parameter(1))
            code.mov(.l, rs1, .rax)
            code.mov(.l, rs2, .rdx)
            Self.emit(operation, type, rd, rs1, rs2, &code)
            code.ret(.l, rd)
            let function = try code.end()
            for a in Self.words {
                for b in Self.words {
                    let found = function.with((@convention(c) (UInt64, UInt64) -> UInt64).self) { $0(a, b) }
                    // When both are one register, it holds the second value.
                    let expected = Self.result(operation, type, rs1 == rs2 ? b : a, b)
                    #expect(
                        found == expected,
                        "\(a) \(operation) \(b) in \(rd.rawValue) \(rs1.rawValue) \(rs2.rawValue)")
                }
            }
        }
    }

    @Test(arguments: Operation.allCases, [IntegerType.i, .u, .l, .ul])
    func immediates(operation: Operation, type: IntegerType) throws {
        let pool = try Self.everyRegister()
        for (index, rs) in pool.enumerated() {
            for rd in [rs, pool[(index + 5) % pool.count]] {
                for (number, immediate) in Self.immediates.enumerated() {
                    var code = try UnsafeLambda([.ul])
                    while code.getreg(.variable) != nil {}
                    code.mov(.l, rs, code.parameter(0))
                    Self.emit(
                        operation, type, rd, rs, immediate, isWide: (index + number) % 2 == 0, &code)
                    code.ret(.l, rd)
                    let function = try code.end()
                    for a in Self.words {
                        let found = function.with((@convention(c) (UInt64) -> UInt64).self) { $0(a) }
                        let expected = Self.result(operation, type, a, UInt64(bitPattern: Int64(immediate)))
                        #expect(
                            found == expected,
                            "\(a) \(operation) \(immediate) in \(rd.rawValue) \(rs.rawValue)")
                    }
                }
            }
        }
    }

    static func everyRegister() throws -> [Register] {
        var code = try UnsafeLambda()
        var all: [Register] = []
        while let register = code.getreg(.temporary) { all.append(register) }
        while let register = code.getreg(.variable) { all.append(register) }
        return all
    }

    /// Destination and operands, in every pattern of equal ones, with each register in each place.
    static func placements(_ pool: [Register]) -> [(Register, Register, Register)] {
        pool.indices.flatMap { index in
            let (a, b, c) = (pool[index], pool[(index + 3) % pool.count], pool[(index + 7) % pool.count])
            return [(a, a, a), (a, a, b), (a, b, a), (a, b, b), (a, b, c)]
        }
    }
}
