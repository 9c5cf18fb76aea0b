/// What one record of the spool holds: an event, or a batch of measurements with the event that vouches for it.
///
/// ```text
/// format (1) = 1 · milliseconds (8) · kind · subject · body · series count (4) · series… · sample count (4) · samples…
/// kind, subject, body, series: length (4) · bytes        sample: series index (4) · milliseconds (8) · value bits (8)
/// ```
/// Numbers are big-endian.
struct SpoolPayload: Equatable, Sendable {
    var event: PendingEvent
    var measurements = MeasurementBatch()

    private static let format: UInt8 = 1

    init(event: PendingEvent, measurements: MeasurementBatch = MeasurementBatch()) {
        self.event = event
        self.measurements = measurements
    }

    var encoded: [UInt8] {
        var bytes: [UInt8] = [Self.format]
        bytes.append(bigEndian: event.milliseconds)
        for text in [event.kind, event.subject, event.body] { bytes.append(text: text) }
        bytes.append(bigEndian: UInt32(clamping: measurements.series.count))
        for text in measurements.series { bytes.append(text: text) }
        bytes.append(bigEndian: UInt32(clamping: measurements.samples.count))
        for sample in measurements.samples {
            bytes.append(bigEndian: sample.series)
            bytes.append(bigEndian: sample.milliseconds)
            bytes.append(bigEndian: sample.value.bitPattern)
        }
        return bytes
    }

    init(decoding bytes: [UInt8]) throws(HistoryError) {
        var reader = PayloadReader(bytes: bytes)
        guard try reader.number(UInt8.self) == Self.format else {
            throw HistoryError(.malformed, "a spooled record was written by another version")
        }
        event = PendingEvent(
            milliseconds: try reader.number(), kind: try reader.text(), subject: try reader.text(),
            body: try reader.text())
        measurements.series.reserveCapacity(16)
        for _ in 0..<(try reader.number(UInt32.self)) { measurements.series.append(try reader.text()) }
        for _ in 0..<(try reader.number(UInt32.self)) {
            let sample = MeasurementBatch.Sample(
                series: try reader.number(), milliseconds: try reader.number(),
                value: Double(bitPattern: try reader.number()))
            guard sample.series < measurements.series.count else { throw PayloadReader.fault }
            measurements.samples.append(sample)
        }
        guard reader.isAtEnd else { throw PayloadReader.fault }
    }
}

private struct PayloadReader {
    let bytes: [UInt8]
    var index = 0

    static let fault = HistoryError(.malformed, "a spooled record does not have the shape of its format")

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { index == bytes.count }

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) throws(HistoryError) -> Number {
        let width = Number.bitWidth / 8
        guard bytes.count - index >= width else { throw Self.fault }
        defer { index += width }
        return bytes[index..<index + width].reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }

    mutating func text() throws(HistoryError) -> String {
        let length = Int(try number(UInt32.self))
        guard bytes.count - index >= length else { throw Self.fault }
        defer { index += length }
        return String(decoding: bytes[index..<index + length], as: UTF8.self)
    }
}

extension [UInt8] {
    fileprivate mutating func append(text: String) {
        append(bigEndian: UInt32(clamping: text.utf8.count))
        self += text.utf8
    }
}
