/// Hands out names that the text form can write, each once.
public struct UniqueNames: Sendable {
    private var taken: Set<String> = []

    public init() {}

    /// `name` if it can be written and is free, else `substitute`, with underscores added until it is free.
    public mutating func take(_ name: String, or substitute: String) -> String {
        if let own = takeIfPossible(name) { return own }
        var candidate = substitute
        while taken.contains(candidate) { candidate += "_" }
        taken.insert(candidate)
        return candidate
    }

    public mutating func takeIfPossible(_ name: String?) -> String? {
        guard let name, TextForm.isDeclarable(name), taken.insert(name).inserted else { return nil }
        return name
    }

    /// The name made an identifier, with a number behind it when it is taken. For names from elsewhere that still say
    /// something.
    public mutating func takeSanitised(_ name: String) -> String {
        // Room for the number.
        var own = String(Self.sanitised(name).prefix(ProgramLimits.nameLength - 16))
        if !TextForm.isDeclarable(own) { own += "_" }
        var candidate = own
        var number = taken.contains(own) ? taken.count : 0
        while !taken.insert(candidate).inserted {
            number += 1
            candidate = "\(own)_\(number)"
        }
        return candidate
    }

    /// The name with `_` for each character that an identifier cannot have. For names whose meaning is
    /// fixed elsewhere, so that a substitute would say nothing: acceptors and macro-instructions.
    public static func sanitised(_ name: String) -> String {
        if TextForm.isIdentifier(name) { return name }
        var bytes = name.utf8.prefix(ProgramLimits.nameLength - 1).map {
            TextForm.isIdentifierByte($0) ? $0 : UInt8(ascii: "_")
        }
        if !(bytes.first.map(TextForm.isIdentifierStart) ?? false) { bytes.insert(UInt8(ascii: "_"), at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
