/// The right to do something with an object, as the kernel keeps it in a slot of an environment. Programs name slots;
/// they never hold a capability, so they cannot make one up.
struct Capability: Hashable {
    var name: CapabilityName
    var rights: Rights

    /// What a capability allows. An object has its own meaning for each.
    struct Rights: OptionSet, Hashable {
        let rawValue: UInt8
        /// A page may be read.
        static let read = Rights(rawValue: 1)
        /// A page may be written; a timeout cancelled; a quantum set.
        static let write = Rights(rawValue: 2)
        /// An environment may be given the processor, and lose it.
        static let processor = Rights(rawValue: 4)
        /// What happens to an environment may be watched.
        static let watch = Rights(rawValue: 8)
        /// An environment's address space and slots may be changed.
        static let manage = Rights(rawValue: 16)
        /// The object may be given back, and its access list changed.
        static let access = Rights(rawValue: 32)
        static let all = Rights(rawValue: 63)
    }

    /// What the kernel itself, and whoever it trusts as much, holds: dominates everything.
    static let root = Capability(name: CapabilityName(), rights: .all)

    /// A capability for less: the name is a byte longer.
    /// - Returns: nil when the rights are not among its own or the name would be too long.
    func derived(adding byte: UInt8, rights: Rights) -> Capability? {
        guard rights.isSubset(of: self.rights), let name = name.appending(byte) else { return nil }
        return Capability(name: name, rights: rights)
    }
}

/// Up to seven bytes. A name dominates every name that begins with it; the empty one dominates all.
struct CapabilityName: Hashable {
    static let limit = 7
    private var bytes: UInt64 = 0
    private var count: UInt8 = 0

    init() {}

    /// The name that the kernel gives to an environment, which no other environment ever has.
    init(environment id: Int) {
        bytes = UInt64(UInt32(truncatingIfNeeded: id))
        count = 4
    }

    func appending(_ byte: UInt8) -> CapabilityName? {
        guard count < Self.limit else { return nil }
        var name = self
        name.bytes |= UInt64(byte) << (UInt64(count) * 8)
        name.count += 1
        return name
    }

    func dominates(_ other: CapabilityName) -> Bool {
        guard count <= other.count else { return false }
        let mask = (UInt64(1) << (UInt64(count) * 8)) - 1  // of at most 56 bits
        return (bytes ^ other.bytes) & mask == 0
    }
}

/// Who may do what with an object: its owner, and one other.
struct AccessList: Hashable {
    var owner: Capability
    var other: Capability?

    /// Whether a capability dominates an entry of the list, and both allow what is asked for.
    func allows(_ rights: Capability.Rights, to capability: Capability) -> Bool {
        Self.allows(rights, to: capability, by: owner)
            || other.map { Self.allows(rights, to: capability, by: $0) } ?? false
    }

    private static func allows(
        _ rights: Capability.Rights, to capability: Capability, by entry: Capability
    ) -> Bool {
        capability.name.dominates(entry.name) && rights.isSubset(of: capability.rights)
            && rights.isSubset(of: entry.rights)
    }
}
