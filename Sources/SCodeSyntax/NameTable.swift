import SCodeIR

/// A name of the text as a small number: equal for equal letters, counted in the order of appearance.
struct Name: Hashable, BitwiseCopyable {
    let number: UInt32
}

/// What the opcode table says of a mnemonic, looked up once for each name and not for each instruction.
final class Mnemonic: Sendable {
    let opcode: Opcode
    let shape: OperandShape
    let operands: [OperandKind]
    /// Which kind of register each operand is.
    let banks: [RegisterBank]
    /// The same with an immediate as the last source, if there is that form.
    let withImmediate: Opcode?

    init(_ opcode: Opcode) {
        self.opcode = opcode
        shape = opcode.shape
        operands = opcode.operands
        banks = operands.map(opcode.bank)
        withImmediate = opcode.withImmediate
    }

    static let byName = Opcode.byMnemonic.mapValues(Mnemonic.init)
}

/// The names of all files of a text. A name's letters are stored and compared once, when it is read; from then
/// on it is a number.
struct NameTable {
    struct Entry {
        /// Unlike every other name.
        let text: String
        /// As it was written; differs from `text` for a name that the expansion of a macro made.
        let spelling: String
        let isGenerated: Bool
        /// Whether a declaration may take the name.
        let isDeclarable: Bool
        let looksLikeRegister: Bool
        let register: Register?
        /// Nil when no instruction of the table is called so.
        let mnemonic: Mnemonic?
    }

    private var entries: [Entry] = []
    /// The letters of all names, one after the other, and where each begins.
    private var letters: [UInt8] = []
    private var starts = [0]
    private var hashes: [Int] = []
    /// Open addressing: 0, or one more than the name's number. The hash is seeded for each process, so that no
    /// text can be made whose names all meet in one place.
    private var slots = [UInt32](repeating: 0, count: 1024)

    subscript(_ name: Name) -> Entry { entries[Int(name.number)] }

    /// The number of a name that a text contains.
    mutating func intern(_ bytes: UnsafeRawBufferPointer) -> Name {
        let (slot, hash) = find(bytes)
        if slots[slot] != 0 { return Name(number: slots[slot] - 1) }
        let text = String(decoding: bytes, as: UTF8.self)
        return add(bytes, text, spelling: nil, hash, slot)
    }

    mutating func intern(_ text: String) -> Name {
        Array(text.utf8).withUnsafeBytes { intern($0) }
    }

    /// A name with these letters that stands for `spelling`, unless the text itself has that name, or an
    /// expansion has it for another spelling.
    mutating func generate(_ text: String, for spelling: String) -> Name? {
        Array(text.utf8).withUnsafeBytes { bytes in
            let (slot, hash) = find(bytes)
            if slots[slot] != 0 {
                let known = Name(number: slots[slot] - 1)
                return self[known].isGenerated && self[known].spelling == spelling ? known : nil
            }
            return add(bytes, text, spelling: spelling, hash, slot)
        }
    }

    /// The slot of the name, or the one where it belongs.
    private func find(_ bytes: UnsafeRawBufferPointer) -> (slot: Int, hash: Int) {
        var hasher = Hasher()
        hasher.combine(bytes: bytes)
        let hash = hasher.finalize()
        var slot = hash & (slots.count - 1)
        while slots[slot] != 0 {
            let index = Int(slots[slot]) - 1
            if hashes[index] == hash, isEqual(index, bytes) { break }
            slot = (slot + 1) & (slots.count - 1)
        }
        return (slot, hash)
    }

    private func isEqual(_ index: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let start = starts[index]
        guard starts[index + 1] - start == bytes.count else { return false }
        for offset in 0..<bytes.count where letters[start + offset] != bytes[offset] { return false }
        return true
    }

    private mutating func add(
        _ bytes: UnsafeRawBufferPointer, _ text: String, spelling: String?, _ hash: Int, _ slot: Int
    ) -> Name {
        let name = Name(number: UInt32(truncatingIfNeeded: entries.count))
        letters.append(contentsOf: bytes)
        starts.append(letters.count)
        hashes.append(hash)
        entries.append(
            Entry(
                text: text, spelling: spelling ?? text, isGenerated: spelling != nil,
                isDeclarable: TextForm.isDeclarable(text),
                looksLikeRegister: TextForm.looksLikeRegister(text),
                register: TextForm.register(named: text),
                mnemonic: Mnemonic.byName[text]))
        slots[slot] = name.number + 1
        if entries.count * 2 > slots.count { grow() }
        return name
    }

    private mutating func grow() {
        slots = [UInt32](repeating: 0, count: slots.count * 2)
        for (index, hash) in hashes.enumerated() {
            var slot = hash & (slots.count - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = UInt32(truncatingIfNeeded: index + 1)
        }
    }
}
