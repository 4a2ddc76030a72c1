import X86Assembler

// Operands as text, written from the manual and not from the assembler.

private let names64 = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(separator: " ")
private let names32 =
    "eax ecx edx ebx esp ebp esi edi r8d r9d r10d r11d r12d r13d r14d r15d".split(separator: " ")
private let names16 = "ax cx dx bx sp bp si di r8w r9w r10w r11w r12w r13w r14w r15w".split(separator: " ")
private let names8 = "al cl dl bl spl bpl sil dil r8b r9b r10b r11b r12b r13b r14b r15b".split(separator: " ")

func name(_ register: GPR, _ bits: Int = 64) -> String {
    let number = Int(register.rawValue)
    return switch bits {
    case 8: String(names8[number])
    case 16: String(names16[number])
    case 32: String(names32[number])
    default: String(names64[number])
    }
}

func name(_ register: XMM) -> String { "xmm\(register.rawValue)" }

extension OperandWidth {
    var bits: Int { isWide ? 64 : 32 }
}

extension MemoryWidth {
    var bits: Int {
        switch self {
        case .w8: 8
        case .w16: 16
        case .w32: 32
        case .w64: 64
        }
    }
}

/// Capstone's way with numbers.
func number(_ value: some BinaryInteger) -> String {
    value < 10 ? "\(value)" : "0x" + String(value, radix: 16)
}

func text(_ memory: Memory) -> String {
    var result = "[" + name(memory.base)
    if let index = memory.index {
        result += " + " + name(index)
        switch memory.scale {
        case .x1: break
        case .x2: result += "*2"
        case .x4: result += "*4"
        case .x8: result += "*8"
        }
    }
    if memory.displacement != 0 {
        let sign = memory.displacement < 0 ? " - " : " + "
        result += sign + number(memory.displacement.magnitude)
    }
    return result + "]"
}

func text(_ memory: Memory, _ bits: Int) -> String {
    let size =
        switch bits {
        case 8: "byte"
        case 16: "word"
        case 32: "dword"
        default: "qword"
        }
    return size + " ptr " + text(memory)
}

// MARK: Operands to try

let displacements: [Int32] = [0, 1, -1, 127, 128, -128, -129, .max, .min]

/// Every base, with every index and scale and without, with each displacement: 8,784 operands.
let everyMemory: [Memory] = {
    var all: [Memory] = []
    for base in GPR.allCases {
        for displacement in displacements {
            all.append(Memory(base, displacement))
            for index in GPR.allCases where index != .rsp {
                for scale in Scale.allCases {
                    all.append(Memory(base, index: index, scale, displacement))
                }
            }
        }
    }
    return all
}()

/// Every memory operand, with registers in turn. An odd number of forms goes with each base and displacement,
/// so that every base, and every index with its scale, meets every register.
func forEachMemory(_ body: (Memory, GPR) -> Void) {
    for (number, memory) in everyMemory.enumerated() { body(memory, GPR.allCases[number & 15]) }
}

func forEachPair(_ body: (GPR, GPR) -> Void) {
    for left in GPR.allCases {
        for right in GPR.allCases { body(left, right) }
    }
}

func forEachFloatPair(_ body: (XMM, XMM) -> Void) {
    for left in XMM.allCases {
        for right in XMM.allCases { body(left, right) }
    }
}

/// Each XMM register with each general-purpose one.
func forEachMixedPair(_ body: (XMM, GPR) -> Void) {
    for left in XMM.allCases {
        for right in GPR.allCases { body(left, right) }
    }
}

/// Where immediates change their encoding, and the values around those places.
let immediates32: [Int32] = [
    0, 1, -1, 9, 10, 126, 127, 128, 129, 255, 256, -127, -128, -129, -130, 32767, 32768, -32769, .max - 1,
    .max,
    .min, .min + 1,
]
let immediates64: [UInt64] = [
    0, 1, 127, 128, 255, 0x7FFF_FFFE, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, 0xFFFF_FFFF, 0x1_0000_0000,
    0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_7FFF_FFFF, 0xFFFF_FFFF_8000_0000,
    0xFFFF_FFFF_8000_0001, 0xFFFF_FFFF_FFFF_FF7F, 0xFFFF_FFFF_FFFF_FF80, 0xFFFF_FFFF_FFFF_FFFF,
    0x0123_4567_89AB_CDEF,
]
