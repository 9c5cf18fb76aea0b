extension FloatHistogram {
    /// The schemas of exponential buckets that can be stored.
    public static let exponentialSchemas: ClosedRange<Int32> = -4...8
    /// Finer schemas, which are converted to the finest one that can be stored.
    private static let reducibleSchemas: ClosedRange<Int32> = 9...52

    /// Why this histogram cannot be stored; `nil` if it can.
    ///
    /// All code that reads buckets relies on it, so every histogram of a client is checked once on arrival.
    ///
    /// - Parameter countsAreIntegers: whether the counts are exact, so that those of the buckets must add up to
    ///   ``count``. Float counts need not, because of rounding.
    public func fault(countsAreIntegers: Bool) -> String? {
        if let fault = layoutFault { return fault }
        // NaN is not allowed either.
        guard positiveBuckets.allSatisfy({ $0 >= 0 }) else { return "a positive bucket with a negative count" }
        guard negativeBuckets.allSatisfy({ $0 >= 0 }) else { return "a negative bucket with a negative count" }
        guard count >= 0, zeroCount >= 0 else { return "a negative count of observations" }
        guard countsAreIntegers, count < 0x1p53 else { return nil }
        let counted = zeroCount + (positiveBuckets + negativeBuckets).reduce(0, +)
        if sum.isNaN ? counted > count : counted != count {
            let (buckets, all) = (FloatText.general(counted), FloatText.general(count))
            return "\(buckets) observations in the buckets, but a count of \(all)"
        }
        return nil
    }

    /// Why the buckets have no defined bounds; `nil` if they have. Part of ``fault(countsAreIntegers:)``.
    public var layoutFault: String? {
        schemaFault ?? sideFault("positive", positiveSpans, positiveBuckets)
            ?? sideFault("negative", negativeSpans, negativeBuckets)
    }

    private var schemaFault: String? {
        guard usesCustomBuckets else {
            guard Self.exponentialSchemas.contains(schema) || Self.reducibleSchemas.contains(schema) else {
                return "unknown histogram schema \(schema)"
            }
            if !customValues.isEmpty { return "custom bounds in an exponential histogram" }
            return zeroThreshold >= 0 ? nil : "a zero threshold that is not a width"
        }
        guard zeroThreshold == 0, zeroCount == 0 else { return "a zero bucket in a histogram with custom bounds" }
        guard negativeSpans.isEmpty, negativeBuckets.isEmpty else {
            return "negative buckets in a histogram with custom bounds"
        }
        if customValues.contains(where: { !$0.isFinite }) { return "a custom bound that is not finite" }
        if zip(customValues, customValues.dropFirst()).contains(where: { $0 >= $1 }) {
            return "custom bounds do not ascend"
        }
        let last = positiveSpans.reduce(Int64(0)) { $0 + Int64($1.offset) + Int64($1.length) }
        return last <= customValues.count + 1 && (positiveSpans.first?.offset ?? 0) >= 0
            ? nil : "buckets beyond the custom bounds"
    }

    private func sideFault(_ side: String, _ spans: [Span], _ counts: [Double]) -> String? {
        var length: UInt64 = 0
        var index: Int64 = 0
        for (number, span) in spans.enumerated() {
            if number > 0, span.offset < 0 { return "\(side) span \(number + 1) has a negative offset" }
            length += UInt64(span.length)
            index += Int64(span.offset) + Int64(span.length)
            // Lengths are checked before anything is allocated for them.
            guard length <= counts.count, Int32(exactly: index) != nil else { break }
        }
        guard length == counts.count, Int32(exactly: index) != nil else {
            return "\(side) spans need \(length) buckets, have \(counts.count)"
        }
        return nil
    }
}
