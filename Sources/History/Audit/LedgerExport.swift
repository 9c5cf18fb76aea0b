internal import Glibc
internal import JSON
internal import MetricModel
internal import Runtime
internal import TLS

/// A ledger as plain files, to be handed to whoever wants to check it without a database.
///
/// ```text
/// ledger.jsonl        the leaves, one canonical JSON object per line; the tree is over exactly these lines
/// hashes.txt          their hashes in hexadecimal, line by line
/// checkpoints.jsonl   {"note":"…","size":12}
/// measurements.jsonl  {"batch":7,"labels":{…},"timestamp":1700000000000,"value":"0.95"}
/// public-key.txt      name+id+key
/// ```
enum LedgerExport {
    static let leaves = "ledger.jsonl"
    static let hashes = "hashes.txt"
    static let checkpoints = "checkpoints.jsonl"
    static let measurements = "measurements.jsonl"
    static let publicKey = "public-key.txt"

    static func line(of batch: MeasurementBatch, _ sample: MeasurementBatch.Sample, sequence: Int64) -> String {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("batch")
        writer.integer(sequence)
        writer.name("labels")
        writer.raw(batch.series[Int(sample.series)])
        writer.name("timestamp")
        writer.integer(sample.milliseconds)
        writer.name("value")
        writer.string(FloatText.json(sample.value))
        writer.endObject()
        return writer.text
    }

    /// Reads a line that ``line(of:_:sequence:)`` wrote; the labels as canonical JSON.
    static func measurement(
        in line: String
    ) -> (sequence: Int64, labels: String, milliseconds: Int64, value: Double)? {
        // A line that is no JSON is reported by the caller.
        guard case .some(let json) = try? JSON(parsing: line), let sequence = json["batch"]?.integer,
            let labels = json["labels"], labels.members != nil, let milliseconds = json["timestamp"]?.integer,
            let text = json["value"]?.text
        else { return nil }
        let value: Double? =
            switch text {
            case "NaN": .nan
            case "+Inf": .infinity
            case "-Inf": -.infinity
            default: Double(text)
            }
        // Members keep their order, which is the canonical one of labels.
        return value.map { (sequence, labels.encoded, milliseconds, $0) }
    }
}

/// Writes a file line by line.
@safe final class LineWriter {
    private let path: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    /// Makes the file at `path`, which must not be there.
    init(path: String) throws(HistoryError) {
        self.path = path
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .file("make", path) }
    }

    deinit {
        close(descriptor)
    }

    func write(_ line: String) throws(HistoryError) {
        buffer += line.utf8
        buffer.append(0x0a)
        if buffer.count > 256 << 10 { try flush() }
    }

    /// Brings the rest to the disk.
    func finish() throws(HistoryError) {
        try flush()
        guard fsync(descriptor) == 0 else { throw .file("sync", path) }
    }

    private func flush() throws(HistoryError) {
        var rest = buffer[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw .file("write", path) }
            rest = rest.dropFirst(count)
        }
        buffer.removeAll(keepingCapacity: true)
    }
}

/// Reads a file line by line; lines of at most 32 MiB.
@safe final class LineReader {
    private let path: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var index = 0
    private var isAtEnd = false

    private static let lineLimit = 32 << 20

    init(path: String) throws(HistoryError) {
        self.path = path
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .file("read", path) }
    }

    deinit {
        close(descriptor)
    }

    /// The next line without its end, or `nil` at the end of the file.
    func next() throws(HistoryError) -> String? {
        var searched = index
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0a) {
                defer { index = end + 1 }
                return String(decoding: buffer[index..<end], as: UTF8.self)
            }
            if isAtEnd {
                defer { index = buffer.count }
                return index < buffer.count ? String(decoding: buffer[index...], as: UTF8.self) : nil
            }
            guard buffer.count - index <= Self.lineLimit else {
                throw HistoryError(.malformed, "\(path): a line is longer than \(Self.lineLimit) bytes")
            }
            buffer.removeFirst(index)
            index = 0
            searched = buffer.count
            try fill()
        }
    }

    private func fill() throws(HistoryError) {
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
        guard count >= 0 else { throw .file("read", path) }
        buffer += chunk.prefix(count)
        isAtEnd = count == 0
    }
}
