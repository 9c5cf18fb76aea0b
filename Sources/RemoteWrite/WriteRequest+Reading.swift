internal import Exposition
internal import MetricModel
internal import Protobuf

// MARK: Version 1

extension WriteRequest {
    mutating func readFirst(_ message: ProtobufReader) throws(ProtobufFault) {
        var reader = message
        while let (number, content) = try reader.next() {
            guard case .bytes(let range) = content else { continue }
            switch number {
            case 1: try readFirstSeries(reader.message(range))
            case 3: metadata.append(try Metadata(reader.message(range)))
            default: continue
            }
        }
    }

    /// `prometheus.TimeSeries`
    private mutating func readFirstSeries(_ message: ProtobufReader) throws(ProtobufFault) {
        var series = beginSeries()
        var labelsAreTogether = true
        var reader = message
        var start = reader.position
        while let (number, content) = try reader.next() {
            defer { start = reader.position }
            guard case .bytes(let range) = content else { continue }
            switch number {
            case 1:
                if series.labels.isEmpty {
                    series.labels = start..<reader.position
                } else if series.labels.upperBound == start {
                    series.labels = series.labels.lowerBound..<reader.position
                } else {
                    labelsAreTogether = false
                }
            case 2: samples.append(try WriteRequest.Sample(reader.message(range)))
            case 3: exemplars.append(try Self.exemplar(reader.message(range)))
            case 4: histograms.append(try WriteRequest.HistogramSample(reader.message(range)))
            default: continue
            }
        }
        if !labelsAreTogether { series.labels = try gatherLabels(message) }
        end(series)
    }

    /// Copies labels that have other fields between them, and returns the range of the copy.
    private mutating func gatherLabels(_ message: ProtobufReader) throws(ProtobufFault) -> Range<Int> {
        let first = labelBytes.count
        var reader = message
        var start = reader.position
        while let (number, content) = try reader.next() {
            if case .bytes = content, number == 1 {
                unsafe labelBytes.append(contentsOf: reader.buffer(start..<reader.position))
            }
            start = reader.position
        }
        return first..<labelBytes.count
    }

    private static func exemplar(_ message: ProtobufReader) throws(ProtobufFault) -> Exemplar {
        var labels: [Label] = []
        var exemplar = Exemplar(labels: .empty, value: 0)
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, .bytes(let range)):
                if let label = try LabelBytes.label(reader.message(range)) { labels.append(label) }
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

/// The texts of a request of version 2, which series refer to by index.
private struct WriteSymbols {
    private let message: ProtobufReader
    private let ranges: [Range<Int>]

    init(_ message: ProtobufReader, _ ranges: [Range<Int>]) {
        self.message = message
        self.ranges = ranges
    }

    func bytes(_ reference: UInt64, _ reader: ProtobufReader) throws(ProtobufFault) -> UnsafeBufferPointer<UInt8> {
        guard reference < UInt64(ranges.count) else { throw reader.unknown("symbol \(reference)") }
        return unsafe message.buffer(ranges[Int(reference)])
    }

    /// `nil` if it is not UTF-8. Number 0 is the empty text.
    func text(_ reference: UInt64, _ reader: ProtobufReader) throws(ProtobufFault) -> String? {
        if reference == 0 { return "" }
        return unsafe String(validating: try bytes(reference, reader), as: UTF8.self)
    }
}

/// `io.prometheus.write.v2.Metadata`, as numbers of symbols.
private struct MetadataReferences: Equatable {
    /// The metric's name.
    var name: UInt64
    var type: UInt64 = 0
    var help: UInt64 = 0
    var unit: UInt64 = 0

    init(_ message: ProtobufReader, name: UInt64) throws(ProtobufFault) {
        self.name = name
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, .varint(let number)): type = number
            case (3, .varint(let number)): help = number
            case (4, .varint(let number)): unit = number
            default: continue
            }
        }
    }
}

extension WriteRequest {
    mutating func readSecond(_ message: ProtobufReader) throws(ProtobufFault) {
        // Symbols may follow the series that refer to them.
        var symbols: [Range<Int>] = []
        var ranges: [Range<Int>] = []
        var reader = message
        while let (number, content) = try reader.next() {
            guard case .bytes(let range) = content else { continue }
            switch number {
            case 4: symbols.append(range)
            case 5: ranges.append(range)
            default: continue
            }
        }
        series.reserveCapacity(ranges.count)
        let texts = WriteSymbols(message, symbols)
        var last: MetadataReferences?
        for range in ranges { try readSecondSeries(reader.message(range), texts, &last) }
    }

    /// `io.prometheus.write.v2.TimeSeries`
    private mutating func readSecondSeries(
        _ message: ProtobufReader, _ symbols: WriteSymbols, _ lastMetadata: inout MetadataReferences?
    ) throws(ProtobufFault) {
        var series = beginSeries()
        let start = labelBytes.count
        var name: UInt64 = 0
        var ownMetadata: Range<Int>?
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, let content):
                try Self.pairs(content, reader) { pair throws(ProtobufFault) in
                    let (own, value) = unsafe (
                        try symbols.bytes(pair.name, reader), try symbols.bytes(pair.value, reader)
                    )
                    if unsafe Self.isMetricName(own) { name = pair.value }
                    unsafe LabelBytes.append(own, value, to: &labelBytes)
                }
            case (2, .bytes(let range)): samples.append(try WriteRequest.Sample(reader.message(range)))
            case (3, .bytes(let range)): histograms.append(try WriteRequest.HistogramSample(reader.message(range)))
            case (4, .bytes(let range)): exemplars.append(try Self.exemplar(reader.message(range), symbols))
            case (5, .bytes(let range)): ownMetadata = range
            case (6, .varint(let bits)): series.start = Int64(bitPattern: bits)
            default: continue
            }
        }
        series.labels = start..<labelBytes.count
        end(series)
        if let ownMetadata {
            try read(try MetadataReferences(reader.message(ownMetadata), name: name), reader, symbols, &lastMetadata)
        }
    }

    private static func isMetricName(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        unsafe text.count == Labels.metricName.utf8.count && text.elementsEqual(Labels.metricName.utf8)
    }

    /// Calls `take` with the references of each label in `content`.
    private static func pairs(
        _ content: ProtobufReader.Content, _ reader: ProtobufReader,
        _ take: ((name: UInt64, value: UInt64)) throws(ProtobufFault) -> Void
    ) throws(ProtobufFault) {
        guard case .bytes(let range) = content else { throw reader.unknown("value of a label") }
        var packed = reader.message(range)
        while !packed.isAtEnd {
            let name = try packed.varint()
            guard !packed.isAtEnd else { throw reader.unknown("value of a label") }
            try take((name, try packed.varint()))
        }
    }

    private mutating func read(
        _ references: MetadataReferences, _ reader: ProtobufReader, _ symbols: WriteSymbols,
        _ last: inout MetadataReferences?
    ) throws(ProtobufFault) {
        // The series of a family are usually consecutive.
        if references == last { return }
        last = references
        let own = Metadata(
            family: try symbols.text(references.name, reader) ?? "", type: references.type,
            help: try symbols.text(references.help, reader) ?? "", unit: try symbols.text(references.unit, reader) ?? ""
        )
        if own.isEmpty { return }
        let family = own.ofWholeFamily
        if metadata.last != family { metadata.append(family) }
    }

    private static func exemplar(
        _ message: ProtobufReader, _ symbols: WriteSymbols
    ) throws(ProtobufFault) -> Exemplar {
        var labels: [Label] = []
        var exemplar = Exemplar(labels: .empty, value: 0)
        var reader = message
        while let field = try reader.next() {
            switch field {
            case (1, let content):
                try pairs(content, reader) { pair throws(ProtobufFault) in
                    let (name, value) = (try symbols.text(pair.name, reader), try symbols.text(pair.value, reader))
                    if let name, let value { labels.append(Label(name, value)) }
                }
            case (2, .fixed64(let bits)): exemplar.value = Double(bitPattern: bits)
            case (3, .varint(let bits)): exemplar.timestamp = Timestamp(milliseconds: Int64(bitPattern: bits))
            default: continue
            }
        }
        exemplar.labels = Labels(labels)
        return exemplar
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
