import ArgumentParser
import Foundation
import SCode
import SCodeAcceptors

enum EngineChoice: String, CaseIterable, ExpressibleByArgument {
    case native, interpreter, both
    var kinds: [EngineKind] {
        switch self {
        case .native: [.native]
        case .interpreter: [.interpreter]
        case .both: [.interpreter, .native]
        }
    }
}

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs a fragment and prints how it left.",
        discussion: """
            Each region that the program declares is given fresh memory; --data-in fills the first. A fragment
            for the filter acceptor, or from eBPF, gets that region's address and the length of the data as its
            arguments; one for the filter acceptor also the length on the wire, which is the same.
            Sub-schedulers' slots are empty.
            """)

    @OptionGroup var source: SourceOptions
    @OptionGroup(title: "Profilers and debuggers") var observers: ObserverOptions
    @Argument(help: "Arguments: integers, decimal or 0x….") var arguments: [String] = []
    @Option(help: "The fragment; default: the first.") var fragment: String?
    @Option(help: "Which engine executes it; 'both' compares them.") var engine = EngineChoice.native
    @Option(help: "A file whose bytes fill the first region.") var dataIn: String?
    @Option(
        name: .customLong("repeat"), help: "Run so many times, on the same memory, and print the time of one."
    )
    var repetitions = 1
    @Option(help: "Backward jumps and sub-fragment calls allowed; default: the acceptor's.") var budget:
        UInt64?
    @Flag(help: "Print the result as JSON.") var json = false

    func validate() throws {
        if repetitions < 1 { throw ValidationError("--repeat takes a number from 1 on") }
        for argument in arguments where Self.integer(argument) == nil {
            throw ValidationError("'\(argument)' is no integer of 64 bits")
        }
    }

    private static func integer(_ text: String) -> UInt64? {
        let digits = text.replacing("_", with: "")
        if digits.hasPrefix("0x") { return UInt64(digits.dropFirst(2), radix: 16) }
        return UInt64(digits) ?? Int64(digits).map { UInt64(bitPattern: $0) }
    }

    func run() throws {
        let input = try Source(source)
        if let stage = source.dump {
            try dump(stage, input, source.acceptor)
            return
        }
        let verified = try input.verify(source.acceptor)
        let code = try verified.fragment(named: fragment, in: input.fileName)
        let data = try dataIn.map { try Terminal.read($0) }
        let words = try argumentWords(code, data, input)
        try observers.attach()

        var results: [RunResult] = []
        for kind in engine.kinds { results.append(try execute(code, kind, data, words)) }
        guard let first = results.first else { return }
        if let second = results.dropFirst().first, !first.agrees(with: second) {
            Terminal.message("error: the engines disagree\n  \(first.summary)\n  \(second.summary)")
            throw ExitCode.diagnostics
        }
        if json {
            Terminal.write(first.json(code, engine.rawValue) + "\n")
        } else {
            first.report(input, code, engine, repetitions)
        }
        if case .abort = first.invocation.exit { throw ExitCode.aborted }
    }

    /// The words to pass: what the user gives, else what a filter is always given.
    private func argumentWords(_ code: VerifiedFragment, _ data: [UInt8]?, _ input: Source) throws -> [UInt64]
    {
        let parameters = code.code.parameters
        var words = arguments.compactMap(Self.integer)
        let takesData = input.isForeign && data != nil && parameters.count >= 2
        let isFilter = code.acceptor.name == Acceptor.filter.name
        if words.isEmpty, isFilter || takesData {
            let length = UInt64(data?.count ?? Int(code.regions.first?.size ?? 0))
            words = [RunMemory.base(ofRegion: 0), length] + (isFilter ? [length] : [])
        }
        let supplied = min(parameters.count, code.acceptor.suppliedArguments)
        if words.count > supplied, !arguments.isEmpty {
            Terminal.message(
                "\(input.fileName): error: '\(code.code.name)' takes \(supplied) arguments, not \(words.count)"
            )
            throw ExitCode.diagnostics
        }
        for parameter in parameters.dropFirst(words.count) where parameter.defaultValue == nil {
            Terminal.message(
                "\(input.fileName): error: parameter '\(parameter.name)' of '\(code.code.name)' has no default; pass a value"
            )
            throw ExitCode.diagnostics
        }
        return words
    }

    private func execute(
        _ code: VerifiedFragment, _ kind: EngineKind, _ data: [UInt8]?, _ words: [UInt64]
    ) throws -> RunResult {
        let memory = try RunMemory(code.regions, data: data)
        let installed: Fragment
        do {
            installed = try Fragment(
                code, regions: memory.bindings, space: memory.space, slotCount: 4, engine: kind)
        } catch {
            Terminal.message("error: cannot install '\(code.code.name)': \(error)")
            throw ExitCode.diagnostics
        }
        installed.setEntryRegister(1, 4)
        // Reading an option costs more than an invocation: not in the loop.
        let (budget, repetitions) = (budget, repetitions)
        let start = DispatchTime.now().uptimeNanoseconds
        var invocation = installed.invoke(arguments: words, budget: budget)
        for _ in 1..<max(repetitions, 1) { invocation = installed.invoke(arguments: words, budget: budget) }
        let elapsed = DispatchTime.now().uptimeNanoseconds - start
        return RunResult(
            kind: kind, invocation: invocation, memory: memory.contents,
            nanoseconds: Double(elapsed) / Double(repetitions))
    }
}

/// Fresh memory for the regions of a program.
struct RunMemory {
    private(set) var bindings: [RegionBinding] = []
    private(set) var space: AddressSpace?
    private let physical: PhysicalMemory
    /// For regions of the host policy, and how far it is in use.
    private var hostMemory: HostMemory?
    private var hostEnd = RunMemory.hostStart
    private var hostPages: [UnsafeRawBufferPointer] = []
    /// Address zero and its neighbourhood stay unmapped.
    private static let hostStart = 16 * HostMemory.pageSize

    /// Regions lie 256 MiB apart, above what page tables translate.
    static func base(ofRegion index: Int) -> UInt64 { (1 << 32) + (UInt64(index) << 28) }

    init(_ regions: [Region], data: [UInt8]?) throws {
        let page = PhysicalMemory.pageSize
        let limit: UInt64 = 256 << 20
        if let large = regions.first(where: { $0.size > limit }) {
            Terminal.message(
                "error: region '\(large.name)' of \(large.size) bytes; 'run' gives at most \(limit)")
            throw ExitCode.diagnostics
        }
        // The directory, a table for each 4 MiB of virtual memory, then the regions' pages.
        let pages = regions.map { (Int($0.size) + page - 1) / page + 1 }
        let virtualPages = zip(regions, pages).filter { $0.0.policy == .virtual }.reduce(0) { $0 + $1.1 }
        let tables = virtualPages / 1024 + 2
        physical = PhysicalMemory(size: (1 + tables + pages.reduce(0, +)) * page)
        var frame = 1 + tables
        var nextVirtual = 16  // pages; address zero and its neighbourhood stay unmapped
        if virtualPages > 0 { space = AddressSpace(memory: physical, directory: 0) }
        for (index, region) in regions.enumerated() {
            let host = physical.base + frame * page
            frame += pages[index]
            if region.policy == .host {
                try bindHost(region, data: index == 0 ? data : nil)
                continue
            }
            if region.policy == .virtual {
                let first = frame - pages[index]
                for number in 0..<pages[index] - 1 {
                    map(nextVirtual + number, to: first + number, writable: region.isWritable)
                }
                bindings.append(.virtual(base: UInt64(nextVirtual * page), size: Int(region.size)))
                nextVirtual += pages[index]
            } else {
                bindings.append(
                    .physical(
                        base: Self.base(ofRegion: index), host: host, size: Int(region.size), writable: true))
            }
            // The memory is fresh, and zero.
            host.copyMemory(from: region.contents, byteCount: min(region.contents.count, Int(region.size)))
            if index == 0, let data {
                host.copyMemory(from: try checked(data, region), byteCount: data.count)
            }
        }
        if regions.isEmpty, data != nil {
            Terminal.message(
                "error: --data-in needs a region to fill; declare one: region data: physical ro, 4096")
            throw ExitCode.diagnostics
        }
    }

    /// Pages of its own, with an empty one behind them.
    private mutating func bindHost(_ region: Region, data: [UInt8]?) throws {
        var contents = try data.map { try checked($0, region) } ?? []
        contents += region.contents.dropFirst(contents.count)
        hostMemory = hostMemory ?? HostMemory()
        let size = Int(region.size)
        guard let hostMemory,
            size == 0
                || hostMemory.map(at: hostEnd, size: size, writable: region.isWritable, contents: contents)
        else {
            Terminal.message("error: the system gives no memory for region '\(region.name)'")
            throw ExitCode.diagnostics
        }
        bindings.append(.host(hostMemory, at: hostEnd, size: size))
        hostPages.append(UnsafeRawBufferPointer(start: hostMemory.base + hostEnd, count: size))
        hostEnd += size + HostMemory.pageSize
    }

    private func checked(_ data: [UInt8], _ region: Region) throws -> [UInt8] {
        guard data.count <= Int(region.size) else {
            Terminal.message(
                "error: --data-in has \(data.count) bytes; region '\(region.name)' has \(region.size)")
            throw ExitCode.diagnostics
        }
        return data
    }

    /// Enters a page into the page table: directory in frame 0, tables from frame 1 on.
    private func map(_ virtualPage: Int, to frame: Int, writable: Bool) {
        let table = 1 + virtualPage / 1024
        physical.base.storeBytes(
            of: UInt32(table << 12 | 7), toByteOffset: virtualPage / 1024 * 4, as: UInt32.self)
        physical.base.storeBytes(
            of: UInt32(frame << 12 | (writable ? 7 : 5)),
            toByteOffset: (table << 12) + virtualPage % 1024 * 4,
            as: UInt32.self)
    }

    var contents: [UInt8] {
        var bytes = [UInt8](UnsafeRawBufferPointer(start: physical.base, count: physical.size))
        for pages in hostPages { bytes += pages }
        return bytes
    }
}

/// One engine's run.
struct RunResult {
    var kind: EngineKind
    var invocation: Invocation
    var memory: [UInt8]
    var nanoseconds: Double

    func agrees(with other: RunResult) -> Bool {
        invocation.exit == other.invocation.exit
            && invocation.remainingBudget == other.invocation.remainingBudget && memory == other.memory
    }

    var summary: String { "\(kind.rawValue): \(invocation.exit), budget left \(invocation.remainingBudget)" }

    func report(_ input: Source, _ code: VerifiedFragment, _ engine: EngineChoice, _ repetitions: Int) {
        switch invocation.exit {
        case .accept(let value): Terminal.write("accept \(value)\n")
        case .refuse: Terminal.write("refuse\n")
        case .abort(let abort):
            Terminal.write("abort \(abort.reason.name)\n")
            var notes: [Diagnostic.Note] = []
            if abort.reason.hasAddress {
                notes.append(.init(.none, "at address 0x\(String(abort.address, radix: 16))"))
            }
            for register in abort.registers.valid.registers {
                let value = abort.registers.values[Int(register.number)]
                notes.append(
                    .init(.none, "\(code.code.name(of: register)) = \(value) (0x\(String(value, radix: 16)))")
                )
            }
            input.report([
                Diagnostic(
                    .error, code.code.sourceRange(at: Int(abort.instruction)),
                    "aborted: \(abort.reason.name)",
                    notes: notes, suggestion: nil)
            ])
        }
        if engine == .both { Terminal.message("interpreter and native code agree") }
        if repetitions > 1 {
            let time = String(format: "%.1f", nanoseconds)
            Terminal.message("\(repetitions) runs, \(time) ns each (\(kind.rawValue))")
        }
    }

    func json(_ code: VerifiedFragment, _ engine: String) -> String {
        var fields = ["\"engine\":\"\(engine)\"", "\"remainingBudget\":\(invocation.remainingBudget)"]
        switch invocation.exit {
        case .accept(let value): fields += ["\"exit\":\"accept\"", "\"value\":\(value)"]
        case .refuse: fields.append("\"exit\":\"refuse\"")
        case .abort(let abort):
            let registers = abort.registers.valid.registers.map {
                "\"\($0.name)\":\(abort.registers.values[Int($0.number)])"
            }
            fields += [
                "\"exit\":\"abort\"", "\"reason\":\"\(abort.reason.name)\"", "\"line\":\(abort.line)",
                "\"address\":\(abort.address)", "\"registers\":{\(registers.joined(separator: ","))}",
            ]
        }
        return "{\(fields.joined(separator: ","))}"
    }
}
