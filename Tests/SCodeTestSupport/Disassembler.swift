import CCapstone

/// Capstone, so that encodings are judged by a program that shares nothing with the assembler.
public struct Disassembler: ~Copyable {
    private var handle: csh = 0
    private let instruction: UnsafeMutablePointer<cs_insn>

    public struct Failure: Error {}

    public init() throws {
        guard cs_open(CS_ARCH_X86, CS_MODE_64, &handle) == CS_ERR_OK, let memory = cs_malloc(handle) else {
            throw Failure()
        }
        instruction = memory
    }

    deinit {
        cs_free(instruction, 1)
        var handle = handle
        _ = cs_close(&handle)
    }

    /// One instruction: its text, and its size in bytes. Nil: not an instruction.
    public func decode(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> (text: String, size: Int)? {
        guard let start = bytes.baseAddress else { return nil }
        var code: UnsafePointer<UInt8>? = (start + offset).assumingMemoryBound(to: UInt8.self)
        var remaining = bytes.count - offset
        var address = UInt64(offset)
        guard cs_disasm_iter(handle, &code, &remaining, &address, instruction) else { return nil }
        let raw = UnsafeRawPointer(instruction)
        func string(_ field: PartialKeyPath<cs_insn>) -> String {
            let place = MemoryLayout<cs_insn>.offset(of: field) ?? 0
            return String(cString: (raw + place).assumingMemoryBound(to: CChar.self))
        }
        let operands = string(\.op_str)
        let mnemonic = string(\.mnemonic)
        let text = operands.isEmpty ? mnemonic : mnemonic + " " + operands
        return (text, Int(instruction.pointee.size))
    }

    /// How many bytes the instruction takes. Nil: not an instruction.
    public func size(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int? {
        guard let start = bytes.baseAddress, offset < bytes.count else { return nil }
        var code: UnsafePointer<UInt8>? = (start + offset).assumingMemoryBound(to: UInt8.self)
        var remaining = bytes.count - offset
        var address = UInt64(offset)
        guard cs_disasm_iter(handle, &code, &remaining, &address, instruction) else { return nil }
        return Int(instruction.pointee.size)
    }
}
