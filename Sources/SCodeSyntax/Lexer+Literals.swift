import SCodeIR

/// A floating-point number as it was written, rounded to each type: rounding a `d` to an `f` would round twice.
struct FloatLiteral: Equatable {
    var double: Double
    var float: Float

    init(double: Double, float: Float) {
        self.double = double
        self.float = float
    }

    /// The number that decimal or, after `0x`, hexadecimal digits with a fraction or an exponent write; nil when
    /// they are not in order. What is too great becomes infinite.
    init?(_ bytes: ArraySlice<UInt8>) {
        let digits = String(decoding: bytes.filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
        let isHexadecimal = digits.hasPrefix("0x") || digits.hasPrefix("0X")
        // Swift's conversion takes a hexadecimal fraction without an exponent.
        if isHexadecimal, !digits.contains("p"), !digits.contains("P") { return nil }
        guard let double = Double(digits), let float = Float(digits) else { return nil }
        self.init(double: double, float: float)
    }

    var negated: FloatLiteral { FloatLiteral(double: -double, float: -float) }

    /// The bits of the number in type `f` or `d`.
    func bits(_ type: ValueType) -> UInt64 {
        type == .f ? UInt64(float.bitPattern) : double.bitPattern
    }
}

extension Lexer {
    mutating func number() {
        var end = offset
        while end < bytes.count, TextForm.isIdentifierByte(bytes[end]) { end += 1 }
        var digits = bytes[offset..<end]
        var radix: UInt64 = 10
        if digits.first == UInt8(ascii: "0"), let mark = digits.dropFirst().first {
            if mark | 0x20 == UInt8(ascii: "x") { radix = 16 }
            if mark | 0x20 == UInt8(ascii: "b") { radix = 2 }
            if radix != 10 { digits = digits.dropFirst(2) }
        }
        if radix != 2, let end = endOfFloat(end, isHexadecimal: radix == 16) {
            float(through: end)
            return
        }
        let length = end - offset
        var value: UInt64 = 0
        var overflow = false
        var isNumber = digits.contains { $0 != UInt8(ascii: "_") }
        for byte in digits where byte != UInt8(ascii: "_") {
            guard let digit = digitValue(byte), digit < radix else {
                isNumber = false
                break
            }
            let (product, lost) = value.multipliedReportingOverflow(by: radix)
            let (sum, carried) = product.addingReportingOverflow(digit)
            overflow = overflow || lost || carried
            value = sum
        }
        if !isNumber {
            sink.error(
                here(length), "this is not a number",
                suggestion:
                    "numbers are decimal, 0x and hexadecimal, 0b and binary, or 1.5, 1e10, 0x1.8p3; '_' may separate digits"
            )
        } else if overflow {
            sink.error(here(length), "the number does not fit in 64 bits")
        }
        append(isNumber && !overflow ? .integer : .invalid, length, value: value)
    }

    // MARK: Floating-point numbers

    /// The end of the floating-point number that begins here, whose first letters and digits end at `end`; nil
    /// when there is neither a fraction nor an exponent.
    private func endOfFloat(_ end: Int, isHexadecimal: Bool) -> Int? {
        var end = end
        var isFloat = false
        if end + 1 < bytes.count, bytes[end] == UInt8(ascii: "."), isDigit(bytes[end + 1], isHexadecimal) {
            isFloat = true
            end += 2
            while end < bytes.count, TextForm.isIdentifierByte(bytes[end]) { end += 1 }
        }
        let mark = isHexadecimal ? UInt8(ascii: "p") : UInt8(ascii: "e")
        let hasExponent = bytes[offset..<end].contains { $0 | 0x20 == mark }
        // The sign of the exponent ends the letters and digits, but not the number.
        if hasExponent, bytes[end - 1] | 0x20 == mark, end + 1 < bytes.count,
            bytes[end] == UInt8(ascii: "+") || bytes[end] == UInt8(ascii: "-"), isDigit(bytes[end + 1], false)
        {
            end += 2
            while end < bytes.count, TextForm.isIdentifierByte(bytes[end]) { end += 1 }
        }
        return isFloat || hasExponent ? end : nil
    }

    private func isDigit(_ byte: UInt8, _ isHexadecimal: Bool) -> Bool {
        digitValue(byte).map { $0 < (isHexadecimal ? 16 : 10) } ?? false
    }

    private mutating func float(through end: Int) {
        let length = end - offset
        if length > SyntaxLimits.floatLength {
            sink.error(
                here(length), "a floating-point number has at most \(SyntaxLimits.floatLength) characters")
            append(.invalid, length)
        } else if let value = FloatLiteral(bytes[offset..<end]) {
            if value.double.isInfinite {
                sink.error(here(length), "the number is greater than any of type d", suggestion: "write inf")
            }
            append(value.double.isInfinite ? .invalid : .float, length)
        } else {
            let isWithoutExponent = bytes[offset..<end].starts(with: Array("0x".utf8))
            sink.error(
                here(length), "this is not a number",
                suggestion: isWithoutExponent
                    ? "a hexadecimal fraction is followed by p and a power of two: 0x1.8p3"
                    : "floating-point numbers are written 1.5, 1e10, 2.5e-3 or 0x1.8p3")
            append(.invalid, length)
        }
    }

    // MARK: Characters and texts

    /// `"path"`: anything but a quote and control characters, in one line.
    mutating func string() {
        var end = offset + 1
        while end < bytes.count, bytes[end] != UInt8(ascii: "\""), bytes[end] >= 0x20, bytes[end] != 0x7f {
            end += 1
        }
        let isClosed = end < bytes.count && bytes[end] == UInt8(ascii: "\"")
        if isClosed { end += 1 }
        let length = scalars(in: offset..<end)
        if !isClosed { sink.error(here(length), "the closing \" is missing") }
        append(isClosed ? .string : .invalid, length, byteCount: end - offset)
    }

    private func digitValue(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }

    /// `'a'`, `'\n'`, `'\x1b'`, `'é'`: the number of the character in Unicode.
    mutating func character() {
        // As far as the closing quote; a quote after a backslash does not close. No literal is longer than 16.
        var end = offset + 1
        while end < bytes.count, end - offset < 16, bytes[end] != UInt8(ascii: "\n"),
            bytes[end] != UInt8(ascii: "'")
        {
            end += bytes[end] == UInt8(ascii: "\\") && peekIsInLine(end + 1) ? 2 : 1
        }
        end = min(end, bytes.count)
        while end < bytes.count, isContinuation(bytes[end]) { end += 1 }
        let isClosed = end < bytes.count && bytes[end] == UInt8(ascii: "'")
        let content = bytes[offset + 1..<end]
        let length = scalars(in: offset..<(isClosed ? end + 1 : end))
        let byteCount = (isClosed ? end + 1 : end) - offset
        if isClosed, let value = characterValue(content) {
            append(.integer, length, byteCount: byteCount, value: value)
        } else {
            sink.error(
                here(length), isClosed ? "this is not one character" : "the closing ' is missing",
                suggestion: "write 'a', or one of '\\n' '\\r' '\\t' '\\0' '\\\\' '\\'' '\\x1f'")
            append(.invalid, length, byteCount: byteCount)
        }
    }

    private func peekIsInLine(_ index: Int) -> Bool {
        index < bytes.count && bytes[index] != UInt8(ascii: "\n")
    }

    private func characterValue(_ content: ArraySlice<UInt8>) -> UInt64? {
        let scalars = String(decoding: content, as: UTF8.self).unicodeScalars
        guard let first = scalars.first else { return nil }
        if scalars.count == 1 { return first == "\\" ? nil : UInt64(first.value) }
        guard first == "\\" else { return nil }
        let rest = String(String.UnicodeScalarView(scalars.dropFirst()))
        switch rest {
        case "n": return 10
        case "r": return 13
        case "t": return 9
        case "0": return 0
        case "\\": return 92
        case "'": return 39
        default:
            guard rest.utf8.count == 3, rest.utf8.first == UInt8(ascii: "x") else { return nil }
            let digits = rest.utf8.dropFirst().compactMap(digitValue)
            return digits.count == 2 ? digits[0] * 16 + digits[1] : nil
        }
    }
}
