import CSCodeRuntime
import CUnicorn
import SCodeTestSupport

@testable import SCode

/// Executes generated code in Unicorn, which shares nothing with the processor or with us, on the very memory that the
/// processor works on, and watches each load, store and jump.
///
/// Functions of the host that the code calls are called for real, and then every register that C may change is changed.
final class Emulator {
    /// What the code did that it must not.
    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    /// Bytes that the code may touch.
    private struct Range {
        var start: UInt64
        var end: UInt64
        var isWritable: Bool
        init(_ start: UnsafeRawPointer?, _ size: Int, isWritable: Bool = false) {
            self.start = UInt64(UInt(bitPattern: start))
            end = self.start + UInt64(size)
            self.isWritable = isWritable
        }
    }

    private(set) var engine: OpaquePointer
    private let disassembler: Disassembler
    private let stack = UnsafeMutableRawPointer.allocate(byteCount: stackSize, alignment: 4096)
    private static let stackSize = 64 << 10
    /// Where the code returns to: nothing lies there.
    private static let end: UInt64 = 0x5ead_0000_0000
    private static let chunk: UInt64 = 1 << 20
    /// Chunks of the process's memory that the emulator sees. What of them may be touched, `ranges` say.
    private var mapped: Set<UInt64> = []

    private var ranges: [Range] = []
    private var codes: [ClosedRange<UInt64>] = []
    /// Where instructions begin.
    private var boundaries: Set<UInt64> = []
    private var replacements: [UInt64: Replacement] = [:]
    private var violation: String?
    /// The function of the host that the code has called.
    private var called: UInt64?
    private var blocks = 0
    /// No program that ends takes more.
    private static let blockLimit = 10_000_000
    /// Loads, stores and blocks that were looked at.
    private(set) var checks = 0

    /// Bytes of code that this engine has been given.
    private var codeSize = 0
    /// An engine keeps what it translates in 1 GiB, and falls when that is full: version 2.0 goes on from a block that it
    /// has just thrown away. A byte of code becomes some fifty there, hooks included.
    private static let codeLimit = 4 << 20

    init() throws {
        disassembler = try Disassembler()
        engine = try Self.open()
        try hook()
    }

    deinit {
        uc_close(engine)
        stack.deallocate()
    }

    private static func open() throws -> OpaquePointer {
        var opened: OpaquePointer?
        guard uc_open(UC_ARCH_X86, UC_MODE_64, &opened) == UC_ERR_OK, let opened else {
            throw Violation(description: "Unicorn cannot be opened")
        }
        return opened
    }

    private func hook() throws {
        let me = Unmanaged.passUnretained(self).toOpaque()
        try check(unicorn_use_haswell(engine))
        try check(
            unicorn_hook_accesses(
                engine,
                { _, type, address, size, _, me in
                    guard let me else { return }
                    Unmanaged<Emulator>.fromOpaque(me)._withUnsafeGuaranteedRef {
                        $0.access(address, UInt64(size), isStore: type == UC_MEM_WRITE)
                    }
                }, me))
        try check(
            unicorn_hook_blocks(
                engine,
                { _, address, size, me in
                    guard let me else { return }
                    Unmanaged<Emulator>.fromOpaque(me)._withUnsafeGuaranteedRef {
                        $0.block(address, UInt64(size))
                    }
                }, me))
    }

    /// Takes a new engine when this one has translated a lot.
    private func renewEngine(for fragments: [Fragment]) throws {
        codeSize += fragments.reduce(0) { $0 + ($1.native?.bytes.count ?? 0) }
        guard codeSize > Self.codeLimit else { return }
        codeSize = 0
        uc_close(engine)
        mapped = []
        engine = try Self.open()
        try hook()
    }

    private func check(_ error: uc_err) throws {
        if error != UC_ERR_OK { throw Violation(description: String(cString: uc_strerror(error))) }
    }

    // MARK: What is watched

    private func access(_ address: UInt64, _ size: UInt64, isStore: Bool) {
        checks += 1
        for range in ranges where address >= range.start && address < range.end {
            if address + size <= range.end, range.isWritable || !isStore { return }
        }
        stop("\(isStore ? "store to" : "load from") 0x\(String(address, radix: 16)), \(size) bytes")
    }

    private func block(_ address: UInt64, _ size: UInt64) {
        checks += 1
        blocks += 1
        if blocks > Self.blockLimit { return stop("does not end") }
        guard let code = codes.first(where: { $0.contains(address) }) else {
            // Whoever resumes finds out whether it is a function that may be called.
            called = address
            uc_emu_stop(engine)
            return
        }
        if !boundaries.contains(address) || address + size > code.upperBound {
            stop("jump to 0x\(String(address &- code.lowerBound, radix: 16)) of the code")
        }
    }

    private func stop(_ reason: String) {
        if violation == nil {
            violation = "\(reason), at \(instruction(at: read(UC_X86_REG_RIP)))"
        }
        uc_emu_stop(engine)
    }

    /// An instruction of the code, for people: its offset and what it says.
    private func instruction(at address: UInt64) -> String {
        guard let code = codes.first(where: { $0.contains(address) }) else {
            return "0x\(String(address, radix: 16)), outside the code"
        }
        let bytes = UnsafeRawBufferPointer(
            start: UnsafeRawPointer(bitPattern: UInt(code.lowerBound)),
            count: Int(code.upperBound - code.lowerBound))
        let offset = Int(address - code.lowerBound)
        return
            "0x\(String(offset, radix: 16)): \(disassembler.decode(bytes, at: offset)?.text ?? "no instruction")"
    }

    // MARK: Running

    /// Enters the first of the fragments, as `scode_enter` does. All are native code.
    /// - Parameter frames: pages of simulated memory that the address space maps.
    func run(
        _ fragments: [Fragment], context: UnsafeMutablePointer<scode_context>,
        arguments: UnsafePointer<UInt64>,
        frames: [(page: UnsafeMutableRawPointer, isWritable: Bool)]
    ) throws -> scode_result {
        try renewEngine(for: fragments)
        try watch(fragments, context, arguments, frames)
        violation = nil
        blocks = 0
        let hooks = try hookReplacements()
        defer { for hook in hooks { uc_hook_del(engine, hook) } }
        var next = UInt64(UInt(bitPattern: fragments[0].native?.outerEntry))
        let top = UInt64(UInt(bitPattern: stack + Self.stackSize - 64))
        prepareRegisters(top, context, fragments[0].instance, arguments)
        while next != Self.end {
            called = nil
            let error = uc_emu_start(engine, next, Self.end, 0, 0)
            if let violation { throw Violation(description: violation) }
            next = read(UC_X86_REG_RIP)
            if next == Self.end, error == UC_ERR_OK { break }
            guard error == UC_ERR_OK || error == UC_ERR_FETCH_UNMAPPED, let call = functions[called ?? next]
            else {
                throw Violation(
                    description:
                        "\(String(cString: uc_strerror(error))) at \(instruction(at: called ?? next))")
            }
            next = try perform(call)
        }
        try checkRegisters(top)
        return scode_result(status: read(UC_X86_REG_RAX), value: read(UC_X86_REG_RDX))
    }

    private func watch(
        _ fragments: [Fragment], _ context: UnsafeMutablePointer<scode_context>,
        _ arguments: UnsafePointer<UInt64>,
        _ frames: [(page: UnsafeMutableRawPointer, isWritable: Bool)]
    ) throws {
        ranges = [
            Range(stack, Self.stackSize, isWritable: true),
            Range(context, MemoryLayout<scode_context>.size, isWritable: true),
            Range(arguments, Int(fragments[0].instance.pointee.argument_count) * 8),
        ]
        codes = []
        boundaries = []
        replacements = [:]
        for fragment in fragments {
            let instance = fragment.instance
            let regionCount = Int(instance.pointee.region_count)
            let below = regionCount * MemoryLayout<scode_region>.stride
            let words = Int(instance.pointee.argument_count) + max(fragment.slotCount, Int(SCODE_LEAST_SLOTS))
            ranges.append(
                Range(
                    UnsafeRawPointer(instance) - below,
                    below + MemoryLayout<scode_instance>.size + words * 8))
            ranges.append(Range(instance.pointee.space, MemoryLayout<scode_space>.size))
            if let functions = instance.pointee.host_functions {
                let count = fragment.code?.macros.count ?? 0
                ranges.append(Range(functions, count * Int(SCODE_HOST_FUNCTION_STRIDE)))
                for index in 0..<count {
                    if let invoke = functions[index].invoke {
                        let address = unsafeBitCast(invoke, to: UInt64.self)
                        self.functions[address] = .invoke
                    }
                }
            }
            for index in 0..<regionCount {
                let region = scode_region_at(instance, UInt64(index)).pointee
                let isWritable = region.flags & UInt64(SCODE_REGION_WRITABLE) != 0
                if region.host != nil {
                    ranges.append(Range(region.host, Int(region.size), isWritable: isWritable))
                }
            }
            guard let native = fragment.native else { throw Violation(description: "no native code") }
            let start = native.address
            ranges.append(Range(UnsafeRawPointer(bitPattern: UInt(start)), native.bytes.count))
            codes.append(start...start + UInt64(native.bytes.count))
            note(native)
            try forget(start, start + UInt64(native.bytes.count))
        }
        ranges += frames.map { Range($0.page, PhysicalMemory.pageSize, isWritable: $0.isWritable) }
        for range in ranges where range.start != 0 { try map(range) }
    }

    /// What is known of a piece of code, by offset.
    private struct Disassembly {
        var bytes: [UInt8]
        var boundaries: [Int] = []
        var replacements: [(offset: Int, Replacement)] = []
    }
    /// Of the codes that were looked at last: chains of fragments have most of theirs in common with the one before.
    private var disassemblies: [Disassembly] = []

    private func note(_ native: NativeCode) {
        let known = disassemblies.first { $0.bytes == native.bytes } ?? disassemble(native)
        boundaries.formUnion(known.boundaries.lazy.map { native.address + UInt64($0) })
        for (offset, replacement) in known.replacements {
            replacements[native.address + UInt64(offset)] = replacement
        }
    }

    /// Code, then tables, then the outer entry: what of a table looks like instructions only makes the check weaker.
    private func disassemble(_ native: NativeCode) -> Disassembly {
        var result = Disassembly(bytes: native.bytes)
        native.bytes.withUnsafeBytes { bytes in
            for entry in [native.innerEntry, native.outerEntry] {
                var offset = Int(UInt64(UInt(bitPattern: entry)) - native.address)
                while let size = disassembler.size(bytes, at: offset) {
                    result.boundaries.append(offset)
                    if let replacement = Replacement(bytes, at: offset, size: size) {
                        result.replacements.append((offset, replacement))
                    }
                    offset += size
                }
            }
        }
        disassemblies = disassemblies.suffix(3) + [result]
        return result
    }

    /// Watches the instructions of code in which some are to be replaced.
    private func hookReplacements() throws -> [uc_hook] {
        let me = Unmanaged.passUnretained(self).toOpaque()
        return try codes.filter { code in replacements.keys.contains { code.contains($0) } }.map { code in
            var hook: uc_hook = 0
            try check(
                unicorn_hook_instructions(
                    engine, &hook,
                    { _, address, _, me in
                        guard let me else { return }
                        Unmanaged<Emulator>.fromOpaque(me)._withUnsafeGuaranteedRef {
                            if let replacement = $0.replacements[address] {
                                $0.execute(replacement, at: address)
                            }
                        }
                    }, me, code.lowerBound, code.upperBound))
            return hook
        }
    }

    /// Other code has been at these addresses before. The engine finds what it has translated by where the first of them
    /// lies in its own memory, and chunks do not lie there side by side: each is asked for by itself.
    private func forget(_ start: UInt64, _ end: UInt64) throws {
        var start = start
        while start < end {
            let next = min(end, (start / Self.chunk + 1) * Self.chunk)
            try check(unicorn_forget(engine, start, next))
            start = next
        }
    }

    private func map(_ range: Range) throws {
        var start = range.start / Self.chunk * Self.chunk
        while start < range.end {
            if mapped.insert(start).inserted {
                try check(
                    uc_mem_map_ptr(
                        engine, start, Int(Self.chunk), UC_PROT_ALL.rawValue,
                        UnsafeMutableRawPointer(bitPattern: UInt(start))))
            }
            start += Self.chunk
        }
    }

    // MARK: Functions of the host

    private enum Call { case resolve, invoke }
    private var functions: [UInt64: Call] = {
        let resolve:
            @convention(c) (
                UnsafeMutablePointer<scode_context>?, UnsafeMutablePointer<scode_instance>?, UInt64, UInt32,
                UInt64
            ) -> UnsafeMutableRawPointer? = scode_resolve
        return [unsafeBitCast(resolve, to: UInt64.self): .resolve]
    }()

    /// Does what a called function does, and returns.
    /// - Returns: where the code goes on.
    private func perform(_ call: Call) throws -> UInt64 {
        let stackPointer = read(UC_X86_REG_RSP)
        guard stackPointer % 16 == 8 else {
            throw Violation(
                description: "the stack is not aligned at a call: 0x\(String(stackPointer, radix: 16))")
        }
        func pointer(_ register: uc_x86_reg) -> UnsafeMutableRawPointer? {
            UnsafeMutableRawPointer(bitPattern: UInt(read(register)))
        }
        let result: UInt64
        switch call {
        case .resolve:
            let place = scode_resolve(
                pointer(UC_X86_REG_RDI)?.assumingMemoryBound(to: scode_context.self),
                pointer(UC_X86_REG_RSI)?.assumingMemoryBound(to: scode_instance.self), read(UC_X86_REG_RDX),
                UInt32(truncatingIfNeeded: read(UC_X86_REG_RCX)), read(UC_X86_REG_R8))
            result = UInt64(UInt(bitPattern: place))
        // What straddles two pages is in the context; what does not, where it may be.
        case .invoke:
            let record = pointer(UC_X86_REG_RDI)?.assumingMemoryBound(to: scode_host_function.self)
            guard let record, let invoke = record.pointee.invoke else {
                throw Violation(description: "no record of a host function")
            }
            result = invoke(
                record, pointer(UC_X86_REG_RSI)?.assumingMemoryBound(to: scode_context.self),
                UnsafePointer(pointer(UC_X86_REG_RDX)?.assumingMemoryBound(to: UInt64.self)))
        }
        for register in Self.changedByCalls { write(register, 0xbad_bad_bad_bad) }
        spoilVectors()
        write(UC_X86_REG_RAX, result)
        guard let back = pointer(UC_X86_REG_RSP)?.load(as: UInt64.self) else {
            throw Violation(description: "no stack")
        }
        write(UC_X86_REG_RSP, stackPointer + 8)
        return back
    }

    // MARK: Registers (System V ABI, AMD64, section 3.2.1)

    private static let changedByCalls = [
        UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_R8, UC_X86_REG_R9,
        UC_X86_REG_R10, UC_X86_REG_R11,
    ]
    private static let keptByCalls = [
        UC_X86_REG_RBX, UC_X86_REG_RBP, UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
    ]

    func read(_ register: uc_x86_reg) -> UInt64 {
        var value: UInt64 = 0
        uc_reg_read(engine, Int32(register.rawValue), &value)
        return value
    }
    func write(_ register: uc_x86_reg, _ value: UInt64) {
        var value = value
        uc_reg_write(engine, Int32(register.rawValue), &value)
    }

    private func spoilVectors() {
        for number in 0..<16 {
            var words: (UInt64, UInt64) = (0x7ff4_dead_beef_0000 + UInt64(number), .max)
            uc_reg_write(engine, Int32(UC_X86_REG_XMM0.rawValue) + Int32(number), &words)
        }
    }

    private func prepareRegisters(
        _ top: UInt64, _ context: UnsafeMutablePointer<scode_context>,
        _ instance: UnsafeMutablePointer<scode_instance>, _ arguments: UnsafePointer<UInt64>
    ) {
        for register in Self.changedByCalls + [UC_X86_REG_RAX] { write(register, 0xdead_dead_dead_dead) }
        for (number, register) in Self.keptByCalls.enumerated() { write(register, Self.kept(number)) }
        spoilVectors()
        write(UC_X86_REG_RDI, UInt64(UInt(bitPattern: context)))
        write(UC_X86_REG_RSI, UInt64(UInt(bitPattern: instance)))
        write(UC_X86_REG_RDX, UInt64(UInt(bitPattern: arguments)))
        write(UC_X86_REG_MXCSR, 0x1f80)
        write(UC_X86_REG_EFLAGS, 0x202)
        write(UC_X86_REG_RSP, top - 8)
        UnsafeMutableRawPointer(bitPattern: UInt(top - 8))?.storeBytes(of: Self.end, as: UInt64.self)
    }

    private static func kept(_ number: Int) -> UInt64 { 0xc0ff_ee00_0000_0000 + UInt64(number) }

    /// What C expects of a function that has returned.
    private func checkRegisters(_ top: UInt64) throws {
        guard read(UC_X86_REG_RSP) == top else {
            throw Violation(
                description: "the stack pointer is \(Int64(bitPattern: read(UC_X86_REG_RSP) &- top)) off")
        }
        for (number, register) in Self.keptByCalls.enumerated() where read(register) != Self.kept(number) {
            throw Violation(description: "callee-saved register \(register.rawValue) was not restored")
        }
        // Control bits only: comparisons leave exceptions noted.
        guard read(UC_X86_REG_MXCSR) & 0xffc0 == 0x1f80 else {
            throw Violation(description: "MXCSR was changed")
        }
        guard read(UC_X86_REG_EFLAGS) & 0x400 == 0 else {
            throw Violation(description: "the direction flag is set")
        }
    }
}

extension Fragment {
    /// What `invoke` does, with the emulator in the processor's place.
    /// - Parameter others: fragments that this one may call.
    func invoke(
        arguments: [UInt64], budget: UInt64?, on emulator: Emulator, besides others: [Fragment],
        frames: [(page: UnsafeMutableRawPointer, isWritable: Bool)]
    ) throws -> Invocation {
        let context = UnsafeMutablePointer<scode_context>.allocate(capacity: 1)
        context.initialize(to: scode_context())
        defer { context.deallocate() }
        context.pointee.budget = budget ?? self.budget
        context.pointee.depth = depth
        let count = Int(instance.pointee.argument_count)
        let words = UnsafeMutablePointer<UInt64>.allocate(capacity: max(count, 1))
        defer { words.deallocate() }
        words.initialize(from: scode_arguments(instance), count: count)
        for index in 0..<min(arguments.count, suppliedTypes.count) {
            words[index] = suppliedTypes.canonical(arguments[index], at: index)
        }
        let result = try emulator.run([self] + others, context: context, arguments: words, frames: frames)
        return invocation(result, context)
    }
}
