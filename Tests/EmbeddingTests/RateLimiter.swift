// The code of docs/embedding.md; a test holds the two against each other.
import SCode

// [state]
/// What the limiter remembers of a client: 16 bytes, in the acceptor's own memory.
struct ClientState {
    var tokens: UInt64
    var lastRefill: UInt64
}
// [/state]

// [clock]
/// A C function that fragments may call: milliseconds, for the example a counter.
let now: @convention(c) () -> UInt64 = { 12_345 }

let clock = OfferedFunction(
    HostDeclaration(name: "now", parameters: [], result: .ul),
    HostFunction(
        parameters: [], result: .uint64, address: unsafeBitCast(now, to: UnsafeRawPointer.self)),
    meaning: "milliseconds since the service started")
// [/clock]

// [macros]
func limiterMacros() throws -> [MacroInstruction] {
    [
        MacroInstruction("allow", [.value(.ul)], .accept, meaning: "lets the request pass, at a price"),
        MacroInstruction("deny", [], .refuse, meaning: "turns the request down"),
        try MacroInstruction(
            "take", [.result(.ul), .value(.ul)],
            template: """
                region state: static rw, 16

                fragment take(left: ul, wanted: ul) {
                    setp    tokens, state
                    ldul    left, tokens
                    bltul   left, wanted, short
                    subul   left, left, wanted
                    stul    left, tokens
                    j       done
                short:
                    setul   left, 0
                done:
                }
                """,
            meaning: "takes tokens from the client's bucket; gives what is left, or 0"),
    ]
}
// [/macros]

// [guard]
/// Every store is moved into the first 64 bytes of the region that it is aimed at: no bounds check can be mispredicted.
func maskedStores() throws -> GuardPolicy {
    GuardPolicy(
        store: try CodeTemplate(
            text: """
                region scratch: static rw, 72

                fragment mask(address: p) {
                    setp    base, scratch
                    subp    address, address, base
                    andul   address, address, 63
                    addp    address, base, address
                }
                """))
}
// [/guard]

// [acceptor]
func limiter() throws -> Acceptor {
    Acceptor(
        name: "limiter", version: 2,
        registers: RegisterSet(rawValue: 0x0fff),  // r0 to r11
        readOnlyRegisters: RegisterSet(rawValue: 1 << 11),
        scratch: RegisterSet(rawValue: 0xff << 16),  // r16 to r23, for the templates
        entryRegisters: [
            EntryRegister(
                Register(11), name: "priority", type: .ul, range: 0...7, meaning: "0 is the least urgent")
        ],
        suppliedArguments: 1,  // the size of the request
        policies: [.static, .physical],
        regions: [
            Region(name: "state", policy: .static, isWritable: true, size: 16),
            Region(name: "scratch", policy: .static, isWritable: true, size: 72),
        ],
        guards: try maskedStores(), macros: try limiterMacros(), hostFunctions: [clock], budget: 1_000)
}
// [/acceptor]

// [policy]
let policy = """
    accept limiter 2

    host now(): ul

    region weights: physical ro, 8 * sizeof(us)

    fragment admit(size: ul, prices: p = weights) {
        register priority = r11
        lshul   offset, priority, 1             // 0 to 14, as the acceptor promises
        ldus    price, prices, offset
        mulul   price, price, size
        callh   now, time
        take    left, price
        bequl   left, 0, no
        allow   price
    no:
        deny
    }
    """
// [/policy]

// [use]
func admit(size: UInt64, priority: UInt64, weights: UnsafeMutableRawPointer, state: UnsafeMutableRawPointer)
    throws
    -> UInt64?
{
    let module = try Module(text: policy, acceptor: limiter())
    guard let code = module.fragment(named: "admit") else { return nil }
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: 72, alignment: 8)
    defer { scratch.deallocate() }
    let fragment = try Fragment(
        code,
        regions: [
            .physical(base: 0x1_0000_0000, host: weights, size: 16, writable: false),  // the program's
            .physical(base: 0x1_1000_0000, host: state, size: 16, writable: true),  // the acceptor's
            .physical(base: 0x1_2000_0000, host: scratch, size: 72, writable: true),
        ])
    fragment.setEntryRegister(0, priority)
    switch fragment.invoke(arguments: [size]).exit {
    case .accept(let price): return price
    case .refuse: return nil
    case .abort(let abort):
        print("the policy was stopped: \(abort.reason) in line \(abort.line)")
        return nil
    }
}
// [/use]

// [work]
/// Workers ask for what is to be added up, and say what came of it.
let worker = {
    var acceptor = Acceptor(
        name: "worker",
        macros: [
            MacroInstruction(
                "next_number", [.result(.ul)], .systemCall(1), meaning: "the next number; 0: there is none"),
            MacroInstruction("finish", [.value(.ul)], .accept, meaning: "ends with a result"),
        ])
    acceptor.isInterruptible = true
    return acceptor
}()

/// - Parameter slice: backward jumps after which the worker is interrupted.
/// - Returns: what the worker made of the numbers, and how often it was interrupted.
func work(on numbers: [UInt64], slice: UInt64) throws -> (result: UInt64, interruptions: Int)? {
    let module = try Module(
        text: """
            accept worker

            fragment sum() {
                setul   sum, 0
            again:
                next_number n
                addul   sum, sum, n
                bneul   n, 0, again
                finish  sum
            }
            """, acceptor: worker)
    guard let code = module.fragment(), let stack = NativeStack(for: .native) else { return nil }
    let fragment = try Fragment(code)
    guard let activation = Activation(fragment, on: stack) else { return nil }
    var rest = numbers.makeIterator()
    var interruptions = 0
    var event = activation.resume(budget: slice)
    while true {
        switch event {
        case .interrupted:
            interruptions += 1  // something else could run now
            event = activation.resume(budget: slice)
        case .systemCall:
            event = activation.resume(budget: activation.remainingBudget, answer: rest.next() ?? 0)
        case .pageFault:
            event = activation.resume(budget: activation.remainingBudget, answer: 0)  // it is aborted
        case .left(let invocation):
            guard case .accept(let result) = invocation.exit else { return nil }
            return (result, interruptions)
        }
    }
}
// [/work]

// [calls]
func total(_ policy: Fragment, _ sizes: [UInt64]) -> UInt64 {
    var price = FragmentCaller(policy)
    var sum: UInt64 = 0
    for size in sizes {
        let outcome = price(size)
        if outcome.way == .accepted { sum += outcome.value }
    }
    return sum
}
// [/calls]
