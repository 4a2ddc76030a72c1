extension Program {
    /// The same program without what only people need.
    ///
    /// - Parameters:
    ///   - names: Whether to remove the names of parameters, registers, labels, tables and procedures, leaving
    ///     them empty. What others refer to by name keeps it: acceptor, host functions, regions, fragments, and
    ///     macro-instructions.
    ///   - positions: Whether to remove source positions and the names of the files that they lie in.
    public func stripped(names: Bool = true, positions: Bool = true) -> Program {
        var copy = self
        if positions { copy.sourceFiles = [] }
        for index in copy.fragments.indices {
            if names { copy.fragments[index].removeNames() }
            if positions {
                copy.fragments[index].sourceRanges = []
                copy.fragments[index].range = .none
            }
        }
        return copy
    }

    /// The same program without source positions, for comparing meaning.
    public var withoutPositions: Program { stripped(names: false) }
}

extension FragmentCode {
    fileprivate mutating func removeNames() {
        registerNames = Array(repeating: nil, count: Register.count)
        for index in parameters.indices { parameters[index].name = "" }
        for index in labels.indices { labels[index].name = "" }
        for index in tables.indices { tables[index].name = "" }
        for index in procedures.indices { procedures[index].name = "" }
    }
}
