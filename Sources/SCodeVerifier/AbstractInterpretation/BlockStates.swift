import SCodeIR

/// What is known of registers at the start of each block. Only those of which something is asked are kept, so that the
/// memory and the work of a join are what the program needs and not what it could.
struct BlockStates: ~Copyable {
    /// The most values kept, 64 bytes each. Blocks beyond that know nothing, which is always true.
    static let limit = 1 << 20

    /// What a block has.
    private enum Place {
        static let none: Int32 = -1
        /// Reached, but nothing is known.
        static let top: Int32 = -2
    }

    private var storage: UnsafeMutablePointer<AbstractValue>
    private var capacity: Int
    private var count = 0
    /// Per block: where its values begin.
    private let places: Table<Int32>
    /// Per block: the integer registers whose values are kept, as bits.
    let kept: Table<UInt32>

    init(keeping kept: Table<UInt32>, _ arena: Arena) {
        self.kept = kept
        places = arena.table(kept.count, Place.none)
        var needed = 0
        for registers in kept.elements { needed += registers.nonzeroBitCount }
        capacity = min(Self.limit, needed)
        storage = arena.uninitialised(capacity).base
    }

    /// The same in another arena, whose memory lives longer.
    init(copying other: borrowing BlockStates, to arena: Arena) {
        kept = arena.copy(other.kept)
        places = arena.copy(other.places)
        count = other.count
        capacity = count
        storage = arena.copy(Table(base: other.storage, count: count)).base
    }

    /// About how many bytes a copy takes.
    var size: Int { 64 + kept.count * 8 + count * MemoryLayout<AbstractValue>.stride }

    @inline(__always) func isReached(_ block: Int) -> Bool { places[block] != Place.none }

    /// Says that the block can be reached with anything in its registers.
    mutating func forget(_ block: Int) { places[block] = Place.top }

    /// Fills in the kept registers; the others are left as they are.
    func load(_ block: Int, into values: RegisterValues) {
        var mask = kept[block]
        let place = places[block]
        var next = storage + max(0, Int(place))
        while mask != 0 {
            let register = mask.trailingZeroBitCount
            values.base[register] = place >= 0 ? next.pointee : .top
            next += 1
            mask &= mask - 1
        }
    }

    /// The value of one register at the start of a block that keeps it.
    func value(_ register: Int, at block: Int) -> AbstractValue {
        let place = places[block]
        guard place >= 0 else { return .top }
        let below = kept[block] & ((1 << UInt32(register)) - 1)
        return storage[Int(place) + below.nonzeroBitCount]
    }

    /// The first state of a block. False: there is no room for it, and the block knows nothing.
    mutating func set(_ block: Int, from values: RegisterValues) -> Bool {
        var mask = kept[block]
        let needed = mask.nonzeroBitCount
        guard count + needed <= capacity else {
            forget(block)
            return false
        }
        places[block] = Int32(count)
        var next = storage + count
        while mask != 0 {
            next.initialize(to: values.base[mask.trailingZeroBitCount])
            next += 1
            mask &= mask - 1
        }
        count += needed
        return true
    }

    /// Takes in another state of a block that has one. Returns whether anything was lost.
    @inline(__always)
    mutating func join(
        _ block: Int, _ values: RegisterValues,
        widening: (_ register: Int, _ old: AbstractValue, _ joined: AbstractValue) -> AbstractValue
    ) -> Bool {
        let place = places[block]
        guard place >= 0 else { return false }
        var mask = kept[block]
        var next = storage + Int(place)
        var changed = false
        while mask != 0 {
            let register = mask.trailingZeroBitCount
            let value = values.base + register
            if !AbstractValue.areSame(next, value), !next.pointee.includes(value.pointee) {
                let joined = next.pointee.joined(value.pointee)
                next.pointee = widening(register, next.pointee, joined)
                changed = true
            }
            next += 1
            mask &= mask - 1
        }
        return changed
    }
}
