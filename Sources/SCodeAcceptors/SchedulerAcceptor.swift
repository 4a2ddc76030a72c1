import SCode

extension Acceptor {
    /// For scheduling fragments (thesis section 3.4).
    public static let scheduler = Acceptor(
        name: "scheduler", version: 3, readOnlyRegisters: RegisterSet(rawValue: 0b1_1111 << 27),
        entryRegisters: [
            EntryRegister(Register(29), name: "tick", type: .ul, meaning: "ticks since the machine started"),
            EntryRegister(
                Register(30), name: "slots", type: .ul, meaning: "slots in the scheduler's jump table"),
            EntryRegister(Register(31), name: "self", type: .ul, meaning: "the scheduler's own environment"),
            EntryRegister(
                Register(28), name: "subject", type: .ul,
                meaning: "in a handler, the environment that the event is about; else 0"),
            EntryRegister(
                Register(27), name: "listed", type: .ul,
                meaning: "places of the scheduler's list of children, up to the last one in use"),
        ],
        macros: [
            MacroInstruction(
                "s_sub_sched", [.value(.ul)], .subSchedule,
                meaning: "offers the processor to the sub-scheduler in a slot; goes on if that refuses"),
            MacroInstruction(
                "s_app_sched", [.value(.ul)], .accept, meaning: "gives the processor to an environment"),
            MacroInstruction("s_refuse", [], .refuse, meaning: "declines the processor; ends a handler"),
            MacroInstruction(
                "s_resched", [], .template(reschedule),
                meaning: "ends a handler, and asks that the schedulers decide anew"),
        ], budget: 10_000,
        ebpf: EBPFConventions(
            accept: "s_app_sched", refuse: "s_refuse", regions: kernelRegions,
            helpers: [
                1: "s_sub_sched", 2: "s_app_sched", 3: "s_refuse", 4: "s_resched", 5: "tick", 6: "slots",
                7: "self", 8: "subject", 9: "listed",
            ]))

    /// What the kernel shows to every scheduler (docs/scheduling.md), with room for as many as fragments usually ask for.
    private static let kernelRegions: [Region] = [
        ("machine", 304), ("environments", 8192 * 32), ("usage", 8192 * 32), ("children", 256 * 16),
    ].map { name, size in Region(name: name, policy: .physical, isWritable: false, size: size) }

    /// Accepts for environment 0, which nobody is: in a handler that is no answer but a wish.
    private static let reschedule: CodeTemplate = {
        do {
            return try CodeTemplate(text: "fragment reschedule() { accept 0 }")
        } catch {
            preconditionFailure("the scheduler's own template breaks a rule: \(error)")
        }
    }()

    /// The acceptors that come with the system.
    public static let standard: [Acceptor] = [.plain, .filter, .scheduler, .application]
}
