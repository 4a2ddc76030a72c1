import Foundation
import InPlaceEmission
import Testing

/// Whole functions: the example of the documentation, loops, memory, saved registers, mistakes.
@Suite struct LambdaTests {
    /// What `docs/in-place-emission.md` shows.
    @Test func increment() throws {
        // [increment]
        var code = try UnsafeLambda([.i])
        let x = code.parameter(0)
        code.add(.i, x, x, 1)
        code.ret(.i, x)
        let increment = try code.end()
        let answer = increment.with((@convention(c) (Int32) -> Int32).self) { $0(41) }
        // [/increment]
        #expect(answer == 42)
        #expect(increment.with((@convention(c) (Int32) -> Int32).self) { $0(.max) } == .min)
    }

    @Test func pageShowsThisCode() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let source = try String(contentsOf: URL(fileURLWithPath: #filePath), encoding: .utf8)
        let page = try String(
            contentsOf: folder.appendingPathComponent("../../docs/in-place-emission.md").standardizedFileURL,
            encoding: .utf8)
        let begin = "        // [increment]\n"
        let code = try #require(source.components(separatedBy: begin).dropFirst().first)
        let lines = code.components(separatedBy: "        // [/increment]")[0]
        let shown = lines.split(separator: "\n").map { $0.dropFirst(8) }.joined(separator: "\n")
        #expect(page.contains("```swift\n\(shown)\n```"))
    }

    /// A loop forward out and one back, loads with an offset and an index, stores.
    @Test func prefixSums() throws {
        var code = try UnsafeLambda([.p, .l])
        let (base, count) = (code.parameter(0), code.parameter(1))
        let sum = try code.register()
        let value = try code.register()
        var (next, done) = (Label(), Label())
        code.set(.l, sum, 0)
        code.label(&next)
        code.beq(.l, count, 0, &done)
        code.ld(.i, value, base, 4)
        code.add(.l, sum, sum, value)
        code.st(.i, sum, base, 4)
        code.add(.p, base, base, 4)
        code.sub(.l, count, count, 1)
        code.j(&next)
        code.label(&done)
        code.ret(.l, sum)
        let function = try code.end()
        var numbers: [Int32] = [7, 1, -2, 3, 40]
        let last = numbers.withUnsafeMutableBytes { bytes in
            function.with((@convention(c) (UnsafeMutableRawPointer?, Int) -> Int).self) {
                $0(bytes.baseAddress, 4)
            }
        }
        #expect(last == 42)
        #expect(numbers == [7, 1, -1, 2, 42])
    }

    /// Type, its bits, and what is loaded.
    static let memoryTypes: [(MemoryType, UInt64, UInt64)] = [
        (.c, 8, 0xffff_ffff_ffff_ffc3), (.uc, 8, 0xc3), (.s, 16, 0xffff_ffff_ffff_d4c3), (.us, 16, 0xd4c3),
        (.i, 32, 0xffff_ffff_f6e5_d4c3), (.u, 32, 0xf6e5_d4c3), (.l, 64, 0xfedc_ba98_f6e5_d4c3),
        (.ul, 64, 0xfedc_ba98_f6e5_d4c3), (.p, 64, 0xfedc_ba98_f6e5_d4c3),
    ]

    /// With each register as base, value and index, and with offsets of every length.
    @Test(arguments: memoryTypes.indices)
    func memory(row: Int) throws {
        let (type, bits, extended) = Self.memoryTypes[row]
        let pool = try ArithmeticTests.everyRegister()
        for (number, base) in pool.enumerated() {
            let (value, index) = (pool[(number + 1) % pool.count], pool[(number + 2) % pool.count])
            for (offset, isWide) in [(0, false), (8, false), (136, false), (8, true)] as [(Int32, Bool)] {
                let immediate = isWide ? Immediate.wide(offset) : Immediate(offset)
                var code = try UnsafeLambda([.p, .p])
                while code.getreg(.variable) != nil {}
                code.mov(.p, .rax, code.parameter(0))
                code.mov(.p, .rdx, code.parameter(1))
                code.mov(.p, base, .rax)
                code.ld(type, value, base, immediate)
                code.mov(.p, base, .rdx)
                code.st(type, value, base, immediate)
                code.set(.l, index, Int64(offset))
                code.ld(type, value, base, index)
                code.st(type, value, base, index)
                code.ret(.l, value)
                let function = try code.end()
                var source = [UInt64](repeating: 0, count: 20)
                source[Int(offset) / 8] = 0xfedc_ba98_f6e5_d4c3
                var target = [UInt64](repeating: 0, count: 20)
                let found = source.withUnsafeBytes { source in
                    target.withUnsafeMutableBytes { target in
                        function.with(
                            (@convention(c) (UnsafeRawPointer?, UnsafeMutableRawPointer?) -> UInt64).self
                        ) { $0(source.baseAddress, target.baseAddress) }
                    }
                }
                #expect(found == extended)
                source[Int(offset) / 8] &= .max >> (64 - bits)
                #expect(target == source)
            }
        }
    }

    /// Every condition, signed and unsigned, with registers and immediates.
    @Test(arguments: [IntegerType.i, .u, .l, .ul])
    func branches(type: IntegerType) throws {
        let values: [Int32] = [0, 1, -1, 127, 128, -129, .max, .min]
        for condition in 0..<6 {
            for right in values {
                let registers = try Self.comparison(type, condition) { code, left, label in
                    let register = code.parameter(1)
                    code.set(.l, register, Int64(right))
                    Self.branch(condition, type, left, register, &label, &code)
                }
                let immediates = try [Immediate(right), .wide(right)].map { right in
                    try Self.comparison(type, condition) { code, left, label in
                        Self.branch(condition, type, left, right, &label, &code)
                    }
                }
                for left in values {
                    let expected = Self.holds(condition, type, left, right)
                    for function in [registers] + immediates {
                        let found = function.with((@convention(c) (Int64, Int64) -> Int32).self) {
                            $0(Int64(left), 0)
                        }
                        #expect((found == 1) == expected, "\(left) \(condition) \(right)")
                    }
                }
            }
        }
    }

    private static func comparison(
        _ type: IntegerType, _ condition: Int, _ emit: (inout UnsafeLambda, Register, inout Label) -> Void
    ) throws -> UnsafeFunction {
        var code = try UnsafeLambda([.l, .l])
        var yes = Label()
        emit(&code, code.parameter(0), &yes)
        code.ret(.i, 0)
        code.label(&yes)
        code.ret(.i, 1)
        return try code.end()
    }

    private static func branch(
        _ condition: Int, _ type: IntegerType, _ left: Register, _ right: Register, _ label: inout Label,
        _ code: inout UnsafeLambda
    ) {
        switch condition {
        case 0: code.blt(type, left, right, &label)
        case 1: code.ble(type, left, right, &label)
        case 2: code.bgt(type, left, right, &label)
        case 3: code.bge(type, left, right, &label)
        case 4: code.beq(type, left, right, &label)
        default: code.bne(type, left, right, &label)
        }
    }

    private static func branch(
        _ condition: Int, _ type: IntegerType, _ left: Register, _ right: Immediate, _ label: inout Label,
        _ code: inout UnsafeLambda
    ) {
        switch condition {
        case 0: code.blt(type, left, right, &label)
        case 1: code.ble(type, left, right, &label)
        case 2: code.bgt(type, left, right, &label)
        case 3: code.bge(type, left, right, &label)
        case 4: code.beq(type, left, right, &label)
        default: code.bne(type, left, right, &label)
        }
    }

    private static func holds(_ condition: Int, _ type: IntegerType, _ left: Int32, _ right: Int32) -> Bool {
        func compare<T: Comparable>(_ a: T, _ b: T) -> Bool {
            [a < b, a <= b, a > b, a >= b, a == b, a != b][condition]
        }
        return switch type {
        case .i, .l: compare(left, right)
        case .u: compare(UInt32(bitPattern: left), UInt32(bitPattern: right))
        default:
            compare(UInt64(bitPattern: Int64(left)), UInt64(bitPattern: Int64(right)))
        }
    }

    @Test(arguments: [IntegerType.i, .u, .l, .ul])
    func division(type: IntegerType) throws {
        for (a, b) in [(100, 7), (-100, 7), (100, -7), (-1, 2), (0, 5)] as [(Int64, Int64)] {
            var code = try UnsafeLambda([.l, .l])
            let quotient = try code.register(.variable)
            code.div(type, quotient, code.parameter(0), code.parameter(1))
            code.mod(type, code.parameter(0), code.parameter(0), code.parameter(1))
            code.lsh(.l, quotient, quotient, 8)
            code.xor(.l, quotient, quotient, code.parameter(0))
            code.ret(.l, quotient)
            let found = try code.end().with((@convention(c) (Int64, Int64) -> UInt64).self) { $0(a, b) }
            func expected<T: FixedWidthInteger, U: FixedWidthInteger>(_: T.Type, _: U.Type) -> UInt64 {
                let (x, y) = (T(truncatingIfNeeded: a), T(truncatingIfNeeded: b))
                return UInt64(U(truncatingIfNeeded: x / y)) << 8 ^ UInt64(U(truncatingIfNeeded: x % y))
            }
            switch type {
            case .i: #expect(found == expected(Int32.self, UInt32.self))
            case .u: #expect(found == expected(UInt32.self, UInt32.self))
            case .l: #expect(found == expected(Int64.self, UInt64.self))
            default: #expect(found == expected(UInt64.self, UInt64.self))
            }
        }
    }

    @Test func oneOperandAndConversions() throws {
        func run(_ emit: (inout UnsafeLambda, Register, Register) -> Void, _ argument: UInt64) throws
            -> UInt64
        {
            var code = try UnsafeLambda([.ul])
            let result = try code.register()
            emit(&code, result, code.parameter(0))
            code.ret(.ul, result)
            return try code.end().with((@convention(c) (UInt64) -> UInt64).self) { $0(argument) }
        }
        #expect(try run({ $0.com(.i, $1, $2) }, 0xf_0000_000f) == 0xffff_fff0)
        #expect(try run({ $0.com(.l, $1, $2) }, 0) == .max)
        #expect(try run({ $0.neg(.l, $1, $2) }, 1) == .max)
        #expect(try run({ $0.neg(.u, $1, $2) }, 1) == 0xffff_ffff)
        #expect(try run({ $0.not(.l, $1, $2) }, 0) == 1)
        #expect(try run({ $0.not(.l, $1, $2) }, 1 << 40) == 0)
        #expect(try run({ $0.not(.i, $1, $2) }, 1 << 40) == 1)
        #expect(try run({ $0.cv(.i, .l, $1, $2) }, 0x8000_0000) == 0xffff_ffff_8000_0000)
        #expect(try run({ $0.cv(.u, .l, $1, $2) }, 0xf_8000_0000) == 0x8000_0000)
        #expect(try run({ $0.cv(.l, .i, $1, $2) }, 0xf_8000_0000) == 0x8000_0000)
        #expect(try run({ $0.cv(.l, .ul, $1, $2) }, 0xf_8000_0000) == 0xf_8000_0000)
        #expect(try run({ code, rd, _ in code.set(.i, rd, -1) }, 0) == 0xffff_ffff)
        #expect(try run({ code, rd, _ in code.set(.l, rd, -1) }, 0) == .max)
        #expect(try run({ code, rd, _ in code.set(.l, rd, 1 << 40) }, 0) == 1 << 40)
    }

    @Test func floatingPoint() throws {
        var code = try UnsafeLambda([.d, .l, .d])
        let (x, n, y) = (code.floatParameter(0), code.parameter(1), code.floatParameter(2))
        let register = code.getfreg()
        let z = try #require(register)
        code.cv(.l, .d, z, n)
        code.sub(.d, z, x, z)  // the result in the second operand's register
        code.div(.d, z, z, y)
        code.add(.d, z, x, z)
        code.mul(.d, z, y, z)
        code.add(.d, z, z, x)  // x is what it was
        code.ret(z)
        let found = try code.end().with((@convention(c) (Double, Int, Double) -> Double).self) {
            $0(1.5, 4, 0.25)
        }
        #expect(found == 0.25 * (1.5 + (1.5 - 4) / 0.25) + 1.5)
    }

    /// Variables of the caller's are what they were, whatever the function does with them.
    @Test func variablesAreSaved() throws {
        var inner = try UnsafeLambda([.l])
        var sum = inner.parameter(0)
        while let variable = inner.getreg(.variable) {
            inner.add(.l, variable, sum, 1)
            sum = variable
        }
        inner.ret(.l, sum)
        let function = try inner.end()
        let total = function.with((@convention(c) (Int) -> Int).self) { call in
            (0..<100).reduce(0) { $0 + call($1) }
        }
        #expect(total == (0..<100).reduce(0) { $0 + $1 + 5 })
    }

    @Test func allSixParameters() throws {
        var code = try UnsafeLambda([.l, .l, .l, .l, .l, .l])
        let temporary = code.getreg(.temporary)
        #expect(temporary == nil)
        let sum = try code.register(.variable)
        code.set(.l, sum, 0)
        for index in 0..<6 {
            code.mul(.l, sum, sum, 10)
            code.add(.l, sum, sum, code.parameter(index))
        }
        code.ret(.l, sum)
        let found = try code.end().with((@convention(c) (Int, Int, Int, Int, Int, Int) -> Int).self) {
            $0(1, 2, 3, 4, 5, 6)
        }
        #expect(found == 123_456)
    }

    @Test func mistakes() throws {
        #expect(throws: EmissionError.tooManyParameters) {
            _ = try UnsafeLambda([.l, .l, .l, .l, .l, .l, .l]).end()
        }
        var unbound = try UnsafeLambda()
        var label = Label()
        unbound.j(&label)
        #expect(refusal(unbound) == .misplacedLabel)

        var twice = try UnsafeLambda()
        var bound = Label()
        twice.label(&bound)
        twice.label(&bound)
        #expect(refusal(twice) == .misplacedLabel)

        // Its chain leads to where this function has no code.
        var other = try UnsafeLambda()
        other.label(&label)
        #expect(refusal(other) == .misplacedLabel)

        // And to where it has some, of its own.
        var longer = try UnsafeLambda([.l])
        for _ in 0..<100 { longer.add(.l, longer.parameter(0), longer.parameter(0), 1) }
        var foreign = Label()
        unboundUse(of: &foreign)
        longer.label(&foreign)
        #expect(refusal(longer) == .misplacedLabel)

        var large = try UnsafeLambda([.l], limit: 64)
        for _ in 0..<100 { large.add(.l, large.parameter(0), large.parameter(0), 1) }
        #expect(refusal(large) == .tooLarge(limit: 64))
    }

    /// Leaves a label with uses in code that is gone.
    private func unboundUse(of label: inout Label) {
        guard var code = try? UnsafeLambda() else { return }
        code.ret()
        for _ in 0..<3 { code.j(&label) }
    }

    /// A loop whose body is longer than a byte reaches, and one that is not.
    @Test(arguments: [1, 10, 100])
    func loops(length: Int) throws {
        var code = try UnsafeLambda([.l])
        let (count, sum) = (code.parameter(0), try code.register())
        var (again, skip) = (Label(), Label())
        code.set(.l, sum, 0)
        code.label(&again)
        for _ in 0..<length { code.add(.l, sum, sum, 1) }
        code.sub(.l, count, count, 1)
        code.bgt(.l, count, 0, &again)
        code.j(&skip)
        code.set(.l, sum, 0)
        code.label(&skip)
        code.ret(.l, sum)
        let found = try code.end().with((@convention(c) (Int) -> Int).self) { $0(7) }
        #expect(found == 7 * length)
    }

    private func refusal(_ code: consuming UnsafeLambda) -> EmissionError? {
        do throws(EmissionError) {
            _ = try code.end()
            return nil
        } catch { return error }
    }

    @Test func registersComeAndGo() throws {
        var code = try UnsafeLambda()
        let first = try code.register()
        let second = try code.register()
        #expect(first != second)
        code.putreg(first)
        code.putreg(first)
        let again = try code.register()
        #expect(again == first)
        for _ in 0..<4 {
            let other = try code.register()
            #expect(other != first)
        }
        let none = code.getreg()
        #expect(none == nil)
    }
}

extension UnsafeLambda {
    /// A register, of which there must be one.
    fileprivate mutating func register(_ kind: RegisterClass = .temporary) throws -> Register {
        let register = getreg(kind)
        return try #require(register)
    }
}
