import SCodeIR
import SCodeVerifier

extension VInstruction: CustomStringConvertible {
    /// One line: operation, operands, and the SCODE instruction it serves.
    var description: String {
        let width = isWide ? "64" : "32"
        let last = hasImmediate ? "\(immediate)" : b.name
        let operand = hasImmediate ? "\(immediate)" : a.name
        switch operation {
        case .add, .sub, .mul, .and, .or, .xor, .shiftLeft, .shiftRight, .shiftRightArithmetic, .divideSigned,
            .divideUnsigned, .moduloSigned, .moduloUnsigned:
            return "\(dst.name) := \(operation)\(width) \(a.name), \(last)"
        case .not, .negate, .isZero, .move: return "\(dst.name) := \(operation)\(width) \(a.name)"
        case .signExtend, .zeroExtend: return "\(dst.name) := \(operation)\(width) \(a.name):\(size * 8)"
        case .constant: return "\(dst.name) := \(immediate)"
        case .regionBase: return "\(dst.name) := base of region \(target) + \(immediate)"
        case .address: return "address := \(a.name) + \(last)"
        case .provedAddress: return "address := host of region \(target)"
        case .guardRegion: return "guard region \(target), \(size) bytes\(flag ? ", store" : "")"
        case .guardPage: return "guard page, \(size) bytes\(flag ? ", store" : "")"
        case .load: return "\(dst.name) := load\(flag ? " signed" : "") [address + \(immediate)]:\(size * 8)"
        case .store: return "store [address + \(immediate)]:\(size * 8) := \(a.name)"
        case .guardNonZero: return "guard \(operand) != 0"
        case .guardTableIndex: return "guard \(a.name) < \(immediate)"
        case .guardBudget: return "guard budget"
        case .branch: return "if \(a.name) \(condition)\(width) \(last) goto L\(target)"
        case .jump: return "goto L\(target)"
        case .jumpTable: return "goto table \(target)[\(a.name)]"
        case .label: return "L\(target):"
        case .accept: return "accept \(operand)"
        case .refuse: return "refuse"
        case .callSub: return "call slot \(operand)"
        case .hostArgument: return "argument \(target) := \(operand)"
        case .callHost: return (flag ? "\(dst.name) := " : "") + "call host \(target)"
        }
    }
}

/// What `scodec --dump` prints of the compiler's stages.
public enum CompilerDump {
    /// VCode after optimisation.
    public static func vcode(_ fragment: VerifiedFragment, observing observation: RegisterObservation = .live)
        -> String
    {
        var code = Lowering.lower(fragment, observing: observation)
        StrengthReduction.run(&code)
        return code.instructions.map { $0.operation == .label ? "\($0)\n" : "    \($0)\n" }.joined()
    }

    /// Where each SCODE register is kept.
    public static func allocation(
        _ fragment: VerifiedFragment, observing observation: RegisterObservation = .live
    ) -> String {
        let allocation = LinearScan.run(fragment, observing: observation)
        var text = ""
        for (number, location) in allocation.locations.enumerated() {
            let place: String
            switch location {
            case .nowhere: continue
            case .machine(let gpr): place = "\(gpr)"
            case .slot(let slot): place = "frame slot \(slot)"
            }
            let home = allocation.homes[number].map { ", saved across calls in frame slot \($0)" } ?? ""
            let register = Register(number)
            let name = fragment.code.name(of: register)
            text += "\(register.name)\(name == register.name ? "" : " (\(name))"): \(place)\(home)\n"
        }
        return text
    }
}
