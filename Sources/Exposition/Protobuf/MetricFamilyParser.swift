internal import MetricModel
internal import Protobuf

/// Reads delimited `MetricFamily` messages sample by sample. Used by one thread, inside
/// ``ExpositionBody/withFamilies(_:_:)``, while the pointer is valid.
///
/// Samples come in Prometheus's order: a native histogram before its classic form, `_count` and `_sum` before buckets
/// and quantiles. A classic histogram without a last bucket gets one.
@safe struct MetricFamilyParser {
    /// The part of its metric that a sample is.
    enum Part: UInt8 {
        case value
        case count
        case sum
        case bucket
        case quantile
        case histogram
    }

    let base: UnsafePointer<UInt8>
    let count: Int
    let options: ExpositionOptions
    /// The number of the message, for errors.
    private var number = 0

    /// Set by the consumer of the samples to stop reading.
    var isStopped = false

    // MARK: The family

    /// The family's name, help and unit; empty if absent.
    private(set) var name = 0..<0
    private(set) var help = 0..<0
    private(set) var unit = 0..<0
    private(set) var type = MetricType.counter
    private var metrics: [Range<Int>] = []

    // MARK: The metric

    /// Its labels, as messages.
    private var labels: [Range<Int>] = []
    var fields = MetricFields()

    // MARK: The sample

    private(set) var part = Part.value
    /// Upper bound or quantile, for such a part.
    private(set) var bound = 0.0
    private(set) var value = 0.0
    /// The histogram, for such a part.
    private(set) var histogram: FloatHistogram?
    /// Why the histogram cannot be stored although it can be read.
    private(set) var countFault: String?
    /// The exemplars of the sample, as messages.
    private(set) var exemplars: [Range<Int>] = []

    /// The identity of the sample in the whole body: family and series, as bytes. See ``text``.
    private(set) var key: [UInt8] = []
    /// The start of the series in ``key``. For the first series of a family, the family's name, type, help and unit
    /// come before it.
    private(set) var seriesStart = 0
    private var metricEnd = 0
    /// The start of the used part of ``key``. Its head is skipped after the first series of a family.
    private(set) var keyStart = 0

    init(_ base: UnsafePointer<UInt8>, count: Int, options: ExpositionOptions) {
        unsafe self.base = unsafe base
        self.count = count
        self.options = options
    }

    /// The sample's own timestamp.
    var timestamp: Timestamp? { fields.timestamp == 0 ? nil : Timestamp(milliseconds: fields.timestamp) }

    /// The start timestamp, if it is known and requested.
    var startTimestamp: Timestamp? { options.startTimestamps ? fields.startTimestamp : nil }

    /// Reads everything. Calls `family` before the samples of a family, and `sample` for each of them.
    mutating func read(
        family: (inout MetricFamilyParser) throws(ExpositionError) -> Void,
        sample: (inout MetricFamilyParser) throws(ExpositionError) -> Void
    ) throws(ExpositionError) {
        var position = 0
        while position < count, !isStopped {
            number += 1
            name = 0..<0
            let range: Range<Int>
            do throws(ProtobufFault) {
                range = try nextMessage(after: position)
                try takeFamily(range)
            } catch {
                throw fault(error.description)
            }
            position = range.upperBound
            // Families without metrics are ignored, including their metadata.
            if metrics.isEmpty { continue }
            try checkFamily()
            try family(&self)
            startKey()
            for metric in metrics where !isStopped {
                do throws(ProtobufFault) { try takeMetric(metric) } catch { throw fault(error.description) }
                try emit(sample)
            }
        }
    }

    /// The message whose length is at `position`.
    private func nextMessage(after position: Int) throws(ProtobufFault) -> Range<Int> {
        var reader = unsafe ProtobufReader(base, position..<count)
        let length = try reader.varint()
        guard length <= UInt64(count - reader.position) else { throw reader.cutOff(length) }
        return reader.position..<reader.position + Int(length)
    }

    /// An error in the current message.
    func fault(_ message: String) -> ExpositionError {
        let name = name.isEmpty ? "" : " (\(unsafe String(decoding: buffer(name), as: UTF8.self).prefix(100)))"
        return ExpositionError(line: 0, message: "message \(number)\(name): \(message)")
    }

    func buffer(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    func text(_ range: Range<Int>, _ what: String) throws(ExpositionError) -> String {
        guard let text = unsafe String(validating: buffer(range), as: UTF8.self) else {
            throw fault("\(what) is not UTF-8")
        }
        return text
    }
}

// MARK: Families and metrics

extension MetricFamilyParser {
    private mutating func takeFamily(_ range: Range<Int>) throws(ProtobufFault) {
        (help, unit, type) = (0..<0, 0..<0, .counter)
        metrics.removeAll(keepingCapacity: true)
        var reader = unsafe ProtobufReader(base, range)
        while let field = try reader.next() {
            switch field {
            case (1, .bytes(let range)): name = range
            case (2, .bytes(let range)): help = range
            case (3, .varint(let number)): type = try Self.type(number, at: reader)
            case (4, .bytes(let range)): metrics.append(range)
            case (5, .bytes(let range)): unit = range
            default: continue
            }
        }
    }

    private static func type(_ number: UInt64, at reader: ProtobufReader) throws(ProtobufFault) -> MetricType {
        switch number {
        case 0: .counter
        case 1: .gauge
        case 2: .summary
        case 3: .unknown
        case 4: .histogram
        case 5: .gaugehistogram
        default: throw reader.unknown("metric type \(number)")
        }
    }

    private func checkFamily() throws(ExpositionError) {
        let name = try text(name, "the metric name")
        guard !name.isEmpty else { throw fault("the metric name is empty") }
        _ = try text(help, "the help text")
        let unit = try text(unit, "the unit")
        guard !unit.isEmpty else { return }
        let isTotal = type == .counter && name.hasSuffix("_total")
        guard (isTotal ? String(name.dropLast(6)) : name).hasSuffix("_" + unit) else {
            throw fault("unit \(MetricText.quoted(unit)) not a suffix of metric \(MetricText.quoted(name))")
        }
    }

    private mutating func takeMetric(_ range: Range<Int>) throws(ProtobufFault) {
        labels.removeAll(keepingCapacity: true)
        fields.removeAll()
        var reader = unsafe ProtobufReader(base, range)
        while let (number, content) = try reader.next() {
            if number == 1, case .bytes(let range) = content {
                labels.append(range)
            } else {
                try fields.take(number, content, of: type, reader)
            }
        }
        startMetricKey()
    }
}

// MARK: Samples

extension MetricFamilyParser {
    private mutating func emit(_ sample: (inout MetricFamilyParser) throws(ExpositionError) -> Void)
        throws(ExpositionError)
    {
        switch type {
        case .summary:
            try emit(.count, fields.count, sample)
            try emit(.sum, fields.sum, sample)
            for (quantile, value) in fields.quantiles { try emit(.quantile, value, bound: quantile, sample) }
        case .histogram, .gaugehistogram:
            guard options.nativeHistograms, fields.isNative else { return try emitClassic(sample) }
            try emitNative(sample)
            if options.classicHistograms, !fields.buckets.isEmpty { try emitClassic(sample) }
        case .counter, .gauge, .unknown, .info, .stateset:
            exemplars.removeAll(keepingCapacity: true)
            if let exemplar = fields.exemplar { exemplars.append(exemplar) }
            try emit(.value, fields.value, keepsExemplars: true, sample)
        }
    }

    private mutating func emitClassic(
        _ sample: (inout MetricFamilyParser) throws(ExpositionError) -> Void
    ) throws(ExpositionError) {
        let count = fields.countOfAnyKind
        try emit(.count, count, sample)
        try emit(.sum, fields.sum, sample)
        for bucket in fields.buckets {
            exemplars.removeAll(keepingCapacity: true)
            if let exemplar = bucket.exemplar { exemplars.append(exemplar) }
            try emit(.bucket, bucket.count, bound: bucket.upperBound, keepsExemplars: true, sample)
            // Buckets after the last one are ignored.
            if bucket.upperBound == .infinity { return }
        }
        try emit(.bucket, count, bound: .infinity, sample)
    }

    private mutating func emitNative(
        _ sample: (inout MetricFamilyParser) throws(ExpositionError) -> Void
    ) throws(ExpositionError) {
        var histogram = fields.histogram
        if let problem = histogram.layoutFault { throw fault(problem) }
        countFault = histogram.fault(countsAreIntegers: fields.countsAreIntegers)
        histogram.reduceResolution(to: FloatHistogram.exponentialSchemas.upperBound)
        histogram.compact()
        if type == .gaugehistogram { histogram.counterResetHint = .gauge }
        self.histogram = histogram
        exemplars = fields.exemplars.isEmpty ? fields.buckets.compactMap(\.exemplar) : fields.exemplars
        try emit(.histogram, 0, keepsExemplars: true, sample)
        self.histogram = nil
    }

    private mutating func emit(
        _ part: Part, _ value: Double, bound: Double = 0, keepsExemplars: Bool = false,
        _ sample: (inout MetricFamilyParser) throws(ExpositionError) -> Void
    ) throws(ExpositionError) {
        self.part = part
        // All NaN samples are the same NaN, so that none is taken for a staleness marker.
        self.value = value.isNaN ? .canonicalNaN : value
        self.bound = bound
        if !keepsExemplars, !exemplars.isEmpty { exemplars.removeAll(keepingCapacity: true) }
        finishKey()
        try sample(&self)
        keyStart = seriesStart
    }
}

// MARK: Keys

extension MetricFamilyParser {
    /// The padding after a key, so that it can be hashed in whole words.
    static let keyPadding = 8

    /// The key without its padding.
    var keyEnd: Int { key.count - Self.keyPadding }

    private mutating func startKey() {
        key.removeAll(keepingCapacity: true)
        key.append(type.rawValue)
        for part in [name, help, unit] { appendToKey(part) }
        seriesStart = key.count
        keyStart = 0
    }

    private mutating func startMetricKey() {
        key.removeLast(key.count - seriesStart)
        appendToKey(name)
        for label in labels { appendToKey(label) }
        metricEnd = key.count
    }

    private mutating func finishKey() {
        key.removeLast(key.count - metricEnd)
        key.append(part.rawValue)
        var rest = bound.bitPattern
        for _ in 0..<8 {
            key.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
        for _ in 0..<Self.keyPadding { key.append(0) }
    }

    /// Length prefixes separate adjacent fields.
    private mutating func appendToKey(_ range: Range<Int>) {
        for shift in stride(from: 0, to: 32, by: 8) { key.append(UInt8(truncatingIfNeeded: range.count >> shift)) }
        unsafe key.append(contentsOf: buffer(range))
    }
}

// MARK: Decoding

extension MetricFamilyParser {
    /// The labels of the sample.
    func seriesLabels() throws(ExpositionError) -> Labels {
        let suffix =
            switch part {
            case .count: "_count"
            case .sum: "_sum"
            case .bucket: "_bucket"
            case .value, .quantile, .histogram: ""
            }
        var pairs = [Label(Labels.metricName, try text(name, "the metric name") + suffix)]
        switch part {
        case .bucket: pairs.append(Label("le", OpenMetricsNumber.text(bound)))
        case .quantile: pairs.append(Label("quantile", OpenMetricsNumber.text(bound)))
        case .value, .count, .sum, .histogram: break
        }
        return try read(labels, after: pairs)
    }

    /// An exemplar of the sample; `nil` if it needs a timestamp and has none.
    func exemplar(_ range: Range<Int>) throws(ExpositionError) -> Exemplar? {
        var exemplar = Exemplar(labels: .empty, value: 0)
        var labels: [Range<Int>] = []
        var reader = unsafe ProtobufReader(base, range)
        do throws(ProtobufFault) {
            while let field = try reader.next() {
                switch field {
                case (1, .bytes(let range)): labels.append(range)
                case (2, .fixed64(let bits)): exemplar.value = Double(bitPattern: bits)
                case (3, .bytes(let range)): exemplar.timestamp = try MetricFields.timestamp(reader.message(range))
                default: continue
                }
            }
        } catch {
            throw fault(error.description)
        }
        // Repeated exemplars of a native histogram cannot be distinguished from new ones.
        if part == .histogram, exemplar.timestamp == nil { return nil }
        exemplar.labels = try read(labels, after: [])
        return exemplar
    }

    private func read(_ ranges: [Range<Int>], after pairs: [Label]) throws(ExpositionError) -> Labels {
        var pairs = pairs
        for range in ranges {
            var (name, value) = (0..<0, 0..<0)
            var reader = unsafe ProtobufReader(base, range)
            do throws(ProtobufFault) {
                while let field = try reader.next() {
                    switch field {
                    case (1, .bytes(let range)): name = range
                    case (2, .bytes(let range)): value = range
                    default: continue
                    }
                }
            } catch {
                throw fault(error.description)
            }
            guard !name.isEmpty else { throw fault("a label name is empty") }
            pairs.append(Label(try text(name, "a label name"), try text(value, "a label value")))
        }
        pairs.sort { ByteOrder.precedes($0.name, $1.name) }
        for (first, second) in zip(pairs, pairs.dropFirst()) where ByteOrder.equal(first.name, second.name) {
            throw fault("label name \(MetricText.quoted(first.name)) is not unique")
        }
        pairs.removeAll { $0.value.isEmpty }
        return Labels(sorted: pairs)
    }
}
