internal import Exposition
internal import MetricModel
internal import Protobuf

// MARK: Version 1

extension WriteRequest.Series {
    /// `prometheus.TimeSeries`
    init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init()
        var reader = message
        while let (number, content) = try reader.next() {
            guard case .bytes(let range) = content else { continue }
            let part = reader.message(range)
            switch number {
            case 1: try readLabel(part)
            case 2: samples.append(try WriteRequest.Sample(part))
            case 3: exemplars.append(try Self.exemplar(part))
            case 4: histograms.append(try WriteRequest.HistogramSample(part))
            default: continue
            }
        }
    }

    private mutating func readLabel(_ message: ProtobufReader) throws(ProtobufFault) {
        guard let label = try Self.label(message) else {
            hasInvalidText = true
            return
        }
        labels.append(label)
    }

    /// `nil` if it is not UTF-8.
    private static func label(_ message: ProtobufReader) throws(ProtobufFault) -> Label? {
        var (name, value) = ("" as String?, "" as String?)
        var reader = message
        while let (number, content) = try reader.next() {
            guard case .bytes(let range) = content else { continue }
            if number == 1 { name = reader.validText(range) }
            if number == 2 { value = reader.validText(range) }
        }
        guard let name, let value else { return nil }
        return Label(name, value)
    }

    private static func exemplar(_ message: ProtobufReader) throws(ProtobufFault) -> Exemplar {
        var labels: [Label] = []
        var exemplar = Exemplar(labels: .empty, value: 0)
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, .bytes(let range)): if let label = try label(reader.message(range)) { labels.append(label) }
            case (2, .fixed64(let bits)): exemplar.value = Double(bitPattern: bits)
            case (3, .varint(let bits)): exemplar.timestamp = Timestamp(milliseconds: Int64(bitPattern: bits))
            default: continue
            }
        }
        exemplar.labels = Labels(labels)
        return exemplar
    }
}

extension WriteRequest.Metadata {
    /// `prometheus.MetricMetadata`
    init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init(family: "", type: 0, help: "", unit: "")
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, .varint(let number)): type = number
            case (2, .bytes(let range)): family = try reader.text(range)
            case (4, .bytes(let range)): help = try reader.text(range)
            case (5, .bytes(let range)): unit = try reader.text(range)
            default: continue
            }
        }
    }
}

// MARK: Version 2

extension WriteRequest.Series {
    /// `io.prometheus.write.v2.TimeSeries`, whose texts are indices of `symbols`.
    init(_ message: ProtobufReader, _ symbols: [String?]) throws(ProtobufFault) {
        self.init()
        var metadata: Range<Int>?
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, let content):
                guard let found = try Self.labels(content, reader, symbols) else {
                    hasInvalidText = true
                    continue
                }
                labels += found
            case (2, .bytes(let range)): samples.append(try WriteRequest.Sample(reader.message(range)))
            case (3, .bytes(let range)): histograms.append(try WriteRequest.HistogramSample(reader.message(range)))
            case (4, .bytes(let range)): exemplars.append(try Self.exemplar(reader.message(range), symbols))
            case (5, .bytes(let range)): metadata = range
            case (6, .varint(let bits)): start = Int64(bitPattern: bits)
            default: continue
            }
        }
        if let metadata {
            let name = labels.first { $0.name == Labels.metricName }?.value ?? ""
            self.metadata = try WriteRequest.Metadata(reader.message(metadata), of: name, symbols)
        }
    }

    /// `nil` if one is not UTF-8.
    private static func labels(
        _ content: ProtobufReader.Content, _ reader: ProtobufReader, _ symbols: [String?]
    ) throws(ProtobufFault) -> [Label]? {
        var references: [UInt64] = []
        try reader.takeNumbers(content) { references.append($0) }
        guard references.count.isMultiple(of: 2) else { throw reader.unknown("value of a label") }
        var labels: [Label] = []
        labels.reserveCapacity(references.count / 2)
        for index in stride(from: 0, to: references.count, by: 2) {
            let name = try symbol(references[index], reader, symbols)
            let value = try symbol(references[index + 1], reader, symbols)
            guard let name, let value else { return nil }
            labels.append(Label(name, value))
        }
        return labels
    }

    /// `nil` if it is not UTF-8.
    fileprivate static func symbol(
        _ reference: UInt64, _ reader: ProtobufReader, _ symbols: [String?]
    ) throws(ProtobufFault) -> String? {
        guard reference < symbols.count else { throw reader.unknown("symbol \(reference)") }
        return symbols[Int(reference)]
    }

    private static func exemplar(_ message: ProtobufReader, _ symbols: [String?]) throws(ProtobufFault) -> Exemplar {
        var labels: [Label] = []
        var exemplar = Exemplar(labels: .empty, value: 0)
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, let content): labels += try Self.labels(content, reader, symbols) ?? []
            case (2, .fixed64(let bits)): exemplar.value = Double(bitPattern: bits)
            case (3, .varint(let bits)): exemplar.timestamp = Timestamp(milliseconds: Int64(bitPattern: bits))
            default: continue
            }
        }
        exemplar.labels = Labels(labels)
        return exemplar
    }
}

extension WriteRequest.Metadata {
    /// `io.prometheus.write.v2.Metadata` of the series `name`.
    fileprivate init(_ message: ProtobufReader, of name: String, _ symbols: [String?]) throws(ProtobufFault) {
        self.init(family: name, type: 0, help: "", unit: "")
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, .varint(let number)): type = number
            case (3, .varint(let number)): help = try WriteRequest.Series.symbol(number, reader, symbols) ?? ""
            case (4, .varint(let number)): unit = try WriteRequest.Series.symbol(number, reader, symbols) ?? ""
            default: continue
            }
        }
    }
}

// MARK: Both

extension WriteRequest.Sample {
    /// `Sample`. Version 1 has no start.
    init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init(time: 0, value: 0)
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, .fixed64(let bits)): value = Double(bitPattern: bits)
            case (2, .varint(let bits)): time = Int64(bitPattern: bits)
            case (3, .varint(let bits)): start = Int64(bitPattern: bits)
            default: continue
            }
        }
    }
}

extension WriteRequest.HistogramSample {
    /// `Histogram`, with integer counts (differences between adjacent ones) or float counts.
    init(_ message: ProtobufReader) throws(ProtobufFault) {
        self.init(time: 0, histogram: FloatHistogram())
        var (positive, negative) = (ProtobufBuckets(), ProtobufBuckets())
        var isInteger = true
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, .varint(let count)): histogram.count = Double(count)
            case (2, .fixed64(let bits)):
                histogram.count = Double(bitPattern: bits)
                isInteger = false
            case (3, .fixed64(let bits)): histogram.sum = Double(bitPattern: bits)
            case (4, .varint(let schema)):
                histogram.schema = Int32(truncatingIfNeeded: ProtobufReader.zigzag(schema))
            case (5, .fixed64(let bits)): histogram.zeroThreshold = Double(bitPattern: bits)
            case (6, .varint(let count)): histogram.zeroCount = Double(count)
            case (7, .fixed64(let bits)): histogram.zeroCount = Double(bitPattern: bits)
            case (8, let content): try negative.takeSpan(content, reader)
            case (9, let content): try negative.takeDeltas(content, reader)
            case (10, let content): try negative.takeCounts(content, reader)
            case (11, let content): try positive.takeSpan(content, reader)
            case (12, let content): try positive.takeDeltas(content, reader)
            case (13, let content): try positive.takeCounts(content, reader)
            case (14, .varint(let hint)):
                histogram.counterResetHint = .init(rawValue: UInt8(truncatingIfNeeded: hint)) ?? .unknown
            case (15, .varint(let bits)): time = Int64(bitPattern: bits)
            case (16, let content): try reader.takeDoubles(content, into: &histogram.customValues)
            case (17, .varint(let bits)): start = Int64(bitPattern: bits)
            default: continue
            }
        }
        (histogram.positiveSpans, histogram.negativeSpans) = (positive.spans, negative.spans)
        histogram.positiveBuckets = positive.counts(areIntegers: isInteger)
        histogram.negativeBuckets = negative.counts(areIntegers: isInteger)
        if histogram.isStaleMarker {
            // Only its sum is used.
            histogram = FloatHistogram()
            histogram.sum = .staleMarker
        }
        fault = histogram.fault(countsAreIntegers: isInteger)
        if fault == nil { histogram.reduceResolution(to: FloatHistogram.exponentialSchemas.upperBound) }
    }
}
