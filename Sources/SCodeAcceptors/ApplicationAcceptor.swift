import SCode

/// What a program of an application asks of the kernel (thesis sections 3.3 and 3.4). The raw values are the numbers of
/// the system calls.
///
/// Results: what is said below, or a negative number, a `SystemCallError`. `cap` is the slot of the capability that the
/// call uses.
public enum SystemCall: UInt32, CaseIterable, Sendable {
    case time, yield, yieldTo, sleep, wait, critical
    case revokeProcessor, grantProcessor, setQuantum
    case allocatePage, freePage, map, unmap, protect
    case setTimeout, cancelTimeout, bind
    case deriveCapability, giveCapability, dropCapability, setAccess

    /// Name, operands behind the result if there is one, and meaning.
    var row: (name: String, result: Bool, operands: [ValueType], meaning: String) {
        switch self {
        case .time: ("sys_time", true, [], "nanoseconds since the machine started")
        case .yield: ("sys_yield", false, [], "gives up the processor")
        case .yieldTo:
            ("sys_yield_to", true, [.ul], "gives the processor to a runnable environment, without a decision")
        case .sleep: ("sys_sleep", true, [.ul], "sleeps; the nanoseconds left when an upcall woke it")
        case .wait:
            ("sys_wait", true, [], "sleeps until the fragment `predicate` accepts; what it accepts with")
        case .critical:
            ("sys_critical", false, [.ul], "1: from here on the processor is not taken; 0: no more")
        case .revokeProcessor:
            ("sys_revoke_processor", true, [.ul, .ul], "takes the processor from an environment: id, cap")
        case .grantProcessor:
            ("sys_grant_processor", true, [.ul, .ul], "gives the processor to an environment: id, cap")
        case .setQuantum: ("sys_quantum", true, [.ul, .ul], "sets the quantum: nanoseconds, cap")
        case .allocatePage: ("sys_page_alloc", true, [.ul], "a zeroed page, guarded by cap; its number")
        case .freePage: ("sys_page_free", true, [.ul, .ul], "gives a page back: page, cap")
        case .map:
            (
                "sys_map", true, [.ul, .ul, .ul, .ul, .ul, .ul],
                "maps a page: environment, its cap, address, page, the page's cap, rights (1 read, 3 write)"
            )
        case .unmap: ("sys_unmap", true, [.ul, .ul, .ul], "environment, its cap, address")
        case .protect:
            (
                "sys_protect", true, [.ul, .ul, .ul],
                "of an own mapping: address, rights, and bits of the entry to clear (0x20 accessed, 0x40 written)"
            )
        case .setTimeout:
            ("sys_timeout", true, [.ul, .ul], "an upcall in so many nanoseconds, guarded by cap; its id")
        case .cancelTimeout: ("sys_timeout_cancel", true, [.ul, .ul], "id, cap")
        case .bind:
            (
                "sys_bind", true, [.ul, .ul, .ul],
                "an upcall when something happens: environment, its cap, event (1 begin, 2 end, 3 sleep, 4 wake; 0 none)"
            )
        case .deriveCapability:
            (
                "sys_cap_derive", true, [.ul, .ul, .ul, .ul],
                "from slot, to slot, byte added to the name, rights"
            )
        case .giveCapability:
            ("sys_cap_give", true, [.ul, .ul, .ul, .ul], "environment, its cap, from own slot, to its slot")
        case .dropCapability: ("sys_cap_drop", true, [.ul], "empties an own slot")
        case .setAccess:
            (
                "sys_access", true, [.ul, .ul, .ul, .ul, .ul],
                "who else may use an object: kind (0 environment, 1 page, 2 timeout, 3 quantum), id, cap, "
                    + "slot of the capability it is for, rights (0: nobody)"
            )
        }
    }

    public var name: String { row.name }

    var macro: MacroInstruction {
        let row = row
        let result: [MacroOperandKind] = row.result ? [.result(.l)] : []
        return MacroInstruction(
            row.name, result + row.operands.map { .value($0) }, .systemCall(rawValue), meaning: row.meaning)
    }
}

/// Why a system call did nothing: its result, as a signed number.
public enum SystemCallError: Int64, Error, Sendable, CaseIterable {
    /// The capability does not allow it, or there is none in that slot.
    case denied = -1
    case noSuchObject = -2
    case outOfMemory = -3
    case invalidArgument = -4
    /// A table of the kernel's has no room.
    case tooMany = -5
}

extension Acceptor {
    /// For programs of applications: fragments that the machine runs until they are interrupted, and continues.
    public static let application: Acceptor = {
        var acceptor = Acceptor(
            name: "application", readOnlyRegisters: RegisterSet(rawValue: 0b111 << 29),
            entryRegisters: [
                EntryRegister(
                    Register(31), name: "self", type: .ul, meaning: "the program's own environment"),
                EntryRegister(
                    Register(30), name: "subject", type: .ul,
                    meaning:
                        "of an upcall: the address (fault), id (timeout), environment (event), number of pages (reclaim)"
                ),
                EntryRegister(
                    Register(29), name: "detail", type: .ul,
                    meaning: "of an upcall: 1 store + 2 protection (fault), what happened (event)"),
            ],
            policies: [.virtual],
            macros: SystemCall.allCases.map(\.macro) + [
                MacroInstruction(
                    "accept", [.value(.ul)], .accept,
                    meaning: "ends the program, or an upcall that has done its work"),
                MacroInstruction(
                    "refuse", [], .refuse, meaning: "ends the program, or an upcall that cannot do its work"),
            ])
        acceptor.isInterruptible = true
        return acceptor
    }()
}
