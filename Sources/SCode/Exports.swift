// What embedders see when they import SCode.
@_exported import SCodeBPF
@_exported import SCodeIR
@_exported import SCodeSyntax
@_exported import SCodeVerifier
@_exported import SCodeJIT
