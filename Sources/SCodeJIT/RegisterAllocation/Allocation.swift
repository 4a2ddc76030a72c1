import SCodeIR
import X86Assembler

/// Where the value of a SCODE register is kept, for the whole fragment.
enum Location: Hashable, BitwiseCopyable {
    case nowhere
    /// An integer or address.
    case machine(GPR)
    /// A floating-point number.
    case vector(XMM)
    /// A slot of the frame, 8 bytes each.
    case slot(UInt8)
}

/// The result of register allocation.
struct Allocation {
    /// Per SCODE register, then per constant of the instance: those are in a machine register or nowhere.
    var locations = [Location](repeating: .nowhere, count: Register.count + InstanceConstant.count)
    /// Per SCODE register that is kept in a machine register across a call: the slot it is saved in meanwhile.
    var homes = [UInt8?](repeating: nil, count: Register.count)
    /// Slots that hold SCODE registers; one has a location or a home there, not both.
    var slotCount = 0
    /// Per constant: twice the index of the last instruction that may use it, and one; -1: it is not kept.
    var constantEnds = [Int](repeating: -1, count: InstanceConstant.count)
    /// Per anchor.
    var anchors: [Location]
    let liveness: ValueLiveness

    init(_ liveness: ValueLiveness, anchorCount: Int) {
        self.liveness = liveness
        anchors = Array(repeating: .nowhere, count: anchorCount)
    }

    func location(_ register: Register) -> Location { locations[Int(register.number)] }
    func location(_ constant: InstanceConstant) -> Location {
        locations[Register.count + Int(constant.index)]
    }

    func location(anchor: UInt8) -> Location { anchors[Int(anchor)] }

    func uses(_ register: GPR) -> Bool {
        locations.contains(.machine(register)) || anchors.contains(.machine(register))
    }
    func uses(_ register: XMM) -> Bool { locations.contains(.vector(register)) }
}
