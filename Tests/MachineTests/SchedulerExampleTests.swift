import Exokernel
import Testing

/// The schedulers of `scode-examples/schedulers` do what their pages say.
@Suite struct SchedulerExampleTests {
    private static func run(_ name: String, with other: String? = nil) throws -> Statistics {
        var scenario = try Examples.scenario("schedulers/\(name)")
        if let other { scenario.root.source = try Examples.fragment(other) }
        let timeline = try scenario.run()
        #expect(timeline.incidents.isEmpty, "\(name): \(timeline.messages)")
        return Statistics(timeline)
    }
    private static let turns = "schedulers/round-robin.scode"

    @Test(arguments: [
        "priority", "unix", "stride", "edf", "make", "pipeline", "load", "fair-users", "round-robin",
        "lottery",
    ])
    func runsWithoutIncidents(_ name: String) throws { #expect(try Self.run(name).busy > 0) }

    /// An interactive program beside two that compute: it runs at once, and they share the rest evenly.
    @Test func feedbackPrefersWhoSleeps() throws {
        let unix = try Self.run("unix")
        let turns = try Self.run("unix", with: Self.turns)
        let editor = try #require(unix.node("editor"))
        #expect(editor.wakeups.count > 100 && editor.wakeups.p99 <= ms)
        #expect(try #require(turns.node("editor")).wakeups.median >= 10 * ms)
        let hogs = try ["hog-1", "hog-2"].map { try #require(unix.node($0)).processorTime }
        #expect(hogs[0] > hogs[1] - hogs[1] / 20 && hogs[0] < hogs[1] + hogs[1] / 20)
    }

    /// Utilisation is 0.93: earliest deadline first meets every deadline, fixed order does not.
    @Test func everyDeadlineIsMet() throws {
        let edf = try Self.run("edf")
        let fixed = try Self.run("edf", with: "schedulers/priority.scode")
        // A job that is late finds its timer over and does not sleep, so wake-ups are jobs that were in time.
        #expect(edf.node("arm")?.wakeups.count == 1399)
        #expect(edf.node("belt")?.wakeups.count == 999)
        #expect((fixed.node("belt")?.wakeups.count ?? 0) < 999)
    }

    @Test func sharesFollowWeights() throws {
        let stride = try Self.run("stride")
        // 10 s at 3:2:1, then 10 s at 3:2:1:2.
        let expected = ["three": 8750, "two": 5833, "one": 2917, "sleeper": 2500] as [String: UInt64]
        for (name, milliseconds) in expected {
            let time = try #require(stride.node(name)).processorTime / ms
            #expect(time + 20 > milliseconds && time < milliseconds + 20, "\(name): \(time) ms")
        }
    }

    @Test func jobsEndOneAfterTheOther() throws {
        func mean(_ statistics: Statistics) -> UInt64 {
            let times = statistics.nodes.filter { !$0.isScheduler }.compactMap(\.turnaround)
            #expect(times.count == 12)
            return times.reduce(0, +) / 12
        }
        let (make, turns) = (mean(try Self.run("make")), mean(try Self.run("make", with: Self.turns)))
        #expect(make < turns * 3 / 4)
    }

    /// Consumers first: no line is lost, since each is waited for when it comes.
    @Test func pipelinesStayShort() throws {
        #expect(try Self.run("pipeline").node("shell.sort")?.turnaround != nil)
        #expect(try Self.run("pipeline", with: Self.turns).node("shell.sort")?.turnaround == nil)
    }

    /// Whoever faults or keeps too many pages gets less than who only computes.
    @Test func burdensGiveWay() throws {
        let load = try Self.run("load")
        let turns = try Self.run("load", with: Self.turns)
        for name in ["faulter", "queuer"] {
            let (less, even) = (try #require(load.node(name)), try #require(turns.node(name)))
            #expect(less.processorTime * 3 < even.processorTime * 2, "\(name)")
        }
        for name in ["steady-1", "steady-2"] {
            #expect(try #require(load.node(name)?.processorTime) > 1500 * ms)
        }
    }

    @Test func usersHaveHalvesWhateverTheirSchedulers() throws {
        let users = try Self.run("fair-users")
        let shares = users.nodes.filter { $0.isScheduler && $0.depth == 1 }.compactMap(\.shareOfSiblings)
        #expect(shares.count == 2 && shares.allSatisfy { $0 > 0.49 && $0 < 0.51 })
    }

    /// Two who behave beside five who do not: they have what they are entitled to, and what a sixth does not want.
    @Test func whoBehavesIsNotHarmed() throws {
        let timeline = try Examples.scenario("schedulers/chaos").run()
        let users = Statistics(timeline)
        // 20 and 10 of the 80% that are wanted, to within a quantum.
        let expected: [String: UInt64] = [
            "alice": 2500, "bob": 2500, "aborts": 1250, "loops": 1250, "steals": 1250, "nags": 1250,
        ]
        for (name, milliseconds) in expected {
            let time = try #require(users.node(name)).processorTime / ms
            #expect(time + 4 >= milliseconds && time <= milliseconds + 4, "\(name): \(time) ms")
        }
        #expect(users.node("refuses")?.processorTime == 0)
        // Each decides as if it were alone: Bob's 3:1, and the editor once in a turn.
        let (model, index) = (try #require(users.node("model")), try #require(users.node("index")))
        #expect(model.processorTime / ms + 16 >= index.processorTime / ms * 3)
        #expect(model.processorTime / ms <= index.processorTime / ms * 3 + 16)
        #expect(try #require(users.node("editor")).wakeups.maximum <= 20 * ms)
        // Three failures each, then the fragment goes; nobody else is blamed.
        for name in ["aborts", "loops", "steals"] {
            let messages = timeline.messages.filter { $0.hasPrefix("\(name): ") }
            try #require(messages.count == 2)
            #expect(
                messages[0].hasSuffix(" × 3") && messages[1].contains("detached after 3 failures"),
                "\(messages)")
        }
        #expect(timeline.incidents.count == 6)
    }
}

extension Statistics {
    fileprivate func node(_ name: String) -> Node? { nodes.first { $0.name == name } }
}
