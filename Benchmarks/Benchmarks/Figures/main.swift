import CRoundTrip
import Exokernel
import Foundation
import Workbench

// Prints the figures of docs/scheduling.md and docs/filters.md.
//
//     swift run -c release --package-path Benchmarks figures [decisions] [costs] [hour] [crowd] [filters] [calls]

/// Nanoseconds of real time that something takes.
func time(_ body: () throws -> Void) rethrows -> Double {
    let (seconds, attoseconds) = try ContinuousClock().measure(body).components
    return Double(seconds) * 1e9 + Double(attoseconds) / 1e9
}

/// The shortest of several runs: what else the computer does only makes them longer.
func shortest(of times: Int, _ body: () throws -> Double) rethrows -> Double {
    try (0..<times).map { _ in try body() }.min() ?? 0
}

func number(_ value: Double) -> String {
    value < 10 ? String(format: "%.2f", value) : String(format: "%.0f", value)
}

/// Nanoseconds of a whole decision: three fragments choose one of 100 environments, the machine switches to it and writes
/// it down.
func decision() -> Double {
    let count: UInt64 = 200_000
    return shortest(of: 40) {
        let machine = Machine.measured(Scenarios.decisions(count))
        return time { machine.run(until: .max) } / Double(count)
    }
}

/// Nanoseconds of a question to a scheduler in another process, and its answer.
func roundTrip(_ kind: peer_kind, sameProcessor: Bool) -> Double? {
    guard let peer = peer_start(kind, 100, sameProcessor ? 1 : 0) else { return nil }
    defer { peer_stop(peer) }
    let count = 5_000
    var answers: UInt64 = 0
    let runs = 20
    let each = shortest(of: runs) {
        time { for _ in 0..<count { answers += peer_decide(peer) > 0 ? 1 : 0 } } / Double(count)
    }
    return answers == UInt64(runs * count) ? each : nil
}

let wanted = Set(CommandLine.arguments.dropFirst())
func isWanted(_ name: String) -> Bool { wanted.isEmpty || wanted.contains(name) }

if isWanted("decisions") {
    let each = decision()
    print(
        "a decision (three levels of schedulers, 100 environments): \(number(each)) ns, \(number(1e3 / each)) M/s"
    )
}

if isWanted("costs") {
    let fragments = Chain().nanoseconds()
    print("the fragments of a decision, native: \(number(fragments)) ns")
    for (name, kind) in [("pipe", PEER_PIPE), ("futex", PEER_FUTEX)] {
        for sameProcessor in [true, false] {
            let place = sameProcessor ? "same processor" : "any processor"
            guard let trip = roundTrip(kind, sameProcessor: sameProcessor) else {
                print("a round trip over a \(name): not possible here")
                continue
            }
            print(
                "a round trip over a \(name), \(place): \(number(trip)) ns, "
                    + "\(number(trip / fragments)) times the fragments")
        }
    }
}

if isWanted("hour") {
    do {
        let (scenario, _) = try ScenarioReader.read(path: "two-users.yaml", file: Scenarios.example)
        var decisions = 0
        let took = shortest(of: 3) {
            let machine = Machine.measured(Scenarios.hour(scenario))
            let took = time { machine.run(until: .max) }
            decisions = machine.timeline.decisions.count
            return took
        }
        print("an hour of two-users.yaml: \(number(took / 1e9)) s, \(decisions) decisions")
    } catch {
        print("an hour of two-users.yaml: \(error)")
    }
}

if isWanted("crowd") {
    let count = 100_000
    let scenario = Scenarios.crowd(environments: count, schedulers: 1000)
    let before = resident_memory()
    var machine: Machine?
    let building = time { machine = Machine.measured(scenario) }
    let running = time { machine?.run(until: 500_000_000) }
    let after = resident_memory()
    let pages = resident_pages(UInt64(scenario.machine.memoryPages) * 4)
    let own = Double(after - min(after, before + pages)) / Double(count)
    print(
        "\(count) environments below 1,000 schedulers: \(number(building / 1e9)) s to build, "
            + "\(number(running / 1e9)) s until all sleep; \(number(own)) bytes each besides its pages, "
            + "\(number(Double(pages) / Double(count))) bytes of pages")
    blackHole(machine)
}

if isWanted("filters") {
    do { try FilterFigures.run() } catch { print("filters: \(error)") }
}

if isWanted("calls") {
    do { try CallFigures.run() } catch { print("calls: \(error)") }
}

@inline(never) func blackHole(_ machine: Machine?) {}
