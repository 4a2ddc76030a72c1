import Foundation
import SCode
import Testing

/// Fragments are installed, replaced and removed while threads run them. Old code stays until its last runner has left.
@Suite(.serialized) struct ConcurrencyTests {
    /// Changes by the one who installs. `SCODE_CONCURRENT_CHANGES` sets it.
    static let changes =
        Int(ProcessInfo.processInfo.environment["SCODE_CONCURRENT_CHANGES"] ?? "") ?? 100_000

    private static func acceptor(_ functions: [MacroInstruction] = []) -> Acceptor {
        Acceptor(
            name: "shared", readOnlyRegisters: RegisterSet(rawValue: 1 << 31),
            entryRegisters: [EntryRegister(Register(31), name: "number", type: .ul, meaning: "")],
            macros: [
                MacroInstruction("accept", [.value(.ul)], .accept, meaning: ""),
                MacroInstruction("refuse", [], .refuse, meaning: ""),
                MacroInstruction("sub", [.value(.ul)], .subSchedule, meaning: ""),
            ] + functions, budget: 1000)
    }

    private static func code(_ body: String, _ acceptor: Acceptor = acceptor()) throws -> VerifiedFragment {
        try #require(try Module(text: "fragment f() {\n\(body)\n}\n", acceptor: acceptor).fragment())
    }

    private final class Weak {
        weak var fragment: Fragment?
        init(_ fragment: Fragment) { self.fragment = fragment }

        /// Whether it goes, soon: tests that run beside this one may have been in fragments of theirs when it was taken out,
        /// and then it is freed when they have left.
        var isGone: Bool {
            for _ in 0..<2000 where fragment != nil { Thread.sleep(forTimeInterval: 0.01) }
            return fragment == nil
        }
    }

    // MARK: Under load

    /// A fragment that calls one that calls one that tells its number, which grows: every level is exchanged and taken
    /// out, with machine code of its own for each.
    private final class Installer {
        let engine: EngineKind
        let root = FragmentSlot()
        private let above: VerifiedFragment
        private let leaf: VerifiedFragment
        private var top: Fragment
        private var middle: Fragment
        private var number: UInt64 = 0
        private(set) var made: [Weak] = []

        init(_ engine: EngineKind) throws {
            self.engine = engine
            above = try code("sub 0\n refuse")
            leaf = try code("accept r31")
            top = try Fragment(above, slotCount: 1, engine: engine)
            middle = try Fragment(above, slotCount: 1, engine: engine)
            top.setSlot(0, middle)
            root.install(top)
        }

        private func new(_ code: VerifiedFragment) throws -> Fragment {
            let fragment = try Fragment(code, slotCount: 1, engine: engine)
            made.append(Weak(fragment))
            return fragment
        }

        private var currentLeaf: Fragment?

        func change(_ kind: Int) throws {
            switch kind {
            case 0:
                let fragment = try new(above)
                fragment.setSlot(0, currentLeaf)
                middle = fragment
                top.setSlot(0, middle)
            case 1:
                let fragment = try new(above)
                fragment.setSlot(0, middle)
                top = fragment
                root.install(top)
            case 2:
                currentLeaf = nil
                middle.setSlot(0, nil)
            default:
                number += 1
                let fragment = try new(leaf)
                fragment.setEntryRegister(0, number)
                currentLeaf = fragment
                middle.setSlot(0, fragment)
            }
        }

        func removeAll() {
            currentLeaf = nil
            top.setSlot(0, nil)
            middle.setSlot(0, nil)
            root.install(nil)
        }
    }

    @Test(arguments: EngineKind.allCases) func fragmentsAreExchangedWhileThreadsRunThem(_ engine: EngineKind)
        throws
    {
        let installer = try Installer(engine)
        let isOver = Flag()
        let (begun, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let results = (0..<3).map { _ in Results() }
        for result in results {
            let root = installer.root
            Thread.detachNewThread {
                begun.signal()
                while !isOver.isSet { result.note(root.invoke()) }
                ended.signal()
            }
        }
        for _ in results { begun.wait() }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<Self.changes { try installer.change(Int.random(in: 0..<8, using: &random)) }
        isOver.set()
        for _ in results { ended.wait() }
        for result in results {
            #expect(
                result.mistakes == 0, "each invocation found a fragment, and never an older one than before")
            #expect(result.count > 0)
        }
        // Of what is in nobody's hands nothing is left.
        let last = installer.made.suffix(64).count
        #expect(installer.made.dropLast(last).filter { !$0.isGone }.count <= 3)
        installer.removeAll()
        print(
            "concurrency, \(engine): \(Self.changes) changes, \(results.map(\.count).reduce(0, +)) invocations, "
                + "\(results.map(\.accepted).reduce(0, +)) of them to the end of the chain")
    }

    private final class Results: @unchecked Sendable {
        private(set) var count = 0
        private(set) var accepted = 0
        private(set) var mistakes = 0
        private var last: UInt64 = 0

        func note(_ invocation: Invocation?) {
            count += 1
            switch invocation?.exit {
            case .accept(let number):
                accepted += 1
                if number < last || number == 0 { mistakes += 1 }
                last = max(last, number)
            case .refuse: break
            case .abort, nil: mistakes += 1
            }
        }
    }

    private final class Flag: @unchecked Sendable {
        private let lock = NSLock()
        private var value = false
        var isSet: Bool { lock.withLock { value } }
        func set() { lock.withLock { value = true } }
    }

    // MARK: Until the last has left

    /// What functions of the host do for the fragment that calls them.
    private final class Host: @unchecked Sendable {
        var act: () -> Void = {}

        var macro: MacroInstruction {
            let call: @convention(c) (UnsafeMutableRawPointer?) -> Void = { host in
                if let host { Unmanaged<Host>.fromOpaque(host).takeUnretainedValue().act() }
            }
            return MacroInstruction(
                "act", [],
                .hostCall(
                    HostFunction(
                        parameters: [], result: nil, address: unsafeBitCast(call, to: UnsafeRawPointer.self),
                        userData: Unmanaged.passUnretained(self).toOpaque())), meaning: "")
        }
    }

    @Test(arguments: EngineKind.allCases) func codeStaysWhileSomebodyIsInIt(_ engine: EngineKind) throws {
        let host = Host()
        let (entered, goOn) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        host.act = {
            entered.signal()
            goOn.wait()
        }
        let parent = try Fragment(Self.code("sub 0\n refuse"), slotCount: 1, engine: engine)
        let child = Weak(parent)
        do {
            let acceptor = Self.acceptor([host.macro])
            let fragment = try Fragment(Self.code("act\n accept 7", acceptor), slotCount: 1, engine: engine)
            child.fragment = fragment
            parent.setSlot(0, fragment)
        }
        let ended = DispatchSemaphore(value: 0)
        let result = Results()
        Thread.detachNewThread {
            result.note(parent.invoke())
            ended.signal()
        }
        entered.wait()
        parent.setSlot(0, nil)
        #expect(child.fragment != nil, "somebody is in it")
        // Who comes now does not find it, and does not wait for whoever is in it.
        #expect(parent.invoke().exit == .refuse)
        #expect(child.fragment != nil, "somebody is still in it")
        goOn.signal()
        ended.wait()
        #expect(result.accepted == 1)
        #expect(child.isGone, "the last one has left")
    }

    @Test(arguments: EngineKind.allCases) func aFragmentTakesItselfOut(_ engine: EngineKind) throws {
        let host = Host()
        let acceptor = Self.acceptor([host.macro])
        let parent = try Fragment(Self.code("sub 0\n refuse"), slotCount: 1, engine: engine)
        let slot = FragmentSlot()
        let (child, root) = (Weak(parent), Weak(parent))
        do {
            // What it does after it is gone needs its registers, its memory of where it was, and its code.
            let text = "setul r1, 5\n act\n adduli r1, r1, 2\n accept r1"
            let fragment = try Fragment(Self.code(text, acceptor), slotCount: 1, engine: engine)
            child.fragment = fragment
            parent.setSlot(0, fragment)
            let other = try Fragment(Self.code(text, acceptor), engine: engine)
            root.fragment = other
            slot.install(other)
        }
        host.act = { parent.setSlot(0, nil) }
        #expect(parent.invoke().exit == .accept(7))
        #expect(child.isGone)
        #expect(parent.invoke().exit == .refuse)

        host.act = { slot.install(nil) }
        #expect(slot.invoke()?.exit == .accept(7))
        #expect(root.isGone)
        #expect(slot.invoke() == nil)

        // One that puts another in its place, which the next invocation finds.
        let successor = try Fragment(Self.code("accept 8"), engine: engine)
        parent.setSlot(0, try Fragment(Self.code("act\n accept 9", acceptor), engine: engine))
        host.act = { parent.setSlot(0, successor) }
        #expect(parent.invoke().exit == .accept(9))
        #expect(parent.invoke().exit == .accept(8))
        // And one in its own slot keeps nobody alive.
        let itself: Weak
        do {
            let fragment = try Fragment(Self.code("sub 0\n refuse"), slotCount: 1, engine: engine)
            fragment.setSlot(0, fragment)
            itself = Weak(fragment)
        }
        #expect(itself.isGone)
    }

    /// A function of the host runs other fragments in the thread of the one that called it, and takes that one out.
    @Test(arguments: EngineKind.allCases) func anInvocationInsideAnotherLeavesItIn(_ engine: EngineKind)
        throws
    {
        let host = Host()
        let parent = try Fragment(Self.code("sub 0\n refuse"), slotCount: 1, engine: engine)
        let inner = try Fragment(Self.code("sub 0\n accept 1"), slotCount: 1, engine: engine)
        let child = Weak(parent)
        do {
            let acceptor = Self.acceptor([host.macro])
            let fragment = try Fragment(Self.code("act\n accept 7", acceptor), engine: engine)
            child.fragment = fragment
            parent.setSlot(0, fragment)
        }
        let other = try Fragment(Self.code("refuse"), engine: engine)
        var exits: [Exit] = []
        var stays: [Bool] = []
        host.act = {
            // One that comes and leaves before is no reason to let go of it,
            exits.append(inner.invoke().exit)
            parent.setSlot(0, nil)
            stays.append(child.fragment != nil)
            // nor is one that comes afterwards, when something else is taken out.
            exits.append(inner.invoke().exit)
            inner.setSlot(0, other)
            inner.setSlot(0, nil)
            stays.append(child.fragment != nil)
        }
        #expect(parent.invoke().exit == .accept(7))
        #expect(exits == [.accept(1), .accept(1)])
        #expect(stays == [true, true], "it is still in it")
        #expect(child.isGone, "it has left")
    }

    @Test(arguments: EngineKind.allCases) func anActivationKeepsWhatItHasStoppedIn(_ engine: EngineKind)
        throws
    {
        var acceptor = Self.acceptor()
        acceptor.isInterruptible = true
        let parent = try Fragment(Self.code("sub 0\n refuse", acceptor), slotCount: 1, engine: engine)
        let child = Weak(parent)
        do {
            let text = "setul r1, 10\nagain:\n subuli r1, r1, 1\n bneuli r1, 0, again\n accept 3"
            let fragment = try Fragment(Self.code(text, acceptor), engine: engine)
            child.fragment = fragment
            parent.setSlot(0, fragment)
        }
        let stack = try #require(NativeStack(for: engine))
        do {
            let activation = try #require(Activation(parent, on: stack))
            guard case .interrupted = activation.resume(budget: 5) else {
                Issue.record("not interrupted")
                return
            }
            parent.setSlot(0, nil)
            #expect(child.fragment != nil, "it goes on there")
            guard case .left(let invocation) = activation.resume(budget: 100) else {
                Issue.record("not over")
                return
            }
            #expect(invocation.exit == .accept(3))
        }
        #expect(child.isGone)
    }
}
