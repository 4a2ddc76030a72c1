import SCodeIR
import SCodeVerifier

extension VInstruction: CustomStringConvertible {
    /// One line: operation, operands, and the SCODE instruction it serves.
    var description: String {
        let width = isWide ? "64" : "32"
        let last = hasImmediate ? "\(immediate)" : b.name
        let sign = flag ? "signed" : "unsigned"
        let operand = hasImmediate ? "\(immediate)" : a.name
        switch operation {
        case .add, .sub, .mul, .and, .or, .xor, .shiftLeft, .shiftRight, .shiftRightArithmetic, .divideSigned,
            .divideUnsigned, .moduloSigned, .moduloUnsigned:
            return "\(dst.name) := \(operation)\(width) \(a.name), \(last)"
        case .floatAdd, .floatSub, .floatMul, .floatDiv:
            return "\(dst.name) := \(operation)\(width) \(a.name), \(b.name)"
        case .not, .negate, .isZero, .move, .countLeadingZeros, .countTrailingZeros, .populationCount,
            .floatNegate:
            return "\(dst.name) := \(operation)\(width) \(a.name)"
        case .floatToFloat: return "\(dst.name) := float\(width) \(a.name):\(isWide ? 32 : 64)"
        case .integerToFloat: return "\(dst.name) := float\(width) \(sign) \(a.name):\(size * 8)"
        case .floatToInteger: return "\(dst.name) := \(sign)\(size * 8) \(a.name):\(width)"
        case .signExtend, .zeroExtend, .byteSwap:
            return "\(dst.name) := \(operation)\(width) \(a.name):\(size * 8)"
        case .constant: return "\(dst.name) := \(immediate)"
        case .regionBase: return "\(dst.name) := base of region \(target) + \(immediate)"
        case .address: return "address := \(a.name) + \(last)"
        case .provedAddress: return "address := host of region \(target)"
        case .insideAddress: return "address := host of address, inside region \(target)"
        case .guardAligned: return "guard aligned to \(size) bytes"
        case .guardRegion: return "guard region \(target), \(size) bytes\(flag ? ", store" : "")"
        case .guardPage: return "guard page, \(size) bytes\(flag ? ", store" : "")"
        case .load: return "\(dst.name) := load\(flag ? " signed" : "") [address + \(immediate)]:\(size * 8)"
        case .store: return "store [address + \(immediate)]:\(size * 8) := \(a.name)"
        case .atomicAdd, .atomicAnd, .atomicOr, .atomicXor:
            return "\(operation) [address + \(immediate)]:\(size * 8), \(a.name)"
        case .fetchAdd, .fetchAnd, .fetchOr, .fetchXor, .exchange:
            return "\(dst.name) := \(operation) [address + \(immediate)]:\(size * 8), \(a.name)"
        case .compareExchange:
            return "\(dst.name) := \(operation) [address + \(immediate)]:\(size * 8), \(a.name), \(b.name)"
        case .guardNonZero: return "guard \(operand) != 0"
        case .guardTableIndex: return "guard \(a.name) < \(immediate)"
        case .guardBudget: return "guard budget"
        case .guardEntry: return "guard budget >= \(UInt64(bitPattern: immediate))"
        case .branch: return "if \(a.name) \(condition)\(width) \(last) goto L\(target)"
        case .jump: return "goto L\(target)"
        case .jumpTable: return "goto table \(target)[\(a.name)]"
        case .call: return "call procedure \(target)"
        case .return: return "return from procedure \(target)"
        case .trap: return "trap"
        case .label: return "L\(target):"
        case .accept: return "accept \(operand)"
        case .refuse: return "refuse"
        case .abort: return "abort"
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
            case .vector(let xmm): place = "\(xmm)"
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
