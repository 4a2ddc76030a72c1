import Benchmark
import Foundation
import SCode

/// Reading, decoding and verifying programs of growing size. Each iteration is one whole program; divide by its
/// instructions, which the name says, for the time of one.
enum VerifierPrograms {
    /// Counted loops over a region, each with a comparison inside: 13 instructions a loop.
    static func loops(_ instructions: Int) -> String {
        var text = "region data: physical rw, 4096\nfragment f(p: p = data, x: ul = 1) {\n    setul s, 0\n"
        for loop in 0..<max(1, instructions / 13) {
            text += """
                    setul   i, 0
                l\(loop):
                    lshul   o, i, 3
                    addp    q, p, o
                    ldul    v, q
                    bequl   v, 0, m\(loop)
                    addul   s, s, v
                    xorul   s, s, x
                    stul    s, q, 8
                m\(loop):
                    addul   x, x, s
                    andul   w, x, 255
                    addul   i, i, 1
                    bltul   i, 64, l\(loop)
                    rshul   x, x, 3

                """
        }
        return text + "    accept s\n}\n"
    }

    /// Loads, stores and arithmetic with a branch forward here and there: 11 instructions a step.
    static func straight(_ instructions: Int) -> String {
        var text = "region data: physical rw, 4096\nfragment f(p: p = data, x: ul = 1) {\n    setul s, 0\n"
        for step in 0..<max(1, instructions / 11) {
            text += """
                    lduli   v, p, \(step * 8 % 4000)
                    addul   s, s, v
                    andui   w, s, 255
                    bequi   w, 7, m\(step)
                    xorul   s, s, w
                    lshuli  v, v, 3
                    subul   s, s, v
                m\(step):
                    stuli   s, p, 16
                    mului   x, x, 5
                    rshuli  w, x, 7
                    orul    x, x, w

                """
        }
        return text + "    accept s\n}\n"
    }

    /// A program of the repository's own tests.
    static func fileTest(_ name: String) -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appendingPathComponent("filetests/check/\(name).scode")
        do { return try String(contentsOf: file, encoding: .utf8) } catch { fatalError("\(error)") }
    }

    /// A module, cut off at every length, with every bit flipped, and with a number that lies at every place.
    static let hostile: [[UInt8]] = {
        let module = parse(loops(60)).program.encoded()
        var all = module.indices.map { Array(module[..<$0]) }
        for index in module.indices {
            for bit in 0..<8 {
                var flipped = module
                flipped[index] ^= 1 << bit
                all.append(flipped)
            }
            for number: [UInt8] in [
                [0xff, 0xff, 0xff, 0xff, 0x07], [0xff, 0xff, 0xff, 0xff, 0x0f],
                Array(repeating: 0xff, count: 9) + [1],
            ] {
                all.append(Array(module[..<index]) + number + module[(index + 1)...])
            }
        }
        return all
    }()

    /// Two ways at every step, and both go on: 2^n paths.
    static func diamonds(_ instructions: Int) -> String {
        var text = "fragment f(x: ul, y: ul) {\n"
        for step in 0..<max(1, instructions / 4) {
            text +=
                "    bltul x, \(step), a\(step)\n    addul y, y, x\n    j b\(step)\na\(step):\n    subul y, y, 1\nb\(step):\n"
        }
        return text + "    accept y\n}\n"
    }

    /// Loops within loops, 24 deep, again and again.
    static func nests(_ instructions: Int) -> String {
        var text = "fragment f(x: ul) {\n"
        let depth = 24
        for nest in 0..<max(1, instructions / (3 * depth)) {
            for level in 0..<depth { text += "    setul r\(level + 2), 0\nn\(nest)_\(level):\n" }
            for level in (0..<depth).reversed() {
                text +=
                    "    addul r\(level + 2), r\(level + 2), 1\n    bltul r\(level + 2), 5, n\(nest)_\(level)\n"
            }
        }
        return text + "    accept x\n}\n"
    }
}

func verifierBenchmarks() {
    let configuration = Benchmark.Configuration(
        metrics: [.wallClock], scalingFactor: .one, maxDuration: .seconds(2))
    for (name, make) in [("straight", VerifierPrograms.straight), ("loops", VerifierPrograms.loops)] {
        for size in [20, 100, 1_000, 4_000] {
            let program = parse(make(size)).program
            let count = program.fragments.first?.instructions.count ?? 0
            let bytes = program.encoded()
            Benchmark("decode and verify \(count) instructions, \(name)", configuration: configuration) {
                benchmark in
                for _ in benchmark.scaledIterations {
                    guard let decoded = try? Program(decoding: bytes) else { return }
                    blackHole(Verifier.verify(decoded, acceptor: .plain).program)
                }
            }
        }
    }
    for name in ["sieve", "run-queue-pick"] {
        let program = parse(VerifierPrograms.fileTest(name)).program
        Benchmark("verify \(name)", configuration: configuration) { benchmark in
            for _ in benchmark.scaledIterations {
                blackHole(Verifier.verify(program, acceptor: .plain).program)
            }
        }
    }
    // The slowest is what counts, and how much the process grows by all of them.
    let hostile = VerifierPrograms.hostile
    Benchmark(
        "decode one of \(hostile.count) damaged modules",
        configuration: .init(
            metrics: [.wallClock, .peakMemoryResidentDelta], scalingFactor: .one, maxDuration: .seconds(5),
            maxIterations: 4 * hostile.count)
    ) { benchmark in
        let bytes = hostile[benchmark.currentIteration % hostile.count]
        blackHole(try? Program(decoding: bytes))
    }
    let shapes: [(String, (Int) -> String)] = [
        ("loops", VerifierPrograms.loops), ("diamonds", VerifierPrograms.diamonds),
        ("nests", VerifierPrograms.nests),
    ]
    for (name, make) in shapes {
        for size in [1_000, 10_000, 100_000] {
            let text = make(size)
            let program = parse(text).program
            let count = program.fragments.first?.instructions.count ?? 0
            Benchmark("verify \(count) instructions, \(name)", configuration: configuration) { benchmark in
                for _ in benchmark.scaledIterations {
                    blackHole(Verifier.verify(program, acceptor: .plain).program)
                }
            }
            guard name == "loops" else { continue }
            let lines = text.split(separator: "\n").count
            Benchmark("read and verify \(lines) lines of text", configuration: configuration) { benchmark in
                for _ in benchmark.scaledIterations { blackHole(try? Module(text: text, acceptor: .plain)) }
            }
        }
    }
}
