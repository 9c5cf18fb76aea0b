/// Decimal fractions as integers: both encodings of values use the same powers of ten.
enum DecimalScale {
    /// The powers of ten from 0 to 15.
    static let powers: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ]

    /// `value` times ten to the power of `power`, if that is an integer from which the value can be restored exactly.
    @inline(__always)
    static func exactInteger(_ value: Double, _ power: Int) -> Int64? {
        let scaled = power == 0 ? value : (value * powers[power]).rounded()
        // NaN fails this comparison; -0 and fractions fail the next one.
        guard scaled.magnitude <= 0x1p53 else { return nil }
        let integer = Int64(scaled)
        let back = power == 0 ? Double(integer) : Double(integer) / powers[power]
        return back.bitPattern == value.bitPattern ? integer : nil
    }
}
