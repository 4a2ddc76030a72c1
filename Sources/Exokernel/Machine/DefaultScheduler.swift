/// What takes the place of a fragment that a scheduler does not have, or that failed: round robin.
enum DefaultScheduler {
    /// The default as a fragment, so that it takes part in chains like any other. It does what
    /// `scode-examples/schedulers/round-robin.scode` does, and is explained there.
    /// - Parameters:
    ///   - entries: places in the scheduler's list of children.
    ///   - environments: entries in the list of environments.
    static func source(entries: Int, environments: Int) -> Scenario.FragmentSource {
        Scenario.FragmentSource(
            path: "(default round robin)",
            text: """
                accept scheduler
                struct child { kind: u, id: u, weight: u, environment: u }
                struct environment {
                    id: u, status: u, ticks: ul, page_faults: u, pages: u, owner: u, priority: i
                }
                const places = \(max(1, entries))
                region children: physical ro, places * sizeof(child)
                region environments: physical ro, \(environments) * sizeof(environment)
                region turn: physical rw, 8

                fragment default {
                    register listed = r27
                    setp    memory, turn
                    lduli   at, memory, 0
                    setul   used, places
                    bgeul   listed, used, known
                    movul   used, listed
                known:
                    bequli  used, 0, none
                    movul   left, used
                look:
                    bltul   at, used, inside
                    setul   at, 0
                inside:
                    mululi  offset, at, sizeof(child)
                    setp    base, children
                    addp    base, base, offset
                    adduli  at, at, 1
                    stuli   at, memory, 0
                    ldui    kind, base, child.kind
                    ldui    id, base, child.id
                    beqi    kind, 2, scheduler
                    bnei    kind, 1, next
                    mululi  offset, id, sizeof(environment)
                    setp    base, environments
                    addp    base, base, offset
                    ldui    status, base, environment.status
                    bnei    status, 1, next
                    s_app_sched id
                scheduler:
                    s_sub_sched id
                next:
                    subuli  left, left, 1
                    bneuli  left, 0, look
                none:
                    s_refuse
                }

                """)
    }
}
