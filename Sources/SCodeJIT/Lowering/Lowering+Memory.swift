import SCodeIR
import SCodeVerifier

extension Lowering {
    /// A load, store or atomic operation, behind the guards that it needs. Alignment is looked at first.
    mutating func access(_ operation: VOperation, _ instruction: Instruction, _ index: Int) {
        let type = instruction.opcode.type
        var offset: Int64 = 0
        if instruction.opcode.isAtomic, !fragment.isSafe[index] {
            address(instruction, index)
            emit(.guardAligned, index) { $0.size = UInt8(type.size) }
            offset = locate(instruction, index, hasAddress: true)
        } else {
            offset = locate(instruction, index, hasAddress: false)
        }
        emit(operation, index) {
            $0.isWide = type.size == 8
            $0.size = UInt8(type.size)
            $0.flag = type == .c || type == .s
            $0.immediate = offset
            $0.dst = instruction.rd
            $0.a = instruction.rd
            $0.b = instruction.rs2
        }
    }

    /// Makes `address` the host address of an access. Returns what the access has to add to it.
    private mutating func locate(_ instruction: Instruction, _ index: Int, hasAddress: Bool) -> Int64 {
        let isStore = instruction.opcode.isStore
        if case .proved(let region, let offset) = fragment.accesses[index], isMapped(region, isStore),
            Int32(exactly: offset) != nil
        {
            emit(.provedAddress, index) { $0.target = UInt32(region) }
            return offset
        }
        if !hasAddress { address(instruction, index) }
        switch fragment.accesses[index] {
        case .inside(let region) where isMapped(region, isStore),
            .proved(let region, _) where isMapped(region, isStore):
            emit(.insideAddress, index) { $0.target = UInt32(region) }
        case .based(let region) where isCheckedInline(region, isStore):
            guardAccess(.guardRegion, instruction, index, region)
        case .proved, .inside, .based, .unknown:
            // With one region to choose from, an address of unknown origin is most likely in that.
            if let only = onlyPhysicalRegion, isCheckedInline(only, isStore) {
                guardAccess(.guardRegion, instruction, index, only)
            } else {
                guardAccess(.guardPage, instruction, index, 0)
            }
        }
        return 0
    }

    /// Whether the region is host memory that may be accessed so: what is proved to lie inside needs no guard.
    private func isMapped(_ region: UInt8, _ isStore: Bool) -> Bool {
        let region = fragment.regions[Int(region)]
        return region.policy != .virtual && (region.isWritable || !isStore)
    }

    private func isCheckedInline(_ region: UInt8, _ isStore: Bool) -> Bool {
        let region = fragment.regions[Int(region)]
        return region.policy == .physical && (region.isWritable || !isStore)
    }

    private mutating func address(_ instruction: Instruction, _ index: Int) {
        emit(.address, index) {
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
