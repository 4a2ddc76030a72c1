/// A stretch of one line of source text.
public struct SourceRange: Hashable, Sendable, BitwiseCopyable {
    /// Line, counted from 1; 0 when the place is not known.
    public var line: UInt32
    /// Column in characters (Unicode scalars), counted from 1.
    public var column: UInt32
    /// Length in characters.
    public var length: UInt32
    /// The file, as an index into `Program.sourceFiles`; 0 is the program's own.
    public var file: UInt16

    public init(line: UInt32, column: UInt32, length: UInt32, file: UInt16 = 0) {
        self.line = line
        self.column = column
        self.length = length
        self.file = file
    }
    public static let none = SourceRange(line: 0, column: 0, length: 0)
}

/// A rule of the verifier. The number is part of the language: diagnostics carry it, file tests name it.
public enum VerifierRule: UInt8, CaseIterable, Sendable {
    case operands = 1, registersMapped, readOnlyRegisters, labels, macros, endOfFragment, limits,
        initialisation
    case staticAccess, regions, parameters, procedures, hostFunctions, acceptorVersion

    /// `V1` … `V14`.
    public var code: String { "V\(rawValue)" }

    /// The rule in a sentence; the language reference lists these.
    public var statement: String {
        switch self {
        case .operands:
            "each instruction is one of the opcode table, with the operands that its row calls for"
        case .registersMapped: "only registers that the acceptor maps are named"
        case .readOnlyRegisters: "registers that the acceptor maps read-only are not written"
        case .labels: "labels, and the tables that list them, are placed once and inside the fragment"
        case .macros: "macro-instructions are the acceptor's, with the operands that it declares"
        case .endOfFragment: "no path runs off the end of the fragment"
        case .limits: "sizes stay within the limits of language and acceptor"
        case .initialisation:
            "a register is written on every path before it is read; a floating-point one with the type that is read"
        case .staticAccess: "in static regions each address is proved at download to lie inside"
        case .regions:
            "regions have a policy that the acceptor offers and that goes with the others', room for their contents, and are not written when read-only"
        case .parameters: "each parameter has its own register and a value: the acceptor's or its default"
        case .procedures:
            "procedures are entered only by call, left only by ret or an exit, and call one another without recursion"
        case .hostFunctions:
            "host functions are the acceptor's, declared with the signature that it gives them"
        case .acceptorVersion: "the acceptor has at least the version that the program asks for"
        }
    }
}

/// What the user is told about a mistake: the place, the reason, how it came to be, what to do.
public struct Diagnostic: Hashable, Sendable {
    public enum Severity: Sendable, Hashable { case error, warning, note }
    public var severity: Severity
    public var range: SourceRange
    /// The reason, a sentence without a full stop.
    public var message: String
    /// The verifier's rule, when it is one that was broken.
    public var rule: VerifierRule?
    /// Further places that matter, in order: the path by which the fault came to be.
    public var notes: [Note]
    /// What would mend it.
    public var suggestion: String?

    public struct Note: Hashable, Sendable {
        public var range: SourceRange
        public var message: String
        public init(_ range: SourceRange, _ message: String) {
            self.range = range
            self.message = message
        }
    }

    public init(
        _ severity: Severity, _ range: SourceRange, _ message: String, rule: VerifierRule? = nil,
        notes: [Note] = [], suggestion: String? = nil
    ) {
        self.severity = severity
        self.range = range
        self.message = message
        self.rule = rule
        self.notes = notes
        self.suggestion = suggestion
    }
}

/// Several diagnostics as one error.
public struct DiagnosticsError: Error, Sendable {
    public let diagnostics: [Diagnostic]
    public init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }
}
