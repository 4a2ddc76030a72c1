/// How loads and stores in a region are guarded (thesis section 3.4).
public enum MemoryPolicy: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    /// Each address is known when the fragment is downloaded and checked then; nothing is left to check.
    case `static`
    /// Address and size are held against the region's bounds at each access.
    case physical
    /// The address is translated by the owner's page table at each access, as the MMU would.
    case virtual
    /// Nothing is compared: the processor's own MMU looks at each access, and a page of `HostMemory` that is not there
    /// ends the fragment.
    case host

    /// Regions of the host policy are whole pages of so many bytes: x86-64's.
    public static let hostPage: UInt64 = 4096

    public var name: String {
        switch self {
        case .static: "static"
        case .physical: "physical"
        case .virtual: "virtual"
        case .host: "host"
        }
    }
}

/// `region queue: virtual rw, 1024`: memory that the program says it will touch.
/// `region primes: physical ro, 4 = { 2, 3, 5, 7 }` says what it holds at first.
public struct Region: Hashable, Sendable {
    public var name: String
    public var policy: MemoryPolicy
    public var isWritable: Bool
    /// Size in bytes.
    public var size: UInt64
    /// The first bytes of what it holds before the program first runs; the rest is zero. Whoever gives it memory
    /// copies them in (`initialise`). At most `size`, and `ProgramLimits.regionContents`.
    public var contents: [UInt8]
    public init(
        name: String, policy: MemoryPolicy, isWritable: Bool, size: UInt64, contents: [UInt8] = []
    ) {
        self.name = name
        self.policy = policy
        self.isWritable = isWritable
        self.size = size
        self.contents = contents
    }

    /// Gives memory for the region what it holds at first: `contents`, then zeros. Memory shorter than that gets as
    /// much as it has room for.
    public func initialise(_ memory: UnsafeMutableRawBufferPointer) {
        let count = min(contents.count, memory.count)
        memory.copyBytes(from: contents.prefix(count))
        guard let base = memory.baseAddress else { return }
        (base + count).initializeMemory(as: UInt8.self, repeating: 0, count: memory.count - count)
    }
}

/// A label: a name for a place between instructions.
public struct Label: Hashable, Sendable {
    public var name: String
    /// The index of the instruction that follows the label.
    public var position: UInt32
    public init(name: String, position: UInt32) {
        self.name = name
        self.position = position
    }
}

/// `table dispatch = { a, b, c }`: the places that `jt` can go to.
public struct JumpTable: Hashable, Sendable {
    public var name: String
    /// Indices into the fragment's labels.
    public var labels: [UInt32]
    public init(name: String, labels: [UInt32]) {
        self.name = name
        self.labels = labels
    }
}

/// What a parameter holds when the caller passes no argument for it.
public enum ParameterDefault: Hashable, Sendable {
    case constant(Int64)
    /// The base address of a declared region, by index.
    case region(UInt32)
}

/// A value that a fragment is entered with.
public struct Parameter: Hashable, Sendable {
    public var name: String
    public var register: Register
    public var type: ValueType
    public var defaultValue: ParameterDefault?
    public init(name: String, register: Register, type: ValueType, defaultValue: ParameterDefault? = nil) {
        self.name = name
        self.register = register
        self.type = type
        self.defaultValue = defaultValue
    }
}

/// `procedure NAME:`, a local procedure: the instructions from `start` to the start of the next procedure, or
/// to the end of the fragment. What stands before the first procedure is the fragment's body.
public struct Procedure: Hashable, Sendable {
    public var name: String
    /// The index of its first instruction.
    public var start: UInt32
    public init(name: String, start: UInt32) {
        self.name = name
        self.start = start
    }
}

/// `host NAME(TYPE, …): TYPE`: a function of the host that the program wants to call.
public struct HostDeclaration: Hashable, Sendable {
    public var name: String
    public var parameters: [ValueType]
    public var result: ValueType?
    public init(name: String, parameters: [ValueType], result: ValueType? = nil) {
        self.name = name
        self.parameters = parameters
        self.result = result
    }
}

/// The code of one fragment: one downloaded procedure, before anyone has verified it.
public struct FragmentCode: Hashable, Sendable {
    public var name: String
    public var parameters: [Parameter]
    public var instructions: [Instruction]
    public var labels: [Label]
    public var tables: [JumpTable]
    /// Local procedures, by ascending start.
    public var procedures: [Procedure]
    /// What macro-instructions and calls of host functions name.
    public var macroCalls: [MacroCall]
    /// Names given to registers, for people; at most one a register. 64 entries.
    public var registerNames: [String?]
    /// Where each instruction stands in the source: one entry per instruction, or none at all.
    public var sourceRanges: [SourceRange]
    /// Where the fragment's heading stands.
    public var range: SourceRange

    public init(
        name: String, parameters: [Parameter] = [], instructions: [Instruction] = [], labels: [Label] = [],
        tables: [JumpTable] = [], procedures: [Procedure] = [], macroCalls: [MacroCall] = [],
        registerNames: [String?] = Array(repeating: nil, count: Register.count),
        sourceRanges: [SourceRange] = [], range: SourceRange = .none
    ) {
        self.name = name
        self.parameters = parameters
        self.instructions = instructions
        self.labels = labels
        self.tables = tables
        self.procedures = procedures
        self.macroCalls = macroCalls
        self.registerNames = registerNames
        self.sourceRanges = sourceRanges
        self.range = range
    }

    /// Where instruction `index` stands in the source, or `.none`.
    public func sourceRange(at index: Int) -> SourceRange {
        sourceRanges.indices.contains(index) ? sourceRanges[index] : .none
    }

    /// What people call a register: its name if it has one, else `rN`.
    public func name(of register: Register) -> String {
        let number = Int(register.number)
        return (registerNames.indices.contains(number) ? registerNames[number] : nil) ?? register.name
    }
}

/// What a provider hands over: fragments and the memory they say they will touch.
public struct Program: Hashable, Sendable {
    /// The acceptor that the code is written for (`accept scheduler`), if it says so.
    public var acceptorName: String?
    /// The least version of that acceptor (`accept scheduler 2`); 0 when the program does not say.
    public var acceptorVersion: UInt32
    public var hostFunctions: [HostDeclaration]
    public var regions: [Region]
    public var fragments: [FragmentCode]
    /// The files that source positions lie in, by `SourceRange.file`; none when that is not known.
    public var sourceFiles: [String]

    public init(
        acceptorName: String? = nil, acceptorVersion: UInt32 = 0, hostFunctions: [HostDeclaration] = [],
        regions: [Region] = [], fragments: [FragmentCode] = [], sourceFiles: [String] = []
    ) {
        self.acceptorName = acceptorName
        self.acceptorVersion = acceptorVersion
        self.hostFunctions = hostFunctions
        self.regions = regions
        self.fragments = fragments
        self.sourceFiles = sourceFiles
    }
}

/// Limits that hold for every program, whoever the acceptor is. They bound the work of each stage.
public enum ProgramLimits {
    public static let instructionsPerFragment = 1 << 17
    public static let fragments = 4096
    /// Regions of one program; an instance has a descriptor for each.
    public static let regions = 8
    /// Bytes of what a region holds at first.
    public static let regionContents = 1 << 20
    public static let parameters = 8
    /// Operands of a macro-instruction; results and arguments of a host function.
    public static let macroOperands = 8
    public static let hostFunctions = 256
    /// Local procedures of one fragment, and how deep their calls may nest.
    public static let procedures = 256
    public static let callDepth = 16
    /// Files that source positions of a program lie in.
    public static let sourceFiles = 256
    public static let tableEntries = 1 << 16
    /// Places that the `jt` instructions of a fragment can go to, added up: each is an edge to follow.
    public static let tableEdges = 1 << 17
    /// Labels of one fragment.
    public static let labels = 1 << 20
    /// Jump tables of one fragment.
    public static let tables = 1 << 16
    public static let nameLength = 255
    /// Bytes of the name of a source file: as long as Linux lets paths be.
    public static let sourceFileNameLength = 4096
}

extension HostDeclaration {
    /// `host mix(uc, s): i`, as the text form has it.
    public var text: String {
        "host \(name)(\(parameters.map(\.suffix).joined(separator: ", ")))"
            + (result.map { ": \($0.suffix)" } ?? "")
    }
}
