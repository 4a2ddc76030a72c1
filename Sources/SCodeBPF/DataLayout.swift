import SCodeIR

/// Where the data of an object file go: one region for constants, one for variables, and those of the acceptor's that
/// the code names. Only sections that the code names are there.
struct DataLayout {
    private(set) var regions: [Region] = []
    /// Where each section begins.
    private(set) var places: [Int: (region: Int, offset: Int64)] = [:]
    /// The acceptor's regions by name.
    private(set) var shared: [String: Int] = [:]

    init() {}

    /// - Parameter symbols: those that the code refers to.
    init(
        _ object: ELFObject, _ symbols: [ELFObject.Symbol], _ interface: EBPFInterface
    ) throws(EBPFFailure) {
        var used: Set<Int> = []
        var wanted: Set<String> = []
        for symbol in symbols {
            if let section = symbol.section {
                used.insert(section)
            } else {
                wanted.insert(object.name(of: symbol))
            }
        }
        for region in interface.regions where wanted.contains(region.name) && shared[region.name] == nil {
            shared[region.name] = regions.count
            regions.append(region)
        }
        let data = used.filter { object.sections[$0].isData }.sorted()
        let constants = data.filter { !object.sections[$0].isWritable }
        let variables = data.filter { object.sections[$0].isWritable }
        // What is zero at first comes last, so that it takes no room in the program.
        let zeros = variables.filter { object.sections[$0].type == ELFObject.Kind.noBits }
        let values = variables.filter { object.sections[$0].type != ELFObject.Kind.noBits }
        try add("rodata", isWritable: false, constants, object, interface)
        try add("data", isWritable: true, values + zeros, object, interface)
    }

    private mutating func add(
        _ name: String, isWritable: Bool, _ sections: [Int], _ object: ELFObject, _ interface: EBPFInterface
    ) throws(EBPFFailure) {
        guard !sections.isEmpty else { return }
        var region = Region(name: name, policy: interface.policy, isWritable: isWritable, size: 0)
        for number in sections {
            let section = object.sections[number]
            if let relocation = try object.relocations(of: number).first {
                let symbol = object.name(of: object.symbols[relocation.symbol])
                throw EBPFFailure(.addressInData(symbol: symbol), section: section.name)
            }
            let alignment = UInt64(section.alignment)
            let start = (region.size + alignment - 1) / alignment * alignment
            guard section.size <= EBPFLimits.data, start + section.size <= EBPFLimits.data,
                section.type == ELFObject.Kind.noBits
                    || start + section.size <= UInt64(ProgramLimits.regionContents)
            else { throw EBPFFailure(.tooMuchData, section: section.name) }
            places[number] = (regions.count, Int64(start))
            region.size = start + section.size
            if section.type == ELFObject.Kind.noBits { continue }
            region.contents += [UInt8](repeating: 0, count: Int(start) - region.contents.count)
            region.contents += object.contents(of: number)
        }
        regions.append(region)
    }
}
