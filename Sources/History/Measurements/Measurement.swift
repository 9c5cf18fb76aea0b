internal import JSON
public import MetricModel
internal import Runtime
internal import TLS

/// A measured value, kept for years.
public struct Measurement: Equatable, Sendable {
    /// The series.
    public var labels: Labels
    /// The time.
    public var timestamp: Timestamp
    /// The value.
    public var value: Double

    /// A measurement.
    public init(labels: Labels, timestamp: Timestamp, value: Double) {
        self.labels = labels
        self.timestamp = timestamp
        self.value = value
    }
}

/// Measurements that enter the history together, all of one calendar month (UTC), with one ledger entry that has their
/// hash.
struct MeasurementBatch: Equatable, Sendable {
    struct Sample: Equatable, Sendable {
        /// Index into `series`.
        var series: UInt32
        var milliseconds: Int64
        var value: Double
    }

    /// Label sets as canonical JSON objects.
    var series: [String] = []
    var samples: [Sample] = []

    /// Most samples in one batch.
    static let sampleLimit = 50_000
    /// Times with a partition: 2000-01-01 to 2199-12-31.
    static let times: ClosedRange<Int64> = 946_684_800_000...7_258_118_399_999

    /// The batches of `measurements`, split by month and size. Stale markers and times outside of ``times`` are
    /// omitted.
    static func batches(of measurements: [Measurement]) -> [MeasurementBatch] {
        var finished: [MeasurementBatch] = []
        var open: [Month: (batch: MeasurementBatch, indices: [Labels: UInt32])] = [:]
        for measurement in measurements where times.contains(measurement.timestamp.milliseconds) {
            if measurement.value.bitPattern == Double.staleMarker.bitPattern { continue }
            let month = Month(containing: measurement.timestamp.milliseconds)
            var (batch, indices) = open.removeValue(forKey: month) ?? (MeasurementBatch(), [:])
            let index = indices[measurement.labels] ?? UInt32(batch.series.count)
            if indices[measurement.labels] == nil {
                indices[measurement.labels] = index
                batch.series.append(text(of: measurement.labels))
            }
            // SQLite does not store the sign of zero.
            let value = measurement.value == 0 ? 0 : measurement.value
            batch.samples.append(
                Sample(series: index, milliseconds: measurement.timestamp.milliseconds, value: value))
            if batch.samples.count < sampleLimit {
                open[month] = (batch, indices)
            } else {
                finished.append(batch)
            }
        }
        return finished + open.sorted { $0.key < $1.key }.map(\.value.batch)
    }

    /// A label set as canonical JSON: labels are sorted bytewise already.
    static func text(of labels: Labels) -> String {
        JSON.object(labels.pairs.map { JSON.Member($0.name, .string(PersonalText.storable($0.value))) }).encoded
    }

    /// First and last time; `nil` without samples.
    var times: ClosedRange<Int64>? {
        guard let first = samples.first?.milliseconds else { return nil }
        return samples.reduce(first...first) {
            min($0.lowerBound, $1.milliseconds)...max($0.upperBound, $1.milliseconds)
        }
    }

    /// A hash of the content that depends neither on the order of rows nor on the numbers of series.
    ///
    /// SHA-256 over, for each series in bytewise order of its text: length of the text (4 bytes, big-endian like all
    /// numbers here), the text, number of samples (4), and for each sample by time, then bits: time (8), bits of the
    /// value (8). Every NaN is hashed as 0x7ff8000000000000, because SQLite does not store its bits.
    var digest: [UInt8] {
        var grouped: [String: [(Int64, UInt64)]] = [:]
        for sample in samples {
            let bits = sample.value.isNaN ? 0x7ff8_0000_0000_0000 : sample.value.bitPattern
            grouped[series[Int(sample.series)], default: []].append((sample.milliseconds, bits))
        }
        var buffer: [UInt8] = []
        for (text, samples) in grouped.sorted(by: { ByteOrder.precedes($0.key, $1.key) }) {
            buffer.append(bigEndian: UInt32(clamping: text.utf8.count))
            buffer += text.utf8
            buffer.append(bigEndian: UInt32(clamping: samples.count))
            for (time, bits) in samples.sorted(by: { $0 < $1 }) {
                buffer.append(bigEndian: UInt64(bitPattern: time))
                buffer.append(bigEndian: bits)
            }
        }
        return SHA256.hash(buffer)
    }

    /// The event whose ledger entry has the hash of this batch.
    func event(subject: String, at milliseconds: Int64) -> PendingEvent {
        let times = times ?? milliseconds...milliseconds
        let body: JSON = [
            "count": .integer(Int64(samples.count)), "from": .integer(times.lowerBound),
            "sha256": .string(Hexadecimal.text(digest)), "through": .integer(times.upperBound),
        ]
        return PendingEvent(
            milliseconds: milliseconds, kind: LedgerEvent.Kind.measurements.rawValue, subject: subject,
            body: body.canonical)
    }
}

/// A calendar month in UTC.
struct Month: Hashable, Comparable, Sendable {
    /// Months since January of year 0.
    var number: Int64

    init(containing milliseconds: Int64) {
        let days = milliseconds >= 0 ? milliseconds / 86_400_000 : (milliseconds - 86_399_999) / 86_400_000
        let date = RFC3339.date(daysSinceEpoch: days)
        number = date.year * 12 + date.month - 1
    }

    init(year: Int64, month: Int64) {
        number = year * 12 + month - 1
    }

    private init(number: Int64) {
        self.number = number
    }

    /// The first millisecond.
    var start: Int64 { RFC3339.daysSinceEpoch(year: number / 12, month: number % 12 + 1, day: 1) * 86_400_000 }
    /// The next month.
    var next: Month { Month(number: number + 1) }
    /// `2026_11`.
    var name: String { "\(number / 12)_\(number % 12 < 9 ? "0" : "")\(number % 12 + 1)" }

    static func < (left: Month, right: Month) -> Bool { left.number < right.number }
}

extension [UInt8] {
    mutating func append(bigEndian value: some FixedWidthInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}
