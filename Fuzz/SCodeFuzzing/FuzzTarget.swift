import SCode

/// What bytes are fed to, and what must hold whatever they are. The fuzzers stop at a broken property; the test that
/// replays corpus and crashers reports it.
public enum FuzzTarget: String, CaseIterable, Sendable {
    /// Parser, formatter and printer.
    case text
    /// Decoder and encoder of modules.
    case module
    /// Decoder and verifier.
    case verifier
    /// Text or module, verified, compiled, and run by both engines.
    case pipeline
    /// What reads eBPF, and then the same.
    case ebpf

    /// Feeds the target.
    /// - Returns: the property that was broken, if one was. A trap, a hang or too much memory are findings, too.
    public func finding(_ input: UnsafeRawBufferPointer) -> Finding? {
        do {
            switch self {
            case .text: try checkText(input)
            case .module: try checkModule(input)
            case .verifier: try checkVerifier(input)
            case .pipeline: try checkPipeline(input)
            case .ebpf: try checkEBPF(input)
            }
            return nil
        } catch {
            return error
        }
    }

    /// Feeds the target, and traps when a property is broken, so that libFuzzer keeps the input.
    public func check(_ input: UnsafeRawBufferPointer) {
        if let finding = finding(input) { fatalError("\(rawValue): \(finding.property)") }
    }
}

/// A property that does not hold.
public struct Finding: Error {
    /// The property, and what was seen instead.
    public let property: String
}

/// Holds a property.
func require(_ condition: Bool, _ property: @autoclosure () -> String) throws(Finding) {
    if !condition { throw Finding(property: property()) }
}
