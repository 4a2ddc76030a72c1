/// Numbers with a unit, as people write them: `250us`, `1.5ms`, `16MiB`.
public enum Quantity {
    /// `digits[.digits]` times `scale`, exactly; nil: not of that form, too large, or finer than 1.
    ///
    /// Underscores may separate digits.
    static func decimal(_ text: Substring, scale: UInt64) -> UInt64? {
        var value: UInt64 = 0
        var fraction: UInt64 = 0
        var unit = scale
        var digits = 0
        var inFraction = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits += 1
                let digit = UInt64(byte - UInt8(ascii: "0"))
                if inFraction {
                    guard unit % 10 == 0 else {
                        if digit == 0 { continue }
                        return nil
                    }
                    unit /= 10
                    // At most 9/10 + 9/100 + … of the scale.
                    fraction += digit * unit
                } else {
                    let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                    let (sum, carry) = product.addingReportingOverflow(digit)
                    if overflow || carry { return nil }
                    value = sum
                }
            case UInt8(ascii: "."):
                guard !inFraction, digits > 0 else { return nil }
                inFraction = true
                digits = 0
            case UInt8(ascii: "_"):
                guard digits > 0 else { return nil }
            default:
                return nil
            }
        }
        guard digits > 0 else { return nil }
        let (whole, overflow) = value.multipliedReportingOverflow(by: scale)
        let (sum, carry) = whole.addingReportingOverflow(fraction)
        return overflow || carry ? nil : sum
    }

    /// `250us`, `1.5 ms`, `2s`, `1min`, `0`; in nanoseconds. nil: not of that form, or too long.
    public static func duration(_ text: String) -> UInt64? {
        quantity(
            text,
            units: [
                "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": 1_000_000_000,
                "min": 60_000_000_000,
            ])
    }

    /// `64KiB`, `16 MiB`, `4096 pages`; in bytes.
    static func memory(_ text: String) -> UInt64? {
        quantity(
            text,
            units: ["KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "page": 1 << 12, "pages": 1 << 12])
    }

    private static func quantity(_ text: String, units: [String: UInt64]) -> UInt64? {
        if text == "0" { return 0 }
        guard text.utf8.count <= 64 else { return nil }
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "_") }
        var unit = text[digits.endIndex...]
        if unit.first == " " { unit = unit.dropFirst() }
        return units[String(unit)].flatMap { decimal(digits, scale: $0) }
    }

    /// An integer, decimal or `0x…`, maybe negative.
    static func integer(_ text: String) -> Int128? {
        guard text.utf8.count <= 40, let first = text.utf8.first else { return nil }
        var digits = Substring(text)
        if first == UInt8(ascii: "-") { digits = digits.dropFirst() }
        var magnitude: Int128?
        if digits.hasPrefix("0x") {
            let hex = digits.dropFirst(2)
            magnitude = hex.first.map { $0 != "+" && $0 != "-" } == true ? Int128(hex, radix: 16) : nil
        } else {
            magnitude = decimal(digits, scale: 1).map { Int128($0) }
            if digits.contains(".") { magnitude = nil }
        }
        return first == UInt8(ascii: "-") ? magnitude.map { -$0 } : magnitude
    }
}

extension Quantity {
    /// The time in the largest unit of which it is a whole number, so that it reads back as the same.
    static func describe(_ nanoseconds: UInt64) -> String {
        for (name, unit) in [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)] as [(String, UInt64)]
        where nanoseconds >= unit && nanoseconds.isMultiple(of: unit) {
            return "\(nanoseconds / unit)\(name)"
        }
        return nanoseconds == 0 ? "0" : "\(nanoseconds)ns"
    }
}
