import X86Assembler

/// How to find the frame of whoever called, at every instruction: `.debug_frame` of DWARF 4, section 6.4.
///
/// The canonical frame address (CFA) is what rsp was before the call, 8 above the return address.
struct UnwindInformation {
    let code: CodeDescription

    private enum Operation {
        static let advance1: UInt8 = 0x02
        static let advance4: UInt8 = 0x04
        static let undefined: UInt8 = 0x07
        static let sameValue: UInt8 = 0x08
        static let defineCFA: UInt8 = 0x0c
        static let defineCFAOffset: UInt8 = 0x0e
        /// With the register in its low bits.
        static let offset: UInt8 = 0x80
    }
    private static let returnAddress: UInt8 = 16
    private static let stackPointer: UInt64 = 7

    var bytes: [UInt8] {
        var out = ByteWriter()
        out.put { out in
            out.put(UInt32.max)  // this is the common part
            out.put([4, 0, 8, 0])  // version; no augmentation; sizes of addresses and segments
            out.put(uleb: 1)  // code alignment
            out.put(sleb: -8)  // data alignment: offsets are given in slots below the CFA
            out.put(uleb: UInt64(Self.returnAddress))
            out.put(Operation.defineCFA)
            out.put(uleb: Self.stackPointer)
            out.put(uleb: 8)
            out.put(Operation.offset | Self.returnAddress)
            out.put(uleb: 1)
            pad(&out)
        }
        for part in code.parts {
            out.put { out in
                out.put(UInt32(0))  // where the common part is
                out.put(code.address + UInt64(part.range.lowerBound))
                out.put(UInt64(part.range.count))
                for register in part.clobbered {
                    out.put(Operation.undefined)
                    out.put(uleb: register.dwarfNumber)
                }
                putRows(part, &out)
                pad(&out)
            }
        }
        return out.bytes
    }

    /// With the length before them, entries are multiples of 8 bytes.
    private func pad(_ out: inout ByteWriter) {
        while out.count % 8 != 4 { out.put(UInt8(0)) }
    }

    private func putRows(_ part: CodeDescription.Part, _ out: inout ByteWriter) {
        var offset = part.range.lowerBound
        var depth: Int32 = 0
        for row in code.stack where part.range.contains(Int(row.offset)) && row.depth != depth {
            let advance = Int(row.offset) - offset
            if advance > 0xff {
                out.put(Operation.advance4)
                out.put(UInt32(advance))
            } else if advance > 0 {
                out.put(Operation.advance1)
                out.put(UInt8(advance))
            }
            out.put(Operation.defineCFAOffset)
            out.put(uleb: UInt64(row.depth) + 8)
            for (index, register) in part.saved.enumerated() {
                let end = Int32(index + 1) * 8
                if depth < end, row.depth >= end {
                    out.put(Operation.offset | UInt8(register.dwarfNumber))
                    out.put(uleb: UInt64(index) + 2)
                } else if depth >= end, row.depth < end {
                    out.put(Operation.sameValue)
                    out.put(uleb: register.dwarfNumber)
                }
            }
            (offset, depth) = (Int(row.offset), row.depth)
        }
    }
}

extension GPR {
    /// System V ABI, AMD64, figure 3.36.
    fileprivate var dwarfNumber: UInt64 {
        switch self {
        case .rax: 0
        case .rdx: 1
        case .rcx: 2
        case .rbx: 3
        case .rsi: 4
        case .rdi: 5
        case .rbp: 6
        case .rsp: 7
        default: UInt64(rawValue)
        }
    }
}
