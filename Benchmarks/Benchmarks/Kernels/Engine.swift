import CPeers
import Foundation

/// A system that runs kernels: a column of the table.
protocol Engine {
    /// How it is called in tables, and by `--only`.
    var name: String { get }
    /// Whether it keeps code from memory that is not its own, and from running for ever.
    var isMemorySafe: Bool { get }
    var isBounded: Bool { get }
    /// What it checks, what it does not, and how it is called.
    var note: String { get }
    /// - Throws: `EngineFailure` when it cannot run the kernel.
    func load(_ kernel: Kernel) throws -> any LoadedKernel
}

/// Brings a kernel from bytes in memory to where it can be called.
typealias Compiler = () throws -> any LoadedKernel

/// A system that compiles while the program runs.
protocol CompilingEngine: Engine {
    func compiler(of kernel: Kernel) throws -> Compiler
}

extension CompilingEngine {
    func load(_ kernel: Kernel) throws -> any LoadedKernel { try compiler(of: kernel)() }
}

/// A kernel, ready to be called.
protocol LoadedKernel: AnyObject {
    /// Where its memory lies.
    var memory: UnsafeMutableRawPointer { get }
    /// Bytes of machine code, where it can be asked.
    var codeSize: Int? { get }
    /// Calls it.
    /// - Returns: what the last call returned.
    func call(_ count: UInt64) throws -> UInt64
}

extension LoadedKernel {
    var codeSize: Int? { nil }
}

struct EngineFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
    /// What a function of C said last.
    static var ofC: EngineFailure { EngineFailure(String(cString: peer_error())) }
}

/// Where files lie.
struct Places {
    /// Sources of the kernels: `Benchmarks/Kernels`.
    let sources: URL
    /// What `scripts/bench` has built from them.
    let built: URL

    func source(_ kernel: Kernel, _ ending: String) throws -> Data {
        try Data(contentsOf: sources.appending(path: "\(kernel.name).\(ending)"))
    }

    func object(_ kernel: Kernel, _ ending: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: built.appending(path: "\(kernel.name).\(ending)")))
    }
}

/// The systems that are there, and those that are not.
struct Engines {
    var present: [any Engine] = []
    /// Name, why it is not there, how it is installed.
    var absent: [(name: String, reason: String)] = []

    /// - Parameter wanted: names; nil: all.
    /// - Throws: `EngineFailure` for a name that is none.
    init(_ places: Places, wanted: Set<String>?) throws {
        present += CompiledC.all(places) as [any Engine]
        present += SCodeEngine.all(places) as [any Engine]
        present.append(ImportedEngine(places: places))
        add("ubpf") { try UBPF(places) }
        add("wasmtime") { try Wasmtime(places, withFuel: false) }
        add("wasmtime-fuel") { try Wasmtime(places, withFuel: true) }
        add("luajit") { try LuaJIT(places) }
        guard let wanted else { return }
        let names = present.map(\.name) + absent.map(\.name)
        if let unknown = wanted.first(where: { !names.contains($0) }) {
            throw EngineFailure("there is no column '\(unknown)'; there are \(names.joined(separator: ", "))")
        }
        present.removeAll { !wanted.contains($0.name) && $0.name != CompiledC.reference }
        absent.removeAll { !wanted.contains($0.name) }
    }

    private mutating func add(_ name: String, _ make: () throws -> any Engine) {
        do { present.append(try make()) } catch { absent.append((name, "\(error)")) }
    }
}
