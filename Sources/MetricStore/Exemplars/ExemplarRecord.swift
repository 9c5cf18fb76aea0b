internal import MetricModel

/// An exemplar with its series, as stored in the exemplar log.
///
/// ```
/// flags     1 byte: the exemplar has its own time; its series is that of the previous record
/// series    number of labels, names and values; omitted for the same series
/// exemplar  number of labels, names and values · value (8) · time (8)
/// ```
/// Numbers are varints. Texts are preceded by their length.
struct ExemplarRecord: Equatable, Sendable {
    var series: Labels
    /// Always has a time.
    var exemplar: Exemplar
    /// Whether the time is its own; otherwise it is the sample's.
    var hasTime: Bool

    private enum Flag {
        static let hasTime: UInt64 = 1
        static let sameSeries: UInt64 = 2
    }

    /// Appends the record to `bytes`, after a record of the series `previous`.
    func write(to bytes: inout [UInt8], after previous: Labels?) {
        let isSame = series == previous
        bytes.append(varint: (hasTime ? Flag.hasTime : 0) | (isSame ? Flag.sameSeries : 0))
        if !isSame { Self.write(series, to: &bytes) }
        Self.write(exemplar.labels, to: &bytes)
        bytes.append(fixed: exemplar.value.bitPattern)
        bytes.append(fixed: exemplar.timestamp?.milliseconds ?? 0)
    }

    private static func write(_ labels: Labels, to bytes: inout [UInt8]) {
        bytes.append(varint: UInt64(labels.count))
        for pair in labels.pairs {
            bytes.append(text: pair.name)
            bytes.append(text: pair.value)
        }
    }

    /// The records of a frame with a valid checksum, up to the first invalid one, and whether all are valid.
    static func read(_ frame: UnsafeRawBufferPointer) -> (records: [ExemplarRecord], isWhole: Bool) {
        var reader = unsafe SeriesRecordReader(frame)
        var found: [ExemplarRecord] = []
        while unsafe !reader.isAtEnd {
            guard let record = unsafe read(&reader, after: found.last?.series) else { return (found, false) }
            found.append(record)
        }
        return (found, true)
    }

    private static func read(_ reader: inout SeriesRecordReader, after previous: Labels?) -> ExemplarRecord? {
        guard let flags = unsafe reader.varint(), flags <= Flag.hasTime | Flag.sameSeries,
            let series = unsafe flags & Flag.sameSeries != 0 ? previous : labels(&reader),
            let own = unsafe labels(&reader), let value = unsafe reader.word(), let time = unsafe reader.word()
        else { return nil }
        let timestamp = Timestamp(milliseconds: Int64(bitPattern: time))
        return ExemplarRecord(
            series: series,
            exemplar: Exemplar(labels: own, value: Double(bitPattern: value), timestamp: timestamp),
            hasTime: flags & Flag.hasTime != 0)
    }

    private static func labels(_ reader: inout SeriesRecordReader) -> Labels? {
        guard let count = unsafe reader.varint(), count <= UInt64(SeriesIndex.mostLabels) else { return nil }
        var pairs: [Label] = []
        for _ in 0..<count {
            guard let name = unsafe reader.text(), let value = unsafe reader.text() else { return nil }
            pairs.append(unsafe Label(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
        }
        return Labels(pairs)
    }
}
