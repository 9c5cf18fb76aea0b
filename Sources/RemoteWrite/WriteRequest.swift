internal import MetricModel
package import Protobuf

/// A remote-write message of either version. A value.
package struct WriteRequest {
    /// The supported messages of remote write.
    package enum Version {
        /// `prometheus.WriteRequest`
        case one
        /// `io.prometheus.write.v2.Request`
        case two
    }

    struct Sample: Equatable {
        var time: Int64
        var value: Double
        /// The start timestamp of the value; 0 if it is unknown.
        var start: Int64 = 0
    }

    struct HistogramSample: Equatable {
        var time: Int64
        var histogram: FloatHistogram
        /// The start timestamp of the histogram; 0 if it is unknown.
        var start: Int64 = 0
        /// Why the histogram cannot be stored.
        var fault: String?
    }

    struct Series {
        var labels: [Label] = []
        var samples: [Sample] = []
        var histograms: [HistogramSample] = []
        var exemplars: [Exemplar] = []
        /// The start timestamp of the series, as sent by early 2.0 senders; 0 if it is unknown.
        var start: Int64 = 0
        /// Version 2 sends it with every series.
        var metadata: Metadata?
        /// Whether a label is not UTF-8, so that the series cannot be stored.
        var hasInvalidText = false
        /// The number of the data point that the series is a part of.
        var point: Int?
        /// Whether nobody sent the series as such, so that a sample that does not fit is no error.
        var isDerived = false
    }

    /// Metadata of a metric family.
    struct Metadata: Equatable {
        /// In version 2, the metric name, which may be that of a part of the family.
        var family: String
        var type: UInt64
        var help: String
        var unit: String
    }

    var series: [Series] = []
    /// The metadata of version 1, which is separate from the series.
    var metadata: [Metadata] = []

    package init(_ bytes: [UInt8], version: Version = .one) throws(ProtobufFault) {
        self.init()
        self = try ProtobufReader.reading(bytes) { message throws(ProtobufFault) in
            var request = WriteRequest()
            switch version {
            case .one: try request.readFirst(message)
            case .two: try request.readSecond(message)
            }
            return request
        }
    }

    /// A message without series.
    init() {}

    private mutating func readFirst(_ message: ProtobufReader) throws(ProtobufFault) {
        var reader = message
        while let (number, content) = try reader.next() {
            guard case .bytes(let range) = content else { continue }
            switch number {
            case 1: series.append(try Series(reader.message(range)))
            case 3: metadata.append(try Metadata(reader.message(range)))
            default: continue
            }
        }
    }

    private mutating func readSecond(_ message: ProtobufReader) throws(ProtobufFault) {
        // Symbols may follow the series that refer to them.
        var symbols: [String?] = []
        var ranges: [Range<Int>] = []
        var reader = message
        while let (number, content) = try reader.next() {
            guard case .bytes(let range) = content else { continue }
            switch number {
            case 4: symbols.append(reader.validText(range))
            case 5: ranges.append(range)
            default: continue
            }
        }
        series.reserveCapacity(ranges.count)
        for range in ranges { series.append(try Series(reader.message(range), symbols)) }
    }
}

extension WriteRequest.Series {
    /// The sorted labels, or why they are invalid.
    var identity: Result<Labels, InvalidLabels> {
        let identity = Labels(labels)
        if hasInvalidText { return .failure(InvalidLabels("invalid UTF-8 in labels of series \(identity)")) }
        var names: Set<[UInt8]> = []
        for label in labels where !names.insert(Array(label.name.utf8)).inserted {
            return .failure(
                InvalidLabels("invalid labels for series, labels \(identity), duplicated label \(label.name)"))
        }
        guard identity.metricName != nil, !labels.contains(where: { $0.name.isEmpty }) else {
            return .failure(InvalidLabels("invalid metric name or labels, got \(identity)"))
        }
        return .success(identity)
    }

    /// Invalid labels of a series.
    struct InvalidLabels: Error {
        let description: String

        fileprivate init(_ description: String) {
            // The response is short, whatever a sender writes there.
            self.description = String(description.prefix(500))
        }
    }
}
