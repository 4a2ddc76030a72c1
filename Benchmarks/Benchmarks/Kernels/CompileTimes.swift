import CPeers
import SCode

/// How long a program takes from bytes to callable code.
struct CompileTime: Codable {
    var engine: String
    var program: String
    /// Of eBPF, and so of SCODE; WebAssembly has others.
    var instructions: Int
    var microseconds: Double
    /// Bytes of machine code, where it can be asked.
    var codeSize: Int?
    var nanosecondsPerInstruction: Double { microseconds * 1e3 / Double(instructions) }
}

/// What the parts of our own take, in microseconds.
struct CompileSteps: Codable {
    var program: String
    var decode: Double
    var verify: Double
    /// To machine code in executable memory.
    var compile: Double
}

enum CompileTimes {
    static let programs = [Kernel.small, Kernel.long]

    /// How often a system compiles in a row: the median is of caches that hold the compiler.
    private static let row = 10

    /// Measures all systems in turns. What lets go of a program again is not counted.
    static func run(_ engines: [any Engine], _ places: Places, rounds: Int) throws -> [CompileTime] {
        peer_keep_memory()
        let compiling = engines.compactMap { $0 as? any CompilingEngine }
            .filter { !$0.name.hasPrefix("scode-") }
        var results: [CompileTime] = []
        for program in programs {
            // A long program takes a hundred times as long.
            let rounds = program.name == Kernel.small.name ? rounds : max(rounds / 10, 3)
            let compilers = try compiling.map { (name: $0.name, compile: try $0.compiler(of: program)) }
            var times = Array(repeating: [Double](), count: compilers.count)
            var sizes: [Int?] = Array(repeating: nil, count: compilers.count)
            for (index, compiler) in compilers.enumerated() {
                let loaded = try compiler.compile()
                program.reset(loaded.memory)
                let result = try loaded.call(1)
                guard result == program.answer else {
                    throw EngineFailure(
                        "\(compiler.name): \(program.name) gives \(result), not \(program.answer)")
                }
                sizes[index] = loaded.codeSize
            }
            for _ in 0..<rounds {
                for (index, compiler) in compilers.enumerated() {
                    for _ in 0..<row {
                        let start = peer_time()
                        let loaded = try compiler.compile()
                        let time = peer_time() - start
                        withExtendedLifetime(loaded) {}
                        times[index].append(Double(time))
                    }
                }
            }
            let instructions = try decoded(program, places).fragments[0].instructions.count
            for (index, compiler) in compilers.enumerated() {
                results.append(
                    CompileTime(
                        engine: compiler.name, program: program.name, instructions: instructions,
                        microseconds: times[index].median / 1e3, codeSize: sizes[index]))
            }
        }
        return results
    }

    /// Where our own time goes.
    static func steps(_ places: Places, rounds: Int) throws -> [CompileSteps] {
        try programs.map { program in
            var acceptor = Acceptor.plain
            acceptor.suppliedArguments = 0
            let bytes = try decoded(program, places).encoded()
            var times: [[Double]] = [[], [], []]
            for _ in 0..<rounds {
                var marks = [peer_time()]
                let decoded = try Program(decoding: bytes)
                marks.append(peer_time())
                let module = try Module(program: decoded, acceptor: acceptor)
                marks.append(peer_time())
                let native = try NativeCode.compile(module.program.fragments[0])
                marks.append(peer_time())
                withExtendedLifetime(native) {}
                for step in 0..<3 { times[step].append(Double(marks[step + 1] - marks[step]) / 1e3) }
            }
            return CompileSteps(
                program: program.name, decode: times[0].median, verify: times[1].median,
                compile: times[2].median)
        }
    }

    private static func decoded(_ program: Kernel, _ places: Places) throws -> Program {
        try Program(
            ebpf: places.object(program, "bpf.o"), for: [.plain], memorySize: UInt64(program.size))
    }
}
