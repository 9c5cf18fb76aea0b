internal import TLS

/// The content of one record of the spool: an event, or a batch of measurements with its event.
///
/// ```text
/// format (1) = 2 · milliseconds (8) · kind · subject · body · actor · incident · service
///   · disclosure count (4) · { commitment (32) · salt (16) · text }…
///   · blob count (4) · blob…
///   · series count (4) · series… · sample count (4) · { series index (4) · milliseconds (8) · value bits (8) }…
/// ```
/// Texts and blobs are a length (4) and bytes; numbers are big-endian. In format 1, of earlier versions, the series
/// count follows the body.
struct SpoolPayload: Equatable, Sendable {
    var event: PendingEvent
    var measurements = MeasurementBatch()

    private static let format: UInt8 = 2

    init(event: PendingEvent, measurements: MeasurementBatch = MeasurementBatch()) {
        self.event = event
        self.measurements = measurements
    }

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(event.body.utf8.count + event.subject.utf8.count + event.actor.utf8.count + 200)
        bytes.append(Self.format)
        bytes.append(bigEndian: event.milliseconds)
        for text in [event.kind, event.subject, event.body, event.actor, event.incident, event.service] {
            bytes.append(counted: text.utf8)
        }
        bytes.append(bigEndian: UInt32(clamping: event.disclosures.count))
        for disclosure in event.disclosures {
            bytes += disclosure.commitment + disclosure.salt
            bytes.append(counted: disclosure.text.utf8)
        }
        bytes.append(bigEndian: UInt32(clamping: event.blobs.count))
        for blob in event.blobs { bytes.append(counted: blob) }
        bytes.append(bigEndian: UInt32(clamping: measurements.series.count))
        for text in measurements.series { bytes.append(counted: text.utf8) }
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
        let format = try reader.number(UInt8.self)
        guard format == 1 || format == Self.format else {
            throw HistoryError(.malformed, "the spooled record has the unknown format \(format)")
        }
        event = PendingEvent(
            milliseconds: try reader.number(), kind: try reader.text(), subject: try reader.text(),
            body: try reader.text())
        if format >= 2 { try reader.readAdditions(to: &event) }
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

    static let fault = HistoryError(.malformed, "the spooled record does not have the layout of its format")

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { index == bytes.count }

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) throws(HistoryError) -> Number {
        try take(Number.bitWidth / 8).reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }

    mutating func take(_ count: Int) throws(HistoryError) -> ArraySlice<UInt8> {
        guard bytes.count - index >= count else { throw Self.fault }
        defer { index += count }
        return bytes[index..<index + count]
    }

    mutating func counted() throws(HistoryError) -> ArraySlice<UInt8> { try take(Int(try number(UInt32.self))) }

    mutating func text() throws(HistoryError) -> String { String(decoding: try counted(), as: UTF8.self) }

    mutating func readAdditions(to event: inout PendingEvent) throws(HistoryError) {
        event.actor = try text()
        event.incident = try text()
        event.service = try text()
        for _ in 0..<(try number(UInt32.self)) {
            let commitment = Array(try take(SHA256.byteCount))
            let salt = Array(try take(Disclosure.saltByteCount))
            event.disclosures.append(Disclosure(commitment: commitment, salt: salt, text: try text()))
        }
        for _ in 0..<(try number(UInt32.self)) { event.blobs.append(Array(try counted())) }
    }
}

extension [UInt8] {
    fileprivate mutating func append(counted bytes: some Collection<UInt8>) {
        append(bigEndian: UInt32(clamping: bytes.count))
        self += bytes
    }
}
