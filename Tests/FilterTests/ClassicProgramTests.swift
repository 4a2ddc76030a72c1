import SCodeFilter
import SCodeTestSupport
import Testing

/// Reading what `tcpdump -ddd` prints.
@Suite struct ClassicProgramTests {
    private func failure(_ text: String) -> ClassicFailure? {
        do throws(ClassicFailure) {
            _ = try ClassicProgram(dump: Array(text.utf8))
            return nil
        } catch { return error }
    }

    @Test func readsDumps() throws {
        let program = try ClassicProgram(
            dump: Array("4\n40 0 0 12\r\n21 0 1 2048\n\n6 0 0 262144\n6 0 0 0".utf8))
        #expect(
            program.instructions == [
                .load(.half, 12), .branch(.equal, .constant(2048), then: 0, else: 1), .return(262_144),
                .return(0),
            ])
    }

    @Test(arguments: [
        ("", "line 1: the first line is the number of instructions (is this what 'tcpdump -ddd' prints?)"),
        (
            "(000) ret #0\n",
            "line 1: the first line is the number of instructions (is this what 'tcpdump -ddd' prints?)"
        ),
        ("0\n", "line 1: no instructions"),
        ("5000\n", "line 1: 5000 instructions; a filter has at most 4096"),
        ("2\n6 0 0 0\n", "line 1: the first line promises 2 instructions, here are 1"),
        ("1\n6 0 0\n", "line 2: an instruction is four decimal numbers: code, jt, jf, k"),
        ("1\n6 0 0 0 0\n", "line 2: an instruction is four decimal numbers: code, jt, jf, k"),
        ("1\n6 0 0 -1\n", "line 2: an instruction is four decimal numbers: code, jt, jf, k"),
        ("1\n6 0 0 4294967296\n", "line 2: 4294967296 does not fit into its field"),
        ("1\n6 256 0 0\n", "line 2: 256 does not fit into its field"),
        ("1\n99999999999999999999 0 0 0\n", "line 2: 18446744073709551615 does not fit into its field"),
        ("1\n6 0 0 0\n6 0 0 0\n", "line 3: text after the last instruction"),
        ("2\n255 0 0 0\n6 0 0 0\n", "line 2: there is no instruction of code 255"),
        ("2\n96 0 0 16\n6 0 0 0\n", "line 2: scratch cell 16; there are 0 to 15"),
        ("2\n52 0 0 0\n6 0 0 0\n", "line 2: division by the constant 0"),
        ("2\n100 0 0 32\n6 0 0 0\n", "line 2: shift by 32 bits; a register has 32"),
        ("2\n21 0 1 0\n6 0 0 0\n", "line 2: a jump behind the last instruction"),
        ("2\n5 0 0 1\n6 0 0 0\n", "line 2: a jump behind the last instruction"),
        (
            "2\n5 0 0 4294967295\n6 0 0 0\n",
            "line 2: a jump backward (as 'protochain' makes it); filters have no loops"
        ),
        ("1\n0 0 0 0\n", "line 2: the last instruction is no return"),
        (
            "2\n40 0 0 4294963200\n6 0 0 0\n",
            "line 2: a load at 0xfffff000 asks the Linux kernel, not the packet; compile the filter for a capture file, not for an interface"
        ),
    ]) func saysWhatIsWrong(_ text: String, _ message: String) {
        #expect(failure(text)?.description == message)
    }

    /// Text cut off anywhere, and with any byte changed, is read or refused.
    @Test func damagedText() {
        let text = RawInstruction.text(FilterSetTests.portAndHost(80, 1))
        var read = 0
        for length in text.indices where (try? ClassicProgram(dump: text[..<length])) != nil { read += 1 }
        // Without the last line end, and nowhere else.
        #expect(read == 1)
        var refused = 0
        for index in text.indices {
            for byte: UInt8 in [0, 0x0a, 0x20, 0x39, 0xff] {
                var damaged = text
                damaged[index] = byte
                if (try? ClassicProgram(dump: damaged)) == nil { refused += 1 }
            }
        }
        #expect(refused > text.count)
    }
}
