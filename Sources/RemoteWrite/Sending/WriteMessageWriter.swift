internal import MetricModel
internal import MetricStore
internal import Protobuf

/// Writes requests of remote write, version 1 or 2. Owned by one thread.
///
/// The labels of a series are encoded once and kept for the next requests.
struct WriteMessageWriter {
    /// A sample of a series; several in a row of the same series share its labels.
    struct Sample {
        /// The number of the series.
        var series: Int
        var time: Int64
        var value: CommittedRows.Value
    }

    /// An exemplar with the labels of its series.
    struct SeriesExemplar {
        var labels: Labels
        var exemplar: Exemplar
    }

    /// The labels of a series as they are sent.
    private struct Encoded {
        /// The fields of version 1.
        var fields: [UInt8] = []
        /// The numbers of the texts of version 2.
        var symbols: [Int] = []
        var name = ""
    }

    /// The number of different texts in labels from which on they should be forgotten.
    private static let mostSymbols = 2_000_000

    let version: RemoteWriteVersion
    private var series: [Encoded?] = []
    private var numbers: [String: Int] = [:]
    private var texts: [String] = []
    /// For each text, its place in the current message, and the message it was placed in.
    private var places: [UInt32] = []
    private var placedIn: [UInt32] = []
    private var message: UInt32 = 0
    private var used: [Int] = []

    init(_ version: RemoteWriteVersion) {
        self.version = version
    }

    /// Whether so many texts are kept that they should be forgotten.
    var isFull: Bool { texts.count > Self.mostSymbols }

    /// Sets the labels of the series `number`.
    mutating func set(_ number: Int, _ labels: Labels) {
        while series.count <= number { series.append(nil) }
        series[number] = encode(labels)
    }

    /// Forgets the labels of the series `number`.
    mutating func forget(_ number: Int) {
        if number < series.count { series[number] = nil }
    }

    /// Forgets the labels of all series.
    mutating func forgetAll() {
        series = []
        numbers = [:]
        (texts, places, placedIn) = ([], [], [])
    }

    private mutating func encode(_ labels: Labels) -> Encoded {
        var encoded = Encoded()
        encoded.name = labels.metricName ?? ""
        switch version {
        case .one:
            var writer = ProtobufWriter()
            Self.write(labels, field: 1, to: &writer)
            encoded.fields = writer.bytes
        case .two:
            for pair in labels.pairs { encoded.symbols += [symbol(pair.name), symbol(pair.value)] }
        }
        return encoded
    }

    private static func write(_ labels: Labels, field: Int, to writer: inout ProtobufWriter) {
        for pair in labels.pairs {
            writer.message(field) {
                $0.text(1, pair.name)
                $0.text(2, pair.value)
            }
        }
    }

    // MARK: Symbols

    private mutating func symbol(_ text: String) -> Int {
        if let number = numbers[text] { return number }
        numbers[text] = texts.count
        texts.append(text)
        places.append(0)
        placedIn.append(0)
        return texts.count - 1
    }

    /// The place of a text in the current message. The first place is the empty text.
    private mutating func place(_ symbol: Int) -> UInt64 {
        if placedIn[symbol] != message {
            placedIn[symbol] = message
            used.append(symbol)
            places[symbol] = UInt32(used.count)
        }
        return UInt64(places[symbol])
    }

    private mutating func place(_ text: String) -> UInt64 {
        text.isEmpty ? 0 : place(symbol(text))
    }

    // MARK: Messages

    /// Messages with the first and the second half of the series in `message`, and their content; `nil` if it has fewer
    /// than two.
    static func halves(
        of message: [UInt8], _ version: RemoteWriteVersion
    ) -> [(message: [UInt8], counts: SenderInstruments.Counts)]? {
        var symbols: [Range<Int>] = []
        var series: [(number: Int, range: Range<Int>, counts: SenderInstruments.Counts)] = []
        do throws(ProtobufFault) {
            try ProtobufReader.reading(message) { start throws(ProtobufFault) in
                var reader = start
                while let (number, content) = try reader.next() {
                    guard case .bytes(let range) = content else { continue }
                    if number == 4 {
                        symbols.append(range)
                    } else {
                        series.append((Int(number), range, try Self.counts(reader.message(range), version)))
                    }
                }
            }
        } catch {
            // It was written here.
            return nil
        }
        guard series.count > 1 else { return nil }
        return [series.prefix(series.count / 2), series.suffix(from: series.count / 2)].map { part in
            var writer = ProtobufWriter(reserving: message.count)
            for symbol in symbols { writer.bytes(4, message[symbol]) }
            var counts = SenderInstruments.Counts()
            for entry in part {
                writer.bytes(entry.number, message[entry.range])
                counts.add(entry.counts)
            }
            return (writer.bytes, counts)
        }
    }

    /// The content of a series.
    private static func counts(
        _ series: consuming ProtobufReader, _ version: RemoteWriteVersion
    ) throws(ProtobufFault) -> SenderInstruments.Counts {
        var counts = SenderInstruments.Counts()
        while let (number, _) = try series.next() {
            switch (number, version) {
            case (2, _): counts.samples += 1
            case (3, .one), (4, .two): counts.exemplars += 1
            case (4, .one), (3, .two): counts.histograms += 1
            default: break
            }
        }
        return counts
    }

    /// A message with samples and exemplars. The labels of all series must be known.
    ///
    /// - Parameters:
    ///   - attached: the exemplars of samples, by the index of the sample.
    ///   - alone: exemplars without a sample; only in version 1.
    ///   - isDivisible: whether each sample has its own series in the message, for ``halves(of:)``.
    ///   - metadata: returns the metadata of a metric; for version 2.
    mutating func write(
        _ samples: [Sample], attached: [Int: [Exemplar]], _ alone: [SeriesExemplar], isDivisible: Bool = false,
        metadata: (String) -> MetricMetadata?
    ) -> [UInt8] {
        message &+= 1
        used = []
        var body = ProtobufWriter(reserving: samples.count * 64)
        var first = 0
        while first < samples.count {
            let number = samples[first].series
            var end = first + 1
            while !isDivisible, end < samples.count, samples[end].series == number { end += 1 }
            let exemplars = attached.isEmpty ? [] : (first..<end).flatMap { attached[$0] ?? [] }
            write(samples[first..<end], number, exemplars, metadata, to: &body)
            first = end
        }
        for exemplar in alone { Self.write(exemplar, to: &body) }
        if version == .one { return body.bytes }
        var result = ProtobufWriter(reserving: body.bytes.count + used.count * 16)
        result.text(4, "")
        for symbol in used { result.text(4, texts[symbol]) }
        result.append(body.bytes)
        return result.bytes
    }

    private mutating func write(
        _ samples: ArraySlice<Sample>, _ number: Int, _ exemplars: [Exemplar],
        _ metadata: (String) -> MetricMetadata?, to body: inout ProtobufWriter
    ) {
        guard number < series.count, let encoded = series[number] else { return }
        switch version {
        case .one:
            body.message(1) { message in
                message.append(encoded.fields)
                for sample in samples { Self.write(sample, floatField: 2, histogramField: 4, to: &message) }
                for exemplar in exemplars { Self.write(exemplar, to: &message) }
            }
        case .two:
            let references = encoded.symbols.map { place($0) }
            let found = metadata(encoded.name)
            let (help, unit) = (found.map { place($0.help) } ?? 0, found.map { place($0.unit) } ?? 0)
            let labels = exemplars.map { $0.labels.pairs.flatMap { [place($0.name), place($0.value)] } }
            body.message(5) { message in
                message.numbers(1, references)
                for sample in samples { Self.write(sample, floatField: 2, histogramField: 3, to: &message) }
                for (exemplar, labels) in zip(exemplars, labels) {
                    message.message(4) {
                        $0.numbers(1, labels)
                        Self.writeValue(of: exemplar, to: &$0)
                    }
                }
                guard let found else { return }
                message.message(5) {
                    let type = WriteMessageWriter.typeNumber(found.type)
                    if type > 0 { $0.number(1, type) }
                    if help > 0 { $0.number(3, help) }
                    if unit > 0 { $0.number(4, unit) }
                }
            }
        }
    }

    private static func write(
        _ sample: Sample, floatField: Int, histogramField: Int, to message: inout ProtobufWriter
    ) {
        switch sample.value {
        case .float(let value):
            message.message(floatField) {
                if value.bitPattern != 0 { $0.double(1, value) }
                if sample.time != 0 { $0.number(2, UInt64(bitPattern: sample.time)) }
            }
        case .histogram(let histogram): message.message(histogramField) { write(histogram, sample.time, to: &$0) }
        }
    }

    /// A series with an exemplar only, in version 1.
    private static func write(_ stored: SeriesExemplar, to body: inout ProtobufWriter) {
        body.message(1) { message in
            write(stored.labels, field: 1, to: &message)
            write(stored.exemplar, to: &message)
        }
    }

    /// An exemplar in version 1.
    private static func write(_ exemplar: Exemplar, to message: inout ProtobufWriter) {
        message.message(3) {
            write(exemplar.labels, field: 1, to: &$0)
            writeValue(of: exemplar, to: &$0)
        }
    }

    /// The fields that are the same in both versions.
    private static func writeValue(of exemplar: Exemplar, to message: inout ProtobufWriter) {
        message.double(2, exemplar.value)
        let time = exemplar.timestamp?.milliseconds ?? 0
        if time != 0 { message.number(3, UInt64(bitPattern: time)) }
    }

    /// A message of version 1 with metadata only.
    static func write(_ metadata: some Sequence<MetricMetadata>) -> [UInt8] {
        var body = ProtobufWriter()
        for family in metadata {
            body.message(3) {
                let type = typeNumber(family.type)
                if type > 0 { $0.number(1, type) }
                $0.text(2, family.family)
                if !family.help.isEmpty { $0.text(4, family.help) }
                if !family.unit.isEmpty { $0.text(5, family.unit) }
            }
        }
        return body.bytes
    }

    /// The number of a type, the same in both versions.
    static func typeNumber(_ name: String) -> UInt64 {
        switch name {
        case "counter": 1
        case "gauge": 2
        case "histogram": 3
        case "gaugehistogram": 4
        case "summary": 5
        case "info": 6
        case "stateset": 7
        default: 0
        }
    }

    // MARK: Histograms

    /// `Histogram`: with integer counts if all are whole numbers, which older receivers know too.
    private static func write(_ histogram: FloatHistogram, _ time: Int64, to message: inout ProtobufWriter) {
        let isWhole = histogram.hasWholeCounts
        if isWhole {
            message.number(1, UInt64(histogram.count))
        } else {
            message.double(2, histogram.count)
        }
        message.double(3, histogram.sum)
        if histogram.schema != 0 { message.number(4, ProtobufWriter.zigzag(Int64(histogram.schema))) }
        message.double(5, histogram.zeroThreshold)
        if isWhole {
            message.number(6, UInt64(histogram.zeroCount))
        } else {
            message.double(7, histogram.zeroCount)
        }
        write(histogram.negativeSpans, histogram.negativeBuckets, isWhole, field: 8, to: &message)
        write(histogram.positiveSpans, histogram.positiveBuckets, isWhole, field: 11, to: &message)
        let hint = histogram.counterResetHint.rawValue
        if hint != 0 { message.number(14, UInt64(hint)) }
        if time != 0 { message.number(15, UInt64(bitPattern: time)) }
        message.doubles(16, histogram.customValues)
    }

    /// Spans in `field`, differences of counts in the next one, or counts in the one after.
    private static func write(
        _ spans: [FloatHistogram.Span], _ counts: [Double], _ isWhole: Bool, field: Int,
        to message: inout ProtobufWriter
    ) {
        for span in spans {
            message.message(field) {
                if span.offset != 0 { $0.number(1, ProtobufWriter.zigzag(Int64(span.offset))) }
                if span.length != 0 { $0.number(2, UInt64(span.length)) }
            }
        }
        guard isWhole else {
            message.doubles(field + 2, counts)
            return
        }
        var previous: Int64 = 0
        var deltas: [UInt64] = []
        deltas.reserveCapacity(counts.count)
        for count in counts {
            deltas.append(ProtobufWriter.zigzag(Int64(count) - previous))
            previous = Int64(count)
        }
        message.numbers(field + 1, deltas)
    }
}

/// The versions of remote write.
enum RemoteWriteVersion: Equatable {
    case one
    case two
}

extension FloatHistogram {
    /// Whether all counts are whole numbers that integers hold.
    fileprivate var hasWholeCounts: Bool {
        func isWhole(_ count: Double) -> Bool { count >= 0 && count < 0x1p53 && count == count.rounded() }
        return isWhole(count) && isWhole(zeroCount) && positiveBuckets.allSatisfy(isWhole)
            && negativeBuckets.allSatisfy(isWhole)
    }
}
