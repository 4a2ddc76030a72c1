@testable import Exokernel
import Testing

@Suite struct StatisticsTests {
    private let statistics = Statistics(Timelines.small)

    private func node(_ name: String) throws -> Statistics.Node {
        try #require(statistics.nodes.first { $0.name == name })
    }

    @Test func environments() throws {
        let (a, b, c) = (try node("a"), try node("b"), try node("c"))
        #expect([a, b, c].map(\.processorTime) == [50, 30, 10])
        #expect([a, b, c].map(\.wait) == [30, 10, 10])
        #expect([a, b, c].map(\.sleeping) == [20, 0, 0])
        #expect([a, b, c].map(\.blocked) == [0, 0, 80])
        #expect([a, b, c].map(\.turnaround) == [nil, 40, nil])
        #expect([a, b, c].map(\.response) == [0, 10, 90])
        // a takes over at 0 and at 60; two spans of running end to end are one stretch.
        #expect([a, b, c].map(\.switches) == [2, 1, 1])
        #expect([a, b, c].map(\.preemptions) == [2, 0, 0])
        #expect([a, b, c].map(\.decisions) == [2, 1, 1])
        #expect([a, b, c].map(\.wakeups.maximum) == [0, 0, 10])
        #expect([a, b, c].map(\.wakeups.count) == [1, 0, 1])
        #expect([a, b, c].map(\.shareOfTotal) == [0.5, 0.3, 0.1])
        #expect([a, b, c].map(\.shareOfSiblings) == [0.625, 0.375, 1])
    }

    @Test func schedulers() throws {
        let (root, alice, bob) = (try node("root"), try node("alice"), try node("bob"))
        #expect([root, alice, bob].map(\.processorTime) == [90, 80, 10])
        #expect([root, alice, bob].map(\.wait) == [50, 40, 10])
        #expect([root, alice, bob].map(\.turnaround) == [nil, nil, nil])
        #expect([root, alice, bob].map(\.response) == [0, 0, 90])
        #expect([root, alice, bob].map(\.switches) == [4, 3, 1])
        #expect([root, alice, bob].map(\.decisions) == [4, 3, 1])
        #expect([root, alice, bob].map(\.defaultDecisions) == [1, 1, 0])
        #expect([root, alice, bob].map(\.incidents) == [0, 0, 1])
        #expect([root, alice, bob].map(\.wakeups.count) == [2, 1, 1])
        #expect([root, alice, bob].map(\.depth) == [0, 1, 1])
        // 80/0.6 and 10/0.4: (133.3 + 25)² / (2 (133.3² + 25²)).
        #expect(abs((root.fairness ?? 0) - 0.68113) < 0.0001)
        // 50 and 30: 80² / (2 (50² + 30²)).
        #expect(abs((alice.fairness ?? 0) - 6400.0 / 6800) < 1e-12)
        #expect(bob.fairness == 1)
    }

    @Test func machine() {
        #expect(statistics.busy == 90)
        #expect(statistics.idle == 10)
        #expect(statistics.decisions == 5)
        #expect(statistics.defaultDecisions == 1)
        #expect(statistics.idleDecisions == 1)
        #expect(statistics.budgetUsed == 17)
        #expect(statistics.switches == 4)
        #expect(statistics.preemptions == 2)
        #expect(statistics.wakeups.maximum == 10)
        #expect(statistics.preorder == [0, 1, 3, 4, 2, 5])
    }

    @Test func turnaroundOfAGroupThatEnded() {
        var timeline = Timelines.small
        timeline.nodes[3].ended = 100
        #expect(Statistics(timeline).nodes[1].turnaround == 100)
    }

    @Test func percentilesByNearestRank() {
        let thousand = Statistics.Latencies((1...1000).map { UInt64($0) }.shuffled())
        #expect(thousand.median == 500)
        #expect(thousand.p95 == 950)
        #expect(thousand.p99 == 990)
        #expect(thousand.p999 == 999)
        #expect(thousand.maximum == 1000)
        let two = Statistics.Latencies([7, 3])
        #expect([two.median, two.p95, two.p999] == [3, 7, 7])
    }

    @Test func fairness() {
        #expect(Statistics.fairness([1, 1, 1, 1]) == 1)
        #expect(Statistics.fairness([1, 0, 0, 0]) == 0.25)
        #expect(Statistics.fairness([0, 0]) == nil)
        #expect(Statistics.fairness([]) == nil)
    }

    // MARK: Adding up

    @Test func soundTimelinesHaveNoProblems() {
        #expect(Timelines.small.problems() == [])
        #expect(Timelines.busy.problems() == [])
        #expect(Timeline().problems() == [])
    }

    @Test func gapsAndOverlapsAreFound() {
        var timeline = Timelines.small
        timeline.spans.remove(at: 2)
        #expect(timeline.problems() == [.gap(node: 3, from: 20, to: 40)])
        timeline = Timelines.small
        timeline.spans[3].start = 35
        #expect(timeline.problems() == [.overlap(timeline.spans[3])])
        timeline = Timelines.small
        timeline.spans[3].state = .running
        #expect(timeline.problems().count == 1)
        guard case .twoRunning = timeline.problems().first else {
            Issue.record("two running at once went unnoticed")
            return
        }
        timeline = Timelines.small
        timeline.spans[5].end = 110
        #expect(timeline.problems() == [.afterEnd(110)])
        timeline = Timelines.small
        timeline.nodes[4].ended = 60
        #expect(timeline.problems() == [.gap(node: 4, from: 50, to: 60)])
        timeline = Timelines.small
        timeline.nodes[1].parent = 2
        timeline.nodes[2].parent = 1
        #expect(timeline.problems() == [.badParent(1)])
        timeline = Timelines.small
        timeline.spans.append(.init(node: 1, state: .running, start: 0, end: 0))
        timeline.decisions.append(.init(time: 101, chosen: 9, byDefault: false, budgetUsed: 0))
        #expect(timeline.problems() == [.noSuchNode(1), .noSuchNode(9), .afterEnd(101)])
    }

    @Test func nonsenseIsSurvived() {
        #expect(Timelines.nonsense.problems().count > 5)
        let statistics = Statistics(Timelines.nonsense)
        #expect(statistics.preorder.sorted() == Array(0..<6))
    }

    @Test func deepTree() {
        var timeline = Timeline()
        timeline.end = 1
        for depth in 0..<100_000 {
            timeline.nodes.append(
                .init(name: "n", parent: depth == 0 ? nil : depth - 1, isScheduler: depth < 99_999))
        }
        timeline.spans = [.init(node: 99_999, state: .running, start: 0, end: 1)]
        #expect(Statistics(timeline).nodes[0].processorTime == 1)
    }
}
