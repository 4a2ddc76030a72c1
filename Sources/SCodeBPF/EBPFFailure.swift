import SCodeIR

/// Why bytes are no eBPF program that can be read in, and where.
public struct EBPFFailure: Error, Hashable, Sendable {
    public var reason: Reason
    /// The section of the object file, where there is one.
    public var section: String?
    /// The instruction, counted from 0 in places of eight bytes from the start of the section or of the bytes.
    public var instruction: Int?

    public init(_ reason: Reason, section: String? = nil, instruction: Int? = nil) {
        self.reason = reason
        self.section = section
        self.instruction = instruction
    }

    public enum Reason: Hashable, Sendable {
        // What the bytes are.
        case noInstructions
        /// So many bytes, which are no multiple of eight.
        case partialInstruction(Int)
        case tooManyInstructions(Int)

        // One instruction.
        case unknownOpcode(UInt8)
        /// Fields that the instruction does not use hold something.
        case unusedField(EBPFFields, code: UInt8)
        /// A register above r10.
        case noSuchRegister(UInt8)
        /// r10 is written.
        case framePointerWritten
        /// The second place of `lddw` is not there, or holds more than the upper half of the constant.
        case brokenWideConstant
        /// `lddw` of a map, a variable or the address of code, which src says.
        case unknownWideConstant(UInt8)
        case packetAccess
        /// A function of the kernel's, by its BTF number.
        case kernelFunction(Int32)

        // Control flow.
        /// A jump or call to this place, which is outside the program, or of the section.
        case targetOutside(Int)
        case targetInsideWideConstant(Int)
        case runsOffEnd
        case recursion(String)
        /// Frames on top of one another; RFC 9669 section 4.3.2 leaves the number to the machine.
        case callsTooDeep(limit: Int)
        case tooManyFunctions(limit: Int)

        // What the acceptor offers.
        case noSuchAcceptor(String)
        case acceptorTakesNone(String)
        case differentAcceptors(String, String)
        case noSuchHelper(Int32, acceptor: String)
        case noHelpers(acceptor: String)
        /// What the object file takes from elsewhere is neither a helper nor a region of the acceptor's.
        case undefinedSymbol(String, acceptor: String)

        // Object files.
        case notAnObject(ObjectDefect)
        case noFunctions
        case unknownRelocation(UInt32, symbol: String)
        case misplacedRelocation(symbol: String)
        /// The address of a function, a map or a variable in the initial value of another: known only when installed.
        case addressInData(symbol: String)
        case addressOfFunction(String)
        case tooMuchData
    }

    /// What an ELF file has to be.
    public enum ObjectDefect: String, Hashable, Sendable {
        case truncated = "the file ends in the middle"
        case kind = "it is no relocatable object file"
        case machine = "it is for another machine"
        case byteOrder = "it is not for 64 bits, little-endian"
        case sectionTable = "the table of sections is damaged"
        case symbolTable = "the table of symbols is damaged"
        case name = "a name lies outside its table"
        case relocations = "a table of relocations is damaged"
        case addends = "relocations carry addends, which compilers for eBPF do not write"
        case alignment = "a section is aligned to no power of two"
    }
}

extension EBPFFailure: CustomStringConvertible {
    public var description: String {
        var place: [String] = []
        if let section { place.append("section '\(section)'") }
        if let instruction { place.append("instruction \(instruction)") }
        return (place.isEmpty ? "" : place.joined(separator: ", ") + ": ") + reason.description
    }
}

extension EBPFFields {
    /// `src and imm`
    fileprivate var names: String {
        let all: [(EBPFFields, String)] = [
            (.destination, "dst"), (.source, "src"), (.offset, "offset"), (.immediate, "imm"),
        ]
        return all.filter { contains($0.0) }.map(\.1).joined(separator: " and ")
    }
}

extension EBPFFailure.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noInstructions: "there are no instructions"
        case .partialInstruction(let bytes): "\(bytes) bytes are no whole number of instructions of 8 bytes"
        case .tooManyInstructions(let limit): "the program comes to more than \(limit) instructions"
        case .unknownOpcode(let code): "no instruction has the code 0x\(String(code, radix: 16))"
        case .unusedField(let fields, let code):
            "of an instruction with the code 0x\(String(code, radix: 16)), \(fields.names) cannot hold this value"
        case .noSuchRegister(let number): "there is no register r\(number)"
        case .framePointerWritten: "r10 may only be read"
        case .brokenWideConstant: "the second half of the 64-bit constant is missing or damaged"
        case .unknownWideConstant(let source):
            "a 64-bit constant of kind \(source), a map or an address, is known to a kernel only"
        case .packetAccess:
            "the legacy instructions for packet access are not read; load from the address in r1"
        case .kernelFunction(let number): "function \(number) is one of a kernel's"
        case .targetOutside(let target): "the target, instruction \(target), lies outside"
        case .targetInsideWideConstant(let target):
            "the target, instruction \(target), is the second half of a 64-bit constant"
        case .runsOffEnd: "control can run off the end"
        case .recursion(let name): "function '\(name)' can come to call itself"
        case .callsTooDeep(let limit): "calls nest deeper than \(limit) frames"
        case .tooManyFunctions(let limit): "one fragment calls more than \(limit) functions"
        case .noSuchAcceptor(let name): "there is no acceptor '\(name)'"
        case .acceptorTakesNone(let name): "acceptor '\(name)' takes no eBPF"
        case .differentAcceptors(let first, let second):
            "some functions are for acceptor '\(first)', others for '\(second)'"
        case .noSuchHelper(let number, let acceptor): "acceptor '\(acceptor)' has no helper \(number)"
        case .noHelpers(let acceptor): "acceptor '\(acceptor)' has no helper that could be called"
        case .undefinedSymbol(let name, let acceptor):
            "'\(name)' is defined nowhere, and is neither a helper nor a region of acceptor '\(acceptor)'"
        case .notAnObject(let defect): "no eBPF object file: \(defect.rawValue)"
        case .noFunctions: "the object file has no function"
        case .unknownRelocation(let type, let symbol):
            "relocation of kind \(type), for '\(symbol)', is not read"
        case .misplacedRelocation(let symbol): "the relocation for '\(symbol)' does not fit the instruction"
        case .addressInData(let symbol):
            "data holds the address of '\(symbol)', which is known only when the fragment is installed"
        case .addressOfFunction(let name): "the address of function '\(name)' is taken; call it by its name"
        case .tooMuchData:
            "there are more data than \(ProgramLimits.regionContents) bytes, or with variables that are zero \(EBPFLimits.data)"
        }
    }
}
