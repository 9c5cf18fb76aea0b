internal import MetricModel
package import Protobuf

/// A remote-write message of either version, in flat arrays. A value.
///
/// Labels stay bytes, so that a series that is already known is found without reading them. They are in the form of
/// version 1: `Label` messages in field 1.
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
        /// The range of ``WriteRequest/labelBytes``.
        var labels = 0..<0
        /// The ranges of the request's arrays.
        var samples = 0..<0
        var histograms = 0..<0
        var exemplars = 0..<0
        /// The start timestamp of the series, as sent by early 2.0 senders; 0 if it is unknown.
        var start: Int64 = 0
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

    /// The labels of all series. In version 1 the message itself.
    var labelBytes: [UInt8] = []
    var series: [Series] = []
    var samples: [Sample] = []
    var histograms: [HistogramSample] = []
    var exemplars: [Exemplar] = []
    /// The metadata of families. In version 1 it is separate from the series; in version 2 it comes with every series,
    /// of which equal neighbors are left out.
    var metadata: [Metadata] = []

    package init(_ bytes: [UInt8], version: Version = .one) throws(ProtobufFault) {
        self.init()
        // Shared, not copied.
        if version == .one { labelBytes = bytes }
        self = try ProtobufReader.reading(bytes) { message throws(ProtobufFault) in
            var request = self
            switch version {
            case .one: try request.readFirst(message)
            case .two: try request.readSecond(message)
            }
            return request
        }
    }

    /// A message without series.
    init() {}

    /// Adds a series.
    mutating func append(
        labels: [Label], samples: [Sample] = [], histograms: [HistogramSample] = [], exemplars: [Exemplar] = [],
        point: Int? = nil, isDerived: Bool = false
    ) {
        var series = beginSeries()
        let start = labelBytes.count
        for label in labels { LabelBytes.append(label, to: &labelBytes) }
        series.labels = start..<labelBytes.count
        (series.point, series.isDerived) = (point, isDerived)
        self.samples += samples
        self.histograms += histograms
        self.exemplars += exemplars
        end(series)
    }

    /// A series whose samples, histograms and exemplars will be added to the arrays.
    func beginSeries() -> Series {
        var series = Series()
        series.samples = samples.count..<samples.count
        series.histograms = histograms.count..<histograms.count
        series.exemplars = exemplars.count..<exemplars.count
        return series
    }

    /// Adds a series with all that was added to the arrays since it began.
    mutating func end(_ begun: Series) {
        var series = begun
        series.samples = begun.samples.lowerBound..<samples.count
        series.histograms = begun.histograms.lowerBound..<histograms.count
        series.exemplars = begun.exemplars.lowerBound..<exemplars.count
        self.series.append(series)
    }
}

/// The bytes of labels in a ``WriteRequest``.
enum LabelBytes {
    /// The bytes of sorted labels, the same for all spellings of a series.
    static func canonical(_ labels: Labels) -> [UInt8] {
        var bytes: [UInt8] = []
        for label in labels.pairs { append(label, to: &bytes) }
        return bytes
    }

    /// The maximum number of bytes before a name or value, and before both.
    private static let mostHeaderBytes = 3 * 11

    /// Adds one label: a `Label` message in field 1.
    static func append(_ label: Label, to bytes: inout [UInt8]) {
        var label = label
        label.name.withUTF8 { name in
            label.value.withUTF8 { value in unsafe append(name, value, to: &bytes) }
        }
    }

    /// Adds one label: a `Label` message in field 1.
    static func append(
        _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]
    ) {
        let (nameLength, valueLength) = (size(ofLength: name.count), size(ofLength: value.count))
        let length = 2 + nameLength + name.count + valueLength + value.count
        unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: mostHeaderBytes + length) { target in
            var end = 0
            unsafe write(0x0a, length: length, to: target, &end)
            unsafe write(0x0a, length: name.count, to: target, &end)
            unsafe write(name, to: target, &end)
            unsafe write(0x12, length: value.count, to: target, &end)
            unsafe write(value, to: target, &end)
            unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: target[..<end]))
        }
    }

    private static func write(
        _ tag: UInt8, length: Int, to target: UnsafeMutableBufferPointer<UInt8>, _ end: inout Int
    ) {
        unsafe target[end] = tag
        end += 1
        var rest = length
        while rest >= 0x80 {
            unsafe target[end] = UInt8(truncatingIfNeeded: rest) | 0x80
            end += 1
            rest >>= 7
        }
        unsafe target[end] = UInt8(rest)
        end += 1
    }

    private static func write(
        _ text: UnsafeBufferPointer<UInt8>, to target: UnsafeMutableBufferPointer<UInt8>, _ end: inout Int
    ) {
        guard let base = text.baseAddress, let start = target.baseAddress else { return }
        unsafe UnsafeMutableRawPointer(start + end).copyMemory(from: base, byteCount: text.count)
        end += text.count
    }

    private static func size(ofLength length: Int) -> Int {
        length < 0x80 ? 1 : (Int.bitWidth - length.leadingZeroBitCount + 6) / 7
    }

    /// The labels in `bytes`, in their order, and whether a text was left out because it is not UTF-8.
    static func read(_ bytes: ArraySlice<UInt8>) throws(ProtobufFault) -> (labels: [Label], areValid: Bool) {
        try unsafe bytes.withUnsafeBufferPointer { buffer throws(ProtobufFault) in
            var labels: [Label] = []
            var areValid = true
            guard let base = buffer.baseAddress else { return (labels, true) }
            var reader = unsafe ProtobufReader(base, 0..<buffer.count)
            while let (_, content) = try reader.next() {
                guard case .bytes(let range) = content else { continue }
                if let label = try label(reader.message(range)) { labels.append(label) } else { areValid = false }
            }
            return (labels, areValid)
        }
    }

    /// A `Label` message; `nil` if it is not UTF-8.
    static func label(_ message: ProtobufReader) throws(ProtobufFault) -> Label? {
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
}

extension WriteRequest {
    /// The sorted labels of a series, or why they are invalid.
    ///
    /// - Throws: if their bytes are no labels.
    func identity(of series: Series) throws(ProtobufFault) -> Result<Labels, InvalidLabels> {
        let (labels, areValid) = try LabelBytes.read(labelBytes[series.labels])
        let identity = Labels(labels)
        if !areValid { return .failure(InvalidLabels("invalid UTF-8 in labels of series \(identity)")) }
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
