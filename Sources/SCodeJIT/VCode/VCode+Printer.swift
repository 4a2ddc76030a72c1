import SCodeIR
import SCodeVerifier

extension InstanceConstant: CustomStringConvertible {
    var description: String {
        guard let region else { return "address space" }
        return region.isDelta ? "host minus base of region \(region.index)" : "host of region \(region.index)"
    }
}

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
            return
                "\(dst.name) := \(operation)\(width) \(a.name), \(last)\(flag ? ", by multiplication" : "")"
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
        case .address: return "address := \(isWide ? "" : "low half of ")\(a.name) + \(last)"
        case .anchor: return "anchor \(anchor) := host of \(a.name), inside region \(target)"
        case .guardAligned: return "guard aligned to \(size) bytes"
        case .guardRegion: return "guard region \(target), \(size) bytes\(flag ? ", store" : "")"
        case .guardPage: return "guard page, \(size) bytes\(flag ? ", store" : "")"
        case .guardCachedPage: return "guard page of cache \(cache), \(size) bytes\(flag ? ", store" : "")"
        case .load:
            let load = "\(dst.name) := load\(flag ? " signed" : "") [\(placeName)]:\(size * 8)"
            return isFolded ? "\(load), by what comes next" : load
        case .store: return "store [\(placeName)]:\(size * 8) := \(a.name)"
        case .atomicAdd, .atomicAnd, .atomicOr, .atomicXor:
            return "\(operation) [\(placeName)]:\(size * 8), \(a.name)"
        case .fetchAdd, .fetchAnd, .fetchOr, .fetchXor, .exchange:
            return "\(dst.name) := \(operation) [\(placeName)]:\(size * 8), \(a.name)"
        case .compareExchange:
            return "\(dst.name) := \(operation) [\(placeName)]:\(size * 8), \(a.name), \(b.name)"
        case .guardNonZero: return "guard \(operand) != 0"
        case .guardTableIndex: return "guard \(a.name) < \(immediate)"
        case .guardBudget: return flag ? "take one of the budget" : "guard budget"
        case .guardEntry: return "guard budget >= \(UInt64(bitPattern: immediate))"
        case .extent:
            let evenly = scale == 0 ? "" : ", unless it is a multiple of \(1 << scale) goto L\(target)"
            return "extent := \(last) - \(a.name)\(flag ? "" : " - 1"):\(width)\(evenly)"
        case .checkBudget:
            let rounds =
                (scale == 0 ? "extent" : "extent >> \(scale)") + (immediate == 0 ? "" : " + \(immediate)")
            return "unless budget >= \(rounds) goto L\(target)\(flag ? ", else take that" : "")"
        case .checkRange:
            let sum = hasImmediate ? a.name : "\(a.name) + \(b.name)\(scale == 0 ? "" : " << \(scale)")"
            return "unless range \(immediate) from \(sum) is inside goto L\(target)"
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

    private var placeName: String {
        let base =
            switch place {
            case .address: "address"
            case .offset: "host of region \(target) + address"
            case .cachedPage: "page of cache \(cache) + address"
            case .host: "host of region \(target)"
            case .hostIndexed: "host of region \(target) + \(index.name)\(scale == 0 ? "" : " << \(scale)")"
            case .anchored: "anchor \(anchor) + \(index.name)"
            case .simulated: "\(index.name) in region \(target)"
            case .simulatedAddress: "address in region \(target)"
            case .window: "address in the window of region \(target)"
            }
        return immediate == 0 ? base : "\(base) + \(immediate)"
    }
}

extension ByteRange: CustomStringConvertible {
    var description: String {
        let growth = stride == 0 ? "" : ", \(stride) more for each of the extent"
        return "from \(low) to \(high), in region \(region)\(growth)"
    }
}

/// What `scodec --dump` prints of the compiler's stages.
public enum CompilerDump {
    /// VCode after optimisation.
    public static func vcode(_ fragment: VerifiedFragment, observing observation: RegisterObservation = .live)
        -> String
    {
        let code = lowered(fragment, observation)
        let lines = code.instructions.map { $0.operation == .label ? "\($0)" : "    \($0)" }
        let ranges = code.ranges.enumerated().map { "    range \($0): \($1)" }
        return (lines + ranges).joined(separator: "\n") + "\n"
    }

    private static func lowered(_ fragment: VerifiedFragment, _ observation: RegisterObservation) -> VCode {
        var code = Lowering.lower(fragment, observing: observation)
        Optimiser.run(&code, .all, observing: observation)
        return code
    }

    /// Where each SCODE register is kept.
    public static func allocation(
        _ fragment: VerifiedFragment, observing observation: RegisterObservation = .live
    ) -> String {
        let allocation = LinearScan.run(lowered(fragment, observation), observing: observation)
        var text = ""
        for register in RegisterSet.all.registers {
            guard let place = name(allocation.location(register)) else { continue }
            let home = allocation.home(register).map { ", saved across calls in frame slot \($0)" } ?? ""
            let name = fragment.code.name(of: register)
            text += "\(register.name)\(name == register.name ? "" : " (\(name))"): \(place)\(home)\n"
        }
        for constant in InstanceConstant.all {
            if let place = name(allocation.location(constant)) { text += "\(constant): \(place)\n" }
        }
        return text
    }

    private static func name(_ location: Location) -> String? {
        switch location {
        case .nowhere: nil
        case .machine(let gpr): "\(gpr)"
        case .vector(let xmm): "\(xmm)"
        case .slot(let slot): "frame slot \(slot)"
        }
    }
}
