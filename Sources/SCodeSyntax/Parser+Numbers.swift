import SCodeIR

/// Floating-point constants: a number, perhaps with a sign, but nothing computed. Of integers, any expression
/// will do; it is rounded.
extension Parser {
    /// Whether the tokens write a floating-point number and not an integer.
    func isNumber(_ range: Range<Int>) -> Bool {
        range.contains { index in
            let token = tokens[index]
            if token.kind == .float { return true }
            guard token.kind == .identifier else { return false }
            if isNumberWord(token) { return true }
            if case .number = declarations.constants[token.name]?.value { return true }
            return false
        }
    }

    /// `inf` or `nan`.
    func isNumberWord(_ token: Token) -> Bool { isWord(token, "inf") || isWord(token, "nan") }

    /// The tokens of the constant that begins here: up to a comma, a bracket that it did not open, or the end of
    /// the line.
    func constantExtent() -> Range<Int> {
        var end = position
        var depth = 0
        while end < limit {
            switch tokens[end].kind {
            case .leftParenthesis: depth += 1
            case .rightParenthesis:
                depth -= 1
                if depth < 0 { return position..<end }
            case .comma where depth == 0: return position..<end
            case .newline, .leftBrace, .rightBrace, .end: return position..<end
            default: break
            }
            end += 1
        }
        return position..<end
    }

    /// The bits of the constant of type `f` or `d` that begins here; nil after a complaint. *Requires* that
    /// `extent` is where it stands.
    mutating func floatBits(_ type: ValueType, _ extent: Range<Int>) -> UInt64? {
        guard isNumber(extent) else {
            guard let value = expression() else { return nil }
            // Every integer of an expression is one of 64 bits, which are rounded once.
            let literal =
                value < 0
                ? FloatLiteral(
                    double: Double(Int64(truncatingIfNeeded: value)),
                    float: Float(Int64(truncatingIfNeeded: value)))
                : FloatLiteral(
                    double: Double(UInt64(truncatingIfNeeded: value)),
                    float: Float(UInt64(truncatingIfNeeded: value)))
            return literal.bits(type)
        }
        let first = current
        guard let literal = number(type) else { return nil }
        if type == .f, literal.float.isInfinite, literal.double.isFinite {
            sink.error(
                first.range(through: tokens[position - 1]), "the number is greater than any of type f",
                suggestion: "write inf, or use type d")
            return nil
        }
        return literal.bits(type)
    }

    /// A floating-point number with its sign; nil after a complaint.
    /// - Parameter type: says how many bits `nan(0x…)` has; nil where no type is known.
    mutating func number(_ type: ValueType?) -> FloatLiteral? {
        let sign = take(.minus)
        let token = current
        guard let literal = unsignedNumber(type, sign) else { return nil }
        switch current.kind {
        case .plus, .minus, .star, .slash, .percent, .ampersand, .bar, .caret, .shiftLeft, .shiftRight:
            sink.error(
                token.range(through: current), "floating-point constants are written out, not computed",
                suggestion: "compute with instructions, or write the result")
            return nil
        default:
            return sign == nil ? literal : literal.negated
        }
    }

    private mutating func unsignedNumber(_ type: ValueType?, _ sign: Token?) -> FloatLiteral? {
        let token = advance()
        switch token.kind {
        case .float:
            return FloatLiteral(files[Int(token.file)].text.bytes[token.bytes])
        case .identifier:
            if isWord(token, "inf") { return FloatLiteral(double: .infinity, float: .infinity) }
            if isWord(token, "nan") { return notANumber(token, type, sign) }
            if case .number(let literal) = declarations.constants[token.name]?.value { return literal }
        default: break
        }
        sink.error(
            (sign ?? token).range(through: token), "floating-point constants are written out, not computed",
            suggestion: "write one number, such as 1.5, -2e10 or inf")
        return nil
    }

    /// `nan` and `nan(BITS)`, after the word.
    private mutating func notANumber(_ token: Token, _ type: ValueType?, _ sign: Token?) -> FloatLiteral? {
        if let sign {
            sink.error(
                sign.range(through: token), "nan has no sign", suggestion: "write its bits: nan(0x…)")
            return nil
        }
        guard take(.leftParenthesis) != nil else { return FloatLiteral(double: .nan, float: .nan) }
        guard let type else {
            sink.error(
                token.range, "the bits of a nan depend on its type", suggestion: "write them where it is used"
            )
            return nil
        }
        let start = current
        guard let bits = expression(), expect(.rightParenthesis, "')' after the bits") != nil else {
            return nil
        }
        let float = UInt32(exactly: bits).map { Float(bitPattern: $0) }
        let double = UInt64(exactly: bits).map { Double(bitPattern: $0) }
        guard type == .f ? float?.isNaN == true : double?.isNaN == true else {
            sink.error(
                start.range(through: tokens[position - 2]),
                "these are not the bits of a nan of type \(type.suffix)",
                suggestion: type == .f ? "one is 0x7fc00000" : "one is 0x7ff8000000000000")
            return nil
        }
        return FloatLiteral(double: double ?? .nan, float: float ?? .nan)
    }
}
