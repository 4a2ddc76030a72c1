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

/// A location in two bytes: what it is, and the number of the machine register or slot.
private struct PackedLocation: BitwiseCopyable {
    private enum Kind: UInt8 { case nowhere, machine, vector, slot }
    private var kind = Kind.nowhere
    private var number: UInt8 = 0

    init() {}

    init(_ location: Location) {
        switch location {
        case .nowhere: break
        case .machine(let gpr): (kind, number) = (.machine, gpr.rawValue)
        case .vector(let xmm): (kind, number) = (.vector, xmm.rawValue)
        case .slot(let slot): (kind, number) = (.slot, slot)
        }
    }

    @inline(__always) var location: Location {
        switch kind {
        case .nowhere: .nowhere
        case .machine: .machine(GPR(number: number))
        case .vector: XMM(rawValue: number).map { .vector($0) } ?? .nowhere
        case .slot: .slot(number)
        }
    }
}

/// The result of register allocation. Its tables lie in itself: a fragment of a few instructions has time for none.
struct Allocation {
    static let anchorLimit = 16
    private static let noSlot = UInt8.max

    private var registers = InlineArray<64, PackedLocation>(repeating: PackedLocation())
    private var constants = InlineArray<17, PackedLocation>(repeating: PackedLocation())
    private var anchors = InlineArray<16, PackedLocation>(repeating: PackedLocation())
    private var pages = InlineArray<8, PackedLocation>(repeating: PackedLocation())
    private var homes = InlineArray<64, UInt8>(repeating: noSlot)
    /// Slots that hold SCODE registers; one has a location or a home there, not both.
    private(set) var slotCount = 0
    /// Those that live there.
    private(set) var spilled: RegisterSet = []
    /// Per constant: twice the index of the last instruction that may use it, and one; -1: it is not kept.
    private var constantEnds = InlineArray<17, Int32>(repeating: -1)
    private var usedMachine: UInt16 = 0
    private var usedVectors: UInt16 = 0
    let liveness: ValueLiveness

    init(_ liveness: ValueLiveness) { self.liveness = liveness }

    @inline(__always) func location(_ register: Register) -> Location {
        registers[Int(register.number)].location
    }
    /// In a machine register, or nowhere.
    @inline(__always) func location(_ constant: InstanceConstant) -> Location {
        constants[Int(constant.index)].location
    }
    /// In a machine register, beside its slot, or nowhere else.
    @inline(__always) func location(_ value: PageCacheValue) -> Location { pages[Int(value.index)].location }
    @inline(__always) func location(anchor: UInt8) -> Location { anchors[Int(anchor)].location }
    /// Of a register that is kept in a machine register across a call: the slot it is saved in meanwhile.
    @inline(__always) func home(_ register: Register) -> UInt8? {
        let home = homes[Int(register.number)]
        return home == Self.noSlot ? nil : home
    }
    /// Up to where a constant is kept: twice the index of an instruction, and one; -1: it is not kept.
    @inline(__always) func end(_ constant: InstanceConstant) -> Int { Int(constantEnds[Int(constant.index)]) }

    /// Whether any constant is kept.
    var keepsConstants: Bool {
        for index in constantEnds.indices where constantEnds[index] >= 0 { return true }
        return false
    }

    @inline(__always) func uses(_ register: GPR) -> Bool { usedMachine >> UInt16(register.rawValue) & 1 != 0 }
    @inline(__always) func uses(_ register: XMM) -> Bool { usedVectors >> UInt16(register.rawValue) & 1 != 0 }

    mutating func locate(_ register: Register, _ location: Location) {
        registers[Int(register.number)] = PackedLocation(location)
        note(location)
    }

    mutating func locate(_ constant: InstanceConstant, _ location: Location, end: Int) {
        constants[Int(constant.index)] = PackedLocation(location)
        constantEnds[Int(constant.index)] = location == .nowhere ? -1 : Int32(truncatingIfNeeded: end)
        note(location)
    }

    mutating func locate(anchor: UInt8, _ location: Location) {
        anchors[Int(anchor)] = PackedLocation(location)
        note(location)
    }

    mutating func locate(_ value: PageCacheValue, _ location: Location) {
        pages[Int(value.index)] = PackedLocation(location)
        note(location)
    }

    mutating func spill(_ register: Register) {
        registers[Int(register.number)] = PackedLocation(.slot(UInt8(slotCount)))
        spilled.insert(register)
        slotCount += 1
    }

    mutating func addHome(_ register: Register) {
        homes[Int(register.number)] = UInt8(slotCount)
        slotCount += 1
    }

    private mutating func note(_ location: Location) {
        switch location {
        case .machine(let gpr): usedMachine |= 1 << UInt16(gpr.rawValue)
        case .vector(let xmm): usedVectors |= 1 << UInt16(xmm.rawValue)
        case .nowhere, .slot: break
        }
    }
}
