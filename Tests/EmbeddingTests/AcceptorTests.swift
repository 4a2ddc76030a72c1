import Foundation
import SCode
import SCodeAcceptors
import Testing

/// Acceptors made with the public interface alone: templates, guards, regions and registers of their own.
@Suite struct AcceptorTests {
    private static let leave = [
        MacroInstruction("accept", [.value(.ul)], .accept, meaning: ""),
        MacroInstruction("refuse", [], .refuse, meaning: ""),
    ]

    private func acceptor(
        _ macros: [MacroInstruction] = [], guards: GuardPolicy = .standard, regions: [Region] = [],
        scratch: RegisterSet = RegisterSet(rawValue: 0xff << 16)
    ) -> Acceptor {
        Acceptor(
            name: "test", registers: RegisterSet(rawValue: 0xffff), scratch: scratch, suppliedArguments: 4,
            regions: regions, guards: guards, macros: Self.leave + macros)
    }

    /// Both engines, and what the verifier claims, checked.
    private func run(
        _ text: String, _ acceptor: Acceptor, _ arguments: [UInt64] = [], regions: [RegionBinding] = [],
        budget: UInt64? = nil
    ) throws -> Exit {
        let parsed = parse(text)
        #expect(parsed.diagnostics == [])
        let (verified, diagnostics) = Verifier.verify(parsed.program, acceptor: acceptor, keepsStates: true)
        let code = try #require(verified?.fragments.first, "\(diagnostics.map(\.message))")
        let exits = try EngineKind.allCases.map { engine in
            let fragment = try Fragment(
                code, regions: regions, engine: engine, checksFacts: engine == .interpreter)
            let invocation = fragment.invoke(arguments: arguments, budget: budget)
            #expect(invocation.violation == nil)
            return invocation.exit
        }
        #expect(exits[0] == exits[1])
        return exits[0]
    }

    @Test func templatesComputeWithTheirOperands() throws {
        let macros = [
            try MacroInstruction(
                "clamp", [.result(.ul), .value(.ul), .value(.ul)],
                template: """
                    fragment clamp(result: ul, value: ul, most: ul) {
                        movul   result, value
                        bleul   result, most, done
                        movul   result, most
                    done:
                    }
                    """, meaning: "")
        ]
        let acceptor = acceptor(macros)
        let text =
            "fragment f(x: ul, y: ul) {\n    clamp z, x, 10\n    clamp x, y, x\n    addul x, x, z\n    accept x\n}\n"
        // The last two use a result that is a source as well.
        #expect(try run(text, acceptor, [3, 100]) == .accept(6))
        #expect(try run(text, acceptor, [50, 20]) == .accept(30))
    }

    /// A template cannot see or change registers of the code around it, and cuts values to their types.
    @Test func templatesKeepToThemselves() throws {
        let macros = [
            try MacroInstruction(
                "wreck", [.value(.uc)],
                template:
                    "fragment w(v: uc) {\n    setul v, 9\n    setul a, 1\n    setul b, 2\n    setul c, 3\n}\n",
                meaning: ""),
            try MacroInstruction(
                "low", [.result(.ul), .value(.uc)],
                template: "fragment l(result: ul, v: uc) {\n    movul result, v\n}\n", meaning: ""),
        ]
        let text = """
            fragment f(x: ul) {
                setul   a, 100
                setul   b, 200
                wreck   x
                low     c, x
                addul   a, a, b
                addul   a, a, c
                addul   a, a, x
                accept  a
            }
            """
        #expect(try run(text, acceptor(macros), [0x1ff]) == .accept(300 + 0xff + 0x1ff))
    }

    @Test func templatesLeave() throws {
        let macros = [
            try MacroInstruction(
                "need", [.value(.ul)],
                template:
                    "fragment n(v: ul) {\n    bneul v, 0, on\n    abort\non:\n    bneul v, 7, done\n    accept 70\ndone:\n}\n",
                meaning: ""),
            try MacroInstruction("stop", [], template: "fragment s() {\n    refuse\n}\n", meaning: ""),
        ]
        let text = "fragment f(x: ul) {\n    need x\n    stop\n}\n"
        #expect(try run(text, acceptor(macros), [1]) == .refuse)
        #expect(try run(text, acceptor(macros), [7]) == .accept(70))
        guard case .abort(let abort) = try run(text, acceptor(macros), [0]) else {
            Issue.record("not aborted")
            return
        }
        #expect(abort.reason == .policy && abort.line == 2)
    }

    /// A guard of the acceptor's own: stores go where it sends them, and are proved to.
    @Test func storesAreMasked() throws {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 80, alignment: 8)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: 80)
        let region = Region(name: "scratch", policy: .static, isWritable: true, size: 72)
        let acceptor = acceptor(guards: try maskedStores(), regions: [region])
        let text = "fragment f(at: p) {\n    setul x, ~0\n    stuli x, at, 100\n    accept 1\n}\n"
        let binding = RegionBinding.physical(base: 1 << 32, host: memory, size: 72, writable: true)
        #expect(try run(text, acceptor, [0xdead_beef], regions: [binding]) == .accept(1))
        // (address + 100 - base) & 63, and eight bytes from there.
        let offset = Int((0xdead_beef &+ 100 &- (1 << 32 as UInt64)) & 63)
        for index in 0..<72 {
            let byte = memory.load(fromByteOffset: index, as: UInt8.self)
            #expect(byte == (index >= offset && index < offset + 8 ? 0xff : 0))
        }
        let code = try #require(try Module(text: text, acceptor: acceptor).fragment())
        #expect(code.facts.allSatisfy { !$0.access.isProved } == false)
    }

    /// A jump guard in place of the budget: ten rounds, counted in the acceptor's memory.
    @Test func jumpsAreGuardedByTheAcceptor() throws {
        let guards = GuardPolicy(
            jump: try CodeTemplate(
                text: """
                    region count: static rw, 8

                    fragment guard() {
                        setp    place, count
                        ldul    n, place
                        addul   n, n, 1
                        stul    n, place
                        bltul   n, 10, on
                        abort
                    on:
                    }
                    """), chargesBudget: false)
        let region = Region(name: "count", policy: .static, isWritable: true, size: 8)
        let text = "fragment f() {\nagain:\n    j again\n}\n"
        let code = try #require(
            try Module(text: text, acceptor: acceptor(guards: guards, regions: [region])).fragment())
        for engine in EngineKind.allCases {
            let memory = UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8)
            defer { memory.deallocate() }
            memory.storeBytes(of: 0, as: UInt64.self)
            let fragment = try Fragment(
                code, regions: [.physical(base: 1 << 32, host: memory, size: 8, writable: true)],
                engine: engine)
            guard case .abort(let abort) = fragment.invoke(budget: 3).exit else {
                Issue.record("not aborted")
                return
            }
            #expect(abort.reason == .policy)
            #expect(memory.load(as: UInt64.self) == 10)
        }
    }

    /// An address that a program makes up leads to no region of the acceptor's.
    @Test func programsCannotReachTheAcceptorsRegions() throws {
        let region = Region(name: "state", policy: .static, isWritable: true, size: 16)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 8)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: 16)
        let binding = RegionBinding.physical(base: 1 << 32, host: memory, size: 16, writable: true)
        let text = "fragment f(p: ul) {\n    setul v, 77\n    stul v, p\n    accept v\n}\n"
        guard
            case .abort(let abort) = try run(text, acceptor(regions: [region]), [1 << 32], regions: [binding])
        else {
            Issue.record("not aborted")
            return
        }
        #expect(abort.reason == .outOfBounds)
        #expect(memory.load(as: UInt64.self) == 0)
        // Other policies find regions by address: the acceptor's own are static.
        let open = Region(name: "state", policy: .physical, isWritable: true, size: 16)
        let (verified, diagnostics) = Verifier.verify(
            parse(text).program, acceptor: acceptor(regions: [open]))
        #expect(verified == nil && diagnostics.map(\.rule) == [.regions])
    }

    @Test func mistakesOfAcceptorsAreReported() throws {
        #expect(throws: DiagnosticsError.self) {
            try CodeTemplate(text: "fragment f() {\n    addul r1, r2, r3\n}\n")
        }
        #expect(throws: DiagnosticsError.self) {
            try CodeTemplate(text: "fragment f() {\n    accept 1, 2\n}\n")
        }
        #expect(throws: DiagnosticsError.self) { try CodeTemplate(text: "nonsense") }
        let greedy = try MacroInstruction(
            "m", [], template: "fragment m() {\n    setul a, 1\n    setul b, 2\n    accept b\n}\n",
            meaning: "")
        func rules(_ acceptor: Acceptor) -> [VerifierRule] {
            Verifier.verify(parse("fragment f() {\n    m\n    refuse\n}\n").program, acceptor: acceptor)
                .diagnostics
                .filter { $0.severity == .error }.compactMap(\.rule)
        }
        #expect(rules(acceptor([greedy], scratch: RegisterSet(rawValue: 1 << 16))) == [.macros])
        #expect(rules(acceptor([greedy])) == [])
        // Registers that fragments could name are no scratch registers.
        #expect(rules(acceptor([greedy], scratch: RegisterSet(rawValue: 3))) == [.limits])
        let lost = try MacroInstruction(
            "m", [], template: "region nowhere: static ro, 8\nfragment m() {\n    setp a, nowhere\n}\n",
            meaning: "")
        #expect(rules(acceptor([lost])) == [.macros])
    }

    @Test func entryRegistersHoldWhatIsPromised() throws {
        let code = try #require(try Module(text: policy, acceptor: limiter()).fragment())
        // The index that the promise bounds proves the access.
        #expect(code.facts.filter(\.access.isProved).count >= 1)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 8)
        defer { memory.deallocate() }
        let fragment = try Fragment(
            code,
            regions: [
                .physical(base: 1 << 32, host: memory, size: 16, writable: false),
                .physical(base: 1 << 33, host: memory + 16, size: 16, writable: true),
                .physical(base: 1 << 34, host: memory + 32, size: 72, writable: true),
            ])
        #expect(fragment.setEntryRegister(0, 7))
        #expect(!fragment.setEntryRegister(0, 8))
        #expect(!fragment.setEntryRegister(1, 0))
    }

    @Test func limiterOfTheGuideWorks() throws {
        let weights = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 8)
        let state = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 8)
        defer {
            weights.deallocate()
            state.deallocate()
        }
        for priority in 0..<8 {
            weights.storeBytes(of: UInt16(priority + 1), toByteOffset: 2 * priority, as: UInt16.self)
        }
        state.storeBytes(of: ClientState(tokens: 100, lastRefill: 0), as: ClientState.self)
        #expect(try admit(size: 10, priority: 2, weights: weights, state: state) == 30)
    }

    @Test func workerOfTheGuideWorks() throws {
        let done = try #require(try work(on: [3, 4, 5, 6], slice: 2))
        // Four jumps: the third waits for the second budget.
        #expect(done.result == 18 && done.interruptions == 1)
        #expect(try work(on: [], slice: 1)?.result == 0)
    }

    /// Pages that are mapped can be read wherever they are; what lies beyond ends the fragment.
    @Test func sharedPages() throws {
        #expect(try sum(from: 0x1_0000) == .accept(0))
        #expect(try sum(from: 0x2_0001) == .accept(8 * 0x0101_0101_0101_0101))
        guard case .abort(let abort) = try sum(from: 0x2_2000 - 63) else {
            Issue.record("not aborted")
            return
        }
        #expect(abort.reason == .outOfBounds && abort.address == 0x2_2000 && abort.line == 7)
    }

    /// What the guide shows is what is compiled here.
    @Test func guideShowsThisCode() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let source = try ["RateLimiter.swift", "SharedPages.swift"].map {
            try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8)
        }.joined()
        let guide = try String(
            contentsOf: folder.appendingPathComponent("../../docs/embedding.md").standardizedFileURL,
            encoding: .utf8)
        for part in [
            "state", "clock", "macros", "guard", "acceptor", "policy", "use", "calls", "pages", "work",
        ] {
            let code = source.components(separatedBy: "// [\(part)]\n").last?.components(
                separatedBy: "// [/\(part)]"
            ).first
            let text = try #require(code)
            #expect(guide.contains("```swift\n\(text)```"), "\(part)")
        }
    }

    @Test func filterLoadsNetworkOrder() throws {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 8)
        defer { memory.deallocate() }
        for index in 0..<16 { memory.storeBytes(of: UInt8(index + 1), toByteOffset: index, as: UInt8.self) }
        let text = """
            region packet: physical ro, 16
            fragment f(p: p = packet, n: ul = 0) {
                f_ld16  a, p, 2
                f_ld32  b, p, n
                addul   a, a, b
                f_accept a
            }
            """
        let binding = RegionBinding.physical(base: 1 << 32, host: memory, size: 16, writable: false)
        #expect(try run(text, .filter, [1 << 32, 4], regions: [binding]) == .accept(0x0304 + 0x0506_0708))
    }
}
