import Foundation
import SCode
import SCodeFuzzing
import SCodeTestSupport

/// Random programs, and changed ones, through every engine; with statistics, and a file for whatever is found.
struct DifferentialRun {
    /// The run ends with whichever comes first.
    var programs = Int.max
    var seconds = Double.infinity
    var seed: UInt64
    /// One program in so many is emulated too; 0: none.
    var emulates = 0
    /// Says every so many seconds how far it is; 0: never.
    var progress = 0.0

    private(set) var statistics = Statistics()
    /// The first difference, if there is one: what it is, and the program.
    private(set) var finding: (difference: String, program: Program, seed: UInt64)?

    init(seed: UInt64) { self.seed = seed }

    mutating func run() throws {
        var comparer = try Comparer(emulates: emulates)
        let start = ContinuousClock.now
        var nextReport = progress
        var previous: [VerifiedFragment] = []
        while statistics.accepted < programs, finding == nil {
            let elapsed = ContinuousClock.now - start
            let now = Double(elapsed.components.seconds)
            if now >= seconds { break }
            if progress > 0, now >= nextReport {
                nextReport += progress
                FileHandle.standardError.write(Data("\(Int(now)) s: \(statistics.summary)\n".utf8))
            }
            defer { seed &+= 1 }
            statistics.generated += 1
            guard let (fragment, program) = next() else { continue }
            statistics.count(fragment)
            let chain = [fragment] + previous.suffix(2)
            previous = [fragment] + previous.prefix(1)
            let (exit, difference) = try comparer.compare(chain, seed: seed)
            statistics.count(exit)
            if let difference {
                finding = (difference, try reduced(program, chain, &comparer), seed)
            }
        }
        statistics.emulated = comparer.emulated
    }

    /// The program of the seed. One in four is changed a little: what nobody would have thought of.
    private mutating func next() -> (VerifiedFragment, Program)? {
        let regions = TestMachine.regions(seed)
        guard seed % 4 == 3 else { return TestMachine.randomFragment(seed, regions: regions) }
        var generator = ProgramGenerator(
            seed: seed, acceptor: TestMachine.acceptor(of: seed), regions: regions)
        var program = generator.make()
        program.fragments[0].mutate(regions: program.regions.count, seed: seed)
        statistics.mutated += 1
        guard
            let fragment = Verifier.verify(program, acceptor: TestMachine.acceptor(of: seed)).program?
                .fragments.first
        else { return nil }
        statistics.acceptedMutants += 1
        return (fragment, program)
    }

    /// The smallest program that was found to show the difference; the whole one when it takes forced facts to show it.
    private func reduced(
        _ program: Program, _ chain: [VerifiedFragment], _ comparer: inout Comparer
    ) throws -> Program {
        var whole = program
        for other in chain.dropFirst() {
            var code = other.code
            code.name = "f\(whole.fragments.count)"
            whole.fragments.append(code)
        }
        var judge = comparer
        let seed = seed
        func isFaulty(_ program: Program) -> Bool {
            guard let verified = Verifier.verify(program, acceptor: TestMachine.acceptor(of: seed)).program
            else {
                return false
            }
            return (try? judge.compare(verified.fragments, seed: seed).difference) != nil
        }
        guard isFaulty(whole) else { return program }
        return withoutActuallyEscaping(isFaulty) { isFaulty in
            var shrinker = Shrinker(isFaulty: isFaulty)
            return shrinker.shrink(whole)
        }
    }

    struct Statistics {
        var generated = 0
        var accepted = 0
        var mutated = 0
        var acceptedMutants = 0
        var emulated = 0
        var instructions = 0
        var longest = 0
        var opcodes: [Opcode: Int] = [:]
        var exits: [String: Int] = [:]

        mutating func count(_ fragment: VerifiedFragment) {
            accepted += 1
            instructions += fragment.code.instructions.count
            longest = max(longest, fragment.code.instructions.count)
            for instruction in fragment.code.instructions where instruction.opcode.operation != .macro {
                opcodes[instruction.opcode, default: 0] += 1
            }
        }

        mutating func count(_ exit: Exit) { exits[exit.kind, default: 0] += 1 }

        /// How often each opcode stood in a program, and how the programs ended.
        var table: String {
            let rows = Opcode.all.map { opcode in
                let form = opcode.form == .symbol ? " (region)" : ""
                return "\(opcodes[opcode] ?? 0)\t\(opcode.mnemonic)\(form)"
            }
            let ends = exits.sorted { $0.key < $1.key }.map { "\($0.value)\t\($0.key)" }
            return (rows + ends).joined(separator: "\n")
        }

        var summary: String {
            let kinds = exits.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(
                separator: ", ")
            return """
                \(accepted) programs of \(generated) (\(acceptedMutants) of \(mutated) changed ones), \
                \(instructions) instructions, \(longest) in the longest, \
                \(opcodes.count) of \(Opcode.all.count) opcodes, \(emulated) emulated; exits: \(kinds)
                """
        }
    }
}
