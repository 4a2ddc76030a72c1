import SCodeIR
import SCodeVerifier

/// Lets accesses to virtual memory ask first whether they reach the page of the access before: of the accesses to the same
/// region, and of the same kind, most do. That is three instructions instead of eight, and needs no TLB.
///
/// A cache holds for as long as nobody else runs: it forgets its page at calls of sub-fragments and of the host, when the
/// fragment is interrupted, and when an access takes the long way, which may wait for a page. So whoever changes a page
/// table and flushes the TLB meanwhile is heard.
///
/// *Requires* VCode from lowering. *Produces* VCode of the same meaning, with caches.
enum PageCaching {
    /// Filling a cache takes as long as looking at the TLB four times.
    private static let leastWeight: Float = 5

    private struct Candidate {
        var region: UInt8
        var isStore: Bool
        var weight: Float = 0
        /// Its number, when it is worth being one.
        var cache: Int?
    }

    static func run(_ code: inout VCode) {
        guard code.operations.contains(.guardPage) else { return }
        var candidates = weighed(code)
        for index in candidates.indices where candidates[index].weight >= leastWeight {
            candidates[index].cache = code.pageCaches.count
            code.pageCaches.append(candidates[index].isStore)
        }
        guard !code.pageCaches.isEmpty else { return }
        for index in code.instructions.indices.dropLast()
        where code.instructions[index].operation == .guardPage {
            guard let place = position(of: code.instructions[index], in: candidates, code),
                let cache = candidates[place].cache
            else { continue }
            code.instructions[index].operation = .guardCachedPage
            code.instructions[index].cache = UInt8(cache)
            code.instructions[index + 1].place = .cachedPage
            code.instructions[index + 1].cache = UInt8(cache)
        }
    }

    /// The first few kinds of accesses, and how often there are some.
    private static func weighed(_ code: VCode) -> [Candidate] {
        let frequency = Frequency(code)
        var candidates: [Candidate] = []
        for instruction in code.instructions where instruction.operation == .guardPage {
            let amount = frequency[Int(instruction.source)]
            if let place = position(of: instruction, in: candidates, code) {
                candidates[place].weight += amount
            } else if candidates.count < PageCacheValue.cacheLimit {
                candidates.append(
                    Candidate(
                        region: region(of: instruction, code), isStore: instruction.flag, weight: amount))
            }
        }
        return candidates
    }

    private static func position(
        of instruction: VInstruction, in candidates: [Candidate], _ code: VCode
    ) -> Int? {
        let region = region(of: instruction, code)
        return candidates.firstIndex { $0.region == region && $0.isStore == instruction.flag }
    }

    /// From which region's base the address was computed, as far as that is known.
    private static func region(of instruction: VInstruction, _ code: VCode) -> UInt8 {
        switch code.fragment.facts[Int(instruction.source)].access {
        case .based(let region), .inside(let region), .proved(let region, _): region
        case .unknown: .max
        }
    }
}
