import SCodeAcceptors
import SCodeIR
import SCodeVerifier

/// The acceptors that programs of the language reference are for.
enum GuideAcceptors {
    static let standard = Acceptor.standard

    /// The acceptor `demo` of the section on host functions. Nothing is run against it, so its functions are nowhere.
    static let demo: Acceptor = {
        var demo = Acceptor.plain
        demo.name = "demo"
        let nowhere = UnsafeRawPointer(bitPattern: 8)
        if let nowhere {
            demo.hostFunctions = [
                OfferedFunction(
                    HostDeclaration(name: "now", parameters: [], result: .ul),
                    HostFunction(parameters: [], result: .uint64, address: nowhere), meaning: "the time"),
                OfferedFunction(
                    HostDeclaration(name: "mix", parameters: [.uc, .d], result: .f),
                    HostFunction(parameters: [.uint8, .double], result: .float, address: nowhere),
                    meaning: "mixes"),
            ]
        }
        return demo
    }()

    static func named(_ name: String?) -> Acceptor? {
        (standard + [demo]).first { $0.name == name ?? Acceptor.plain.name }
    }
}
