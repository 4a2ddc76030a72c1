import Benchmark
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
    for size in [20, 100, 1_000, 4_000] {
        let program = parse(VerifierPrograms.loops(size)).program
        let count = program.fragments.first?.instructions.count ?? 0
        let bytes = program.encoded()
        Benchmark("decode and verify \(count) instructions", configuration: configuration) { benchmark in
            for _ in benchmark.scaledIterations {
                guard let decoded = try? Program(decoding: bytes) else { return }
                blackHole(Verifier.verify(decoded, acceptor: .plain).program)
            }
        }
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
