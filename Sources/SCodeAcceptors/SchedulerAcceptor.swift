import SCode

extension Acceptor {
    /// For scheduling fragments (thesis section 3.4).
    public static let scheduler = Acceptor(
        name: "scheduler", readOnlyRegisters: RegisterSet(rawValue: 0b111 << 29),
        entryRegisters: [
            EntryRegister(Register(29), name: "tick", type: .ul, meaning: "ticks since the machine started"),
            EntryRegister(
                Register(30), name: "slots", type: .ul, meaning: "slots in the scheduler's jump table"),
            EntryRegister(Register(31), name: "self", type: .ul, meaning: "the scheduler's own environment"),
        ],
        macros: [
            MacroInstruction(
                "s_sub_sched", [.value(.ul)], .subSchedule,
                meaning: "offers the processor to the sub-scheduler in a slot; goes on if that refuses"),
            MacroInstruction(
                "s_app_sched", [.value(.ul)], .accept, meaning: "gives the processor to an environment"),
            MacroInstruction("s_refuse", [], .refuse, meaning: "declines the processor"),
        ], budget: 10_000)

    /// The acceptors that come with the system.
    public static let standard: [Acceptor] = [.plain, .filter, .scheduler]
}
