internal import Glibc

extension FloatHistogram {
    /// The upper bound of exponential bucket `index`; the last bucket of finite values ends at the greatest number.
    static func exponentialBound(_ index: Int32, schema: Int32) -> Double {
        // Other schemas do not exist. Invalid numbers must be harmless.
        let schema = max(-16, min(16, schema))
        let exponent = schema < 0 ? Int64(index) << Int64(-schema) : Int64(index) >> Int64(schema)
        let fraction = schema > 0 ? index & (1 << schema - 1) : 0
        if exponent == 1024 && fraction == 0 { return .greatestFiniteMagnitude }
        let bound =
            schema <= 8
            ? bounds[Int(fraction) << Int(8 - max(schema, 0))]
            : exp2(Double(fraction) / Double(Int32(1) << schema) - 1)
        return ldexp(bound, Int32(clamping: exponent + 1))
    }

    /// The bounds from 0.5 to 1 at schema 8. They include those of lower schemas.
    ///
    /// Prometheus and its clients use a table whose numbers are up to four units in the last place below the exact
    /// powers of two. They are visible in the API, in labels of `count_values` and in comparisons with a bound, so
    /// these are the same.
    private static let bounds: [Double] = deviations.enumerated().map { index, deviation in
        let nearest = exp2(Double(index) / 256 - 1)
        return Double(bitPattern: nearest.bitPattern &+ UInt64(bitPattern: 49 - Int64(deviation)))
    }

    /// The difference of each bound from the next number above the exact one, in units in the last place.
    private static let deviations = Array(
        """
        1111112111211111112311222222222211211121122211221122102211221122\
        1111112222332132112111211112111111121011213311221222112121332222\
        2121223322322122222222232323233323311221121223321332233212232332\
        2243223233433343333333444455435422322333324422333243223333543344
        """.utf8)
}
