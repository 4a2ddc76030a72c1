import SCodeIR
import SCodeVerifier

extension Lowering {
    /// A load, store or atomic operation, behind the guards that it needs. Alignment is looked at first.
    mutating func access(_ operation: VOperation, _ instruction: Instruction, _ index: Int) {
        let type = instruction.opcode.type
        var access = VInstruction(operation, source: index)
        access.isWide = type.size == 8
        access.size = UInt8(type.size)
        access.flag = type == .c || type == .s
        access.dst = instruction.rd
        access.a = instruction.rd
        access.b = instruction.rs2
        let isAlignmentOpen = instruction.opcode.isAtomic && !fragment.facts[index].isSafe
        if isAlignmentOpen {
            address(instruction, index)
            emit(.guardAligned, index) { $0.size = UInt8(type.size) }
        }
        locate(&access, instruction, index, hasAddress: isAlignmentOpen)
        append(access)
    }

    /// Says where an access finds its bytes, and emits what has to be done before it can.
    private mutating func locate(
        _ access: inout VInstruction, _ instruction: Instruction, _ index: Int, hasAddress: Bool
    ) {
        let isStore = instruction.opcode.isStore
        switch fragment.facts[index].access {
        case .proved(let region, let offset) where isMapped(region, isStore) && Int32(exactly: offset) != nil:
            access.target = UInt32(region)
            access.place = .host
            access.immediate = offset
        case .inside(let region) where isMapped(region, isStore) && !masksSpeculation,
            .proved(let region, _) where isMapped(region, isStore) && !masksSpeculation:
            access.target = UInt32(region)
            locateInside(&access, instruction, index, hasAddress: hasAddress)
        case .inside(let region) where isMapped(region, isStore),
            .proved(let region, _) where isMapped(region, isStore),
            .based(let region) where isCheckedInline(region, isStore):
            guardRegion(&access, instruction, index, region, hasAddress: hasAddress)
        case .proved, .inside, .based, .unknown:
            if let windowRegion {
                if !hasAddress { address(instruction, index) }
                access.target = windowRegion
                access.place = .window
            } else if let likelyRegion, isCheckedInline(likelyRegion, isStore) {
                // What lies elsewhere takes the long way, and is found all the same.
                guardRegion(&access, instruction, index, likelyRegion, hasAddress: hasAddress)
            } else {
                if !hasAddress { address(instruction, index) }
                guardAccess(.guardPage, instruction, index, 0)
                access.place = .address
            }
        }
    }

    /// The access is proved to lie in its region: a register, or two, and what does not change are its address.
    private mutating func locateInside(
        _ access: inout VInstruction, _ instruction: Instruction, _ index: Int, hasAddress: Bool
    ) {
        if let form = address(of: instruction, in: access.target) {
            access.place = form.hasIndex ? .hostIndexed : .host
            access.index = form.index
            access.scale = form.scale
            access.immediate = form.offset
            noteSum()
            return
        }
        // All regions of the host policy lie as far from their addresses as the first one.
        if let windowRegion, fragment.regions[Int(access.target)].policy == .host {
            access.target = windowRegion
        }
        if instruction.opcode.form == .immediate, Int32(exactly: instruction.immediate) != nil {
            access.place = .simulated
            access.index = instruction.rs1
            access.immediate = instruction.immediate
        } else {
            if !hasAddress { address(instruction, index) }
            access.place = .simulatedAddress
            noteComputedAddress()
        }
    }

    /// The region and offset that a register holds, when it holds nothing else all through the fragment.
    mutating func onlyBase(_ register: Register) -> (region: UInt32, offset: Int64)? {
        guard let writer = bases.writer(of: register) else { return nil }
        return (code.instructions[writer].index, code.instructions[writer].immediate)
    }

    private mutating func guardRegion(
        _ access: inout VInstruction, _ instruction: Instruction, _ index: Int, _ region: UInt8,
        hasAddress: Bool
    ) {
        if !hasAddress { address(instruction, index) }
        guardAccess(.guardRegion, instruction, index, region)
        access.target = UInt32(region)
        access.place = .offset
    }

    /// Whether the region is host memory that may be accessed so: what is proved to lie inside needs no guard.
    private mutating func isMapped(_ region: UInt8, _ isStore: Bool) -> Bool {
        let region = fragment.regions[Int(region)]
        return region.policy != .virtual && (region.isWritable || !isStore)
    }

    private mutating func isCheckedInline(_ region: UInt8, _ isStore: Bool) -> Bool {
        let region = fragment.regions[Int(region)]
        return region.policy == .physical && (region.isWritable || !isStore)
    }

    private mutating func address(_ instruction: Instruction, _ index: Int) {
        let isWide = windowRegion == nil || fragment.facts[index].access.isProved
        emit(.address, index) {
            $0.isWide = isWide
            $0.a = instruction.rs1
            $0.b = instruction.rs2
            $0.hasImmediate = instruction.opcode.form == .immediate
            $0.immediate = instruction.immediate
        }
    }

    private mutating func guardAccess(
        _ operation: VOperation, _ instruction: Instruction, _ index: Int, _ region: UInt8
    ) {
        emit(operation, index) {
            $0.target = UInt32(region)
            $0.size = UInt8(instruction.opcode.type.size)
            $0.flag = instruction.opcode.isStore
            $0.a = instruction.value
        }
    }
}
