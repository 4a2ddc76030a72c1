import CPeers
import Foundation
import SCode

/// What many small fragments cost.
struct Footprint: Codable {
    /// Fragments that are installed at once, and those that there was room for.
    var wanted: Int
    var installed: Int
    var instructions: Int
    /// Why there are not as many as wanted.
    var failure: String?
    /// From the bytes of a module each: decoding and verifying, then compiling and installing.
    var verifySeconds: Double
    var installSeconds: Double
    /// A call of each.
    var runSeconds: Double
    /// Of memory that the process has, for each, all told.
    var bytesEach: Double
    /// The same when all are removed again.
    var bytesEachAfterRemoval: Double

    /// Every fragment is a program of its own, with constants that no other one has.
    static func measure(count: Int) throws -> Footprint {
        let modules = try Modules(count)
        let acceptor = Acceptor.plain
        let instructions = try modules.program(0).fragments[0].instructions.count
        let before = resident()
        var verified: [VerifiedFragment] = []
        var fragments: [Fragment] = []
        verified.reserveCapacity(count)
        fragments.reserveCapacity(count)
        let verifying = try seconds {
            for index in 0..<count {
                let module = try Module(program: modules.program(index), acceptor: acceptor)
                verified.append(module.program.fragments[0])
            }
        }
        var failure: String?
        let installing = seconds {
            for code in verified {
                do throws(InstallFailure) { fragments.append(try Fragment(code)) } catch {
                    failure = "\(error)"
                    break
                }
            }
        }
        verified = []
        let installed = fragments.count
        // The bytes of the modules are there before, and so they are now.
        let with = withExtendedLifetime(modules) { resident() }
        let running = try seconds {
            for (index, fragment) in fragments.enumerated() {
                let departure = fragment.enter(budget: acceptor.budget)
                guard departure.way == .accepted, departure.value == answer(UInt64(index)) else {
                    throw EngineFailure("fragment \(index) of \(installed) gives \(departure.value)")
                }
            }
        }
        fragments = []
        let after = withExtendedLifetime(modules) { resident() }
        func each(_ bytes: UInt64) -> Double {
            Double(bytes - min(bytes, before)) / Double(max(installed, 1))
        }
        return Footprint(
            wanted: count, installed: installed, instructions: instructions, failure: failure,
            verifySeconds: verifying, installSeconds: installing, runSeconds: running, bytesEach: each(with),
            bytesEachAfterRemoval: each(after))
    }

    /// Bytes in memory, but for those that malloc keeps for later.
    private static func resident() -> UInt64 {
        peer_trim()
        return peer_resident()
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = peer_time()
        try body()
        return Double(peer_time() - start) / 1e9
    }

    /// The same in Swift.
    private static func answer(_ number: UInt64) -> UInt64 {
        var h = (number &* 0x9e37_79b9_7f4a_7c15 | 1) ^ number
        h = h &* 31
        h ^= h >> 29
        h = h &+ 7 &- 7 << 3
        h = number < 10 ? h | 1 : h &+ number % 1000
        if h & 0xffff == 0 { h = h &+ 5; h ^= 0 } else { h ^= (h & 0xffff) &* 17 }
        return h ^ h >> 32
    }
}

/// The modules, behind one another in one piece of memory: between pieces of their own would be gaps, and what is put into
/// gaps is not seen in the size of the process.
private struct Modules {
    private var bytes: [UInt8] = []
    private var ends = [0]

    init(_ count: Int) throws {
        for number in 0..<count {
            let module = try Module(text: Modules.text(UInt64(number)), acceptor: .plain)
            bytes += module.program.program.encoded()
            ends.append(bytes.count)
        }
    }

    func program(_ index: Int) throws -> Program {
        try bytes.withUnsafeBytes {
            try Program(decoding: UnsafeRawBufferPointer(rebasing: $0[ends[index]..<ends[index + 1]]))
        }
    }

    /// 20 instructions, as a rate limiter or a filter would have them.
    private static func text(_ number: UInt64) -> String {
        """
        fragment f(x: ul = \(number), y: ul = 7) {
            setul   h, \(number &* 0x9e37_79b9_7f4a_7c15 | 1)
            xorul   h, h, x
            mulul   h, h, 31
            rshul   t, h, 29
            xorul   h, h, t
            addul   h, h, y
            lshul   t, y, 3
            subul   h, h, t
            bltul   x, 10, low
            addul   h, h, \(number % 1000)
            j       next
        low:
            orul    h, h, 1
        next:
            andul   t, h, 0xffff
            bneul   t, 0, mix
            addul   h, h, 5
        mix:
            mulul   t, t, 17
            xorul   h, h, t
            rshul   t, h, 32
            xorul   h, h, t
            accept  h
        }
        """
    }
}
