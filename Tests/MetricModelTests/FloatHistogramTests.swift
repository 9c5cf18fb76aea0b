import MetricModel
import Testing

@Suite struct FloatHistogramTests {
    private func exponential(
        schema: Int32 = 0, offset: Int32 = 0, _ counts: [Double], zero: Double = 0, zeroThreshold: Double = 0
    ) -> FloatHistogram {
        var histogram = FloatHistogram()
        histogram.schema = schema
        histogram.positiveSpans = [.init(offset: offset, length: UInt32(counts.count))]
        histogram.positiveBuckets = counts
        histogram.zeroCount = zero
        histogram.zeroThreshold = zeroThreshold
        histogram.count = counts.reduce(zero, +)
        histogram.sum = histogram.count
        return histogram
    }

    private func custom(_ bounds: [Double], _ counts: [Double]) -> FloatHistogram {
        var histogram = exponential(counts)
        histogram.schema = FloatHistogram.customBucketsSchema
        histogram.customValues = bounds
        return histogram
    }

    @Test func addsBucketsThatOnlyOneSideHas() {
        var sum = exponential([1, 2])
        #expect(sum.add(exponential(offset: 3, [5])) != nil)
        #expect(sum.positiveSpans == [.init(offset: 0, length: 2), .init(offset: 1, length: 1)])
        #expect(sum.positiveBuckets == [1, 2, 5])
        #expect(sum.count == 8)
    }

    /// Bounds as shown by Debian's Prometheus.
    @Test(
        arguments: [
            (1, 1, "{count:1, sum:1, (1,1.414213562373095]:1}"),
            (1, -3, "{count:1, sum:1, (0.25,0.35355339059327373]:1}"),
            (3, 3, "{count:1, sum:1, (1.189207115002721,1.2968395546510096]:1}"),
            (0, 3, "{count:1, sum:1, (4,8]:1}"),
            (8, 1, "{count:1, sum:1, (1,1.0027112750502025]:1}"),
            (8, 256, "{count:1, sum:1, (1.9945921121709396,2]:1}"),
            (-2, 1, "{count:1, sum:1, (1,16]:1}"),
        ] as [(Int32, Int32, String)])
    func boundsAreThoseOfPrometheus(schema: Int32, index: Int32, text: String) {
        #expect(exponential(schema: schema, offset: index, [1]).description == text)
    }

    @Test func boundsAscend() {
        for schema in FloatHistogram.exponentialSchemas {
            let bounds = exponential(schema: schema, offset: -300, [Double](repeating: 1, count: 600))
                .positiveBucketList.map(\.upper)
            #expect(
                zip(bounds, bounds.dropFirst()).allSatisfy {
                    $0 < $1 || $0 == 0 || $0 == .infinity || $0 == .greatestFiniteMagnitude
                })
        }
    }

    @Test func addsAtTheLowerResolution() {
        // At schema 1 the buckets 1 and 2 together are bucket 1 of schema 0.
        var sum = exponential(schema: 1, offset: 1, [1, 2, 4])
        _ = sum.add(exponential(schema: 0, offset: 1, [10]))
        #expect(sum.schema == 0)
        #expect(sum.positiveBuckets == [13, 4])
        #expect(sum.positiveSpans == [.init(offset: 1, length: 2)])
    }

    @Test func widensTheZeroBucketToTheEndOfAPopulatedBucket() {
        // The threshold 1.5 lies in the bucket (1, 2], so that the zero bucket has to reach to 2.
        var sum = exponential(offset: 0, [1, 2, 4])
        _ = sum.add(exponential(offset: 4, [8], zero: 3, zeroThreshold: 1.5))
        #expect(sum.zeroThreshold == 2)
        #expect(sum.zeroCount == 6)
        #expect(sum.positiveBuckets == [4, 8])
    }

    @Test func reconcilesCustomBoundsToThoseBothHave() {
        var sum = custom([1, 2, 4], [1, 2, 4, 8])
        #expect(sum.add(custom([2, 3, 4], [10, 20, 40, 80]))?.boundsReconciled == true)
        #expect(sum.customValues == [2, 4])
        #expect(sum.positiveBuckets == [13, 64, 88])
    }

    @Test func refusesToAddCustomAndExponentialBuckets() {
        var sum = exponential([1])
        #expect(sum.add(custom([1], [1, 1])) == nil)
        #expect(sum == exponential([1]))
    }

    @Test(
        arguments: [
            (FloatHistogram.CounterResetHint.unknown, .notReset, .unknown, false),
            (.gauge, .reset, .gauge, false), (.reset, .gauge, .gauge, false), (.reset, .reset, .reset, false),
            (.reset, .notReset, .unknown, true),
        ] as [(FloatHistogram.CounterResetHint, FloatHistogram.CounterResetHint, FloatHistogram.CounterResetHint, Bool)]
    )
    func hintsOfASumSayWhatBothSay(
        left: FloatHistogram.CounterResetHint, right: FloatHistogram.CounterResetHint,
        expected: FloatHistogram.CounterResetHint, collides: Bool
    ) {
        var sum = exponential([1])
        sum.counterResetHint = left
        var other = exponential([1])
        other.counterResetHint = right
        #expect(sum.add(other)?.hintsCollided == collides)
        #expect(sum.counterResetHint == expected)
    }

    @Test func keepsWhatRoundingWouldLose() {
        var sum = HistogramAccumulator(exponential([1e16]))
        for _ in 0..<10 { _ = sum.add(exponential([1])) }
        #expect(sum.total.positiveBuckets == [1e16 + 10])
    }

    @Test func subtractionLeavesEmptyBucketsThatCompactionRemoves() {
        var difference = exponential([1, 2, 3])
        _ = difference.subtract(exponential([1, 0, 3]))
        #expect(difference.positiveBuckets == [0, 2, 0])
        difference.compact()
        #expect(difference.positiveSpans == [.init(offset: 1, length: 1)])
        #expect(difference.positiveBuckets == [2])
    }

    @Test func resetsAreSeenInCountsBucketsAndLayouts() {
        let before = exponential([1, 2, 3], zero: 1, zeroThreshold: 0.001)
        #expect(!before.isReset(after: before))
        #expect(!exponential([1, 2, 4], zero: 1, zeroThreshold: 0.001).isReset(after: before))
        #expect(exponential([1, 1, 9], zero: 1, zeroThreshold: 0.001).isReset(after: before), "a bucket fell")
        #expect(exponential(offset: 1, [9, 9], zero: 1, zeroThreshold: 0.001).isReset(after: before), "one vanished")
        #expect(exponential([1, 2, 9], zero: 0, zeroThreshold: 0.001).isReset(after: before), "the zero bucket fell")
        #expect(
            exponential(schema: 1, [1, 2, 3], zero: 9, zeroThreshold: 0.001).isReset(after: before), "finer than before"
        )
        #expect(custom([1, 2], [5, 5, 5]).isReset(after: before), "another kind of buckets")
    }

    @Test func theHintOfACounterDecidesAboutResets() {
        var later = exponential([1])
        later.counterResetHint = .notReset
        #expect(!later.isReset(after: exponential([5])))
        later = exponential([9])
        later.counterResetHint = .reset
        #expect(later.isReset(after: exponential([5])))
    }

    @Test func describesBucketsInAscendingOrder() {
        var histogram = exponential([1, 0, 2], zero: 4, zeroThreshold: 0.001)
        histogram.negativeSpans = [.init(offset: 0, length: 1)]
        histogram.negativeBuckets = [3]
        #expect(
            histogram.description == "{count:7, sum:7, [-1,-0.5):3, [-0.001,0.001]:4, (0.5,1]:1, (2,4]:2}")
    }

    @Test(arguments: [Int32.min, -17, 17, .max])
    func schemasThatDoNotExistDoNoHarm(schema: Int32) {
        var sum = exponential(schema: schema, offset: .max - 3, [1, 2, 3])
        _ = sum.add(exponential(offset: .min, [1], zeroThreshold: 1))
        _ = sum.allBuckets
        _ = sum.isReset(after: exponential([1]))
    }
}
