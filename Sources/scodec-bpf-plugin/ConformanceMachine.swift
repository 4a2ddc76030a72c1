import SCode

/// Runs one program of the conformance suite: a stack, the memory that it is given, and helper 5.
struct ConformanceMachine {
    let engine: EngineKind

    /// What stopped a program before it had a result.
    struct Failure: Error, CustomStringConvertible { let description: String }

    /// Helper 5 ends the program when its argument is 0, and else returns it, as the suite's other machines have it.
    static let acceptor: Acceptor = {
        let unwind: MacroInstruction
        do {
            unwind = try MacroInstruction(
                "unwind", [.result(.ul), .value(.ul)],
                template: """
                    fragment unwind(result: ul, value: ul) {
                        movul   result, value
                        bneul   result, 0, go_on
                        accept  result
                    go_on:
                    }
                    """,
                meaning: "leaves the fragment if the value is 0")
        } catch {
            preconditionFailure("the template of helper 5 breaks a rule: \(error)")
        }
        return Acceptor(
            name: "conformance", registers: RegisterSet(rawValue: 0xfff),
            scratch: RegisterSet(rawValue: 0xff_0000), suppliedArguments: 2, policies: [.physical],
            macros: [
                MacroInstruction("accept", [.value(.ul)], .accept, meaning: "leaves with r0"), unwind,
            ],
            budget: 1 << 24,
            ebpf: EBPFConventions(
                accept: "accept",
                memory: Region(name: "memory", policy: .physical, isWritable: true, size: 0),
                helpers: [5: "unwind"]))
    }()

    /// - Parameters:
    ///   - program: an ELF object file or raw instructions.
    ///   - memory: what r1 points to, and r2 is the length of.
    /// - Returns: r0 at the end.
    func run(_ program: [UInt8], memory: [UInt8]) throws -> UInt64 {
        let module: Module
        do {
            let program = try Program(
                ebpf: program, for: [Self.acceptor], named: Self.acceptor.name,
                memorySize: UInt64(memory.count))
            module = try Module(program: program, acceptor: Self.acceptor)
        } catch let error as DiagnosticsError {
            throw Failure(description: error.diagnostics.map(\.message).joined(separator: "; "))
        }
        guard let code = module.fragment() else { throw Failure(description: "there is no function") }
        let regions = RegionMemory(code.regions, filling: memory)
        let fragment = try Fragment(code, regions: regions.bindings, engine: engine)
        let exit = fragment.invoke(arguments: [regions.base(of: 0), UInt64(memory.count)]).exit
        switch exit {
        case .accept(let value): return value
        case .refuse: throw Failure(description: "the program refused")
        case .abort(let abort):
            throw Failure(
                description:
                    "aborted: \(abort.reason.name) at instruction \(abort.instruction) of the fragment")
        }
    }
}

/// Host memory for regions, each on pages of its own.
final class RegionMemory {
    private(set) var bindings: [RegionBinding] = []
    private var blocks: [UnsafeMutableRawPointer] = []

    /// - Parameter first: the first region's bytes.
    init(_ regions: [Region], filling first: [UInt8]) {
        for (index, region) in regions.enumerated() {
            let size = max(Int(truncatingIfNeeded: region.size), 1)
            let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
            region.initialise(UnsafeMutableRawBufferPointer(start: block, count: size))
            if index == 0 { block.copyMemory(from: first, byteCount: min(first.count, size)) }
            blocks.append(block)
            bindings.append(
                .physical(
                    base: base(of: index), host: block, size: Int(truncatingIfNeeded: region.size),
                    writable: true))
        }
    }

    deinit { for block in blocks { block.deallocate() } }

    func bytes(of index: Int, count: Int) -> [UInt8] {
        [UInt8](UnsafeRawBufferPointer(start: blocks[index], count: count))
    }

    /// The address at which the fragment sees a region: 4 GiB apart.
    func base(of index: Int) -> UInt64 { UInt64(index + 1) << 32 }
}
