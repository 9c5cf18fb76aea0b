internal import MetricModel
internal import Protobuf

/// The content of one `Metric` message except its labels. Reused from metric to metric.
struct MetricFields {
    /// A classic bucket.
    struct Bucket {
        var upperBound = 0.0
        var count = 0.0
        var exemplar: Range<Int>?
    }

    /// Milliseconds; 0 means none, as in Prometheus.
    var timestamp: Int64 = 0
    /// The start timestamp.
    var startTimestamp: Timestamp?
    /// The value of a counter, gauge or untyped metric.
    var value = 0.0
    /// The exemplar of a counter, as a message.
    var exemplar: Range<Int>?
    /// The number of observations of a summary or histogram.
    var count = 0.0
    /// The number of observations of a histogram with float counts.
    private var floatCount = 0.0
    var sum = 0.0
    var quantiles: [(quantile: Double, value: Double)] = []
    /// Classic buckets.
    var buckets: [Bucket] = []

    private var schema: Int32 = 0
    private var zeroThreshold = 0.0
    private var zeroCount = 0.0
    private var floatZeroCount = 0.0
    private var positive = ProtobufBuckets()
    private var negative = ProtobufBuckets()
    /// The exemplars of a native histogram, as messages.
    var exemplars: [Range<Int>] = []

    /// Clears all fields, but keeps the memory.
    mutating func removeAll() {
        (timestamp, startTimestamp, value, exemplar) = (0, nil, 0, nil)
        (count, floatCount, sum) = (0, 0, 0)
        (schema, zeroThreshold, zeroCount, floatZeroCount) = (0, 0, 0, 0)
        if !quantiles.isEmpty { quantiles.removeAll(keepingCapacity: true) }
        if !buckets.isEmpty { buckets.removeAll(keepingCapacity: true) }
        if !exemplars.isEmpty { exemplars.removeAll(keepingCapacity: true) }
        positive.removeAll()
        negative.removeAll()
    }

    /// Whether the histogram has native buckets, even if only an empty span.
    var isNative: Bool {
        !positive.spans.isEmpty || !negative.spans.isEmpty || zeroThreshold > 0 || zeroCount > 0
    }

    /// Whether the native histogram has integer counts.
    var countsAreIntegers: Bool { !(floatCount > 0 || floatZeroCount > 0) }

    /// The number of observations of a classic histogram, from either kind of count.
    var countOfAnyKind: Double { floatCount == 0 ? count : floatCount }

    /// The native histogram, not validated.
    var histogram: FloatHistogram {
        var histogram = FloatHistogram()
        let isInteger = countsAreIntegers
        histogram.schema = schema
        histogram.count = isInteger ? count : floatCount
        histogram.sum = sum
        histogram.zeroThreshold = zeroThreshold
        histogram.zeroCount = isInteger ? zeroCount : floatZeroCount
        (histogram.positiveSpans, histogram.negativeSpans) = (positive.spans, negative.spans)
        histogram.positiveBuckets = positive.counts(areIntegers: isInteger)
        histogram.negativeBuckets = negative.counts(areIntegers: isInteger)
        return histogram
    }

    /// Reads a field of `Metric`. Fields that do not belong to a metric of this type are ignored.
    mutating func take(
        _ number: UInt64, _ content: ProtobufReader.Content, of type: MetricType, _ reader: ProtobufReader
    ) throws(ProtobufFault) {
        switch (number, content, type) {
        case (2, .bytes(let range), .gauge), (3, .bytes(let range), .counter), (5, .bytes(let range), .unknown):
            try takeValue(reader.message(range))
        case (4, .bytes(let range), .summary): try takeSummary(reader.message(range))
        case (7, .bytes(let range), .histogram), (7, .bytes(let range), .gaugehistogram):
            try takeHistogram(reader.message(range))
        case (6, .varint(let bits), _): timestamp = Int64(bitPattern: bits)
        default: break
        }
    }

    /// `Counter`, `Gauge` and `Untyped`, whose common fields have the same numbers.
    private mutating func takeValue(_ message: ProtobufReader) throws(ProtobufFault) {
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, .fixed64(let bits)): value = Double(bitPattern: bits)
            case (2, .bytes(let range)): exemplar = range
            case (3, .bytes(let range)): startTimestamp = try Self.timestamp(reader.message(range))
            default: continue
            }
        }
    }

    private mutating func takeSummary(_ message: ProtobufReader) throws(ProtobufFault) {
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, .varint(let number)): count = Double(number)
            case (2, .fixed64(let bits)): sum = Double(bitPattern: bits)
            case (3, .bytes(let range)): try takeQuantile(reader.message(range))
            case (4, .bytes(let range)): startTimestamp = try Self.timestamp(reader.message(range))
            default: continue
            }
        }
    }

    private mutating func takeQuantile(_ message: ProtobufReader) throws(ProtobufFault) {
        var (quantile, value) = (0.0, 0.0)
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, .fixed64(let bits)): quantile = Double(bitPattern: bits)
            case (2, .fixed64(let bits)): value = Double(bitPattern: bits)
            default: continue
            }
        }
        quantiles.append((quantile, value))
    }

    private mutating func takeHistogram(_ message: ProtobufReader) throws(ProtobufFault) {
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, .varint(let number)): count = Double(number)
            case (2, .fixed64(let bits)): sum = Double(bitPattern: bits)
            case (3, .bytes(let range)): try takeBucket(reader.message(range))
            case (4, .fixed64(let bits)): floatCount = Double(bitPattern: bits)
            case (5, .varint(let bits)): schema = Int32(truncatingIfNeeded: ProtobufReader.zigzag(bits))
            case (6, .fixed64(let bits)): zeroThreshold = Double(bitPattern: bits)
            case (7, .varint(let number)): zeroCount = Double(number)
            case (8, .fixed64(let bits)): floatZeroCount = Double(bitPattern: bits)
            case (9, let content): try negative.takeSpan(content, reader)
            case (10, let content): try negative.takeDeltas(content, reader)
            case (11, let content): try negative.takeCounts(content, reader)
            case (12, let content): try positive.takeSpan(content, reader)
            case (13, let content): try positive.takeDeltas(content, reader)
            case (14, let content): try positive.takeCounts(content, reader)
            case (15, .bytes(let range)): startTimestamp = try Self.timestamp(reader.message(range))
            case (16, .bytes(let range)): exemplars.append(range)
            default: continue
            }
        }
    }

    private mutating func takeBucket(_ message: ProtobufReader) throws(ProtobufFault) {
        var bucket = Bucket()
        var floatCount = 0.0
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, .varint(let number)): bucket.count = Double(number)
            case (2, .fixed64(let bits)): bucket.upperBound = Double(bitPattern: bits)
            case (3, .bytes(let range)): bucket.exemplar = range
            case (4, .fixed64(let bits)): floatCount = Double(bitPattern: bits)
            default: continue
            }
        }
        if floatCount != 0 { bucket.count = floatCount }
        buckets.append(bucket)
    }

    /// `google.protobuf.Timestamp`, in whole milliseconds. Out-of-range numbers wrap.
    static func timestamp(_ message: ProtobufReader) throws(ProtobufFault) -> Timestamp {
        var milliseconds: Int64 = 0
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, .varint(let seconds)): milliseconds &+= Int64(bitPattern: seconds) &* 1000
            case (2, .varint(let nanos)): milliseconds &+= Int64(Int32(truncatingIfNeeded: nanos)) / 1_000_000
            default: continue
            }
        }
        return Timestamp(milliseconds: milliseconds)
    }
}
