internal import MetricModel

/// A remote-write 1.0 message, `prometheus.WriteRequest`. Exemplars and metadata are not kept.
package struct WriteRequest {
    struct Sample {
        var time: Int64
        var value: Double
    }

    struct HistogramSample {
        var time: Int64
        var histogram: FloatHistogram
    }

    struct Series {
        var labels: [Label] = []
        var samples: [Sample] = []
        var histograms: [HistogramSample] = []

        /// The labels as a series has them; `nil` without a name, with a label that stands twice, or with an empty label name.
        var identity: Labels? {
            var names: Set<[UInt8]> = []
            for label in labels {
                guard !label.name.isEmpty, names.insert(Array(label.name.utf8)).inserted else { return nil }
            }
            let identity = Labels(labels)
            return identity.metricName == nil ? nil : identity
        }
    }

    private(set) var series: [Series] = []

    package init(_ bytes: [UInt8]) throws(ProtobufReader.Fault) {
        var reader = ProtobufReader(bytes[...])
        while let (number, content) = try reader.next() {
            if number == 1, case .bytes(let bytes) = content { series.append(try Self.series(bytes)) }
        }
    }

    private static func series(_ bytes: ArraySlice<UInt8>) throws(ProtobufReader.Fault) -> Series {
        var series = Series()
        var reader = ProtobufReader(bytes)
        while let (number, content) = try reader.next() {
            guard case .bytes(let bytes) = content else { continue }
            switch number {
            case 1: series.labels.append(try label(bytes))
            case 2: series.samples.append(try sample(bytes))
            case 4: series.histograms.append(try WriteHistogram.read(bytes))
            default: continue
            }
        }
        return series
    }

    private static func label(_ bytes: ArraySlice<UInt8>) throws(ProtobufReader.Fault) -> Label {
        var label = Label("", "")
        var reader = ProtobufReader(bytes)
        while let (number, content) = try reader.next() {
            guard case .bytes(let bytes) = content else { continue }
            guard let text = String(validating: bytes, as: UTF8.self) else { throw ProtobufReader.Fault() }
            if number == 1 { label.name = text } else if number == 2 { label.value = text }
        }
        return label
    }

    private static func sample(_ bytes: ArraySlice<UInt8>) throws(ProtobufReader.Fault) -> Sample {
        var sample = Sample(time: 0, value: 0)
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case (1, .fixed64(let bits)): sample.value = Double(bitPattern: bits)
            case (2, .varint(let bits)): sample.time = Int64(bitPattern: bits)
            default: continue
            }
        }
        return sample
    }
}

/// `prometheus.Histogram`, with counts as integers (deltas between neighbours) or as floats.
enum WriteHistogram {
    static func read(_ bytes: ArraySlice<UInt8>) throws(ProtobufReader.Fault) -> WriteRequest.HistogramSample {
        var histogram = FloatHistogram()
        var time: Int64 = 0
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case (1, .varint(let count)): histogram.count = Double(count)
            case (2, .fixed64(let bits)): histogram.count = Double(bitPattern: bits)
            case (3, .fixed64(let bits)): histogram.sum = Double(bitPattern: bits)
            case (4, .varint(let schema)): histogram.schema = Int32(truncatingIfNeeded: ProtobufReader.zigzag(schema))
            case (5, .fixed64(let bits)): histogram.zeroThreshold = Double(bitPattern: bits)
            case (6, .varint(let count)): histogram.zeroCount = Double(count)
            case (7, .fixed64(let bits)): histogram.zeroCount = Double(bitPattern: bits)
            case (8, .bytes(let bytes)): histogram.negativeSpans.append(try span(bytes))
            case (9, .bytes(let bytes)): histogram.negativeBuckets = try deltas(bytes)
            case (10, .bytes(let bytes)): histogram.negativeBuckets = try doubles(bytes)
            case (11, .bytes(let bytes)): histogram.positiveSpans.append(try span(bytes))
            case (12, .bytes(let bytes)): histogram.positiveBuckets = try deltas(bytes)
            case (13, .bytes(let bytes)): histogram.positiveBuckets = try doubles(bytes)
            case (14, .varint(let hint)):
                histogram.counterResetHint = .init(rawValue: UInt8(truncatingIfNeeded: hint)) ?? .unknown
            case (15, .varint(let bits)): time = Int64(bitPattern: bits)
            case (16, .bytes(let bytes)): histogram.customValues = try doubles(bytes)
            default: continue
            }
        }
        guard isConsistent(histogram) else { throw ProtobufReader.Fault() }
        return WriteRequest.HistogramSample(time: time, histogram: histogram)
    }

    /// Whether the spans speak of as many buckets as there are, in a schema that is known.
    private static func isConsistent(_ histogram: FloatHistogram) -> Bool {
        func total(_ spans: [FloatHistogram.Span]) -> UInt64 { spans.reduce(0) { $0 + UInt64($1.length) } }
        return total(histogram.positiveSpans) == histogram.positiveBuckets.count
            && total(histogram.negativeSpans) == histogram.negativeBuckets.count
            && (histogram.usesCustomBuckets || (-4...8).contains(histogram.schema))
    }

    private static func span(_ bytes: ArraySlice<UInt8>) throws(ProtobufReader.Fault) -> FloatHistogram.Span {
        var span = FloatHistogram.Span(offset: 0, length: 0)
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case (1, .varint(let bits)): span.offset = Int32(truncatingIfNeeded: ProtobufReader.zigzag(bits))
            case (2, .varint(let bits)): span.length = UInt32(truncatingIfNeeded: bits)
            default: continue
            }
        }
        return span
    }

    /// Each count as the difference to the one before.
    private static func deltas(_ bytes: ArraySlice<UInt8>) throws(ProtobufReader.Fault) -> [Double] {
        var counts: [Double] = []
        var count: Int64 = 0
        var reader = ProtobufReader(bytes)
        while !reader.isAtEnd {
            count &+= ProtobufReader.zigzag(try reader.varint())
            counts.append(Double(count))
        }
        return counts
    }

    private static func doubles(_ bytes: ArraySlice<UInt8>) throws(ProtobufReader.Fault) -> [Double] {
        var values: [Double] = []
        var reader = ProtobufReader(bytes)
        while !reader.isAtEnd { values.append(Double(bitPattern: try reader.fixed(8))) }
        return values
    }
}
