import SCode

/// Numbers and names as the reports write them.
enum ReportFormat {
    /// Three significant digits and the unit that suits: `1.25 ms`, `417 µs`, `12 s`.
    static func time(_ nanoseconds: UInt64) -> String {
        let units: [(name: String, size: Double)] = [("ns", 1), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)]
        let value = Double(nanoseconds)
        for (index, unit) in units.enumerated() {
            // 999.6 µs rounds to 1000 and belongs to the next unit.
            guard index == units.count - 1 || value / unit.size < 999.5 else { continue }
            let scaled = value / unit.size
            let digits = index == 0 || scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2
            return "\(withoutTrailingZeros(fixed(scaled, digits))) \(unit.name)"
        }
        return "\(nanoseconds) ns"
    }

    /// `1 switch`, `2 switches`
    static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
        "\(number) \(number == 1 ? one : many ?? one + "s")"
    }

    /// `38.2%`
    static func percent(_ share: Double) -> String { fixed(share * 100, 1) + "%" }

    /// With so many digits after the point, rounded; a dash for what is no number.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (value * scale).rounded()
        guard scaled.isFinite, scaled.magnitude < 9e15 else { return "–" }
        let magnitude = String(Int64(scaled.magnitude))
        let sign = scaled < 0 ? "-" : ""
        guard digits > 0 else { return sign + magnitude }
        let padded = String(repeating: "0", count: max(0, digits + 1 - magnitude.utf8.count)) + magnitude
        return "\(sign)\(padded.dropLast(digits)).\(padded.suffix(digits))"
    }

    static func withoutTrailingZeros(_ text: String) -> String {
        guard text.contains(".") else { return text }
        let digits = text.reversed().drop { $0 == "0" }
        return String((digits.first == "." ? digits.dropFirst() : digits).reversed())
    }

    /// Text for XML content and attributes. Characters that XML does not allow become U+FFFD.
    static func xml(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case _ where scalar.isControl || scalar.value & 0xFFFE == 0xFFFE: result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The columns that a text takes in a terminal, roughly: East Asian characters take two.
    static func width(_ text: String) -> Int { text.reduce(0) { $0 + width($1) } }

    private static func width(_ character: Character) -> Int {
        character.unicodeScalars.first.map { $0.value >= 0x1100 && !(0x2000..<0x2E80).contains($0.value) }
            == true
            ? 2 : 1
    }

    /// At most so many columns, an ellipsis at the end if something was cut off.
    static func shortened(_ text: String, to limit: Int) -> String {
        guard width(text) > limit else { return text }
        var used = 1
        return text.prefix { character in
            used += width(character)
            return used <= limit
        } + "…"
    }
}
