import CSCodeRuntime
import SCodeIR
import SCodeVerifier
import X86Assembler

/// What an exit of native code tells: of each place where it can leave with its registers observed, the instruction and
/// where the registers are then. All that is kept of a fragment besides its machine code, in one piece of memory.
struct ExitTable: ~Copyable, @unchecked Sendable {
    /// A place, named by the return address of its call of a stub, or of an access that can fault by its own.
    private struct Site: BitwiseCopyable {
        /// From the start of the code.
        var returnOffset: UInt32
        var instruction: UInt32
        /// Of the source; 0: unknown.
        var line: UInt32
        /// Of the floating-point registers, those that hold a `d`: of an `f` the low half counts.
        var doubles: UInt32
        var registers: RegisterSet
    }

    /// Sites by offset; then, for each register in `observed`, in their order, which of the words that the stubs leave in
    /// the context is its value.
    private let memory: UnsafeMutableRawPointer?
    private let count: Int
    private let observed: RegisterSet

    init(
        _ machine: borrowing MachineCode, of fragment: VerifiedFragment,
        observing observation: RegisterObservation
    ) {
        count = machine.sites.count
        guard count > 0 else {
            memory = nil
            observed = []
            return
        }
        let bytes = count * MemoryLayout<Site>.stride
        let observable = ObservableRegisters(fragment, observation)
        var union = RegisterSet()
        for site in machine.sites {
            union.formUnion(observable.registers(at: Int(site.instruction)))
        }
        observed = union
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: bytes + union.rawValue.nonzeroBitCount, alignment: MemoryLayout<Site>.alignment)
        for (index, site) in machine.sites.enumerated() {
            let instruction = Int(site.instruction)
            let record = Site(
                returnOffset: site.returnOffset, instruction: site.instruction,
                line: fragment.code.sourceRange(at: instruction).line,
                doubles: UInt32(truncatingIfNeeded: observable.doubles(at: instruction).rawValue >> 32),
                registers: observable.registers(at: instruction))
            memory.storeBytes(
                of: record, toByteOffset: index * MemoryLayout<Site>.stride, as: Site.self)
        }
        var place = bytes
        var rest = union.rawValue
        while rest != 0 {
            let register = Register(UInt8(truncatingIfNeeded: rest.trailingZeroBitCount))
            memory.storeBytes(
                of: Self.word(machine.allocation.location(register)), toByteOffset: place, as: UInt8.self)
            place += 1
            rest &= rest - 1
        }
        self.memory = memory
    }

    deinit { memory?.deallocate() }

    private static let nowhere = UInt8.max

    /// The words are the machine registers, the halves of vector registers, and the frame, as `scode_context` has them.
    private static func word(_ location: Location) -> UInt8 {
        switch location {
        case .machine(let register): UInt8(register.rawValue)
        case .vector(let register): 16 + UInt8(register.rawValue)
        case .slot(let slot): 32 + slot
        case .nowhere: nowhere
        }
    }

    private func site(at index: Int) -> Site? {
        memory?.load(fromByteOffset: index * MemoryLayout<Site>.stride, as: Site.self)
    }

    private func site(returningTo offset: UInt64) -> Site? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            guard let site = site(at: middle) else { return nil }
            if UInt64(site.returnOffset) == offset { return site }
            if UInt64(site.returnOffset) < offset { low = middle + 1 } else { high = middle }
        }
        return nil
    }

    /// Reads what a stub has left in the context.
    /// - Parameter offset: the return address of its call, from the start of the code.
    func observed(_ words: UnsafePointer<UInt64>, returningTo offset: UInt64) -> ObservedExit {
        guard let memory, let site = site(returningTo: offset) else { return ObservedExit() }
        var exit = ObservedExit(instruction: site.instruction, line: site.line)
        exit.registers = RegisterFile(valid: site.registers)
        let places = memory + count * MemoryLayout<Site>.stride
        for register in site.registers.registers {
            let below = observed.rawValue & (1 << UInt64(register.number) - 1)
            let place = places.load(fromByteOffset: below.nonzeroBitCount, as: UInt8.self)
            let value = place == Self.nowhere ? 0 : words[Int(place)]
            let isHalf = register.bank == .float && site.doubles >> UInt32(register.number & 31) & 1 == 0
            exit.registers.values[Int(register.number)] = isHalf ? value & 0xffff_ffff : value
        }
        return exit
    }
}

/// An exit of native code whose registers are observed.
public struct ObservedExit {
    /// The instruction that it left at, and its line; 0: unknown.
    public var instruction: UInt32
    public var line: UInt32
    public var registers: RegisterFile

    public init(instruction: UInt32 = 0, line: UInt32 = 0, registers: RegisterFile = RegisterFile()) {
        self.instruction = instruction
        self.line = line
        self.registers = registers
    }
}
