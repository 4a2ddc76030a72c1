/// What counts as a name in the text form. The parser and the printer both ask here, so that what one
/// writes the other reads.
public enum TextForm {
    /// Words that no declaration may take as a name.
    public static let keywords: Set<String> = [
        "accept", "const", "struct", "region", "host", "fragment", "procedure", "table", "register", "sizeof",
        "macro", "include", "inf", "nan",
    ]

    /// A letter or `_`, then letters, digits and `_`; ASCII only, so that no two names look alike.
    public static func isIdentifier(_ name: String) -> Bool {
        let bytes = name.utf8
        guard let first = bytes.first, isIdentifierStart(first), bytes.count <= ProgramLimits.nameLength
        else {
            return false
        }
        return bytes.allSatisfy(isIdentifierByte)
    }

    public static func isIdentifierStart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    public static func isIdentifierByte(_ byte: UInt8) -> Bool {
        isIdentifierStart(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// Whether the name is spelled like a register: `r` or `f` and digits. Such names mean registers and nothing
    /// else.
    public static func looksLikeRegister(_ name: String) -> Bool {
        let bytes = name.utf8
        return bytes.count > 1 && (bytes.first == UInt8(ascii: "r") || bytes.first == UInt8(ascii: "f"))
            && bytes.dropFirst().allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// The register that `r0` … `r31`, `f0` … `f31` name; nil for every other spelling, `r32` and `r01` among them.
    public static func register(named name: String) -> Register? {
        guard looksLikeRegister(name), name.utf8.count <= 3, let number = Int(name.dropFirst()),
            number < Register.bankSize
        else { return nil }
        let register = name.utf8.first == UInt8(ascii: "f") ? Register.float(number) : Register(number)
        return register.name == name ? register : nil
    }

    /// Whether a declaration may take the name.
    public static func isDeclarable(_ name: String) -> Bool {
        isIdentifier(name) && !keywords.contains(name) && !looksLikeRegister(name)
    }
}
