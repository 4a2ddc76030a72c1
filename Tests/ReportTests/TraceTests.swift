import Foundation
import SCodeTestSupport
import Testing

@testable import Exokernel

/// The trace: what is in it, where it stands, and that it can be made again.
@Suite struct TraceTests {
    @Test func whatIsInTheSmallOne() throws {
        let trace = try TraceShape(ChromeTrace.text(Timelines.small))
        #expect(trace.names("process") == ["machine", "root", "alice", "bob"])
        #expect(trace.names("thread") == ["processor", "root", "alice", "a", "b", "bob", "c"])
        let processor = (trace.slices[1] ?? []).map(Self.text)
        #expect(processor == ["a 0 20", "b 20 50", "a 60 90", "c 90 100"])
        let incident = try #require(trace.all("I").first)
        #expect(incident.name == "refused by everyone" && incident.pid == Self.thread(2))
        let counters = trace.all("C").filter { $0.name == "runnable" }
        #expect(counters.map { $0.args?.value } == [1, 1, 0, 1, 1, 0])
    }

    /// A scheduler's track shows its children, and in them theirs; what goes on without a gap is one slice.
    @Test func schedulersShowWhatIsBelow() throws {
        let trace = try TraceShape(ChromeTrace.text(Timelines.small))
        #expect(
            (trace.slices[Self.thread(0)] ?? []).map(Self.text) == [
                "alice 0 50", "a 0 20", "b 20 50", "alice 60 90", "a 60 90", "bob 90 100", "c 90 100",
            ])
        let alice = (trace.slices[Self.thread(1)] ?? []).map(Self.text)
        #expect(alice == ["a 0 20", "b 20 50", "a 60 90"])
    }

    /// An arrow for each time the processor changes hands; none where the machine was idle in between.
    @Test func arrows() throws {
        let trace = try TraceShape(ChromeTrace.text(Timelines.small))
        let arrows = zip(trace.all("s"), trace.all("f")).map {
            "\($0.name) \($0.tid) \($0.start * 1000) \($1.tid) \($1.start * 1000)"
        }
        let (a, b, c) = (Self.thread(3), Self.thread(4), Self.thread(5))
        #expect(arrows == ["revoked \(a) 19 \(b) 20", "yielded \(a) 89 \(c) 90"])
    }

    @Test func viewersCanShowIt() throws {
        var deep = Timelines.small
        for (index, node) in deep.nodes.enumerated().dropFirst() where node.isScheduler {
            // A line of schedulers between each one and its children.
            for child in deep.nodes.indices where deep.nodes[child].parent == index && child != index {
                var parent = index
                for level in 0..<9 {
                    deep.nodes.append(.init(name: "\(child)/\(level)", parent: parent, isScheduler: true))
                    parent = deep.nodes.count - 1
                }
                deep.nodes[child].parent = parent
            }
        }
        for (name, timeline) in ReportTests.all + [("deep", deep)] {
            let trace = try TraceShape(ChromeTrace.text(timeline))
            #expect(trace.problems == [], "\(name)")
        }
        #expect(try TraceShape(ChromeTrace.text(Timelines.busy)).all("s").count > 50)
    }

    /// Sums of slices are what the statistics say, on the tracks of schedulers too.
    @Test func schedulersHadTheirTime() throws {
        let timeline = Timelines.busy
        let statistics = Statistics(timeline)
        let slices = TraceSlices(timeline, Timeline.Tree(timeline.nodes)).slices[0]
        for (index, node) in timeline.nodes.enumerated() where node.isScheduler {
            for child in timeline.nodes.indices where timeline.nodes[child].parent == index {
                let time = slices[index].filter { $0.node == child }.reduce(0) { $0 + $1.end - $1.start }
                #expect(time == statistics.nodes[child].processorTime)
            }
        }
    }

    // MARK: Origin

    /// Vectors from the hash's authors.
    @Test(arguments: [
        ("", "cbf29ce484222325"), ("a", "af63dc4c8601ec8c"), ("foobar", "85944171f73967e8"),
    ]) func hashesAreThoseOfTheAuthors(text: String, hash: String) {
        #expect(TraceOrigin.Input(path: "", text: text).fnv1a == hash)
    }

    private static let origin = TraceOrigin(
        seed: .max,
        inputs: [.init(path: "a \"b\"\n.yaml", text: "x"), .init(path: "c.scode", text: "y")])

    @Test func originsAreReadAsTheyAreWritten() throws {
        let trace = ChromeTrace.text(Timelines.small, origin: Self.origin)
        #expect(try TraceOrigin(trace: trace) == Self.origin)
        #expect(try TraceShape(trace).problems == [])
    }

    @Test func whatIsNoTraceIsSaidToBeNone() throws {
        let trace = ChromeTrace.text(Timelines.small, origin: Self.origin)
        #expect(throws: TraceOrigin.Problem.notATrace) {
            try TraceOrigin(trace: ChromeTrace.text(Timelines.small))
        }
        let other = trace.replacingOccurrences(of: "\"format\": 1", with: "\"format\": 2")
        #expect(throws: TraceOrigin.Problem.otherFormat(2)) { try TraceOrigin(trace: other) }
        let head = String(trace.prefix { $0 != "\n" })
        Hostile.check(head) { text in
            if let origin = try? TraceOrigin(trace: text) { #expect(!origin.inputs.isEmpty) }
        }
    }

    @Test func changesAreNamed() {
        let now = TraceOrigin(
            seed: 1, inputs: [.init(path: "a \"b\"\n.yaml", text: "z"), .init(path: "d.scode", text: "y")])
        #expect(
            now.changes(since: Self.origin) == [
                "'a \"b\"\\u{a}.yaml' is not what it was", "'c.scode' was read, and is not any more",
                "'d.scode' is read, and was not",
            ])
        #expect(Self.origin.changes(since: Self.origin) == [])
    }

    // MARK: Differences

    @Test func theFirstDifferenceIsTheEarliest() throws {
        let small = ChromeTrace.text(Timelines.small)
        #expect(TraceDifference.first(recorded: small, made: small) == nil)
        var other = Timelines.small
        other.spans[5].end = 95  // a ran on, to the cost of
        other.spans[10].start = 95  // c: that comes later in time, and
        other.spans[8].end = 70  // this, c blocked for less, first; it stands last in the file.
        other.spans[9].start = 70
        let difference = try #require(
            TraceDifference.first(recorded: small, made: ChromeTrace.text(other)))
        #expect(
            difference
                == TraceDifference(
                    time: 0, node: "c", recorded: "'blocked' for 0.00008 ms", made: "'blocked' for 0.00007 ms"
                ))
        #expect(
            difference.description == """
                first difference at 0 ms, in the track of 'c':
                  the trace has   'blocked' for 0.00008 ms
                  the replay has  'blocked' for 0.00007 ms
                """)
    }

    @Test func moreOrLessIsADifference() throws {
        let small = ChromeTrace.text(Timelines.small)
        var fewer = Timelines.small
        fewer.incidents = []
        let difference = try #require(
            TraceDifference.first(recorded: small, made: ChromeTrace.text(fewer)))
        #expect(difference.time == 50 && difference.node == "bob")
        #expect(difference.recorded == "'refused by everyone'" && difference.made == nil)
        let lines = small.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let turned = ([lines[0]] + lines[1..<lines.count - 3].reversed() + lines.suffix(3)).joined(
            separator: "\n")
        #expect(
            TraceDifference.first(recorded: turned, made: small)?.recorded?.contains("another order") == true)
    }

    @Test func anythingCanBeCompared() {
        let small = ChromeTrace.text(Timelines.small, origin: Self.origin)
        Hostile.check(small, rounds: 300) { text in
            let difference = TraceDifference.first(recorded: text, made: small)
            #expect((difference == nil) == (text == small))
        }
    }

    private static func thread(_ node: Int) -> Int { node + 2 }
    private static func text(_ slice: TraceShape.Event) -> String {
        "\(slice.name) \(slice.start * 1000) \(slice.end * 1000)"
    }
}
