/// Machine instructions that a guard adds on the path that it lets pass, beside the access, jump or division itself.
/// `GuardCostTests` counts them in compiled code.
public enum GuardCost {
    /// Bounds of a region: subtract, compare, branch; the addition is there when the access is proved, too.
    public static let region = 3
    /// Page and TLB: last byte, page, index, comparison, branch.
    public static let page = 8
    /// What `GuardPolicy.masksSpeculation` adds to each of the two, and to an index: mask and its application; of a page,
    /// the mask is made in three.
    public static let regionMask = 2
    public static let pageMask = 4
    public static let indexMask = 4
    /// Region of the host policy: the low half of the address; the processor does the rest.
    public static let window = 1
    public static let divisor = 2
    public static let index = 2
    /// Copy, mask, branch.
    public static let alignment = 3
    /// Of a backward jump: the subtraction, and the branch where nothing is left.
    public static let budget = 2
}
