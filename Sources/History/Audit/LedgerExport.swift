internal import Glibc
internal import JSON
internal import MetricModel
internal import Runtime
internal import TLS

/// A ledger as plain files that can be verified without a database.
///
/// ```text
/// ledger.jsonl        the leaves, one canonical JSON object per line; the tree is over exactly these lines
/// hashes.txt          their hashes in hexadecimal, line by line
/// checkpoints.jsonl   {"note":"…","size":12}
/// measurements.jsonl  {"batch":7,"labels":{…},"timestamp":1700000000000,"value":"0.95"}
/// disclosures.jsonl   {"commitment":"9f86…","salt":"00c1…","sequence":7,"text":"Ada"}
/// blobs/<SHA-256>     contents that leaves refer to
/// public-key.txt      the keys of the nodes, one name+id+key per line
/// certificates.jsonl  certificates of the root key, one JSON string per line
/// ```
enum LedgerExport {
    static let leaves = "ledger.jsonl"
    static let hashes = "hashes.txt"
    static let checkpoints = "checkpoints.jsonl"
    static let measurements = "measurements.jsonl"
    static let disclosures = "disclosures.jsonl"
    static let blobs = "blobs"
    static let publicKey = "public-key.txt"
    static let certificates = "certificates.jsonl"

    static func line(of disclosure: Disclosure, sequence: Int64) -> String {
        let line: JSON = [
            "commitment": .string(Hexadecimal.text(disclosure.commitment)),
            "salt": .string(Hexadecimal.text(disclosure.salt)), "sequence": .integer(sequence),
            "text": .string(disclosure.text),
        ]
        return line.encoded
    }

    /// Reads a line written by ``line(of:sequence:)``.
    static func disclosure(in line: String) -> (sequence: Int64, disclosure: Disclosure)? {
        // A line that is not JSON is reported by the caller.
        guard case .some(let json) = try? JSON(parsing: line), let sequence = json["sequence"]?.integer,
            let commitment = json["commitment"]?.text.flatMap({ Hexadecimal.bytes($0) }),
            let salt = json["salt"]?.text.flatMap({ Hexadecimal.bytes($0) }), let text = json["text"]?.text
        else { return nil }
        return (sequence, Disclosure(commitment: commitment, salt: salt, text: text))
    }

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

    /// Reads a line written by ``line(of:_:sequence:)``; the labels as canonical JSON.
    static func measurement(
        in line: String
    ) -> (sequence: Int64, labels: String, milliseconds: Int64, value: Double)? {
        // A line that is not JSON is reported by the caller.
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

    /// Creates the file at `path`, which must not exist.
    init(path: String) throws(HistoryError) {
        self.path = path
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .file("create", path) }
    }

    deinit {
        close(descriptor)
    }

    func write(_ line: String) throws(HistoryError) { try write(bytes: Array(line.utf8) + [0x0a]) }

    func write(bytes: [UInt8]) throws(HistoryError) {
        buffer += bytes
        if buffer.count > 256 << 10 { try flush() }
    }

    /// Writes and syncs the rest.
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

    /// Opens the file at `path`. A missing one reads as empty if `isOptional`.
    init(path: String, isOptional: Bool = false) throws(HistoryError) {
        self.path = path
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        isAtEnd = descriptor < 0
        guard descriptor >= 0 || isOptional && errno == ENOENT else { throw .file("read", path) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
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
