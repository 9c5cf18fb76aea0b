extension FloatHistogram: CustomStringConvertible {
    /// `{count:3, sum:4.5, (1,2]:1, (2,4]:2}`, without empty buckets.
    public var description: String {
        var text = "{count:\(FloatText.general(count)), sum:\(FloatText.general(sum))"
        let zero = zeroCount != 0 ? [zeroBucket] : []
        for bucket in negativeBucketList.reversed() + zero + positiveBucketList where bucket.count != 0 {
            text += ", \(bucket.lowerInclusive ? "[" : "(")\(FloatText.general(bucket.lower))"
            text += ",\(FloatText.general(bucket.upper))\(bucket.upperInclusive ? "]" : ")")"
            text += ":\(FloatText.general(bucket.count))"
        }
        return text + "}"
    }
}
