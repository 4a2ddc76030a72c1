import SCodeIR

/// Constant expressions. They are computed at once, in 128 bits, and each result must be a number of 64 bits,
/// signed or unsigned: -2^63 to 2^64 - 1. Of such numbers only a product can overflow the wider type.
extension Parser {
    /// The value of the expression that begins here, up to the first token that cannot belong to it; nil after
    /// a complaint.
    mutating func expression() -> Int128? {
        binary(minimum: 1, depth: 0)
    }

    /// The number that `+ EXPRESSION` or `- EXPRESSION` after a region's name adds to its address.
    mutating func addend() -> Int128? {
        binary(minimum: Self.additive, depth: 0, left: 0)
    }

    private static let additive = 5

    /// How tightly a binary operator binds; as in C.
    private func precedence(_ kind: TokenKind) -> Int? {
        switch kind {
        case .bar: 1
        case .caret: 2
        case .ampersand: 3
        case .shiftLeft, .shiftRight: 4
        case .plus, .minus: Self.additive
        case .star, .slash, .percent: 6
        default: nil
        }
    }

    /// Operators that bind at least as tightly as `minimum`, from left to right.
    private mutating func binary(minimum: Int, depth: Int, left first: Int128? = nil) -> Int128? {
        let start = position
        guard var left = first ?? unary(depth: depth) else { return nil }
        while let level = precedence(current.kind), level >= minimum {
            let sign = advance()
            guard let right = binary(minimum: level + 1, depth: depth),
                let result = apply(sign, left, right, from: start)
            else { return nil }
            left = result
        }
        return left
    }

    private mutating func apply(_ sign: Token, _ a: Int128, _ b: Int128, from start: Int) -> Int128? {
        switch sign.kind {
        case .plus: return checked(a + b, from: start)
        case .minus: return checked(a - b, from: start)
        case .star:
            let (product, overflow) = a.multipliedReportingOverflow(by: b)
            return checked(overflow ? .max : product, from: start)
        case .slash, .percent:
            guard b != 0 else {
                sink.error(sign.range, "division by zero")
                return nil
            }
            return sign.kind == .slash ? checked(a / b, from: start) : a % b
        case .shiftLeft, .shiftRight:
            guard b >= 0, b < 64 else {
                sink.error(sign.range, "a shift is by 0 to 63 bits, this one is by \(b)")
                return nil
            }
            return sign.kind == .shiftLeft ? checked(a << b, from: start) : a >> b
        case .ampersand: return bits(a & b)
        case .bar: return bits(a | b)
        default: return bits(a ^ b)
        }
    }

    private mutating func checked(_ value: Int128, from start: Int) -> Int128? {
        if fits(value) { return value }
        sink.error(
            tokens[start].range(through: tokens[max(start, position - 1)]),
            value == .max
                ? "the result does not fit in 64 bits" : "the result \(value) does not fit in 64 bits")
        return nil
    }

    private func fits(_ value: Int128) -> Bool { value >= Int128(Int64.min) && value <= Int128(UInt64.max) }

    /// The result of a bitwise operator. With an operand from 2^63 up and a negative one it can lie below
    /// -2^63; its low 64 bits are what was meant.
    private func bits(_ value: Int128) -> Int128 {
        fits(value) ? value : Int128(UInt64(truncatingIfNeeded: value))
    }

    private mutating func unary(depth: Int) -> Int128? {
        guard depth < SyntaxLimits.expressionDepth else {
            sink.error(current.range, "the expression is nested deeper than \(SyntaxLimits.expressionDepth)")
            return nil
        }
        let start = position
        switch current.kind {
        case .minus:
            position += 1
            guard let value = unary(depth: depth + 1) else { return nil }
            return checked(-value, from: start)
        case .tilde:
            position += 1
            return unary(depth: depth + 1).map { bits(~$0) }
        case .leftParenthesis:
            position += 1
            guard let value = binary(minimum: 1, depth: depth + 1),
                expect(.rightParenthesis, "')' after the expression") != nil
            else { return nil }
            return value
        case .integer:
            return Int128(advance().value)
        case .float:
            sink.error(
                current.range, "this is a floating-point number, and it must be an integer",
                suggestion: "floating-point constants stand in setf and setd, in defaults and in const")
            return nil
        case .identifier:
            return named()
        case .dot where next?.kind == .integer || next?.kind == .float:
            sink.error(current.range, "a number begins with a digit", suggestion: "write 0.5 for .5")
            return nil
        default:
            unexpected("a constant")
            return nil
        }
    }

    // MARK: Names

    private mutating func named() -> Int128? {
        let token = advance()
        if isWord(token, "sizeof") { return sizeOf() }
        if current.kind == .dot { return fieldOffset(token) }
        guard let constant = declarations.constants[token.name] else {
            notAConstant(token)
            return nil
        }
        switch constant.value {
        case nil: return nil
        case .integer(let value): return value
        case .number:
            sink.error(
                token.range, "'\(text(token))' is a floating-point number, and this must be an integer",
                notes: [.init(constant.range, "declared here")])
            return nil
        }
    }

    private mutating func notAConstant(_ token: Token) {
        let name = text(token)
        if declarations.regions[token.name] != nil {
            sink.error(
                token.range, "'\(name)' is a region: its address is not known before the fragment runs",
                suggestion: "put the address in a register: setp r, \(name)")
        } else if fragment.registers[token.name] != nil || names[token.name].looksLikeRegister {
            sink.error(token.range, "'\(name)' is a register, and this must be a constant")
        } else if isNumberWord(token) {
            sink.error(token.range, "'\(name)' is a floating-point number, and this must be an integer")
        } else if declarations.structures[token.name] != nil {
            sink.error(
                token.range, "'\(name)' is a structure",
                suggestion: "write sizeof(\(name)) for its size, \(name).field for an offset")
        } else if !fragment.unplaced.contains(token.name), !includes.hasUnread {
            var suggestion = sink.didYouMean(name, among: candidates(declarations.constants.keys))
            if suggestion == nil, fragment.code.name.isEmpty {
                suggestion = "outside fragments, constants are declared before they are used"
            }
            sink.error(token.range, "no constant is called '\(name)'", suggestion: suggestion)
        }
    }

    /// `sizeof(STRUCTURE)` or `sizeof(TYPE)`, after the word.
    private mutating func sizeOf() -> Int128? {
        guard expect(.leftParenthesis, "'(' after sizeof") != nil,
            let name = expect(.identifier, "a structure or a type"),
            expect(.rightParenthesis, "')'") != nil
        else { return nil }
        if let structure = declarations.structures[name.name] { return structure.size }
        return valueType(name).map { Int128($0.size) }
    }

    /// `STRUCTURE.field`, and `.field` again while the field is a structure itself, after the first name.
    private mutating func fieldOffset(_ name: Token) -> Int128? {
        guard var structure = declarations.structures[name.name] else {
            if includes.hasUnread {
                while take(.dot) != nil { _ = take(.identifier) }
                return nil
            }
            let suggestion = sink.didYouMean(
                text(name), among: candidates(declarations.structures.keys))
            sink.error(name.range, "no structure '\(text(name))' is declared", suggestion: suggestion)
            return nil
        }
        var structureName = text(name)
        var offset: Int128 = 0
        while take(.dot) != nil {
            guard let fieldName = expect(.identifier, "a field of '\(structureName)'") else { return nil }
            guard let field = structure.fields[fieldName.name] else {
                if includes.hasUnread { return nil }
                let suggestion = sink.didYouMean(
                    text(fieldName), among: candidates(structure.fields.keys))
                sink.error(
                    fieldName.range, "structure '\(structureName)' has no field '\(text(fieldName))'",
                    notes: [.init(structure.range, "'\(structureName)' is declared here")],
                    suggestion: suggestion)
                return nil
            }
            offset += field.offset
            guard current.kind == .dot else { break }
            guard let inner = field.structure, let next = declarations.structures[inner] else {
                sink.error(
                    current.range, "'\(text(fieldName))' is not a structure: it has no fields")
                return nil
            }
            (structure, structureName) = (next, names[inner].text)
        }
        return offset
    }
}
