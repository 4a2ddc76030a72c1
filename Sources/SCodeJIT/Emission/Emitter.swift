import CSCodeRuntime
import SCodeIR
import SCodeVerifier
import X86Assembler

/// Turns VCode into machine code.
///
/// The layout: inner entry, body, cold code (one piece per guard, reached by its one `jcc`), one stub per
/// abort reason, jump tables, outer entry. The outer entry comes last since only then it is known which
/// registers have to be saved. Of a leaf, which needs none, the outer entry comes first and the inner one last.
///
/// Conventions inside: rax, rcx, rdx, xmm14, xmm15 are scratch; r13 instance, r14 budget, r15 context; rsp is
/// aligned to 16 when the fragment has a frame. The frame holds slots of SCODE registers, then the instance while a
/// sub-fragment is called and, if need be, the levels left, then the return addresses of local procedures, one a level, then
/// what page caches know. rsp does not move when procedures are called, so an exit from inside one is like any other.
struct Emitter: ~Copyable {
    var assembler: Assembler
    let vcode: VCode
    let allocation: Allocation
    let observation: RegisterObservation
    let labels: CodeLabels
    /// Bytes that the frame takes; 0 when there is none.
    let frameSize: Int32
    var coldPaths: [ColdPath] = []
    var stubs: [(reason: StubKind, label: CodeLabel)] = []
    /// Per jump table that is used: its label.
    var tables: [CodeLabel?] = []
    var slowAccesses: [(kind: SlowAccess, label: CodeLabel)] = []
    /// Per page cache: what fills it, once something asks for that.
    var refills: [CodeLabel?]
    /// What asks the runtime, once something does.
    var resolve: CodeLabel?
    /// Where accesses that fault go on, if there are such.
    var faultStub: CodeLabel?
    var sites: [ExitSite] = []
    var ranges: [CodeRange] = []
    /// The instruction of the last of them.
    private var rangeSource = UInt32.max
    /// Pinned registers that the body uses.
    var usesContext = false
    var usesInstance = false
    var usesBudget = false
    let makesCalls: Bool
    let callsFragments: Bool
    /// Whether the levels that are left go to the frame: not where they are only asked before anything else is done.
    let keepsLevels: Bool
    /// Whether the prologue reads constants of the instance.
    let readsConstants: Bool
    /// The slot of the return address of level 1.
    let firstReturnSlot: Int
    /// The slots of page caches, behind those.
    let firstPageSlot: Int
    /// What debuggers want to know, if anybody is there to be shown it.
    var notes: DebugNotes?
    /// How far rsp lies below the return address; followed for the notes only.
    var stackDepth: Int32 = 0

    /// Whether the fragment stops when its budget is used up, and counts the budget of whoever resumes it.
    let isInterruptible: Bool

    /// Whether addresses and indices are kept inside without a branch, too.
    let masksSpeculation: Bool

    static let context = GPR.r15
    static let budget = GPR.r14
    static let instance = GPR.r13

    /// What a stub does with the fragment.
    enum StubKind: Hashable {
        case abort(AbortReason)
        /// The reason is in the context already.
        case memoryFault
        /// Not an abort: leaves with registers observed.
        case observedAccept, observedRefuse
        /// Stops here, and goes on when the activation is resumed.
        case interrupt
    }

    /// What the slow paths of accesses have in common.
    struct SlowAccess: Equatable, BitwiseCopyable {
        /// Of an access that was held against a region: which; nil: against a page.
        let region: UInt32?
        /// For `scode_resolve`.
        let access: UInt64

        init(_ guarding: VInstruction) {
            region = guarding.operation == .guardRegion ? guarding.target : nil
            access = UInt64(guarding.size) | (guarding.flag ? UInt64(SCODE_ACCESS_STORE) : 0)
        }
    }

    /// Where the call of a sub-fragment by a constant slot goes on when something is missing.
    struct SubCall: BitwiseCopyable {
        let slot: Int32
        let source: UInt32
        let noBudget: CodeLabel
        let tooDeep: CodeLabel
        let nobody: CodeLabel
        let refused: CodeLabel
    }

    /// Code off the hot path, emitted after the body.
    enum ColdPath {
        case site(StubKind, entry: CodeLabel, source: UInt32)
        case interrupt(entry: CodeLabel, back: CodeLabel, source: UInt32)
        case countedBranch(VInstruction, to: UInt32, entry: CodeLabel, back: CodeLabel)
        case slowAccess(VInstruction, entry: CodeLabel, back: CodeLabel)
        case otherPage(VInstruction, entry: CodeLabel, back: CodeLabel)
        case failedSubCall(SubCall)
    }

    init(
        _ vcode: VCode, _ allocation: Allocation, observing observation: RegisterObservation,
        notesForDebuggers: Bool = false
    ) {
        let operations = vcode.operations
        let isInterruptible = vcode.fragment.acceptor.isInterruptible
        let callsFragments = operations.contains(.callSub)
        let makesCalls = callsFragments || operations.contains(.callHost)
        let callsHelper =
            operations.contains(.guardPage) || operations.contains(.guardRegion)
            || (isInterruptible && operations.contains(.guardBudget))
        var levels = 0
        if operations.contains(.call) {
            for instruction in vcode.instructions where instruction.operation == .call {
                levels = max(levels, vcode.fragment.procedureLevels[Int(instruction.target)])
            }
        }
        let masksSpeculation = vcode.fragment.acceptor.guards.masksSpeculation
        // Masks are made in the register in which they come.
        let keepsLevels =
            callsFragments
            && (masksSpeculation || vcode.instructions.dropFirst().contains { $0.operation == .callSub })
        let firstReturnSlot = allocation.slotCount + (callsFragments ? 1 : 0) + (keepsLevels ? 1 : 0)
        let firstPageSlot = firstReturnSlot + levels
        let slots = firstPageSlot + vcode.pageCaches.count * PageCacheValue.slotsOfCache
        // About what comes of it; more is a matter of copying. Not stored at once: optimised, Swift 6.3 gives back what is
        // not there yet when an initialiser uses what it has stored.
        var assembler = Assembler(initialCapacity: 448 + 8 * vcode.instructions.count)
        labels = assembler.newLabels(vcode.labelCount)
        self.assembler = assembler
        self.vcode = vcode
        self.allocation = allocation
        self.observation = observation
        self.isInterruptible = isInterruptible
        self.masksSpeculation = masksSpeculation
        self.callsFragments = callsFragments
        self.keepsLevels = keepsLevels
        self.makesCalls = makesCalls
        readsConstants = allocation.keepsConstants
        self.firstReturnSlot = firstReturnSlot
        self.firstPageSlot = firstPageSlot
        refills = vcode.pageCaches.map { _ in nil }
        // With the return address of the fragment itself, the frame is a multiple of 16 bytes.
        frameSize = slots > 0 || callsHelper || makesCalls ? Int32((slots * 8 + 8 + 15) / 16 * 16 - 8) : 0
        notes = notesForDebuggers ? DebugNotes() : nil
    }

    /// *Requires* VCode and an allocation of the same fragment. *Produces* machine code.
    consuming func run() throws(CompileFailure) -> MachineCode {
        let isLeaf = needsNothing
        let first = assembler.position
        let entry = assembler.boundLabel()
        emitPrologue(instance: isLeaf ? .rsi : Self.instance)
        // From here on, whether anything but the prologue uses it.
        usesInstance = false
        let body = assembler.boundLabel()
        let bodyOffset = assembler.position
        ranges.reserveCapacity(vcode.instructions.count)
        var index = 0
        while index < vcode.instructions.count {
            let start = assembler.position
            let count = emitOne(at: index)
            assert(
                assembler.position - start <= mostBytes(index..<index + count), "a short jump may not reach")
            index += count
        }
        let cold = assembler.position
        emitColdPaths()
        emitStubs()
        emitTables()
        let second = isLeaf ? emitInnerEntry(first, body) : emitOuterEntry(first, entry)
        if isLeaf, usesInstance || usesContext || usesBudget { throw .internalError("no leaf") }
        if assembler.overflowed { throw .codeTooLarge }
        do { try assembler.finish() } catch { throw .internalError("\(error)") }
        let bytes = [UInt8](assembler.bytes)
        return MachineCode(
            bytes: bytes, innerEntry: isLeaf ? second : first, outerEntry: isLeaf ? first : second,
            sites: sites, ranges: ranges, coldOffset: cold, bodyOffset: bodyOffset,
            faultStubOffset: faultStub.flatMap { assembler.offset(of: $0) }, allocation: allocation,
            notes: notes)
    }

    /// What `CodeLayout` has promised of some instructions.
    private func mostBytes(_ range: Range<Int>) -> Int {
        let layout = CodeLayout(allocation)
        return vcode.instructions[range].reduce(0) { $0 + layout.mostBytes(of: $1) }
    }

    /// Emits one VCode instruction, or two that go together. Returns how many.
    private mutating func emitOne(at index: Int) -> Int {
        let instruction = vcode.instructions[index]
        beginRange(instruction.source)
        switch instruction.operation {
        case .mul where emitScaledSum(at: index), .shiftLeft where emitScaledSum(at: index): return 2
        case .add, .sub, .mul, .and, .or, .xor: emitBinary(instruction)
        case .shiftLeft, .shiftRight, .shiftRightArithmetic: emitShift(instruction)
        case .divideSigned, .divideUnsigned, .moduloSigned, .moduloUnsigned:
            if instruction.flag { emitDivisionByConstant(instruction) } else { emitDivision(instruction) }
        case .move where instruction.dst.bank == .float: emitFloatMove(instruction)
        case .move:
            if let operation = operationOnCopy(at: index) {
                emitBinary(operation)
                return 2
            }
            emitUnary(instruction)
        case .not, .negate, .isZero, .signExtend, .zeroExtend: emitUnary(instruction)
        case .byteSwap: emitByteSwap(instruction)
        case .countLeadingZeros, .countTrailingZeros, .populationCount: emitBitCount(instruction)
        case .floatAdd, .floatSub, .floatMul, .floatDiv: emitFloatBinary(instruction)
        case .floatNegate: emitFloatNegate(instruction)
        case .floatToFloat: emitFloatToFloat(instruction)
        case .integerToFloat: emitIntegerToFloat(instruction)
        case .floatToInteger: emitFloatToInteger(instruction)
        case .constant: emitConstant(instruction)
        case .regionBase: emitRegionBase(instruction)
        case .address where emitAddressInPage(instruction, before: vcode.instructions[index + 1]): return 2
        case .address: emitAddress(instruction)
        case .anchor: emitAnchor(instruction)
        case .guardAligned: emitAlignmentGuard(instruction)
        case .guardRegion: emitRegionGuard(instruction)
        case .guardPage: emitPageGuard(instruction)
        case .guardCachedPage: emitCachedPageGuard(instruction)
        case .load where instruction.isFolded:
            emitFolded(instruction, into: vcode.instructions[index + 1])
            return 2
        case .load: emitLoad(instruction)
        case .store: emitStore(instruction)
        case .atomicAdd, .atomicAnd, .atomicOr, .atomicXor: emitAtomic(instruction)
        case .fetchAdd, .exchange: emitExchange(instruction)
        case .fetchAnd, .fetchOr, .fetchXor: emitFetch(instruction)
        case .compareExchange: emitCompareExchange(instruction)
        case .guardNonZero: emitNonZeroGuard(instruction)
        case .guardTableIndex: emitTableIndexGuard(instruction)
        case .guardEntry: emitEntryGuard(instruction)
        case .guardBudget:
            if index + 1 < vcode.instructions.count, vcode.instructions[index + 1].operation == .jump {
                emitBudgetedJump(instruction, to: vcode.instructions[index + 1].target)
                return 2
            }
            emitBudgetGuard(instruction)
        case .extent: emitExtent(instruction)
        case .checkBudget: emitBudgetCheck(instruction)
        case .checkRange: emitRangeCheck(instruction)
        case .branch where !instruction.condition.isFloat && isAroundCountedJump(index):
            emitCountedBranch(
                instruction, vcode.instructions[index + 1], to: vcode.instructions[index + 2].target)
            return 3
        case .branch:
            if let branch = branchOverJump(at: index) {
                emitBranch(branch, after: index)
                return 2
            }
            emitBranch(instruction, after: index)
        case .jump: assembler.jmp(labels[Int(instruction.target)], isNear: instruction.isNear)
        case .jumpTable: emitJumpTable(instruction)
        case .call: emitCall(instruction)
        case .return: assembler.jmp(returnSlot(ofProcedure: instruction.target))
        case .trap: assembler.ud2()
        case .label:
            if CodeLayout.isSplit(instruction, at: assembler.position) {
                assembler.align(to: CodeLayout.line)
            }
            assembler.bind(labels[Int(instruction.target)])
        case .accept: emitAccept(instruction)
        case .refuse: emitRefuse(instruction)
        case .abort:
            let abort = site(.abort(.policy), instruction)
            assembler.jmp(abort)
        case .callSub: emitSubCall(instruction, isAtEntry: index == 0)
        case .hostArgument: emitHostArgument(instruction)
        case .callHost: emitHostCall(instruction)
        }
        return 1
    }

    /// From here on the code serves this SCODE instruction.
    @inline(__always) mutating func beginRange(_ source: UInt32) {
        guard rangeSource != source else { return }
        rangeSource = source
        ranges.append(CodeRange(offset: UInt32(assembler.position), instruction: source))
    }

    // Functions that look and change nothing are inlined, or mutating: a call that borrows copies the whole emitter.

    // MARK: Two that go together

    /// `if a op b goto L1; goto L2; L1:` as one branch to L2.
    private mutating func branchOverJump(at index: Int) -> VInstruction? {
        let instructions = vcode.instructions
        guard index + 2 < instructions.count, instructions[index + 1].operation == .jump else { return nil }
        var branch = instructions[index]
        var next = index + 2
        while next < instructions.count, instructions[next].operation == .label,
            instructions[next].target != branch.target
        {
            next += 1
        }
        guard next < instructions.count, instructions[next].operation == .label else { return nil }
        branch.condition = branch.condition.inverted
        branch.target = instructions[index + 1].target
        branch.isNear = instructions[index + 1].isNear
        return branch
    }

    /// `d := a; d := d op b` as `d := a op b`, where that is one machine instruction.
    private mutating func operationOnCopy(at index: Int) -> VInstruction? {
        let copy = vcode.instructions[index]
        guard copy.isWide, index + 1 < vcode.instructions.count else { return nil }
        var operation = vcode.instructions[index + 1]
        switch operation.operation {
        case .add: break
        case .sub, .mul: guard operation.hasImmediate else { return nil }
        default: return nil
        }
        guard operation.dst == copy.dst, operation.a == copy.dst, case .machine = allocation.location(copy.a),
            case .machine = allocation.location(copy.dst)
        else { return nil }
        operation.a = copy.a
        if !operation.hasImmediate, operation.b == copy.dst { operation.b = copy.a }
        return operation
    }

    /// Whether a branch leads behind a guarded jump, which is how lowering writes a branch that costs budget; and is worth
    /// the room of a second comparison, which it is not where there are very many.
    private mutating func isAroundCountedJump(_ index: Int) -> Bool {
        guard index + 3 < vcode.instructions.count, !vcode.isLong,
            vcode.instructions[index + 1].source == vcode.instructions[index].source
        else { return false }
        return vcode.instructions[index + 1].operation == .guardBudget
            && vcode.instructions[index + 2].operation == .jump
            && vcode.instructions[index + 3].operation == .label
            && vcode.instructions[index + 3].target == vcode.instructions[index].target
    }

    // MARK: Operands

    @inline(__always) func slotMemory(_ slot: UInt8) -> Memory { Memory(.rsp, Int32(slot) * 8) }

    /// Where the return address of a local procedure is kept: no two procedures of a level are active at once.
    mutating func returnSlot(ofProcedure procedure: UInt32) -> Memory {
        let level = vcode.fragment.procedureLevels[Int(procedure)]
        return Memory(.rsp, Int32(firstReturnSlot + level - 1) * 8)
    }

    /// The machine register that holds an integer, fetching it from the frame into `scratch` if it is there.
    mutating func fetch(_ register: Register, _ scratch: GPR) -> GPR {
        switch allocation.location(register) {
        case .machine(let machine): return machine
        case .slot(let slot):
            assembler.load(.w64, scratch, slotMemory(slot))
            return scratch
        case .nowhere, .vector: return scratch  // never read: the verifier has seen every path
        }
    }

    /// Copies a value to a machine register.
    mutating func copy(_ register: Register, to machine: GPR, _ width: Width = .w64) {
        switch allocation.location(register) {
        case .machine(let source): if source != machine { assembler.mov(width, machine, source) }
        case .slot(let slot): assembler.load(width == .w64 ? .w64 : .w32, machine, slotMemory(slot))
        case .nowhere, .vector: break
        }
    }

    /// The machine register in which to compute a result: its own, or rax when it lives in the frame.
    @inline(__always) func resultRegister(_ register: Register) -> GPR {
        if case .machine(let machine) = allocation.location(register) { return machine }
        return .rax
    }

    /// Puts a result that was computed in `machine` where it belongs.
    mutating func keep(_ register: Register, from machine: GPR) {
        switch allocation.location(register) {
        case .machine(let own): if own != machine { assembler.mov(.w64, own, machine) }
        case .slot(let slot): assembler.store(.w64, slotMemory(slot), machine)
        case .nowhere, .vector: break
        }
    }

    @inline(__always) func isInMachine(_ register: Register, _ machine: GPR) -> Bool {
        allocation.location(register) == .machine(machine)
    }

    /// A jump target in the cold code at which `kind` happens for this instruction.
    mutating func site(_ kind: StubKind, _ instruction: VInstruction) -> CodeLabel {
        let label = assembler.newLabel()
        coldPaths.append(.site(kind, entry: label, source: instruction.source))
        usesContext = true
        usesInstance = true
        return label
    }
}

extension VInstruction {
    var width: Width { isWide ? .w64 : .w32 }

    /// Whether the flags behind it are those of the comparison of integers that a branch makes: it makes the same one, or
    /// computes what that compares with zero.
    func setsFlags(of branch: VInstruction) -> Bool {
        guard isWide == branch.isWide, !branch.condition.isFloat else { return false }
        switch operation {
        case .branch:
            guard !condition.isFloat, a == branch.a, hasImmediate == branch.hasImmediate else { return false }
            return hasImmediate ? immediate == branch.immediate : b == branch.b
        case .and, .or, .xor: return dst == branch.a && branch.hasImmediate && branch.immediate == 0
        default: return false
        }
    }

    /// The immediate when the instruction set can hold it: 32 bits, sign-extended.
    var shortImmediate: Int32? {
        isWide ? Int32(exactly: immediate) : Int32(truncatingIfNeeded: immediate)
    }
}
