import CFFI
import CSCodeRuntime
import SCodeVerifier

/// A host function made ready to be called with 64-bit words, through libffi.
///
/// Both engines call it by `record.invoke`. Keeps the libffi call interface alive.
public final class HostCall {
    private let function: HostFunction
    /// The call interface points to the types: both stay where they are for the life of this object.
    private let interface: UnsafeMutablePointer<ffi_cif>
    private let types: UnsafeMutableBufferPointer<UnsafeMutablePointer<ffi_type>?>

    /// - Returns: nil when the macro-instruction's operands are not the function's parameters, behind at
    ///   most one result, or when libffi does not take the signature.
    public init?(_ function: HostFunction, operands: [MacroOperandKind]) {
        let results = operands.filter { if case .result = $0 { true } else { false } }.count
        guard results <= 1, operands.count - results == function.parameters.count else { return nil }
        self.function = function
        let list =
            (function.userData == nil ? [] : [ForeignType.pointer.ffi]) + function.parameters.map(\.ffi)
        guard list.count <= Int(SCODE_ARGUMENT_LIMIT) else { return nil }
        types = .allocate(capacity: list.count)
        _ = types.initialize(from: list)
        interface = .allocate(capacity: 1)
        interface.initialize(to: ffi_cif())
        let status = ffi_prep_cif(
            interface, FFI_DEFAULT_ABI, UInt32(list.count), function.result.ffi, types.baseAddress)
        guard status == FFI_OK else { return nil }
    }

    deinit {
        interface.deallocate()
        types.deallocate()
    }

    /// The record that an instance holds. Valid as long as this object lives.
    public var record: scode_host_function {
        scode_host_function(
            invoke: { record, _, words in
                guard let object = record?.pointee.call_interface, let words else { return 0 }
                return Unmanaged<HostCall>.fromOpaque(object).takeUnretainedValue().call(words)
            }, address: nil, call_interface: Unmanaged.passUnretained(self).toOpaque())
    }

    private func call(_ words: UnsafePointer<UInt64>) -> UInt64 {
        // libffi reads an argument through a pointer at its own width; little-endian words do for all.
        var storage = function.userData.map { [UInt64($0)] } ?? []
        storage += UnsafeBufferPointer(start: words, count: function.parameters.count)
        let code = unsafeBitCast(
            UnsafeRawPointer(bitPattern: function.address), to: (@convention(c) () -> Void)?.self)
        // At least a register wide, as libffi wants it for results of every integer type.
        var result: UInt64 = 0
        storage.withUnsafeMutableBytes { storage in
            var pointers = (0..<storage.count / 8).map { storage.baseAddress?.advanced(by: $0 * 8) }
            ffi_call(interface, code, &result, &pointers)
        }
        return result
    }
}

extension ForeignType {
    fileprivate var ffi: UnsafeMutablePointer<ffi_type>? {
        switch self {
        case .int8: scode_ffi_sint8()
        case .uint8: scode_ffi_uint8()
        case .int16: scode_ffi_sint16()
        case .uint16: scode_ffi_uint16()
        case .int32: scode_ffi_sint32()
        case .uint32: scode_ffi_uint32()
        case .int64: scode_ffi_sint64()
        case .uint64: scode_ffi_uint64()
        case .pointer: scode_ffi_pointer()
        case .float: scode_ffi_float()
        case .double: scode_ffi_double()
        }
    }
}

extension ForeignType? {
    fileprivate var ffi: UnsafeMutablePointer<ffi_type>? { self?.ffi ?? scode_ffi_void() }
}
