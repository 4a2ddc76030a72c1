import SCode
import Testing

@testable import Exokernel

/// The parts of the kernel, one by one.
@Suite struct KernelTests {
    // MARK: Pages

    @Test func pagesAreHandedOutLowestFirstAndZeroed() throws {
        let pages = try PhysicalPages(count: 8)
        let first = try pages.allocate(2, owner: 1)
        #expect(first == 1)  // page 0 is nobody's
        pages.address(first).storeBytes(of: 0xff, as: UInt8.self)
        let second = try pages.allocate(owner: 2)
        #expect(second == 3)
        #expect(pages.owner(of: first) == 1)
        #expect(pages.ownedCount(1) == 2)
        pages.release(first, count: 2)
        #expect(pages.owner(of: first) == nil)
        #expect(pages.ownedCount(1) == 0)
        // Three in a row do not fit before the page that is taken.
        #expect(try pages.allocate(3, owner: 3) == 4)
        #expect(try pages.allocate(owner: 3) == 1)
        #expect(pages.address(1).load(as: UInt8.self) == 0)
        #expect(pages.freeCount == 2)
    }

    @Test func exhaustionIsAnError() throws {
        let pages = try PhysicalPages(count: 4)
        let held = try pages.allocate(2, owner: 1)
        #expect(throws: MachineError.outOfMemory(pages: 2, free: 1)) { try pages.allocate(2, owner: 1) }
        #expect(throws: MachineError.outOfMemory(pages: 0, free: 1)) { try pages.allocate(0, owner: 1) }
        _ = try pages.allocate(owner: 1)
        #expect(throws: MachineError.outOfMemory(pages: 1, free: 0)) { try pages.allocate(owner: 1) }
        pages.release(held)
        #expect(try pages.allocate(owner: 1) == held)
    }

    @Test(arguments: [-1, 0, 1, 1 << 20 + 1, .max, .min]) func memoryOfAnImpossibleSize(count: Int) {
        #expect(throws: MachineError.self) { try PhysicalPages(count: count) }
    }

    @Test func aPageStaysAsLongAsSomebodyHoldsIt() throws {
        let pages = try PhysicalPages(count: 4)
        let frame = try pages.allocate(owner: 1)
        pages.retain(frame)
        pages.release(frame)
        #expect(pages.referenceCount(of: frame) == 1)
        pages.release(frame)
        pages.release(frame)  // once too often: without effect
        #expect(pages.freeCount == 3)
        pages.retain(frame)  // free: without effect
        #expect(pages.referenceCount(of: frame) == 0)
        pages.release(0)
        #expect(pages.referenceCount(of: 0) == 1)
    }

    // MARK: Page tables

    @Test func aPageTableIsInPhysicalMemoryInTheFormatOfThe80386() throws {
        let pages = try PhysicalPages(count: 16)
        let table = try PageTable(pages: pages, owner: 1)
        let frame = try pages.allocate(owner: 1)
        let page = 0x12345
        try table.map(page, to: frame, writable: false)
        let directory = pages.memory.base + Int(table.space.directory)
        let directoryEntry = directory.load(fromByteOffset: (page >> 10) * 4, as: UInt32.self)
        #expect(directoryEntry & 0xfff == 7)
        let second = pages.memory.base + Int(directoryEntry & 0xffff_f000)
        let entry = second.load(fromByteOffset: (page & 1023) * 4, as: UInt32.self)
        #expect(entry == UInt32(frame) << 12 | 5)
        table.protect(page, writable: true)
        #expect(second.load(fromByteOffset: (page & 1023) * 4, as: UInt32.self) == UInt32(frame) << 12 | 7)
        #expect(pages.referenceCount(of: frame) == 2)
        table.unmap(page)
        #expect(table.translation(of: page) == nil)
        #expect(pages.referenceCount(of: frame) == 1)
    }

    @Test func mappingAgainReleasesWhatWasThere() throws {
        let pages = try PhysicalPages(count: 16)
        let table = try PageTable(pages: pages, owner: 1)
        let first = try pages.allocate(owner: 1)
        let second = try pages.allocate(owner: 1)
        try table.map(5, to: first, writable: true)
        try table.map(5, to: second, writable: true)
        try table.map(5, to: second, writable: false)
        #expect(pages.referenceCount(of: first) == 1)
        #expect(pages.referenceCount(of: second) == 2)
        #expect(table.translation(of: 5)?.writable == false)
        table.destroy()
        #expect(pages.referenceCount(of: second) == 1)
        #expect(pages.freeCount == 13)
    }

    @Test func pagesBeyondTheAddressSpaceAndFullMemory() throws {
        let pages = try PhysicalPages(count: 4)
        let table = try PageTable(pages: pages, owner: 1)
        let frame = try pages.allocate(owner: 1)
        for page in [-1, PageTable.virtualPages, .max, .min] {
            try table.map(page, to: frame, writable: true)
            #expect(table.translation(of: page) == nil)
            table.unmap(page)
            table.protect(page, writable: true)
        }
        try table.map(1, to: frame, writable: true)
        // A second table has no room.
        #expect(throws: MachineError.self) { try table.map(5000, to: frame, writable: true) }
        #expect(table.translation(of: 5000) == nil)
        #expect(pages.referenceCount(of: frame) == 2)
    }

    // MARK: Time

    @Test func eventsComeByTimeThenRankThenOrder() {
        var queue = EventQueue<Int>()
        let order = [7, 3, 9, 1, 8, 0, 2, 6, 4, 5]
        for value in order { queue.add(value, at: UInt64(value / 4), rank: UInt8(value / 2 % 2)) }
        queue.add(100, at: 0, rank: 0)
        var out: [Int] = []
        while let event = queue.removeFirst() { out.append(event) }
        #expect(out == [1, 0, 100, 3, 2, 4, 5, 7, 6, 9, 8])
        #expect(queue.isEmpty)
    }

    @Test func manyEventsComeInOrder() {
        var queue = EventQueue<UInt64>()
        var state: UInt64 = 1
        for _ in 0..<2000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            queue.add(state >> 50, at: state >> 50)
        }
        var last: UInt64 = 0
        while let event = queue.removeFirst() {
            #expect(event >= last)
            last = event
        }
    }

    @Test func timeoutsAreOneShotAndWaitForTheTimerInterrupt() {
        var timeouts = Timeouts(tick: 10)
        timeouts.armQuantum(of: 0, end: 15)
        timeouts.add(.scenarioEvent(1), at: 11)
        timeouts.add(.wake(environment: 3), at: 20)
        timeouts.add(.create(environment: 4), at: 7)
        #expect(timeouts.next == 7)
        #expect(timeouts.expire(at: 6, onlyPrecise: false) == nil)
        #expect(timeouts.expire(at: 7, onlyPrecise: true) == .create(environment: 4))
        #expect(timeouts.expire(at: 19, onlyPrecise: false) == nil)
        // All at 20: who wakes, then the scenario, then the decision.
        #expect(timeouts.expire(at: 20, onlyPrecise: true) == .wake(environment: 3))
        #expect(timeouts.expire(at: 20, onlyPrecise: true) == nil)
        #expect(timeouts.expire(at: 20, onlyPrecise: false) == .scenarioEvent(1))
        #expect(timeouts.expire(at: 20, onlyPrecise: false) == .schedule(processor: 0))
        #expect(timeouts.expire(at: .max, onlyPrecise: false) == nil)
        #expect(timeouts.next == nil)
    }

    @Test func aQuantumThatBeginsAnewEndsLater() {
        var timeouts = Timeouts(tick: 10)
        timeouts.armQuantum(of: 0, end: 20)
        timeouts.armQuantum(of: 0, end: 35)
        #expect(timeouts.expire(at: 20, onlyPrecise: false) == nil)
        #expect(timeouts.expire(at: 39, onlyPrecise: false) == nil)
        #expect(timeouts.expire(at: 40, onlyPrecise: false) == .schedule(processor: 0))
        timeouts.armQuantum(of: 0, end: .max)
        #expect(timeouts.expire(at: .max - 1, onlyPrecise: false) == nil)
        #expect(timeouts.expire(at: .max, onlyPrecise: false) == .schedule(processor: 0))
    }

    @Test func clockCountsInterruptsUpToAndWithTheNewTime() {
        var clock = Clock(tick: 10)
        #expect(clock.advance(to: 9) == 0)
        #expect(clock.advance(to: 10) == 1)
        #expect(clock.advance(to: 10) == 0)
        #expect(clock.advance(to: 35) == 2)
        #expect(clock.advance(to: 20) == 0)
        #expect(clock.now == 35)
        #expect(UInt64.max.roundedUp(toMultipleOf: 10) == .max)
        #expect((UInt64.max - 1).adding(5) == .max)
    }

    // MARK: Exposed state

    @Test func fragmentsSeeStatusTicksPagesAndChildren() throws {
        let machine = try Machine(
            scenario: .with(
                nil,
                [
                    .task("a", [.run(10 * ms)]),
                    .scheduler("s", nil, [.task("b", [.run(1 * ms), .sleep(50 * ms)])]),
                    .task("late", start: 20 * ms, [.run(1 * ms)]),
                ]))
        func environment(_ id: Int, _ field: Int) -> UInt32 {
            machine.pages.address(machine.exposed.environments).load(
                fromByteOffset: id * ExposedState.EnvironmentField.size + field, as: UInt32.self)
        }
        func child(_ scheduler: Int, _ entry: Int) -> [UInt32] {
            guard let node = machine.tree[scheduler] else { return [] }
            return [
                SchedulerTree.ChildField.kind, SchedulerTree.ChildField.id,
                SchedulerTree.ChildField.environment,
            ]
            .map {
                machine.pages.address(node.table).load(
                    fromByteOffset: entry * SchedulerTree.ChildField.size + $0, as: UInt32.self)
            }
        }
        // Ids: root 1, a 2, s 3, b 4, late 5.
        #expect([child(1, 0), child(1, 1), child(1, 2)] == [[1, 2, 2], [2, 0, 3], [0, 0, 0]])
        #expect(child(3, 0) == [1, 4, 4])
        #expect(environment(2, ExposedState.EnvironmentField.status) == 1)
        // A scheduler is runnable while anything below it is.
        #expect(environment(3, ExposedState.EnvironmentField.status) == 1)
        #expect(environment(4, ExposedState.EnvironmentField.owner) == 3)
        #expect(environment(5, ExposedState.EnvironmentField.status) == 0)
        // A directory, a table, and a page of its own.
        #expect(environment(2, ExposedState.EnvironmentField.pages) == 3)
        machine.run(until: 15 * ms)
        // a 0-4, b 4-5, a 5-11, idle: interrupts 1 to 4 and 6 to 11 found a running, 5 found b.
        #expect(environment(2, ExposedState.EnvironmentField.ticks) == 10)
        #expect(environment(3, ExposedState.EnvironmentField.ticks) == 1)
        #expect(environment(4, ExposedState.EnvironmentField.ticks) == 1)
        #expect(environment(1, ExposedState.EnvironmentField.ticks) == 11)
        #expect(environment(0, ExposedState.EnvironmentField.ticks) == 4)
        #expect(environment(4, ExposedState.EnvironmentField.status) == 2)
        #expect(environment(3, ExposedState.EnvironmentField.status) == 3)
        #expect(environment(2, ExposedState.EnvironmentField.status) == 0)
        #expect(environment(2, ExposedState.EnvironmentField.pages) == 0)
        #expect(child(1, 0) == [0, 0, 0])
        func usage(_ id: Int, _ field: Int) -> UInt64 {
            machine.pages.address(machine.exposed.usage).load(
                fromByteOffset: id * ExposedState.UsageField.size + field, as: UInt64.self)
        }
        #expect((0...4).map { usage($0, ExposedState.UsageField.ran) } == [4, 11, 10, 1, 1].map { $0 * ms })
        #expect(usage(4, ExposedState.UsageField.since) == 5 * ms)
        #expect(usage(4, ExposedState.UsageField.waited) == 0)
        machine.run(until: 21 * ms)
        // The first empty place is taken.
        #expect(child(1, 0) == [1, 5, 5])
        machine.run(until: 56 * ms)
        #expect(usage(4, ExposedState.UsageField.waited) == 50 * ms)
        #expect(usage(4, ExposedState.UsageField.since) == 55 * ms)
    }
}
